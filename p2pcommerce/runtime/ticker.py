"""When the ticks of one core come: at once after what may want one, else when the core's deadline says.

A tick is where a core does its batches. Whoever changes the core says so: `wake` where a tick must follow, `stir` where
only the core knows; of what peers send most is known already, and moves no deadline.
"""

from __future__ import annotations

from typing import TypeVar

import trio

from p2pcommerce.primitives.core import Core
from p2pcommerce.runtime.clock import Clock

__all__ = ["Ticker"]

E = TypeVar("E")


class Ticker:
    """Says when a tick is due, and who waited for its end that it is over."""

    def __init__(self, core: Core[E], clock: Clock) -> None:
        """Ask `core` for its deadlines, which are in the time of `clock`."""
        self._core = core
        self._clock = clock
        self._wake = trio.Event()
        self._wake_us: int | None = None  # when the next tick comes by itself
        self._ticked = trio.Event()

    def wake(self) -> None:
        """Let a tick follow."""
        self._wake.set()

    def stir(self) -> None:
        """Let a tick follow if the core wants one before the next is due."""
        if not self._wake.is_set():
            due_us = self._core.deadline
            if due_us is not None and (self._wake_us is None or due_us < self._wake_us):
                self._wake.set()

    async def wait_due(self) -> None:
        """Wait until a tick is due."""
        if self._wake.is_set():
            # Readers get a second turn: what peers are known to have by the tick need not be sent to them.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
        else:
            self._wake_us = self._core.deadline
            with trio.CancelScope(deadline=self._clock.trio_time(self._wake_us)):
                await self._wake.wait()
        self._wake = trio.Event()

    def end(self) -> None:
        """The tick is over."""
        ticked, self._ticked = self._ticked, trio.Event()
        ticked.set()

    async def wait_end(self) -> None:
        """Wait for the end of the present tick, or of everything."""
        await self._ticked.wait()

    def close(self) -> None:
        """No tick will come any more: nobody waits for one."""
        self._ticked.set()
