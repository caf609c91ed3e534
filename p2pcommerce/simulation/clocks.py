"""A host's clock: what it reads at a moment of world time.

A right clock reads `UNIX_BASE_US` plus the world time. A faulty one is off by a skew, runs too fast or too slow by a
drift, and jumps. As the runtime's clock it is Unix time at the start of the process plus time elapsed: within one
process it never steps back. A jump forward (a suspended machine) is seen at once; a jump backward, or the end of a skew
ahead, is held back until `restart`, when a new process reads the new wall clock and may find it earlier than before.

After `jump`, `heal` and `restart` deadlines fall at other world times: ask `world_time_of` again.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.streams import Streams

__all__ = ["DRIFT_PPM_MAX", "JUMP_US_MAX", "SKEW_US_MAX", "UNIX_BASE_US", "HostClock"]

UNIX_BASE_US: Final = 1_700_000_000 * MICROSECONDS
"""Unix time at world time 0."""
SKEW_US_MAX: Final = 300 * MICROSECONDS
"""Skew at intensity 1: five minutes either way."""
JUMP_US_MAX: Final = 60 * MICROSECONDS
"""Jump at intensity 1: a minute either way."""
DRIFT_PPM_MAX: Final = 10_000
"""Drift at intensity 1, parts per million; a bad quartz has 100, a starved virtual machine far more."""


class HostClock:
    """The clock of one host.

    Attributes:
        fired: how often each fault took hold.
    """

    __slots__ = ("_drift_ppm", "_held_us", "_jumps", "_now_us", "_rate", "_world_us", "fired", "node")

    def __init__(self, streams: Streams, node: int, faults: Mapping[str, float] | None = None) -> None:
        """Set the clock at world time 0.

        Args:
            streams: of the world.
            node: index of the host.
            faults: intensities (0 to 1) of `clock_skew`, `clock_drift` and `clock_jump`; other kinds are ignored.
        """
        given = faults or {}
        self.node = node
        self.fired: Counter[str] = Counter()
        self._jumps = (streams.of(f"clock_jump.{node}"), round(given.get("clock_jump", 0) * JUMP_US_MAX))
        skew_us = self._draw(streams, "clock_skew", given, SKEW_US_MAX)
        self._drift_ppm = self._draw(streams, "clock_drift", given, DRIFT_PPM_MAX)
        self._rate = MICROSECONDS + self._drift_ppm
        self._world_us = 0
        self._now_us = UNIX_BASE_US + skew_us
        self._held_us = 0

    def _draw(self, streams: Streams, kind: str, faults: Mapping[str, float], most: int) -> int:
        bound = round(faults.get(kind, 0) * most)
        if not bound:
            return 0
        drawn = streams.of(f"{kind}.{self.node}").randint(-bound, bound)
        if drawn:
            self.fired[kind] += 1
        return drawn

    @property
    def drift_ppm(self) -> int:
        """How much too fast it runs, parts per million."""
        return self._drift_ppm

    @property
    def held_us(self) -> int:
        """How far a restart will set it back, microseconds."""
        return self._held_us

    def error_us(self, world_us: int) -> int:
        """Return how far ahead of the right time it is, microseconds."""
        return self.read(world_us) - UNIX_BASE_US - world_us

    def read(self, world_us: int) -> int:
        """Return `now`, microseconds of Unix time, at a world time not before the last change of the clock."""
        return self._now_us + (world_us - self._world_us) * self._rate // MICROSECONDS

    def world_time_of(self, now_us: int) -> int:
        """Return the first world time at which the clock reads `now_us` or later.

        It may lie in the past, if the clock read more already; not before the clock's last change.
        """
        ahead_us = now_us - self._now_us
        if ahead_us <= 0:
            return self._world_us
        return self._world_us - (-ahead_us * MICROSECONDS // self._rate)

    def jump(self, world_us: int, delta_us: int | None = None) -> int:
        """Let the wall clock jump; return by how much.

        Args:
            world_us: present world time.
            delta_us: microseconds; None: drawn by the intensity of `clock_jump`, zero if that is zero.
        """
        if delta_us is None:
            rng, bound = self._jumps
            delta_us = rng.randint(-bound, bound)
        if delta_us:
            self.fired["clock_jump"] += 1
            self._shift(world_us, delta_us)
        return delta_us

    def heal(self, world_us: int) -> None:
        """Set the wall clock right for good: no drift, no more jumps drawn, and an error behind ends at once.

        An error ahead ends when the process restarts, as `now` never steps back.
        """
        self._shift(world_us, -(self.error_us(world_us) - self._held_us))
        self._jumps = (self._jumps[0], 0)
        self._drift_ppm = 0
        self._rate = MICROSECONDS

    def restart(self, world_us: int) -> None:
        """Read the wall clock anew, as a new process does; this may step back."""
        self._now_us = self.read(world_us) - self._held_us
        self._world_us = world_us
        self._held_us = 0

    def _shift(self, world_us: int, delta_us: int) -> None:
        """Move the wall clock by `delta_us`: forward at once, backward at the next restart."""
        wall_us = self.read(world_us) - self._held_us + delta_us
        now_us = max(self.read(world_us), wall_us)
        self._world_us = world_us
        self._now_us = now_us
        self._held_us = now_us - wall_us
