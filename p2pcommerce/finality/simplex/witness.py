"""Who breaks the rules, from what one node hears: votes, proposals, and the signatures within certificates.

Who lies tells each half of the others something else, so that nobody hears both. Two things bring the halves together:

    certificates   name who signed what to the other half: each is compared with the votes and certificates that came
                   here before (the docket)
    confrontation  who votes for another block than the one proposed to this node is shown its leader's signature on
                   that one, and finds that the leader signed two

One accusation per offender and epoch is enough; nobody accuses itself. Signatures are checked only where two ballots
contradict each other, and only for who is not accused yet: a signature that is not good costs its sender blame, a good
one makes an accusation, so that nobody can have signatures checked here without end.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pcommerce.finality.certificates import Certificate, Vote, bad_signature
from p2pcommerce.finality.engine import Blame, Evidence
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.refusal import BadProposalSignatureError, BadVoteSignatureError
from p2pcommerce.finality.simplex.messages import Shown
from p2pcommerce.finality.simplex.misjustified import Fault, Misjustified, encode_misjustified
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import PROPOSAL_DOMAIN, Ballot, VoteKind
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import PeerId, PublicKey

__all__ = ["Witness"]


class Witness:
    """Accuses offenders of one epoch."""

    def __init__(self, state: State) -> None:
        """Begin with nobody accused."""
        self._state = state
        self._accused: dict[PublicKey, None] = {}
        self._shown: dict[PeerId, int] = {}  # of validators of the epoch alone

    # --- accusing ---

    def accuse(self, offender: PublicKey, one: tuple[Ballot, bytes], other: tuple[Ballot, bytes]) -> None:
        """Accuse the signer of two ballots that contradict each other, each with its signature."""
        if self._is_first(offender):
            claim = DoubleSignature(offender, one[0].data, one[1], other[0].data, other[1])
            self._state.out.append(Evidence(encode_evidence(claim)))

    def accuse_of(self, fault: Fault, offender: PublicKey, ballot: Ballot, signature: bytes) -> None:
        """Accuse who signed a ballot for a header whose justify is wrong (E6)."""
        if self._is_first(offender):
            claim = Misjustified(offender, ballot.data, signature, fault)
            self._state.out.append(Evidence(encode_misjustified(claim)))

    def _is_first(self, offender: PublicKey) -> bool:
        is_first = offender not in self._accused and offender != self._state.context.key
        if is_first:
            self._accused[offender] = None  # at most as many as there are validators
            self._state.counters["evidence"] += 1
        return is_first

    # --- finding ---

    def conflicts(self, voter: PublicKey, vote: Vote) -> list[Vote]:
        """Return what a voter was heard to say that contradicts its vote; nothing if that is known already."""
        return [] if voter in self._accused else list(self._state.docket.against(vote))

    def see_vote(self, voter: PublicKey, vote: Vote, conflicts: Sequence[Vote]) -> None:
        """Look at a verified vote, given what the same voter said that contradicts it."""
        for other in conflicts:
            if self._holds(other):
                self.accuse(voter, (vote.ballot, vote.signature), (other.ballot, other.signature))
                break
        if vote.ballot.kind is VoteKind.NOTARIZE:
            for fault in self._state.misjustified.get(vote.ballot.view, ()):
                if fault.header.hash == vote.ballot.hash:
                    self.accuse_of(fault, voter, vote.ballot, vote.signature)

    def _holds(self, vote: Vote) -> bool:
        """Tell whether the signature of something heard is good; who sent one that is not is blamed."""
        state = self._state
        is_good = state.verifier.is_good(vote.voter, vote.ballot, vote.signature)
        if not is_good:
            state.docket.drop(vote)
            error = BadVoteSignatureError("the signature of a vote is not good")
            state.counters["refused_" + error.code.lower()] += 1
            state.out.append(Blame(state.keys_of((vote.voter,))[0], f"{error.code}: {error}"))
        return is_good

    def see_certificate(self, certificate: Certificate) -> None:
        """Compare the signers of a certificate, verified or not, with what they were heard to say.

        Raises:
            CertificateError: a signature that would accuse its signer is not good.
        """
        state = self._state
        for position, other in list(state.docket.opposed(certificate)):
            offender = state.keys_of((other.voter,))[0]
            if offender in self._accused or offender == state.context.key:
                continue
            ballot, signature = certificate.ballot(position), certificate.signatures[position]
            if not state.verifier.is_good(other.voter, ballot, signature):
                raise bad_signature(position)
            if self._holds(other):
                self.accuse(offender, (ballot, signature), (other.ballot, other.signature))

    # --- confronting ---

    def confront(self, voter: PeerId, ballot: Ballot) -> None:
        """Show a voter whom the leader told of another block what that leader signed for this node."""
        shown_view = self._shown.get(voter, 0)
        if ballot.kind is VoteKind.NULLIFY or ballot.view <= shown_view or voter not in self._state.context.validators:
            return
        held = self._state.proposals.get(ballot.view, ())
        if held and all(proposal.header.hash != ballot.hash for proposal in held):
            self._shown[voter] = ballot.view
            self._state.counters["confronted"] += 1
            header, signature = held[0].header, held[0].signature
            self._state.send(voter, Shown(ballot.epoch, ballot.view, header.hash, signature))

    def confront_earlier(self, view: int, block_hash: bytes) -> None:
        """Confront those who had voted for other blocks of a view before its proposal came."""
        for stray in list(self._state.pool.strays(view, block_hash)):
            self.confront(self._state.keys_of((stray.voter,))[0], stray.ballot)

    def on_shown(self, shown: Shown) -> None:
        """Take what the leader of a view signed for somebody else.

        Raises:
            BadProposalSignatureError: it did not.
        """
        state = self._state
        held = state.proposals.get(shown.view, ())
        if not held or any(proposal.header.hash == shown.hash for proposal in held):
            return
        leader, context = state.leader(shown.view), state.context
        ballot = Ballot(shown.epoch, shown.view, VoteKind.PROPOSE, shown.hash)
        signed = signed_bytes(PROPOSAL_DOMAIN, context.genesis_hash, ballot.data)
        if not context.scheme.verify(leader, signed, shown.signature):
            raise BadProposalSignatureError("what is said to be the leader's signature is not")
        other = replace(ballot, hash=held[0].header.hash)
        self.accuse(leader, (ballot, shown.signature), (other, held[0].signature))
