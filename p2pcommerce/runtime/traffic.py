"""What connections have moved: bytes, records and messages, of those alive and of those that ended."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Final

from p2pcommerce.wire import Session, SessionStatistics

__all__ = ["Traffic"]

_NAMES: Final = tuple(field.name for field in dataclasses.fields(SessionStatistics))


class Traffic:
    """Counters that never fall."""

    def __init__(self) -> None:
        """Begin with nothing moved."""
        self._ended: Counter[str] = Counter()

    def end(self, session: Session) -> None:
        """Remember what a connection moved that has ended."""
        self._ended.update(_moved(session))

    def statistics(self, sessions: Iterable[Session]) -> dict[str, int]:
        """Return what was moved since the start.

        Args:
            sessions: of the connections that are alive.
        """
        moved = Counter(self._ended)
        for session in sessions:
            moved.update(_moved(session))
        return {name: moved[name] for name in _NAMES}


def _moved(session: Session) -> dict[str, int]:
    counts = session.statistics()
    return {name: getattr(counts, name) for name in _NAMES}
