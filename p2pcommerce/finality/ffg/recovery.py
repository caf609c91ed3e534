"""Coming back: the log is taken up, the others are asked (`finality.recovery`), what was signed last is signed again.

They are asked for the own votes and for the own proposals. Slots are counted by clocks: an older copy of the disk of a
validator whose clock was ahead, or is behind now, would be asked by its clock to lead a slot once more, in which others
hold a block of it. A good signature of the own key that neither log nor guard knows stops it for good, on a vote and on
a proposal. An answer that comes after the quorum's is looked into for proposals as well.

Source: the recovery of the finality specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from p2pcommerce.finality.engine import Persist, Target
from p2pcommerce.finality.ffg.journal import LOG, Journal
from p2pcommerce.finality.ffg.messages import Answer, Proposal, ProposalHead
from p2pcommerce.finality.ffg.proof import decode_proof
from p2pcommerce.finality.ffg.replica import Replica
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import Proposed
from p2pcommerce.finality.journal import UNSIGNED
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["Recovery"]


class Recovery:
    """The way from a start to the first signature."""

    def __init__(self, state: State, replica: Replica) -> None:
        """Bring these up."""
        self._state = state
        self._replica = replica
        self._asked = 0
        self._looked: dict[int, None] = {}

    def start(self, records: Sequence[bytes], blocks: Mapping[BlockHash, Header]) -> None:
        """Take up the log and ask.

        Raises:
            LogError: a record is malformed.
            CodecError: the proof of the delivered block is malformed.
        """
        state = self._state
        journal = LOG.read(records)
        if journal.epoch != state.context.epoch:
            state.out.append(Persist(LOG.epoch(state.context.epoch, state.context.validators.hash)))
        state.signer.restore(journal.own)
        if journal.halted is not None:
            state.signer.halt(journal.halted, durable=False)
        if state.context.proof:
            self.take_proof(state.context.proof)
        state.tree.restore(self._believable(journal, blocks))
        for block in state.tree.logged:
            block.proposal = self._signed(journal, block.hash)
            if block.proposal is not None:
                self._note(block.proposal)
        for quorum in journal.quorums:
            self._replica.adopt(quorum, is_logged=True)
        self._restore_proposal(journal)
        begins = state.rollcall.begin()
        self._asked = state.rollcall.question
        if begins:
            state.signer.sign_again(state.signer.newest)
        elif state.rollcall.question:
            state.send(Target.VALIDATORS, state.status())

    def _note(self, proposal: Proposal) -> None:
        """Remember a logged proposal for its leader."""
        state, header = self._state, proposal.header
        leader = state.context.validators.index(header.proposer)
        if leader is not None:
            state.heads.note(leader, ProposalHead(state.slot_of(header), header.hash, proposal.signature))

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

    def _believable(self, journal: Journal, blocks: Mapping[BlockHash, Header]) -> list[Header]:
        """Return the logged blocks that others believe as well, or will: the rest must not be built on.

        A block is logged before its proposal, and an own proposal before its ballot: a crash between leaves a block
        that no leader signed as far as the log tells. An own one was never sent and never will be; what is built on it
        here would be an orphan with everybody else for ever. Somebody else's comes again with its proposal.
        """
        wanted = [block_hash for block_hash in blocks if self._signed(journal, block_hash) is not None]
        ballot = self._state.signer.last_proposal
        if ballot is not None and ballot.hash in journal.proposals:
            wanted.append(BlockHash(ballot.hash))
        believed = {block_hash: blocks[block_hash] for block_hash in wanted if block_hash in blocks}
        vouched = [block_hash for block_hash in blocks if self._state.tree.get(block_hash) is not None]
        for block_hash in [*vouched, *(quorum.link.target.hash for quorum in journal.quorums)]:
            header = blocks.get(block_hash)
            while header is not None:
                believed[header.hash] = header
                header = blocks.get(header.parent_hash)
        return list(believed.values())

    def _signed(self, journal: Journal, block_hash: BlockHash) -> Proposal | None:
        proposal = journal.proposals.get(block_hash)
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
        if answer.question == self._asked != 0 and (self._state.rollcall.question or voter not in self._looked):
            self._looked[voter] = None
            for head in answer.proposals:
                self._check_proposal(head)
        votes = [(vote.voter, vote.link, vote.signature) for vote in answer.votes]
        if self._state.rollcall.on_answer(voter, answer.question, votes):
            self._state.signer.sign_again(self._state.signer.newest)

    def _check_proposal(self, head: ProposalHead) -> None:
        """Stop for good if a proposal that carries the own good signature was not made here.

        A bad signature proves nothing, and nobody is blamed: others keep what is said in this validator's name.
        """
        context, signer = self._state.context, self._state.signer
        made = Proposed(context.epoch, head.slot, VoteKind.PROPOSE, head.hash)
        if context.key is None or signer.knows(made):
            return
        signed = signed_bytes(made.domain, context.genesis_hash, made.data)
        if context.scheme.verify(context.key, signed, head.signature):
            signer.check(made)
