"""Votes that are not a certificate yet, tallied by stake.

Bounds: views of a window that the engine sets, at most 2 different ballots per voter, kind and view. A voter's weight
counts once for each ballot; for nullifications once per view, whatever the anchors.

It also remembers each validator's newest vote of each kind for the validator itself, should it restart.

Source: rules 4 to 7 and 11, and the recovery, of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pcommerce.finality.certificates import Certificate, Vote, make_certificate
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.validators import ValidatorSet

__all__ = ["VotePool"]


class VotePool:
    """Verified votes of one epoch."""

    def __init__(self, validators: ValidatorSet, hashes_max: int) -> None:
        """Hold nothing.

        Args:
            validators: the epoch's set.
            hashes_max: ballots per voter, kind and view.
        """
        self._validators = validators
        self._hashes_max = hashes_max
        self._votes: dict[tuple[int, VoteKind], dict[int, list[Vote]]] = {}
        self._newest: dict[int, dict[VoteKind, Vote]] = {}

    def __len__(self) -> int:
        return sum(len(votes) for voters in self._votes.values() for votes in voters.values())

    def __contains__(self, vote: Vote) -> bool:
        return vote in self._of(vote)

    def is_crowded(self, vote: Vote) -> bool:
        """Tell whether this voter's ballots of this kind and view are as many as are kept."""
        return len(self._of(vote)) >= self._hashes_max

    def _of(self, vote: Vote) -> list[Vote]:
        return self._votes.get((vote.ballot.view, vote.ballot.kind), {}).get(vote.voter, [])

    def note(self, vote: Vote) -> None:
        """Remember a vote that its voter itself sent, if it is its newest of the kind."""
        newest = self._newest.setdefault(vote.voter, {})
        other = newest.get(vote.ballot.kind)
        if other is None or vote.ballot.view > other.ballot.view:
            newest[vote.ballot.kind] = vote

    def newest(self, voter: int) -> tuple[Vote, ...]:
        """Return a validator's newest votes, one per kind at most."""
        votes = self._newest.get(voter, {})
        return tuple(votes[kind] for kind in sorted(votes))

    def add(self, vote: Vote) -> Certificate | None:
        """Count a verified vote that is neither here nor crowded out; return the certificate it completes."""
        ballot = vote.ballot
        voters = self._votes.setdefault((ballot.view, ballot.kind), {})
        voters.setdefault(vote.voter, []).append(vote)
        if ballot.kind is VoteKind.NULLIFY:
            # Of two anchors the lower one allows more parents.
            agreeing = [min(votes, key=lambda item: item.ballot.anchor) for votes in voters.values()]
        else:
            agreeing = [item for votes in voters.values() for item in votes if item.ballot.hash == ballot.hash]
        if self._weight(item.voter for item in agreeing) < self._validators.quorum:
            return None
        return make_certificate(agreeing, self._validators)

    def strays(self, view: int, block_hash: bytes) -> Iterator[Vote]:
        """Yield the votes N and F of a view for other blocks."""
        for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
            for votes in self._votes.get((view, kind), {}).values():
                yield from (vote for vote in votes if vote.ballot.hash != block_hash)

    def notarizers(self, view: int, block_hash: bytes) -> list[Vote]:
        """Return the votes N for a block."""
        voters = self._votes.get((view, VoteKind.NOTARIZE), {})
        return [vote for votes in voters.values() for vote in votes if vote.ballot.hash == block_hash]

    def has_nullified(self, voter: int | None, view: int) -> bool:
        """Tell whether a voter nullified a view."""
        return voter in self._votes.get((view, VoteKind.NULLIFY), {})

    def nullify_weight(self, view: int) -> int:
        """Return the stake that nullified a view."""
        return self._weight(self._votes.get((view, VoteKind.NULLIFY), {}))

    def prune(self, low: int) -> None:
        """Drop votes of views below `low`."""
        for key in [key for key in self._votes if key[0] < low]:
            del self._votes[key]

    def _weight(self, voters: Iterator[int] | dict[int, list[Vote]]) -> int:
        members = self._validators.validators
        return sum(members[voter].stake for voter in voters)
