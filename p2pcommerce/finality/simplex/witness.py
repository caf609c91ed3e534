"""Who breaks the rules, from what one node hears: votes, proposals, and the signatures within certificates.

Who lies tells each half of the others something else, so that nobody hears both. Two things bring the halves together:

    certificates   name who signed what to the other half: each is compared with the votes that came here
    confrontation  who votes for another block than the one proposed to this node is shown that proposal, once per view,
                   and finds that its leader signed two

One accusation per offender and epoch is enough. Signatures are checked only where two ballots contradict each other.

Source: the evidence of the finality specification.
"""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommerce.finality.certificates import Certificate, Vote
from p2pcommerce.finality.engine import Evidence
from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.simplex.messages import Proposal, decode_seal
from p2pcommerce.finality.simplex.misjustified import Misjustified, encode_misjustified
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.ids import PeerId, PublicKey

__all__ = ["Witness"]


class Witness:
    """Accuses offenders of one epoch."""

    def __init__(self, state: State) -> None:
        """Begin with nobody accused."""
        self._state = state
        self._accused: dict[PublicKey, None] = {}
        self._shown_view = 0

    # --- accusing ---

    def accuse(self, offender: PublicKey, one: tuple[Ballot, bytes], other: tuple[Ballot, bytes]) -> None:
        """Accuse the signer of two ballots that contradict each other, each with its signature."""
        if self._is_first(offender):
            claim = DoubleSignature(offender, one[0].data, one[1], other[0].data, other[1])
            self._state.out.append(Evidence(encode_evidence(claim)))

    def accuse_of(self, proposal: Proposal, offender: PublicKey, ballot: Ballot, signature: bytes) -> None:
        """Accuse who signed a ballot for a proposal whose justify is wrong (E6)."""
        if self._is_first(offender):
            claim = Misjustified(offender, ballot.data, signature, proposal.header, proposal.justify)
            self._state.out.append(Evidence(encode_misjustified(claim)))

    def _is_first(self, offender: PublicKey) -> bool:
        is_first = offender not in self._accused
        if is_first:
            self._accused[offender] = None  # at most as many as there are validators
            self._state.counters["evidence"] += 1
        return is_first

    # --- finding ---

    def see_vote(self, voter: PublicKey, vote: Vote, conflicts: Sequence[Vote]) -> None:
        """Look at a verified vote, given the same voter's votes that contradict it."""
        for other in conflicts:
            self.accuse(voter, (vote.ballot, vote.signature), (other.ballot, other.signature))
        exposed = self._state.misjustified.get(vote.ballot.hash)
        if exposed is not None and vote.ballot.kind is VoteKind.NOTARIZE:
            self.accuse_of(exposed, voter, vote.ballot, vote.signature)

    def see_certificate(self, certificate: Certificate) -> None:
        """Compare the signers of a certificate, verified or not, with the votes that came here."""
        state = self._state
        for position, other in state.pool.opposed(certificate):
            ballot, signature = certificate.ballot(position), certificate.signatures[position]
            if state.verifier.is_good(other.voter, ballot, signature):
                offender = state.keys_of((other.voter,))[0]
                self.accuse(offender, (ballot, signature), (other.ballot, other.signature))

    def confront(self, voter: PeerId, ballot: Ballot) -> None:
        """Show a voter the proposal of its view, if that is another block's than the one it votes for."""
        if ballot.kind is VoteKind.NULLIFY or ballot.view <= self._shown_view:
            return
        held = self._state.proposals.get(ballot.view, ())
        if len(held) == 1 and held[0].header.hash != ballot.hash:
            self._shown_view = ballot.view
            self._state.counters["confronted"] += 1
            self._state.send(voter, held[0])

    def confront_earlier(self, proposal: Proposal) -> None:
        """Confront who has voted for another block before this proposal came."""
        view = decode_seal(proposal.header).view
        stray = next(self._state.pool.strays(view, proposal.header.hash), None)
        if stray is not None:
            self.confront(self._state.keys_of((stray.voter,))[0], stray.ballot)
