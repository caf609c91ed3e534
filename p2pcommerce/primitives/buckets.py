"""Token buckets by key: so many at once, then one in so long.

A bucket is one number, the time at which it is full again (the generic cell rate algorithm), so there is no window at
whose seam twice the rate would pass. Where there is no place for a new key, nothing is taken under it: who comes with
many names gains nothing by it. A bucket that is full is no different from none, and makes room.

Source: ITU-T I.371, annex A (generic cell rate algorithm).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Buckets"]

K = TypeVar("K", bound=Hashable)


class Buckets(Generic[K]):
    """One bucket for each key."""

    __slots__ = ("_full_us", "_interval_us", "_keys_max", "_span_us")

    def __init__(self, burst: int, interval_us: int, keys_max: int) -> None:
        """Begin with full buckets.

        Args:
            burst: tokens at once.
            interval_us: time in which one token comes back, microseconds.
            keys_max: buckets that are not full, at most.
        """
        self._interval_us = interval_us
        self._span_us = burst * interval_us
        self._keys_max = keys_max
        self._full_us: dict[K, int] = {}

    def __len__(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._full_us)

    def take(self, key: K, now: int) -> bool:
        """Take a token from the bucket of `key`; False: there is none."""
        full_us = self._full_us.get(key)
        if full_us is None:
            if len(self._full_us) >= self._keys_max and not self._make_room(now):
                return False
            full_us = now
        elif full_us - now > self._span_us:  # the clock was set back
            full_us = now
        full_us = max(full_us, now) + self._interval_us
        if full_us - now > self._span_us:
            return False
        self._full_us[key] = full_us
        return True

    def has(self, key: K, now: int) -> bool:
        """Tell whether there is a token in the bucket of `key`, without taking it."""
        return max(self.full_us(key, now), now) + self._interval_us - now <= self._span_us

    def full_us(self, key: K, now: int) -> int:
        """Return when the bucket of `key` is full again, microseconds; `now` or earlier: it is."""
        full_us = self._full_us.get(key, now)
        return full_us if full_us - now <= self._span_us else now  # the clock was set back

    def forget(self, key: K) -> None:
        """Drop the bucket of `key`, as if it were full."""
        self._full_us.pop(key, None)

    def _make_room(self, now: int) -> bool:
        self._full_us = {key: at for key, at in self._full_us.items() if now < at <= now + self._span_us}
        return len(self._full_us) < self._keys_max
