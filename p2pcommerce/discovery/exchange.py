"""Peer exchange: what is told to whom, and how much is believed of whom.

Nobody learns a large book by asking often: one answer holds at most 23 % of it and 1,000 records, and for a day the
same asker gets the same answer. Nobody fills the book by telling much: records are accepted from one peer at 0.1 per
second with a burst of 1,000; what is above that is left aside, and is nobody's fault. Both memories outlast a
connection.

Source: the discovery section of the networking specification; Bitcoin Core's limits of `getaddr` and `addr` (its pull
requests 18991 and 22387).

Deviations: a book of up to 16 records is told whole and afresh each time. 23 % of four records is none, and the members
of a small network would never find each other; there is nothing to hide in so small a book.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId

__all__ = ["Exchange"]

_MILLI = 1_000


@dataclass(slots=True)
class _Bucket:
    """Tokens in units of a record per 10^9, so that any span of microseconds adds a whole number of them."""

    level: int
    filled_us: int


@dataclass(slots=True)
class _Asker:
    """What one peer asked and told.

    Attributes:
        answer: the records it was told, if they are repeated.
        answer_us: when that answer was made.
        answered_us: when it was last answered.
        bucket: what may still be accepted from it.
    """

    bucket: _Bucket
    answer: tuple[bytes, ...] = ()
    answer_us: int | None = None
    answered_us: int | None = field(default=None)


class Exchange:
    """The limits of peer exchange, per peer."""

    def __init__(self, parameters: DiscoveryParameters) -> None:
        """Start without memory of anybody."""
        self._parameters = parameters
        self._askers: OrderedDict[PeerId, _Asker] = OrderedDict()

    def __len__(self) -> int:
        return len(self._askers)

    def answer(
        self, peer: PeerId, count: int, book_records: int, draw: Callable[[int], list[bytes]], now: int
    ) -> tuple[bytes, ...] | None:
        """Return the records to tell a peer.

        Args:
            peer: who asks, 32 bytes.
            count: how many it wants; untrusted.
            book_records: size of the book.
            draw: gives up to so many records at random.
            now: microseconds.

        Returns:
            Records as signed; None: it was answered just now, say nothing.
        """
        limits = self._parameters
        asker = self._asker(peer, now)
        if asker.answered_us is not None and now - asker.answered_us < limits.answer_interval_us:
            return None
        asker.answered_us = now
        if asker.answer_us is not None and now - asker.answer_us < limits.answer_life_us:
            return asker.answer[:count]
        asker.answer_us = None
        asker.answer = ()
        if book_records <= limits.answer_records_free:
            return self._fitting(draw(min(count, limits.answer_records_free)))
        share = max(book_records * limits.answer_share_bps // 10_000, 1)
        asker.answer = self._fitting(draw(min(share, limits.answer_records_max)))
        asker.answer_us = now
        return asker.answer[:count]

    def was_answered(self, peer: PeerId, now: int) -> bool:
        """Tell whether a peer (32 bytes) was answered so lately that an honest one would not ask again."""
        asker = self._askers.get(peer)
        return (
            asker is not None
            and asker.answered_us is not None
            and now - asker.answered_us < self._parameters.ask_interval_us // 2
        )

    def accept(self, peer: PeerId, now: int) -> bool:
        """Take one token for one record told by a peer; False: leave it aside."""
        limits = self._parameters
        bucket = self._asker(peer, now).bucket
        full = limits.accept_burst * _MILLI * MICROSECONDS
        bucket.level = min(full, bucket.level + (now - bucket.filled_us) * limits.accept_milli_per_s)
        bucket.filled_us = now
        price = _MILLI * MICROSECONDS
        if bucket.level < price:
            return False
        bucket.level -= price
        return True

    def _asker(self, peer: PeerId, now: int) -> _Asker:
        asker = self._askers.get(peer)
        if asker is None:
            full = self._parameters.accept_burst * _MILLI * MICROSECONDS
            asker = self._askers[peer] = _Asker(_Bucket(full, now))
            if len(self._askers) > self._parameters.askers_max:
                self._askers.popitem(last=False)
        else:
            self._askers.move_to_end(peer)
        return asker

    def _fitting(self, records: list[bytes]) -> tuple[bytes, ...]:
        """Return as many of the records as one message may carry."""
        room = self._parameters.answer_bytes_max
        fitting = []
        for raw in records:
            room -= len(raw)
            if room < 0:
                break
            fitting.append(raw)
        return tuple(fitting)
