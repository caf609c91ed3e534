"""What each leader signed lately, kept for the leader itself, should it restart.

A leader whose disk is an older copy does not know what it proposed since, and would sign one slot twice. It asks, and
whoever heard of its proposals tells it of them (`recovery`).

Bounds: the last `HEADS_MAX` proposals of each validator. They are taken in two ways: from the leader itself before
they are checked, so that one which is refused here is told of as well; and from anybody once its signature was found
good. So only a leader itself, or who holds its key, can fill its place, and the leader checks what it is told.

Source: the recovery of the finality specification. Deviations: it asks for votes alone; but slots are counted by
clocks, which come back, so that peers tell of proposals, too.
"""

from __future__ import annotations

from p2pcommerce.finality.ffg.messages import HEADS_MAX, ProposalHead

__all__ = ["ProposalHeads"]


class ProposalHeads:
    """The last proposals of each validator, without their blocks."""

    def __init__(self) -> None:
        """Know of none."""
        self._heads: dict[int, dict[ProposalHead, None]] = {}

    def __len__(self) -> int:
        return sum(len(heads) for heads in self._heads.values())

    def note(self, leader: int, head: ProposalHead) -> None:
        """Remember a proposal of a validator, by index; the one that was heard first is forgotten for it."""
        heads = self._heads.setdefault(leader, {})
        heads[head] = None
        if len(heads) > HEADS_MAX:
            del heads[next(iter(heads))]

    def newest(self, leader: int) -> tuple[ProposalHead, ...]:
        """Return the proposals of a validator that were heard last, oldest first, `HEADS_MAX` at most."""
        return tuple(self._heads.get(leader, ()))
