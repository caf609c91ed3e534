"""A token bucket: so much at once, then so much a second."""

from __future__ import annotations

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["Allowance"]


class Allowance:
    """What may be taken, refilled with time. Whole tokens and microseconds: nothing is lost by rounding."""

    __slots__ = ("_burst", "_level", "_per_s", "_since_us")

    def __init__(self, burst: int, per_s: int, now: int) -> None:
        """Begin full.

        Args:
            burst: tokens at most.
            per_s: tokens that come back each second, at least 1.
            now: microseconds.
        """
        self._burst = burst * MICROSECONDS
        self._per_s = per_s
        self._level = self._burst
        self._since_us = now

    def take(self, count: int, now: int) -> bool:
        """Take tokens, unless there are fewer."""
        self._fill(now)
        if self._level < count * MICROSECONDS:
            return False
        self._level -= count * MICROSECONDS
        return True

    def ready_us(self, count: int, now: int) -> int:
        """Return when so many tokens will be there, microseconds."""
        self._fill(now)
        missing = min(count * MICROSECONDS, self._burst) - self._level
        return now if missing <= 0 else now - (-missing // self._per_s)

    def _fill(self, now: int) -> None:
        self._level = min(self._burst, self._level + (now - self._since_us) * self._per_s)
        self._since_us = now
