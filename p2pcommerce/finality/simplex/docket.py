"""What the validators of an epoch were heard to say, kept to be compared with what they say later.

The pool counts votes, and forgets what can complete no certificate any more. Two signatures that contradict each other
may be further apart: the second half of a double vote comes when its view is long final, a nullification reaches back
over views that were given up, a partition brings the certificates of another branch. Here each vote stays for a window
of views after the present one has passed it, each voter's newest finalization for the whole epoch, and certificates for
a longer window.

Votes are kept as they came from their own voters, verified or not: who accuses verifies both signatures first, and
drops what is not good. Certificates are kept once they are verified.

Bounds: votes of `window_views` views below the present one and one above, at most `hashes_max` different ballots per
voter, kind and view; certificates of `CERTIFICATE_VIEWS` views, at most `hashes_max` per kind and view.

What is older than this, or was heard before a restart, is compared with the chain on the disk (`hindsight`).

Source: rule 11 and the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from p2pcommerce.finality.certificates import Certificate, Vote
from p2pcommerce.finality.evidence import contradiction
from p2pcommerce.finality.voting import Ballot, VoteKind

__all__ = ["CERTIFICATE_VIEWS", "Docket"]

CERTIFICATE_VIEWS: Final = 256
"""Views below the present one whose certificates are kept: of 100 validators at most 6.6 MB, of 256 at most 15 MB."""
T = TypeVar("T")

_VOTES: Final = (VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE)


class Docket:
    """Votes and certificates of one epoch."""

    def __init__(self, window_views: int, hashes_max: int) -> None:
        """Hold nothing.

        Args:
            window_views: below the present one, of which votes are kept.
            hashes_max: different ballots of a voter, kind and view; also certificates of a kind and view.
        """
        self._window_views = window_views
        self._hashes_max = hashes_max
        self._votes: dict[VoteKind, dict[int, dict[int, list[Vote]]]] = {kind: {} for kind in _VOTES}
        self._newest: dict[int, Vote] = {}  # by voter, of its finalizations
        self._certificates: dict[VoteKind, dict[int, list[Certificate]]] = {kind: {} for kind in _VOTES}

    @property
    def votes(self) -> int:
        """How many votes are kept, without each voter's newest finalization."""
        return sum(len(votes) for views in self._votes.values() for each in views.values() for votes in each.values())

    # --- keeping ---

    def keep(self, vote: Vote) -> None:
        """Keep a vote that its voter itself sent, if there is room for it."""
        ballot = vote.ballot
        votes = self._votes[ballot.kind].setdefault(ballot.view, {}).setdefault(vote.voter, [])
        if len(votes) < self._hashes_max and all(other.ballot.hash != ballot.hash for other in votes):
            votes.append(vote)
        if ballot.kind is VoteKind.FINALIZE:
            newest = self._newest.get(vote.voter)
            if newest is None or newest.ballot.view < ballot.view:
                self._newest[vote.voter] = vote

    def drop(self, vote: Vote) -> None:
        """Forget a vote whose signature is not good."""
        votes = self._votes[vote.ballot.kind].get(vote.ballot.view, {}).get(vote.voter, [])
        if vote in votes:
            votes.remove(vote)
        if self._newest.get(vote.voter) == vote:
            del self._newest[vote.voter]

    def keep_certificate(self, certificate: Certificate) -> None:
        """Keep a verified certificate, if there is room for it."""
        held = self._certificates[certificate.kind].setdefault(certificate.view, [])
        if len(held) < self._hashes_max and all(other.hash != certificate.hash for other in held):
            held.append(certificate)

    def prune(self, view: int) -> None:
        """Drop what is too far below the present view."""
        self._drop_below(self._votes, view - self._window_views)
        self._drop_below(self._certificates, view - CERTIFICATE_VIEWS)

    @staticmethod
    def _drop_below(kinds: dict[VoteKind, dict[int, Any]], low: int) -> None:
        for views in kinds.values():
            for view in [view for view in views if view < low]:
                del views[view]

    # --- comparing ---

    def holds(self, certificate: Certificate) -> bool:
        """Tell whether a certificate for the same ballot is kept."""
        held = self._certificates[certificate.kind].get(certificate.view, ())
        return any(other.hash == certificate.hash for other in held)

    def finalized(self, view: int) -> list[Certificate]:
        """Return the F certificates of a view that are kept."""
        return self._certificates[VoteKind.FINALIZE].get(view, [])

    def views_finalized(self, low: int, high: int) -> list[int]:
        """Return the views from `low` to `high` of which F certificates are kept, ascending."""
        return sorted(view for view in self._certificates[VoteKind.FINALIZE] if low <= view <= high)

    def against(self, vote: Vote) -> Iterator[Vote]:
        """Yield what the same voter was heard to say, itself or in a certificate, that contradicts a vote."""
        ballot, voter = vote.ballot, vote.voter
        for kind, low, high in _opposing(ballot.kind, ballot.view, ballot):
            for voters in _between(self._votes[kind], low, high):
                for other in voters.get(voter, ()):
                    if contradiction(ballot, other.ballot) is not None:
                        yield other
            for held in _between(self._certificates[kind], low, high):
                yield from (vote for certificate in held for vote in _said(certificate, voter, ballot))
        newest = self._newest.get(voter)
        if ballot.kind is VoteKind.NULLIFY and newest is not None and contradiction(ballot, newest.ballot) is not None:
            yield newest

    def opposed(self, certificate: Certificate) -> Iterator[tuple[int, Vote]]:
        """Yield the signers of a certificate, by position, that were heard to contradict it, with what they said."""
        positions = {voter: position for position, voter in enumerate(certificate.signers)}
        lowest = min(certificate.anchors, default=0)
        reach = Ballot(certificate.epoch, certificate.view, certificate.kind, lowest.to_bytes(32, "big"))
        for kind, low, high in _opposing(certificate.kind, certificate.view, reach):
            for voters in _between(self._votes[kind], low, high):
                for voter, votes in voters.items():
                    position = positions.get(voter)
                    if position is not None:
                        yield from (
                            (position, vote) for vote in votes if _contradicts(certificate, position, vote.ballot)
                        )
            for held in _between(self._certificates[kind], low, high):
                for other in held:
                    yield from _both(certificate, positions, other)
        if certificate.kind is VoteKind.NULLIFY:
            for voter, newest in self._newest.items():
                position = positions.get(voter)
                if position is not None and _contradicts(certificate, position, newest.ballot):
                    yield position, newest


