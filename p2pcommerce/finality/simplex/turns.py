"""Turns at work of which only so much is done at a time: each peer waits in a line of its own.

    join(peer, item) -> at most `WAITS_MAX` of a peer wait
    take() -> while a place is free: the next item of the peer that has waited longest since its last turn
    leave() -> a place is free again

However much one peer asks for, what another asks for is begun after at most one item of each peer that waits: a flood
delays others, and never displaces them. That holds as long as the peers that wait are no more than `peers_max`, which
is for the caller to see to: of those with stake there are only so many; strangers beyond that number are refused, and
no bound on them could tell a flood from many.

Source: rule 11 of the finality specification (bounds).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

from p2pcommerce.primitives.ids import PeerId

__all__ = ["WAITS_MAX", "Turns"]

WAITS_MAX: Final = 4
"""Items of one peer that wait: as many certificates as one message holds."""
T = TypeVar("T")


class Turns(Generic[T]):
    """Places, and those who wait for one."""

    def __init__(self, places: int, peers_max: int) -> None:
        """Have nobody wait.

        Args:
            places: items that are worked on at one time.
            peers_max: peers that may wait.
        """
        self._places = places
        self._peers_max = peers_max
        self._taken = 0
        self._lines: OrderedDict[PeerId, deque[T]] = OrderedDict()

    @property
    def taken(self) -> int:
        """Items that are worked on."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return sum(map(len, self._lines.values()))

    def join(self, peer: PeerId, item: T) -> bool:
        """Wait for a turn; tell whether there was room."""
        line = self._lines.get(peer)
        if line is None:
            if len(self._lines) >= self._peers_max:
                return False
            line = self._lines[peer] = deque()
        if len(line) >= WAITS_MAX:
            return False
        line.append(item)
        return True

    def take(self) -> T | None:
        """Take a place for the next item; None: none is free, or nothing waits."""
        if self._taken >= self._places or not self._lines:
            return None
        peer, line = next(iter(self._lines.items()))
        item = line.popleft()
        if line:
            self._lines.move_to_end(peer)
        else:
            del self._lines[peer]
        self._taken += 1
        return item

    def leave(self) -> None:
        """Give a place back."""
        self._taken -= 1
