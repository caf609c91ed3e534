"""What others than its maker pass on: votes, proposals and certificates, each judged once.

A vote that is heard from its voter itself is known to be the voter's by the connection; one that is passed on is worth
only what its signature is. So its signature, and of a nullification the certificate of its anchor, are verified before
anything is believed or passed on; what can change nothing here any more - decided, held already, of a view that is
over, a voter's third of one kind and view - is not even verified, and not passed on. What is passed on is therefore
bounded by what one epoch's engine counts: at most two different votes of one voter, kind and view, two proposals of a
view, and certificates that are better than those held. Two that contradict each other are both passed on, as each node
may have to accuse.

A message of the next view but one, or of the next epoch, is too early: who passed it on is told where this node stands,
and helps.

Source: the networking specification (Proposals, votes, certificates: by the router), rules 3, 5, 8 and 11 of the
finality specification. Deviations: a vote of a view that is over and that contradicts another of its voter accuses it
only where it comes from the voter itself; the evidence is spread by itself (`node.offences`).
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality.certificates import CertificateError, Vote
from p2pcommerce.finality.refusal import RefusedError
from p2pcommerce.finality.simplex.inbox import Inbox
from p2pcommerce.finality.simplex.messages import (
    KINDS,
    Cast,
    Certificates,
    Proposal,
    decode_seal,
    epoch_of_message,
)
from p2pcommerce.finality.simplex.resend import Resender
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.primitives.errors import CodecError, Verdict
from p2pcommerce.primitives.ids import PeerId

__all__ = ["RELAYED_TAGS", "Hearsay"]

RELAYED_TAGS: Final = frozenset({b"\x01", b"\x02", b"\x03"})
"""The first bytes of votes, certificates and proposals; whatever else is said is for one peer, or from one."""


class Hearsay:
    """Judges for one epoch."""

    def __init__(self, state: State, inbox: Inbox, resender: Resender) -> None:
        """Hand what is good to `inbox`; tell who is ahead by `resender`."""
        self._state = state
        self._inbox = inbox
        self._resender = resender

    def take(self, peer: PeerId, data: bytes, now: int) -> Verdict | None:
        """Take a message that a peer (32 bytes) passes on; see `FinalityEngine.on_relayed`."""
        if data[:1] not in RELAYED_TAGS:
            return Verdict.REJECT
        try:
            message = KINDS.decode(data)
        except CodecError:
            return Verdict.REJECT
        ahead = epoch_of_message(message) - self._state.context.epoch
        if ahead == 1:
            self._resender.tell(peer, now)
            return None
        if ahead:
            # What is of an epoch that is over may be compared, or its sender told of the end.
            self._inbox.hear(peer, message, data, now)
            return Verdict.IGNORE
        match message:
            case Cast():
                return self._on_cast(peer, message, data, now)
            case Proposal():
                return self._on_proposal(peer, message, data, now)
            case Certificates():
                return self._on_certificates(peer, message, data, now)
            case _:
                return Verdict.REJECT

    def maker(self, data: bytes) -> PeerId | None:
        """Return whose (32 bytes) an accepted message is; a certificate is nobody's."""
        try:
            message = KINDS.decode(data)
        except CodecError:
            return None
        if isinstance(message, Proposal):
            return PeerId(message.header.proposer)
        context = self._state.context
        if not isinstance(message, Cast) or message.vote.ballot.epoch != context.epoch:
            return None
        voter = message.vote.voter
        return self._state.keys_of((voter,))[0] if voter < len(context.validators) else None

    def _on_cast(self, peer: PeerId, message: Cast, data: bytes, now: int) -> Verdict | None:
        state, vote = self._state, message.vote
        if vote.voter >= len(state.context.validators):
            return Verdict.REJECT
        voter = state.keys_of((vote.voter,))[0]
        verdict: Verdict | None = Verdict.IGNORE
        if vote.ballot.view > state.held.view + 1:
            self._resender.tell(peer, now)
            verdict = None
        elif self._inbox.weighs(vote):
            verdict = self._weigh(message)
        if verdict is Verdict.ACCEPT or voter == peer or self._tells(voter, vote):
            # Even what is superfluous shows how far its voter is.
            self._inbox.hear(voter, message, data, now)
        return verdict

    def _tells(self, voter: PeerId, vote: Vote) -> bool:
        """Tell whether a superfluous vote shows that its voter need not be sent a certificate (rule 8)."""
        if not self._resender.would_relay(voter, vote) or vote.ballot.view > self._state.held.view + 1:
            return False
        return self._state.verifier.is_good(vote.voter, vote.ballot, vote.signature)

    def _weigh(self, message: Cast) -> Verdict:
        """Verify a vote that could change something."""
        state, vote, anchor = self._state, message.vote, message.anchor
        if not state.verifier.is_good(vote.voter, vote.ballot, vote.signature):
            return Verdict.REJECT
        if vote.ballot.kind is not VoteKind.NULLIFY or vote.ballot.anchor == 0:
            return Verdict.ACCEPT if anchor is None else Verdict.REJECT
        if anchor is None:  # of a voter that lost the certificate: its word alone counts nowhere
            return Verdict.IGNORE
        if anchor.kind is VoteKind.NULLIFY or anchor.epoch != state.context.epoch:
            return Verdict.REJECT
        is_good = anchor.view >= vote.ballot.anchor and state.verifier.holds((anchor,))
        return Verdict.ACCEPT if is_good else Verdict.REJECT

    def _on_proposal(self, peer: PeerId, message: Proposal, data: bytes, now: int) -> Verdict:
        state, header = self._state, message.header
        try:
            view = decode_seal(header).view
        except CodecError:
            return Verdict.REJECT
        if any(other.header.hash == header.hash for other in state.proposals.get(view, ())):
            return Verdict.IGNORE
        return _verdict_on(self._inbox.hear(peer, message, data, now))

    def _on_certificates(self, peer: PeerId, message: Certificates, data: bytes, now: int) -> Verdict:
        is_useful = any(self._state.held.is_useful(certificate) for certificate in message.items)
        verdict = _verdict_on(self._inbox.hear(peer, message, data, now))
        return verdict if is_useful or verdict is Verdict.REJECT else Verdict.IGNORE


def _verdict_on(error: CodecError | CertificateError | RefusedError | None) -> Verdict:
    """Return what a refusal says of who passed the message on: who does, has verified it."""
    if error is None:
        return Verdict.ACCEPT
    if isinstance(error, RefusedError) and not error.blames:
        return Verdict.IGNORE
    return Verdict.REJECT
