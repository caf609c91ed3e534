"""Running asynchronous commands so that Ctrl-C and SIGTERM stop them in order.

A signal cancels the command; whatever it holds open (nodes, child processes, files) is closed on the way out.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import Final

import trio

__all__ = ["INTERRUPTED", "TERMINATED", "run_async"]

INTERRUPTED: Final = 130
TERMINATED: Final = 143


def run_async(command: Callable[[], Awaitable[int]], *, terminated: int = TERMINATED) -> int:
    """Run a command to its end or to a signal, and return its exit code.

    Args:
        command: returns its exit code.
        terminated: the exit code after SIGTERM, 0 where that is the proper way to end.
    """
    return trio.run(_run, command, terminated)


async def _run(command: Callable[[], Awaitable[int]], terminated: int) -> int:
    code: int | None = None

    async def watch(cancel: trio.CancelScope) -> None:
        nonlocal code
        async for number in signals:
            if code is None:
                code = INTERRUPTED if number == signal.SIGINT else terminated
            cancel.cancel()

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            returned = await command()
            if code is None:
                code = returned
            nursery.cancel_scope.cancel()
    return INTERRUPTED if code is None else code
