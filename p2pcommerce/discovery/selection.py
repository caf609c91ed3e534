"""Which ordinary peers to dial next: at random, half of the time among those reached before.

Source: the discovery section of the networking specification; the coin between `new` and `tried` is that of Bitcoin
Core's `AddrMan::Select`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from p2pcommerce.discovery.book import Entry
from p2pcommerce.discovery.dialling import Dialling
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Selection"]


class Selection:
    """The peers of the book that may be dialled now.

    Attributes:
        wake_us: when the next of the others may be dialled; None: none is resting.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        is_excluded: Callable[[PeerId], bool],
        dialling: Dialling,
        rng: random.Random,
        now: int,
    ) -> None:
        """Sort the entries.

        Args:
            entries: the book.
            is_excluded: tells who is connected already, or has a place of its own.
            dialling: what is known of addresses.
            rng: picks.
            now: microseconds.
        """
        self.wake_us: int | None = None
        self._rng = rng
        self._reached: list[tuple[PeerId, str]] = []
        self._unreached: list[tuple[PeerId, str]] = []
        under_way = dialling.peers_in_flight
        for entry in entries:
            parsed = entry.record
            if parsed.public_key in under_way or parsed.expires_ms <= now // 1_000 or is_excluded(parsed.public_key):
                continue
            address = dialling.best(parsed.addresses, now)
            if address is None:
                self.wake_us = earliest(self.wake_us, *(dialling.next_us(each) for each in parsed.addresses))
            else:
                (self._reached if entry.reached_ms else self._unreached).append((parsed.public_key, address))

    def pick(self) -> tuple[PeerId, str] | None:
        """Take one peer and its address out, None if nobody is left."""
        if not self._reached and not self._unreached:
            return None
        among_reached = bool(self._reached) and (not self._unreached or self._rng.random() < 0.5)
        places = self._reached if among_reached else self._unreached
        index = self._rng.randrange(len(places))
        places[index], places[-1] = places[-1], places[index]
        return places.pop()
