"""A part of the summary that only some demos have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["Section", "mark"]


class Section(Protocol):
    """What was done beside the trade of every demo, and what came of it."""

    @property
    def name(self) -> str:
        """Its member of the JSON object."""
        ...

    @property
    def ok(self) -> bool:
        """Whether it is as it has to be."""
        ...

    def to_plain(self) -> dict[str, object]:
        """Return it for the JSON object."""
        ...

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it."""
        ...


def mark(good: bool) -> str:  # noqa: FBT001 - it is what the mark says
    """Return the sign before a line that says whether something is as it has to be."""
    return "✓" if good else "✗"
