"""Guests: callers for whom there is no place may ask once for records before they are closed.

A node that is full is often the only one that a newcomer knows: a bootstrap node of a network that has grown, or in
which few nodes can be dialled. It has no place to give, but it knows others that may. So a caller who is refused for
want of room stays for a moment in which it may ask for records, and gets nothing else. Guests are few, so that nobody
gains by being one: when their places are taken, whoever was answered goes first, then the oldest of the most populous
address group, for an honest caller asks as soon as it has proven who it is.

Source: the discovery section of the networking specification (losing any one source of peers stops nothing). Bitcoin
Core's DNS seeds answer without a connection; the numbers are ours.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from p2pcommerce.discovery.connections import Connection
from p2pcommerce.discovery.effects import CloseOne, Effect, TakeGuest, Which
from p2pcommerce.discovery.eviction import INBOUND_FULL
from p2pcommerce.primitives.buckets import Buckets
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId

__all__ = ["ANSWERED_US", "GUESTS_MAX", "GUEST_RECORDS_MAX", "GUEST_US", "Guests"]

GUESTS_MAX: Final = 8
"""Guests at one time."""
GUEST_RECORDS_MAX: Final = 64
"""Records that a guest is told: enough to find somebody, and a few thousand bytes."""
GUEST_US: Final = 3 * MICROSECONDS
"""A guest that has not asked for so long is closed."""
ANSWERED_US: Final = MICROSECONDS
"""A guest that was answered is closed after so long: closed at once, the answer might be lost on its way."""
_GROUP_BURST: Final = 16
_GROUP_US: Final = 2 * MICROSECONDS
_TOTAL_BURST: Final = 32
_TOTAL_US: Final = MICROSECONDS // 4
_GROUPS_MAX: Final = 1_024
_ALL: Final = b""


class Guests:
    """Who may ask once, though there is no place for it."""

    __slots__ = ("_answered", "_counters", "_guests", "_of_group", "_total", "_until_us")

    def __init__(self, counters: Counter[str]) -> None:
        """Begin without any; what happens is counted in `counters`."""
        self._counters = counters
        self._guests: dict[PeerId, Connection] = {}
        self._until_us: dict[PeerId, int] = {}
        self._answered: dict[PeerId, None] = {}
        self._of_group: Buckets[bytes] = Buckets(_GROUP_BURST, _GROUP_US, _GROUPS_MAX)
        self._total: Buckets[bytes] = Buckets(_TOTAL_BURST, _TOTAL_US, 1)

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._guests

    def get(self, peer: PeerId) -> Connection | None:
        """Return the connection of a guest (32 bytes)."""
        return self._guests.get(peer)

    @property
    def deadline(self) -> int | None:
        """When the next guest is closed, microseconds; None: there is none."""
        return earliest(*self._until_us.values())

    def receive(self, peer: PeerId, connection: Connection, now: int) -> list[Effect]:
        """Take a caller (32 bytes) as a guest; nothing: it is to be closed at once."""
        if not self._of_group.take(connection.group, now) or not self._total.take(_ALL, now):
            self._counters["GUESTS_OVER_RATE"] += 1
            return []
        effects: list[Effect] = []
        if len(self._guests) >= GUESTS_MAX:
            leaving = self._choose(connection.group)
            self._counters["GUESTS_DISPLACED"] += leaving not in self._answered
            self.leave(leaving)
            effects.append(CloseOne(leaving, Which.NEW, INBOUND_FULL))
        self._counters["GUESTS_TAKEN"] += 1
        self._guests[peer], self._until_us[peer] = connection, now + GUEST_US
        return [*effects, TakeGuest(peer)]

    def on_answered(self, peer: PeerId, now: int) -> None:
        """A guest (32 bytes) was answered: it is closed soon."""
        if peer in self._guests:
            self._counters["GUESTS_ANSWERED"] += 1
            self._answered[peer] = None
            self._until_us[peer] = now + ANSWERED_US

    def leave(self, peer: PeerId) -> bool:
        """Forget a guest (32 bytes); tell whether it was one."""
        self._until_us.pop(peer, None)
        self._answered.pop(peer, None)
        return self._guests.pop(peer, None) is not None

    def on_deadline(self, now: int) -> list[Effect]:
        """Close those whose time is over."""
        over = [peer for peer, until_us in self._until_us.items() if until_us <= now]
        for peer in over:
            self.leave(peer)
        return [CloseOne(peer, Which.NEW, INBOUND_FULL) for peer in over]

    def _choose(self, group: bytes) -> PeerId:
        """Return who makes room for a caller of an address group."""
        if self._answered:
            return next(iter(self._answered))
        crowds = Counter([group, *(each.group for each in self._guests.values())])
        return max(self._guests, key=lambda peer: crowds[self._guests[peer].group])  # of those, the first that came
