"""One input of the finality engine being worked off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from p2pcommerce.finality import engine as finality
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Commit, Effect

__all__ = ["Answer", "Turn"]

Answer = Callable[[], list[finality.Effect]]


@dataclass(slots=True)
class Turn:
    """One input being worked off: node effects so far, and the engine's questions not answered yet."""

    now: int
    effects: list[Effect] = field(default_factory=list)
    asked: deque[finality.Effect] = field(default_factory=deque)
    answers: deque[Answer] = field(default_factory=deque)
    committed: list[CommittedBlock] = field(default_factory=list)

    def flush_commits(self) -> None:
        """Put the blocks that became final into one commit: blocks that were caught up share the last one's proof."""
        if self.committed:
            self.effects.append(Commit(tuple(self.committed)))
            self.committed = []
