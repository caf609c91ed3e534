"""Whom to dial now: configured addresses, validators, ordinary peers, feelers.

Configured peers and validators have places of their own and are dialled for ever. The ordinary places are filled with
the anchors of the last run first, then from the book, at most one in an address group. When all of them are taken, a
feeler goes out every two minutes: it dials somebody whose place in the book is contested, or somebody new, and closes
the connection at once; so the table of peers reached is kept true.

Addresses without a record, such as a DNS seed gives (`hints`), are dialled while the book has nobody to offer.

Source: the discovery section of the networking specification; Bitcoin Core's `ThreadOpenConnections`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.connections import Connections
from p2pcommerce.discovery.dialling import Dialling, Purpose
from p2pcommerce.discovery.effects import Dial
from p2pcommerce.discovery.group import group_of
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.discovery.selection import Pick, Selection
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import PeerId

__all__ = ["HINTS_MAX", "DialPlan"]

HINTS_MAX: Final = 64
"""Addresses without a record that wait to be dialled; further ones are left aside."""


class DialPlan:
    """What there is to dial.

    Attributes:
        bootstrap: configured address -> who answered there last (32 bytes).
        wanted: the validators to stay close to (32 bytes each).
        hints: addresses without a record, in the order in which they came.
    """

    def __init__(
        self,
        parameters: DiscoveryParameters,
        book: Book,
        connections: Connections,
        dialling: Dialling,
        bootstrap: Mapping[str, PeerId | None],
        rng: random.Random,
    ) -> None:
        """Plan over what others keep."""
        self.bootstrap = dict(bootstrap)
        self.wanted: dict[PeerId, None] = {}
        self.hints: dict[str, None] = {}
        self._parameters = parameters
        self._book = book
        self._connections = connections
        self._dialling = dialling
        self._rng = rng
        self._anchors: list[tuple[PeerId, str]] = []
        self._feeler_us: int | None = None
        self._groups: Counter[bytes] = Counter()
        """Address groups of the ordinary places that are taken, as of the present `plan`."""

    def is_reserved(self, peer: PeerId) -> bool:
        """Tell whether a peer (32 bytes) has a place of its own: a validator, or one that was configured."""
        return peer in self.wanted or peer in self.bootstrap.values()

    @property
    def reserved(self) -> list[PeerId]:
        """Those that are known by their keys (32 bytes each)."""
        configured = [peer for peer in self.bootstrap.values() if peer is not None]
        return list(dict.fromkeys([*self.wanted, *configured]))

    @property
    def has_room(self) -> bool:
        """Whether another dial may be under way."""
        return self._dialling.in_flight < self._parameters.dials_in_flight_max

    def set_anchors(self, anchors: Iterable[tuple[PeerId, str]]) -> None:
        """Dial these peers (32 bytes) at these addresses first."""
        self._anchors = list(anchors)[: self._parameters.anchors_max]

    def hint(self, addresses: Iterable[str]) -> None:
        """Take canonical addresses at which somebody of the network may be."""
        for address in addresses:
            if len(self.hints) < HINTS_MAX and address not in self.bootstrap:
                self.hints[address] = None

    def plan(self, now: int) -> tuple[list[Dial], int | None]:
        """Begin the dials that are due; return them, and when to look again."""
        dials: list[Dial] = []
        wake = earliest(self._bootstrap(dials, now), self._wanted(dials, now))
        return dials, earliest(wake, self._ordinary(dials, now), self._feeler(dials, now))

    # --- kinds ---

    def _bootstrap(self, dials: list[Dial], now: int) -> int | None:
        """Dial what a person configured; return when the next of them may be dialled."""
        wake = None
        for address, peer in self.bootstrap.items():
            next_us = self._dialling.next_us(address)
            if next_us is None or (peer is not None and peer in self._connections):
                continue
            if next_us > now:
                wake = earliest(wake, next_us)
            elif self.has_room:
                self._dial(dials, address, peer, Purpose.RESERVED, now)
        return wake

    def _wanted(self, dials: list[Dial], now: int) -> int | None:
        """Dial validators whose addresses are known; return when the next of them may be dialled."""
        wake = None
        under_way = self._dialling.peers_in_flight
        for peer in self.wanted:
            entry = self._book.get(peer)
            if entry is None or peer in self._connections or peer in under_way:
                continue
            addresses = [address for address in entry.addresses if address not in self.bootstrap]
            address = self._dialling.best(addresses, now)
            if address is None:
                wake = earliest(wake, *(self._dialling.next_us(each) for each in addresses))
            elif self.has_room:
                self._dial(dials, address, peer, Purpose.RESERVED, now)
        return wake

    def _ordinary(self, dials: list[Dial], now: int) -> int | None:
        """Dial peers up to the target; return when the next of them may be dialled."""
        limits = self._parameters
        under_way = self._dialling.ordinary_under_way
        missing = limits.outbound_target - self._connections.count(outbound=True) - len(under_way)
        missing = min(missing, limits.ordinary_dials_in_flight_max - len(under_way))
        if missing <= 0:
            return None
        self._groups = Counter(connection.group for _, connection in self._connections.ordinary(outbound=True))
        self._groups.update(group_of(address) for address in under_way)
        selection = Selection(self._book, self._is_free, self._dialling, self._parameters, self._rng, now)
        while missing and self.has_room:
            picked = self._anchor(now) or selection.pick(limits.outbound_new_max - self._new_count())
            if picked is None:
                return self._hint(dials, now) if selection.wake_us is None else selection.wake_us
            missing -= 1
            purpose = Purpose.TRIED if picked.was_reached else Purpose.NEW
            self._groups[group_of(picked.address)] += 1
            self._dial(dials, picked.address, picked.peer, purpose, now)
        return selection.wake_us

    def _anchor(self, now: int) -> Pick | None:
        """Return the next anchor that may be dialled, each once."""
        while self._anchors:
            peer, address = self._anchors.pop(0)
            if self._is_free(peer, address) and self._dialling.best([address], now) is not None:
                return Pick(peer, address, was_reached=True)
        return None

    def _hint(self, dials: list[Dial], now: int) -> int | None:
        """Dial an address of which nothing is known but that somebody named it, once."""
        if not self.hints or self._connections:
            return None
        address = next(iter(self.hints))
        del self.hints[address]
        if self._dialling.best([address], now) is not None:
            self._dial(dials, address, None, Purpose.NEW, now)
        return now + self._parameters.redraw_us

    def _feeler(self, dials: list[Dial], now: int) -> int | None:
        """Test an address when it is time and nothing else is missing; return when it is time again."""
        interval_us = self._parameters.feeler_us
        if not interval_us or not self._parameters.outbound_target:
            return None
        if self._feeler_us is None:
            self._feeler_us = now + self._rng.randrange(interval_us)
        if self._feeler_us > now:
            return self._feeler_us
        # Between 5/6 and 7/6 of the interval, so that nodes that started together do not dial together.
        self._feeler_us = now + interval_us * 5 // 6 + self._rng.randrange(interval_us // 3)
        self._book.settle_contests(now)
        is_full = self._connections.count(outbound=True) >= self._parameters.outbound_target
        if is_full and self.has_room and not self._dialling.is_feeling:
            picked = self._to_test(now)
            if picked is not None:
                self._dial(dials, picked.address, picked.peer, Purpose.FEELER, now)
        return self._feeler_us

    def _to_test(self, now: int) -> Pick | None:
        """Return whose address is to be tested."""
        selection = Selection(self._book, self._is_stranger, self._dialling, self._parameters, self._rng, now)
        contested = self._book.to_test(now)
        if contested is None:
            return selection.pick_new()
        if contested.peer in self._connections:
            self._book.on_seen(contested.peer, now)
            return selection.pick_new()
        return selection.test(contested)

    # --- what they share ---

    def _is_stranger(self, peer: PeerId, address: str) -> bool:
        del address
        return peer not in self._connections and not self.is_reserved(peer)

    def _is_free(self, peer: PeerId, address: str) -> bool:
        """Tell whether an ordinary place may go to a peer: it has none yet, and its group is not there yet."""
        is_alone = self._groups[group_of(address)] < self._parameters.outbound_per_group_max
        return is_alone and self._is_stranger(peer, address)

    def _new_count(self) -> int:
        """Return how many ordinary places have gone to peers that were never reached before."""
        connected = sum(
            connection.purpose is Purpose.NEW for _, connection in self._connections.ordinary(outbound=True)
        )
        return connected + sum(purpose is Purpose.NEW for purpose in self._dialling.ordinary_under_way.values())

    def _dial(self, dials: list[Dial], address: str, peer: PeerId | None, purpose: Purpose, now: int) -> None:
        self._dialling.start(address, peer, purpose=purpose, now=now)
        # Who stands behind a configured address may change its key.
        dials.append(Dial(address, None if address in self.bootstrap else peer))
