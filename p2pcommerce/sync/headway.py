"""How fast a node catches up by blocks, and how long it may take: for people, nothing is decided by it.

The rate is that of the last half minute. The height that is aimed at is what peers tell, and not believed: a liar can
make the remaining time wrong, and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.sync.effects import CatchingUp

__all__ = ["Headway"]

_WINDOW_US: Final = 30 * MICROSECONDS
_SAMPLE_US: Final = MICROSECONDS
_TELL_US: Final = 10 * MICROSECONDS
"""Least time between two words, and before the first: a short gap is closed without one."""


class Headway:
    """Measures one node."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._samples: deque[tuple[int, int]] = deque(maxlen=_WINDOW_US // _SAMPLE_US + 1)
        self._told_us = 0
        self._has_told = False
        self._now = CatchingUp(0, 0, 0, None)

    def note(self, height: int, target: int | None, now: int) -> CatchingUp | None:
        """Note where the node stands; return what is worth a word.

        Args:
            height: of the last delivered block.
            target: the highest that peers tell; None: the node does not catch up.
            now: microseconds.
        """
        if target is None or target <= height:
            was_told, self._has_told = self._has_told, False
            self._samples.clear()
            self._now = CatchingUp(height, height, 0, 0)
            return self._now if was_told else None
        if not self._samples:
            self._told_us = now
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_US:
            self._samples.append((now, height))
        self._now = self._measure(height, target, now)
        if now - self._told_us < _TELL_US:
            return None
        self._told_us, self._has_told = now, True
        return self._now

    def _measure(self, height: int, target: int, now: int) -> CatchingUp:
        began_us, began = self._samples[0]
        blocks, time_us = height - began, now - began_us
        if blocks <= 0 or time_us <= 0:
            return CatchingUp(height, target, 0, None)
        return CatchingUp(height, target, blocks * MICROSECONDS // time_us, (target - height) * time_us // blocks)

    def statistics(self) -> Mapping[str, int]:
        """Return height aimed at, blocks per second, and seconds left; -1: not known."""
        left_us = self._now.left_us
        return {
            "catch_up_target": self._now.target,
            "catch_up_blocks_per_s": self._now.blocks_per_s,
            "catch_up_left_s": -1 if left_us is None else left_us // MICROSECONDS,
        }
