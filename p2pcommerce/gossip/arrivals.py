"""What came in: seen before, in flight to admission, or ignored for the time being.

A transaction is marked as seen and in flight before it is validated, so that nothing is validated twice. While it is in
flight, the peers that show it are noted: they need not get it. This is the hot path of the whole network: a duplicate
costs a hash and a look-up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.seen import OWN, REJECTED, Seen
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PeerId, TransactionId

__all__ = ["TRANSACTION_ID", "Arrival", "Arrivals"]

TRANSACTION_ID: Final = cast("Callable[[bytes], TransactionId]", blake2b_256)
"""Returns the id (32 bytes) of a transaction's bytes."""


class Arrival:
    """What one message brought.

    Attributes:
        fresh: id and bytes of what was never seen, now in flight.
        known: ids of the others.
        invalid: how many of these are known to be invalid.
        dropped: how many were not taken, because too many are in flight.
    """

    __slots__ = ("dropped", "fresh", "invalid", "known")

    def __init__(self) -> None:
        """Start empty."""
        self.fresh: list[tuple[TransactionId, bytes]] = []
        self.known: list[TransactionId] = []
        self.invalid = 0
        self.dropped = 0


class Arrivals:
    """The seen-cache, and what became of its newest entries.

    Attributes:
        seen: the cache.
        flight: id -> the peers that showed it, for what waits for a verdict; the first peer brought it.
    """

    __slots__ = ("_identify", "_ignored", "_parameters", "flight", "seen")

    def __init__(self, parameters: GossipParameters, identify: Callable[[bytes], TransactionId]) -> None:
        """Start empty; `identify` returns the id (32 bytes) of a transaction's bytes."""
        self._parameters = parameters
        self._identify = identify
        self.seen = Seen(parameters.seen_max)
        self.flight: dict[TransactionId, list[PeerId]] = {}
        self._ignored: deque[tuple[int, TransactionId]] = deque()

    @property
    def ignored_count(self) -> int:
        """Ignored transactions that still count as seen."""
        return len(self._ignored)

    def take(self, link: Link, items: Sequence[bytes], now: int) -> Arrival:
        """Sort what a peer pushes into new and known, and take samples of its lag."""
        if self._ignored:
            self._release(now)
        arrival = Arrival()
        seen, flight, fresh, known = self.seen, self.flight, arrival.fresh, arrival.known
        seen.make_room(len(items), now)
        young, old, peer, identify = seen.young, seen.old, link.peer, self._identify
        room = self._parameters.in_flight_max - len(flight)
        firsts: list[int] = []
        for raw in items:
            tx_id = identify(raw)
            first = young.get(tx_id)
            if first is None:
                first = old.get(tx_id)
            if first is not None:
                known.append(tx_id)
                firsts.append(first)
            elif len(fresh) < room:
                young[tx_id] = now
                flight[tx_id] = [peer]
                fresh.append((tx_id, raw))
        arrival.dropped = len(items) - len(fresh) - len(known)
        if known:
            arrival.invalid = self._all_again(link, known, firsts, now)
        if fresh:
            link.lag_count += len(fresh)
            seen.to_index([tx_id for tx_id, _ in fresh])
        return arrival

    def _all_again(self, link: Link, known: Sequence[TransactionId], firsts: Sequence[int], now: int) -> int:
        """Do `_again` for a whole message without a call for each; return how many are known to be invalid."""
        flight, peer, news, lag_us_max = self.flight, link.peer, link.news, self._parameters.lag_us_max
        invalid = lag_us = samples = 0
        for tx_id, first in zip(known, firsts, strict=True):
            if first == REJECTED:
                invalid += 1
                continue
            shown = flight.get(tx_id)
            if shown is not None:
                if peer in shown:
                    continue
                shown.append(peer)
            elif news:
                link.has_shown(tx_id)
            if first != OWN:
                lag_us += min(now - first, lag_us_max)
                samples += 1
        link.lag_us += lag_us
        link.lag_count += samples
        return invalid

    def announced(self, link: Link, short: bytes, now: int) -> bool:
        """Note that a peer announces a transaction (short id of 8 bytes); return whether it is known."""
        if self._ignored:
            self._release(now)
        found = self.seen.by_short(short)
        if found is None:
            return False
        tx_id, first = found
        if first != REJECTED:
            self._again(link, tx_id, first, now)
        return True

    def shown_by(self, tx_id: TransactionId, peers: Iterable[PeerId]) -> None:
        """Note that peers have a transaction that is in flight."""
        shown = self.flight.get(tx_id)
        if shown is not None:
            shown.extend(peer for peer in peers if peer not in shown)

    def land(self, tx_id: TransactionId) -> Sequence[PeerId]:
        """Return who showed a transaction, now that it is judged."""
        return self.flight.pop(tx_id, ())

    def know(self, tx_id: TransactionId) -> None:
        """Count a transaction as seen that no peer showed."""
        if tx_id not in self.seen:
            self.seen.add(tx_id, OWN)

    def launch(self, tx_id: TransactionId) -> None:
        """Count a transaction as seen and, if there is room, in flight, that was private until now."""
        self.know(tx_id)
        if len(self.flight) < self._parameters.in_flight_max:
            self.flight.setdefault(tx_id, [])

    def ignore(self, tx_id: TransactionId, now: int) -> None:
        """Count a transaction as seen for a short time only."""
        if len(self._ignored) >= self._parameters.ignored_max:
            self._forget(self._ignored.popleft()[1])
        self._ignored.append((now + self._parameters.ignored_us, tx_id))

    def _again(self, link: Link, tx_id: TransactionId, first: int, now: int) -> None:
        """Take a peer's showing of what was seen before as a sample of its lag."""
        shown = self.flight.get(tx_id)
        if shown is not None:
            if link.peer in shown:
                return
            shown.append(link.peer)
        elif link.news:
            link.has_shown(tx_id)
        if first != OWN:
            lag = now - first
            link.lag_us += min(lag, self._parameters.lag_us_max)
            link.lag_count += 1

    def _release(self, now: int) -> None:
        ignored = self._ignored
        while ignored and ignored[0][0] <= now:
            self._forget(ignored.popleft()[1])

    def _forget(self, tx_id: TransactionId) -> None:
        """Let an ignored transaction be new again, unless it is in flight or was found invalid since."""
        if tx_id not in self.flight and self.seen.first_us(tx_id) != REJECTED:
            self.seen.forget(tx_id)
