"""What somebody may send: so many messages and so many bytes, at once and per second.

Two token buckets that are filled evenly and emptied together, in whole numbers: no fixed windows, at whose seams twice
the rate would pass.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Budget"]

_SCALE: Final = 1_000_000


class Budget:
    """A bucket of messages and one of bytes."""

    __slots__ = ("_burst", "_bytes", "_bytes_burst", "_bytes_rate", "_count", "_filled_us", "_rate")

    def __init__(self, rate: int, burst: int, bytes_rate: int, bytes_burst: int, now: int) -> None:
        """Start full.

        Args:
            rate: messages per second.
            burst: messages at once.
            bytes_rate: bytes per second.
            bytes_burst: bytes at once.
            now: microseconds.
        """
        self._rate, self._burst = rate, burst * _SCALE
        self._bytes_rate, self._bytes_burst = bytes_rate, bytes_burst * _SCALE
        self._count, self._bytes = self._burst, self._bytes_burst  # in millionths
        self._filled_us = now

    def has(self, size: int, now: int) -> bool:
        """Tell whether a message of `size` bytes is within the budget."""
        return self.wait_us(size, now) == 0

    def spend(self, size: int, now: int) -> None:
        """Take a message of `size` bytes out of it; never below nothing."""
        self._fill(now)
        self._count = max(0, self._count - _SCALE)
        self._bytes = max(0, self._bytes - size * _SCALE)

    def wait_us(self, size: int, now: int) -> int:
        """Return in how many microseconds a message of `size` bytes (at most the burst) will be within the budget."""
        self._fill(now)
        lacking = max(0, _SCALE - self._count)
        lacking_bytes = max(0, min(size * _SCALE, self._bytes_burst) - self._bytes)
        return max(-(-lacking // self._rate), -(-lacking_bytes // self._bytes_rate))

    def _fill(self, now: int) -> None:
        passed_us = max(0, now - self._filled_us)  # a clock may be set back
        self._filled_us = now
        self._count = min(self._burst, self._count + passed_us * self._rate)
        self._bytes = min(self._bytes_burst, self._bytes + passed_us * self._bytes_rate)
