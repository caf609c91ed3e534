"""Verified runs that wait for what is below them.

Runs may overlap (two peers answered for one range, or an answer held more than was asked for); each counts with its
full size. The room is bounded by whoever asks for runs: see `Sync`.
"""

from __future__ import annotations

from p2pcommerce.sync.run import Run

__all__ = ["RunBuffer"]


class RunBuffer:
    """Runs by height.

    Attributes:
        size: bytes of the blocks in it.
    """

    __slots__ = ("_runs", "size")

    def __init__(self) -> None:
        """Start empty."""
        self._runs: list[Run] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def block_count(self) -> int:
        """Blocks in it; those of overlapping runs count twice."""
        return sum(len(run.blocks) for run in self._runs)

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """First and last height of each run, by first height."""
        return [(run.first, run.last) for run in self._runs]

    def covers(self, first: int, last: int) -> bool:
        """Tell whether every height from `first` to `last` is here."""
        for start, end in self.intervals:
            if start > first:
                return False
            first = max(first, end + 1)
            if first > last:
                return True
        return first > last

    def add(self, run: Run) -> None:
        """Keep a run."""
        self._runs.append(run)
        self._runs.sort(key=lambda held: held.first)
        self.size += run.size

    def forget(self, height: int) -> None:
        """Drop the runs that end at or below a height."""
        self._keep([run for run in self._runs if run.last > height])

    def clear(self) -> None:
        """Drop everything."""
        self._keep([])

    def take(self, height: int) -> Run | None:
        """Take out the longest run that holds the block above a height, None if no run does."""
        self.forget(height)
        usable = [run for run in self._runs if run.first <= height + 1]
        if not usable:
            return None
        longest = max(usable, key=lambda run: run.last)
        self._keep([run for run in self._runs if run is not longest])
        return longest

    def _keep(self, runs: list[Run]) -> None:
        self._runs = runs
        self.size = sum(run.size for run in runs)
