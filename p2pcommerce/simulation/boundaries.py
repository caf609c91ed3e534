"""How long finality pauses where one epoch ends and the next begins.

The gap of a boundary is the time from the moment at which the epoch's last block is final at some honest node until the
first block of the next epoch is. It is quiet if no fault or adversary has a part in it: the world has none, or has
recovered from its faults before the gap began.

Source: the gate for disjoint epochs of the finality specification.
"""

from __future__ import annotations

__all__ = ["Boundaries"]


class Boundaries:
    """The gaps of one world.

    Attributes:
        quiet_us: of quiet boundaries, in order, microseconds.
        struck_us: of the others.
    """

    def __init__(self, epoch_blocks: int) -> None:
        """Measure a world whose epochs have so many blocks."""
        self.quiet_us: list[int] = []
        self.struck_us: list[int] = []
        self._epoch_blocks = epoch_blocks
        self._height = 0
        self._final_us = 0
        self._was_quiet = False

    def on_final(self, height: int, world_us: int, *, is_quiet: bool) -> None:
        """A block is final at an honest node; only the first that says so counts.

        Args:
            height: of the block.
            world_us: when, microseconds of world time.
            is_quiet: whether no fault has a part in what happens now.
        """
        if height != self._height + 1:
            return
        if height > 1 and (height - 1) % self._epoch_blocks == 0:
            gaps_us = self.quiet_us if self._was_quiet else self.struck_us
            gaps_us.append(world_us - self._final_us)
        self._height, self._final_us, self._was_quiet = height, world_us, is_quiet
