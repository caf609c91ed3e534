"""What each message of FFG is checked for before the rules see it.

A signature is verified once.

Source: the finality specification (FFG; rules 3, 8, 9 and 11, the evidence and the recovery).
"""

from __future__ import annotations

from typing import assert_never

from p2pcommerce.finality.evidence import DoubleSignature, encode_evidence
from p2pcommerce.finality.ffg.hindsight import Hindsight
from p2pcommerce.finality.ffg.links import QuorumLink
from p2pcommerce.finality.ffg.messages import (
    Answer,
    Ask,
    Cast,
    Links,
    Message,
    Proposal,
    ProposalHead,
    Seal,
    Status,
    decode_seal,
    links_hash,
)
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS
from p2pcommerce.finality.ffg.recovery import Recovery
from p2pcommerce.finality.ffg.replica import Replica
from p2pcommerce.finality.ffg.resend import Resender
from p2pcommerce.finality.ffg.state import State
from p2pcommerce.finality.ffg.voting import proposed
from p2pcommerce.finality.inbox import EngineInbox
from p2pcommerce.finality.refusal import (
    BadVoteSignatureError,
    CrowdedError,
    ForeignVoteError,
    NotLeaderError,
    SlotTimeError,
    StaleError,
    UncommittedError,
)
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.ledger.block import Header, tx_root
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Inbox"]


