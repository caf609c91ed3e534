"""Votes that are not a quorum yet, tallied by stake, and kept a while as evidence.

Bounds: targets of a window that the engine sets, at most 2 different votes per voter and target.

It also remembers each validator's newest vote for the validator itself, should it restart.

Source: the finality specification (FFG; rule 11 and the recovery).
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pcommerce.finality.ffg.links import LinkVote, QuorumLink, make_quorum_link
from p2pcommerce.finality.ffg.voting import contradiction
from p2pcommerce.ledger.validators import ValidatorSet

__all__ = ["LinkPool"]


class LinkPool:
    """Verified votes."""

    def __init__(self, validators: ValidatorSet, votes_max: int) -> None:
        """Hold nothing.

        Args:
            validators: the set.
            votes_max: votes per voter and target.
        """
        self._validators = validators
        self._votes_max = votes_max
        self._votes: dict[int, dict[int, list[LinkVote]]] = {}
        self._newest: dict[int, LinkVote] = {}

    def __len__(self) -> int:
        return sum(len(votes) for voters in self._votes.values() for votes in voters.values())

    def __contains__(self, vote: LinkVote) -> bool:
        return vote in self._of(vote)

    def _of(self, vote: LinkVote) -> list[LinkVote]:
        return self._votes.get(vote.link.target.index, {}).get(vote.voter, [])

    def is_crowded(self, vote: LinkVote) -> bool:
        """Tell whether this voter's votes for this target are as many as are kept."""
        return len(self._of(vote)) >= self._votes_max

    def note(self, vote: LinkVote) -> None:
        """Remember a vote that its voter itself sent, if it is its newest."""
        other = self._newest.get(vote.voter)
        if other is None or vote.link.target.index > other.link.target.index:
            self._newest[vote.voter] = vote

    def newest(self, voter: int) -> tuple[LinkVote, ...]:
        """Return a validator's newest vote, if there is one."""
        vote = self._newest.get(voter)
        return () if vote is None else (vote,)

    def add(self, vote: LinkVote) -> QuorumLink | None:
        """Count a verified vote that is neither here nor crowded out; return the quorum that it completes."""
        voters = self._votes.setdefault(vote.link.target.index, {})
        voters.setdefault(vote.voter, []).append(vote)
        agreeing = [item for votes in voters.values() for item in votes if item.link == vote.link]
        members = self._validators.validators
        if sum(members[item.voter].stake for item in agreeing) < self._validators.quorum:
            return None
        return make_quorum_link(agreeing, self._validators)

    def conflicts(self, vote: LinkVote) -> Iterator[LinkVote]:
        """Yield the same voter's votes that contradict one."""
        for voters in self._votes.values():
            for other in voters.get(vote.voter, ()):
                if contradiction(vote.link, other.link) is not None:
                    yield other

    def prune(self, low: int) -> None:
        """Drop votes for targets below `low`."""
        for index in [index for index in self._votes if index < low]:
            del self._votes[index]