def _opposing(kind: VoteKind, view: int, ballot: Ballot) -> Iterator[tuple[VoteKind, int, int | None]]:
    """Yield the kinds that can contradict a ballot, with the lowest and the highest view (None: any above)."""
    if kind is VoteKind.NULLIFY:
        yield VoteKind.FINALIZE, ballot.anchor + 1, view
        return
    yield VoteKind.NOTARIZE, view, view
    yield VoteKind.FINALIZE, view, view
    if kind is VoteKind.FINALIZE:
        yield VoteKind.NULLIFY, view, None


def _between(views: dict[int, T], low: int, high: int | None) -> Iterator[T]:
    if low == high:
        found = views.get(low)
        if found is not None:
            yield found
        return
    for view, kept in views.items():
        if low <= view and (high is None or view <= high):
            yield kept


def _contradicts(certificate: Certificate, position: int, ballot: Ballot) -> bool:
    """Tell whether what the signer at `position` signed contradicts a ballot of its own."""
    if certificate.hash == ballot.hash:
        return False  # nearly all agree: no ballot is made for those
    return contradiction(certificate.ballot(position), ballot) is not None


def _said(certificate: Certificate, voter: int, ballot: Ballot) -> Iterator[Vote]:
    """Yield what a voter signed in a certificate, if that contradicts a ballot of its own."""
    if certificate.hash != ballot.hash and voter in certificate.signers:
        position = certificate.signers.index(voter)
        if _contradicts(certificate, position, ballot):
            yield Vote(certificate.ballot(position), voter, certificate.signatures[position])


def _both(certificate: Certificate, positions: dict[int, int], other: Certificate) -> Iterator[tuple[int, Vote]]:
    """Yield who signed two certificates that contradict each other."""
    if certificate.hash == other.hash or (other.anchors and min(other.anchors) >= certificate.view):
        return
    for place, voter in enumerate(other.signers):
        position = positions.get(voter)
        if position is not None and _contradicts(certificate, position, other.ballot(place)):
            yield position, Vote(other.ballot(place), voter, other.signatures[place])
