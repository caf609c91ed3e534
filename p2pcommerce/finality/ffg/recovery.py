"""Coming back: the log is read, and nothing is signed until a quorum has said what it knows of this validator.

After every start a validator asks the others for its own newest vote. Until weight q, its own included, has answered,
it signs nothing; it follows, and answers the questions of others, so that a network that restarts all at once comes
back. A good signature of its own key that neither log nor guard knows means that a second instance runs: it stops for
good. Own votes and the last own proposal are signed again then, to the same bytes.

Source: the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from p2pcommerce.finality.engine import Persist, Target
from p2pcommerce.finality.ffg.journal import UNSIGNED, Journal, Own, epoch_record, read_journal
from p2pcommerce.finality.ffg.messages import Answer, Proposal
from p2pcommerce.finality.ffg.proof import decode_proof
from p2pcommerce.finality.ffg.replica import Replica
from p2pcommerce.finality.ffg.resend import Resender
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN
from p2pcommerce.finality.refusal import ForeignVoteError
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Recovery"]


class Recovery:
    """The way from a start to the first signature."""

    def __init__(self, state: State, replica: Replica, resender: Resender) -> None:
        """Bring these up."""
        self._state = state
        self._replica = replica
        self._resender = resender
        self._answered: dict[int, bool] = {}

    def start(self, records: Sequence[bytes], blocks: Mapping[BlockHash, Header]) -> None:
        """Take up the log and ask.

        Raises:
            FFGLogError: a record is malformed.
            CodecError: the proof of the delivered block is malformed.
        """
        state = self._state
        journal = read_journal(records)
        if journal.epoch != state.context.epoch:
            state.out.append(Persist(epoch_record(state.context.epoch, state.context.validators.hash)))
        state.signer.restore(journal.own)
        if journal.halted is not None:
            state.signer.halt(journal.halted, durable=False)
        if state.context.proof:
            self.take_proof(state.context.proof)
        state.tree.restore([(header, self._signed(journal, header)) for header in blocks.values()])
        for quorum in journal.links:
            self._replica.adopt(quorum, is_logged=True)
        self._restore_proposal(journal)
        if state.signer.index is not None:
            self._answered[state.signer.index] = True
            self._resender.question = state.context.rng.getrandbits(63) | 1
            if not self._finish():
                state.send(Target.VALIDATORS, state.status(self._resender.question))

    def take_proof(self, proof: bytes) -> None:
        """Take up what the verified proof of a delivered block says: the final checkpoint and what is above it.

        Raises:
            CodecError: it is malformed.
        """
        state, claim = self._state, decode_proof(proof)
        final = claim.links[-1].link.source
        state.gadget.reset(final, claim.links)
        state.tree.final_index = state.gadget.final.index
        index = claim.links[-1].link.target.index
        for header in claim.headers:
            if header.height > state.tree.delivered.height:
                state.tree.vouch(header.hash, index, (), header)
        self._replica.adopt(claim.links[-1], is_logged=True)

    def _signed(self, journal: Journal, header: Header) -> Proposal | None:
        proposal = journal.proposals.get(header.hash)
        return None if proposal is None or proposal.signature == UNSIGNED else proposal

    def _restore_proposal(self, journal: Journal) -> None:
        """Take up the last own proposal: it may have been signed, and not been sent."""
        ballot = self._state.signer.last_proposal
        proposal = None if ballot is None else journal.proposals.get(BlockHash(ballot.hash))
        if proposal is not None and self._state.tree.get(proposal.header.hash) is not None:
            self._replica.unsigned = proposal

    def on_answer(self, voter: int, answer: Answer) -> None:
        """Another validator says what it knows of this one.

        Raises:
            ForeignVoteError: it answers with somebody else's vote.
        """
        state = self._state
        if answer.question != self._resender.question or not answer.question:
            return
        for vote in answer.votes:
            if vote.voter != state.signer.index:
                raise ForeignVoteError("an answer holds a vote of somebody else")
            if state.verifier.is_good(vote.voter, vote.link, vote.signature):
                state.signer.check(Own(LINK_DOMAIN, vote.link.data))
        self._answered[voter] = True
        self._finish()

    def _finish(self) -> bool:
        """Begin to sign, if a quorum has answered; the last own messages are signed and sent once more."""
        state = self._state
        members = state.context.validators.validators
        if sum(members[index].stake for index in self._answered) < state.context.validators.quorum:
            return False
        self._resender.question = 0
        state.signer.ready = True
        if state.signer.halted is None:
            state.signer.sign_again()
        return True
