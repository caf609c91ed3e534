"""A long computation in a thread beside the node: in slices, with rests between them.

A thread that computes takes the interpreter from the event loop for up to 5 ms each time, and on a machine with fewer
cores than nodes it takes the cores, too. All nodes of a network take their snapshots at the same block: without rests
they all stood still together, and the larger the state, the longer.

Source: `sys.setswitchinterval` in the Python library reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["RESTS", "SLICE_S", "Pace"]

T = TypeVar("T")

SLICE_S: Final = 0.005
"""Processor time after which there is a rest, seconds: as long as the interpreter lets one thread run at a time."""
RESTS: Final = 4
"""A rest is so many times as long as the slice before it: a fifth of a core is taken. No source."""


class Pace:
    """The rests of one computation; for one thread, which makes it.

    Attributes:
        spent_s: processor time of the slices that are over, seconds; 0 of a computation shorter than one.
    """

    def __init__(self, rest: Callable[[float], None]) -> None:
        """Begin; `rest` waits for so many seconds in the computing thread, and raises to give the computation up."""
        self.spent_s = 0.0
        self._rest = rest
        self._since_s = time.thread_time()

    def look(self) -> None:
        """Rest if a slice is over."""
        slice_s = time.thread_time() - self._since_s
        if slice_s >= SLICE_S:
            self.spent_s += slice_s
            self._rest(RESTS * slice_s)
            self._since_s = time.thread_time()

    def over(self, items: Iterable[T], each: int = 1) -> Iterator[T]:
        """Yield the items, and look after each so many of them."""
        for number, item in enumerate(items, 1):
            yield item
            if number % each == 0:
                self.look()