class Inbox(EngineInbox[Message]):
    """Takes messages in."""

    def __init__(
        self, state: State, replica: Replica, resender: Resender, recovery: Recovery, hindsight: Hindsight
    ) -> None:
        """Hand what is good to these."""
        super().__init__(state)
        self._state = state
        self._replica = replica
        self._resender = resender
        self._recovery = recovery
        self._hindsight = hindsight

    @override
    def _take(self, peer: PeerId, message: Message, data: bytes, now: int) -> None:
        match message:
            case Cast():
                self._on_cast(peer, message, now)
            case Links():
                for quorum in message.items:
                    self._on_link(peer, quorum, now)
            case Proposal():
                self._on_proposal(peer, message, now)
            case Status():
                self._index(peer)
                self._check_epoch(message.epoch)
                self._resender.see_status(peer, message, now)
            case Answer():
                self._check_epoch(message.epoch)
                self._recovery.on_answer(self._index(peer), message)
            case Ask():
                self._index(peer)
                self._check_epoch(message.epoch)
                self._resender.send_path(peer, message.block_hash, now)
            case _:
                assert_never(message)

    # --- votes ---

    def _on_cast(self, peer: PeerId, message: Cast, now: int) -> None:
        state, vote, index = self._state, message.vote, message.vote.link.target.index
        if self._index(peer) != vote.voter:
            raise ForeignVoteError("a vote is sent by its voter alone")
        self._check_epoch(vote.link.epoch)
        state.pool.note(vote)
        self._hindsight.doubt_vote(peer, vote, now)
        window = state.parameters.window_checkpoints
        height = 0 if state.head is None else state.head.height
        top = max(state.gadget.root.index, height // CHECKPOINT_BLOCKS) + window
        if index > top:
            self._resender.tell(peer, now)
        if not state.gadget.final.index - window <= index <= top:
            raise StaleError(f"a vote for checkpoint {index}, from final checkpoint {state.gadget.final.index}")
        if vote in state.pool:
            return
        if state.pool.is_crowded(vote):
            raise CrowdedError("a third vote of one voter for one target")
        if not state.verifier.is_good(vote.voter, vote.link, vote.signature):
            raise BadVoteSignatureError("the signature of a vote is not good")
        if vote.voter == state.signer.index:
            state.signer.check(vote.link)
            return
        self._replica.judge(vote)
        self._replica.count(vote)

    def _on_link(self, peer: PeerId, quorum: QuorumLink, now: int) -> None:
        state, link = self._state, quorum.link
        self._check_epoch(link.epoch)
        other = state.finals.get(link.source.index, link.source.hash)
        is_beside = link.is_consecutive and other != link.source.hash
        self._hindsight.doubt_quorum(peer, quorum, now)
        if not state.gadget.is_useful(link) and not is_beside:
            return
        state.verifier.check(quorum)
        if is_beside:
            for vote in quorum.votes:
                self._replica.judge(vote)
            self._replica.forks.stop(
                f"checkpoint {link.source.index} is final here, and another one is for a quorum", [quorum]
            )
        self._replica.adopt(quorum)

    # --- proposals ---

    def _on_proposal(self, peer: PeerId, proposal: Proposal, now: int) -> None:
        state, header = self._state, proposal.header
        self._check_epoch(header.epoch)
        self._check_network(header)
        seal = decode_seal(header)
        if peer == header.proposer:
            self._note(proposal, seal)  # though it may be refused: for its leader it is made
        self._check_time(header, seal, now)
        held = state.tree.get(header.hash)
        if held is not None and held.proposal is not None:
            return
        accepted = state.proposals.get(seal.slot, [])
        wanted = held is not None or state.tree.is_parent(header.hash)
        if len(accepted) >= state.parameters.votes_max and not wanted:
            raise CrowdedError(f"a third proposal of slot {seal.slot}")
        if state.tree.is_full and held is None:
            raise CrowdedError("as many blocks as can be kept are not final")
        self._check_leader(proposal, seal)
        self._note(proposal, seal)
        for quorum in proposal.links:
            self._on_link(peer, quorum, now)
        state.proposals.setdefault(seal.slot, []).append(proposal)
        self._accuse(proposal, seal, accepted)
        state.tree.add_proposal(proposal, tuple(dict.fromkeys((header.proposer, peer))))

    def _note(self, proposal: Proposal, seal: Seal) -> None:
        """Remember a proposal for its leader, should that restart from an older copy of its disk."""
        leader = self._state.context.validators.index(proposal.header.proposer)
        if leader is not None:
            self._state.heads.note(leader, ProposalHead(seal.slot, proposal.header.hash, proposal.signature))

    def _check_time(self, header: Header, seal: Seal, now: int) -> None:
        state = self._state
        if header.time_ms != seal.slot * state.parameters.slot_ms:
            raise SlotTimeError(f"a proposal of slot {seal.slot} at {header.time_ms} ms")
        if header.time_ms * 1_000 > now + state.parameters.future_ms * 1_000:
            raise StaleError(f"a proposal of slot {seal.slot}, which is far ahead")
        delivered = state.tree.delivered
        if header.height <= delivered.height or seal.slot <= state.slot_of(delivered):
            raise StaleError(f"a proposal of height {header.height} when {delivered.height} is final")
        if header.height == delivered.height + 1 and header.parent_hash != delivered.hash:
            raise StaleError("a proposal beside the final block")

    def _check_leader(self, proposal: Proposal, seal: Seal) -> None:
        state, header = self._state, proposal.header
        if header.proposer != state.leader(seal.slot):
            raise NotLeaderError(f"a proposal by one who does not lead slot {seal.slot}")
        if tx_root(proposal.transaction_ids) != header.tx_root or links_hash(proposal.links) != seal.links_hash:
            raise UncommittedError("a proposal's ids or links are not those of its header")
        ballot = self._check_signature(header, seal.slot, proposal.signature)
        if header.proposer == state.context.key:
            state.signer.check(proposed(ballot))

    def _accuse(self, proposal: Proposal, seal: Seal, accepted: list[Proposal]) -> None:
        header, state = proposal.header, self._state
        voter = state.context.validators.index(header.proposer)
        for other in accepted:
            if voter is None or other.header.hash == header.hash or header.proposer == state.context.key:
                continue
            first = Ballot(header.epoch, seal.slot, VoteKind.PROPOSE, other.header.hash)
            second = Ballot(header.epoch, seal.slot, VoteKind.PROPOSE, header.hash)
            claim = DoubleSignature(header.proposer, first.data, other.signature, second.data, proposal.signature)
            state.accuse(voter, encode_evidence(claim))
