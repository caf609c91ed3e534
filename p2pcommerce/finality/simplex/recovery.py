"""Coming back: the log is taken up, the others are asked (`finality.recovery`), at a start and in the epochs after it.

A validator that enters the set for the first time in its life asks, too. One that has asked in two epochs of one life
has forgotten nothing since, and asks no more, not even if it left the set in between.

Source: the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from p2pcommerce.finality.engine import Persist, Target
from p2pcommerce.finality.proof import decode_proof
from p2pcommerce.finality.simplex.crossing import Crossing
from p2pcommerce.finality.simplex.journal import LOG, Journal
from p2pcommerce.finality.simplex.messages import Answer, decode_seal
from p2pcommerce.finality.simplex.replica import Replica
from p2pcommerce.finality.simplex.state import State
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Recovery"]


CONFIRMATIONS: Final = 2
"""Epochs in which a validator asks after a start; then it goes from epoch to epoch without asking. One would not do:
what it lost may have been signed in an epoch that those who answered had not reached."""


class Recovery:
    """The way from a start, or from the begin of an epoch, to the first signature.

    Attributes:
        confirmations: epochs of this life in which a quorum has answered.
    """

    def __init__(self, state: State, replica: Replica, crossing: Crossing) -> None:
        """Bring these up."""
        self.confirmations = 0
        self._state = state
        self._replica = replica
        self._crossing = crossing

    def start(self, records: Sequence[bytes], blocks: Mapping[BlockHash, Header], now: int) -> None:
        """Take up the log and ask.

        Raises:
            LogError: a record is malformed.
            CodecError: the proof of the delivered block is malformed.
        """
        state, epoch = self._state, self._state.context.epoch
        journal = LOG.read(records)
        if journal.epoch != epoch:
            state.out.append(Persist(LOG.epoch(epoch, state.context.validators.hash)))
        state.signer.restore(journal.own)
        if journal.halted is not None:
            state.signer.halt(journal.halted, durable=False)
        if state.context.proof:
            certificate = state.decided = decode_proof(state.context.proof).certificate
            if certificate.epoch == epoch:
                self._replica.adopt(certificate, now, is_logged=True)
        self._crossing.restart(state)
        self._crossing.keep_log(journal, blocks, epoch)
        self._take_log(journal, blocks, now)
        self._ask()

    def go_on(self, before: Recovery, now: int) -> None:
        """Begin an epoch in the life in which the one before was left; ask, unless that was done often enough."""
        state, epoch, crossing = self._state, self._state.context.epoch, self._crossing
        self.confirmations = before.confirmations
        journal, blocks = crossing.journal, crossing.blocks
        if journal is not None:
            crossing.keep_log(journal, blocks, epoch)
            state.signer.restore_epoch(journal.own)
            self._take_log(journal, blocks, now)
        self._replica.see_pending(now)
        if self.confirmations >= CONFIRMATIONS and state.signer.index is not None:
            state.signer.ready = True
            state.signer.sign_epoch_again(state.held.view)
        else:
            self._ask()

    def _take_log(self, journal: Journal, blocks: Mapping[BlockHash, Header], now: int) -> None:
        """Take up what the log says of this epoch."""
        epoch = self._state.context.epoch
        self._state.tree.restore([header for header in blocks.values() if header.epoch == epoch])
        for certificate in journal.quorums:
            if certificate.epoch == epoch:
                self._replica.adopt(certificate, now, is_logged=True)
        self._restore_proposal(journal)
        self._replica.see_pending(now)

    def _ask(self) -> None:
        """Ask the others what they know of this validator."""
        state = self._state
        if state.rollcall.begin():
            self._finish()
        elif state.rollcall.question:
            state.send(Target.VALIDATORS, state.status())

    def _restore_proposal(self, journal: Journal) -> None:
        """Take up an own proposal whose ballot was logged too: only then may it have been signed."""
        proposal, state = journal.newest_proposal, self._state
        if proposal is None or proposal.header.epoch != state.context.epoch:
            return
        ballots = [ballot for ballot in state.signer.last if ballot.kind is VoteKind.PROPOSE]
        was_signed = any(ballot.hash == proposal.header.hash for ballot in ballots)
        if was_signed and decode_seal(proposal.header).view == state.held.view:
            self._replica.unsigned = proposal

    def on_answer(self, voter: int, answer: Answer) -> None:
        """Another validator says what it knows of this one.

        Raises:
            ForeignVoteError: it answers with somebody else's votes.
        """
        votes = [(vote.voter, vote.ballot, vote.signature) for vote in answer.votes]
        if self._state.rollcall.on_answer(voter, answer.question, votes):
            self._finish()

    def _finish(self) -> None:
        """A quorum has answered: the last ballots are signed and sent once more."""
        self.confirmations += 1
        self._state.signer.sign_epoch_again(self._state.held.view)
