"""The core contract: how every protocol in this library is driven.

A core is a plain object that does no I/O, reads no clock and draws no global randomness. It is handed inputs with the
present time, and answers with effects: small immutable records of what it wants done, in order.

    core.on_<input>(..., now) -> list[Effect]
    core.deadline -> int | None
    core.on_deadline(now) -> list[Effect]

`now` is in microseconds: Unix time at the start of the program plus monotonic time since; it never steps back. A core
whose `deadline` is at or before `now` wants `on_deadline` as soon as the inputs at hand have been given to it: that is
the end of a tick, where work is done in batches.

Two runtimes drive the same cores: the trio shell and the simulator. What only one of them can drive is a defect.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Core", "earliest"]

E = TypeVar("E")


class Core(Protocol[E]):
    """Anything with a deadline."""

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, in microseconds; None: never."""
        ...

    def on_deadline(self, now: int) -> list[E]:
        """Act on the passing of time."""
        ...


def earliest(*deadlines: int | None) -> int | None:
    """Return the first of some deadlines, None if none of them is set."""
    first: int | None = None
    for deadline in deadlines:
        if deadline is not None and (first is None or deadline < first):
            first = deadline
    return first
