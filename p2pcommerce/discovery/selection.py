"""Which peers of the book to dial next: for ordinary places, and to test an address.

Half of the time somebody that was reached before is drawn, else somebody new; but of the ordinary places at most four
go to peers that had never been reached, while there are others. Whoever failed is taken less often; no two in one
address group.

Source: the discovery section of the networking specification; Bitcoin Core's `AddrMan::Select`.

Deviations: the bound on new peers (see `DiscoveryParameters.outbound_new_max`); a small book is looked through after
draws in vain, so that the last peer is found.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.dialling import Dialling
from p2pcommerce.discovery.entry import Entry
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Pick", "Selection"]

_COIN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Pick:
    """Whom to dial, and where.

    Attributes:
        peer: 32 bytes.
        address: one of its record.
        was_reached: it was, before.
    """

    peer: PeerId
    address: str
    was_reached: bool


class Selection:
    """The peers of the book that may be dialled now.

    Attributes:
        wake_us: when it is worth while to look again; None: when something changes.
    """

    def __init__(
        self,
        book: Book,
        is_free: Callable[[PeerId, str], bool],
        dialling: Dialling,
        parameters: DiscoveryParameters,
        rng: random.Random,
        now: int,
    ) -> None:
        """Look at the book as it stands.

        Args:
            book: the peers.
            is_free: tells whether a peer (32 bytes) may be dialled at an address, as far as others are concerned.
            dialling: what is known of addresses.
            parameters: how many draws.
            rng: picks.
            now: microseconds.
        """
        self.wake_us: int | None = None
        self._book = book
        self._is_free = is_free
        self._dialling = dialling
        self._parameters = parameters
        self._rng = rng
        self._now = now
        self._under_way = dialling.peers_in_flight

    def pick(self, new_left: int) -> Pick | None:
        """Return one to dial for an ordinary place, None if nobody is left.

        Args:
            new_left: how many peers that were never reached may still be taken while there are others.
        """
        tried_first = new_left <= 0 or self._rng.random() < _COIN
        for tried in (tried_first, not tried_first):
            found = self._draw(tried=tried)
            if found is not None:
                return found
        return self._look_through(tried_first=tried_first)

    def pick_new(self) -> Pick | None:
        """Return one that was never reached, None if draws find nobody."""
        return self._draw(tried=False)

    def test(self, entry: Entry) -> Pick | None:
        """Return how to dial one peer, None if it may not be dialled now."""
        return self._usable(entry)

    def _draw(self, *, tried: bool) -> Pick | None:
        for _ in range(min(self._parameters.draws_max, 2 * len(self._book))):
            entry = self._book.draw(tried=tried)
            if entry is None:
                return None
            if entry.failures and self._rng.random() >= entry.chance:
                continue
            found = self._usable(entry)
            if found is not None:
                return found
        return None

    def _look_through(self, *, tried_first: bool) -> Pick | None:
        """Look at every peer of a small book; of a large one, draw again in a while."""
        if len(self._book) > 4 * self._parameters.draws_max:
            self.wake_us = earliest(self.wake_us, self._now + self._parameters.redraw_us)
            return None
        found: list[Pick] = []
        for entry in self._book:
            pick = self._usable(entry)
            if pick is not None:
                found.append(pick)
            elif entry.peer not in self._under_way:
                self._note_rest(entry)
        first = [pick for pick in found if pick.was_reached == tried_first] or found
        return first[self._rng.randrange(len(first))] if first else None

    def _note_rest(self, entry: Entry) -> None:
        """Wake when an address that rests has rested."""
        for address in entry.addresses:
            if self._is_free(entry.peer, address):
                next_us = self._dialling.next_us(address)
                if next_us is not None and next_us > self._now:
                    self.wake_us = earliest(self.wake_us, next_us)

    def _usable(self, entry: Entry) -> Pick | None:
        if entry.peer in self._under_way or entry.is_useless(self._now // 1_000):
            return None
        free = [address for address in entry.addresses if self._is_free(entry.peer, address)]
        address = self._dialling.best(free, self._now)
        return None if address is None else Pick(entry.peer, address, bool(entry.reached_ms))
