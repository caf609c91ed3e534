"""Can others reach this node? Whoever dials others for ten minutes and is dialled by nobody cannot be reached.

Other nodes' feelers are the test: they dial whom they know of, all the time. Among global addresses only callers from
global addresses count.

Source: the discovery section of the networking specification (a node that cannot be reached says so).
"""

from __future__ import annotations

__all__ = ["Reach"]


class Reach:
    """When this node was last called, and since when it could have been."""

    __slots__ = ("_called_us", "_global_us", "_since_us", "_wait_us")

    def __init__(self, wait_us: int) -> None:
        """Judge after so many microseconds."""
        self._wait_us = wait_us
        self._since_us: int | None = None
        self._global_us: int | None = None
        self._called_us: dict[bool, int] = {}

    def on_connected(self, now: int, *, outbound: bool, is_local: bool) -> None:
        """A connection stands that this node dialled, or somebody else."""
        if not outbound:
            self._called_us[is_local] = now
            return
        if self._since_us is None:
            self._since_us = now
        if not is_local and self._global_us is None:
            self._global_us = now

    def is_unreachable(self, now: int) -> bool:
        """Tell whether nobody seems able to reach this node; what is not known yet is not told."""
        return self.is_silent(now, self._wait_us)

    def is_silent(self, now: int, wait_us: int) -> bool:
        """Tell whether this node dials others for so many microseconds, and nobody has called."""
        from_us = self.silent_from_us(wait_us)
        return from_us is not None and from_us <= now

    def silent_from_us(self, wait_us: int) -> int | None:
        """Return from when on `is_silent` holds if nobody calls; None: somebody has, or nobody was dialled."""
        if self._global_us is not None:
            return None if False in self._called_us else self._global_us + wait_us
        return None if self._since_us is None or self._called_us else self._since_us + wait_us
