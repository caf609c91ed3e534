"""The node's clock: Unix time at the start plus monotonic time since, in microseconds; it never steps back."""

from __future__ import annotations

import time

import trio

__all__ = ["Clock"]


class Clock:
    """Gives `now` to cores, and turns a core's deadline into trio's time."""

    __slots__ = ("_offset_us",)

    def __init__(self) -> None:
        """Read the wall clock once; everything after is monotonic."""
        self._offset_us = time.time_ns() // 1_000 - _trio_us()

    def now(self) -> int:
        """Return microseconds of Unix time."""
        return self._offset_us + _trio_us()

    def trio_time(self, deadline_us: int | None) -> float:
        """Return when a deadline is, in trio's seconds; infinity for None."""
        if deadline_us is None:
            return float("inf")
        return (deadline_us - self._offset_us) / 1_000_000


def _trio_us() -> int:
    # Rounded, not cut: at `trio_time(d)` it must be `d`, or a deadline that has come would seem one microsecond away.
    return round(trio.current_time() * 1_000_000)
