"""What the rooms of a running FFG engine share."""

from __future__ import annotations

from p2pcommerce.finality.certificates import VoteVerifier
from p2pcommerce.finality.engine import Context, Evidence
from p2pcommerce.finality.evidence import DoubleSignature
from p2pcommerce.finality.ffg.evidence import LINK_EVIDENCE
from p2pcommerce.finality.ffg.gadget import Gadget
from p2pcommerce.finality.ffg.heads import ProposalHeads
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.messages import KINDS, Message, Proposal, Status
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS, FFGParameters
from p2pcommerce.finality.ffg.pool import LinkPool
from p2pcommerce.finality.ffg.signer import LinkSigner
from p2pcommerce.finality.ffg.tree import SlotTree
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint
from p2pcommerce.finality.recovery import RollCall
from p2pcommerce.finality.state import EngineState
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash

__all__ = ["State"]


class State(EngineState[Message]):
    """One node.

    Attributes:
        parameters: the numbers.
        verifier: of votes.
        signer: own messages.
        rollcall: what the others know of this validator.
        tree: blocks.
        gadget: justified and final checkpoints.
        pool: votes.
        heads: of proposals, for those who made them.
        head: header of the fork choice's head; None while the justified block is not executed here.
        slot: the last one that was seen.
        proposals: by slot, the proposals that were accepted.
        finals: by index, the hash of each checkpoint that this node saw become final, within the window.
    """

    def __init__(self, context: Context, now: int) -> None:
        """Begin with nothing but the delivered block."""
        super().__init__(context, KINDS)
        self.parameters = FFGParameters.of(context.parameters)
        self.verifier = VoteVerifier(context.validators, context.genesis_hash, context.scheme, LINK_DOMAIN)
        self.signer = LinkSigner(context, self.out)
        self.rollcall = RollCall(context, self.signer, self.verifier)
        self.tree = SlotTree(context.delivered, self.parameters.blocks_max, self.follows, self.out)
        delivered = context.delivered
        # Above genesis the proof of the delivered block soon says which checkpoint is final.
        first = Checkpoint(delivered.height // CHECKPOINT_BLOCKS, delivered.hash)
        self.gadget = Gadget(first, self.parameters.waiting_max)
        self.pool = LinkPool(context.validators, self.parameters.votes_max)
        self.heads = ProposalHeads()
        self.head: Header | None = delivered
        self.slot = self.slot_at(now)
        self.proposals: dict[int, list[Proposal]] = {}
        self.finals: dict[int, BlockHash] = {}
        self._accused: dict[int, None] = {}
        self._unsettled: tuple[tuple[BlockHash, BlockHash], bool] | None = None

    def slot_at(self, now: int) -> int:
        """Return the slot of a moment (microseconds of Unix time)."""
        return now // self.parameters.slot_us

    def slot_of(self, header: Header) -> int:
        """Return the slot of a block."""
        return header.time_ms // self.parameters.slot_ms

    def follows(self, header: Header, parent: Header) -> bool:
        """Tell whether a header may follow its parent's."""
        return (
            header.height == parent.height + 1
            and self.slot_of(header) > self.slot_of(parent)
            and header.time_ms >= parent.time_ms + self.parameters.interval_ms
        )

    def is_accused(self, voter: int) -> bool:
        """Tell whether a validator was shown to break a rule, in this life."""
        return voter in self._accused

    def accuse_votes(self, one: LinkVote, other: LinkVote) -> None:
        """Show that a voter gave both of two verified votes, unless it is this node's own key."""
        offender = self.context.validators.validators[one.voter].public_key
        if offender != self.context.key:
            claim = DoubleSignature(offender, one.link.data, one.signature, other.link.data, other.signature)
            self.accuse(one.voter, LINK_EVIDENCE.encode(claim))

    def accuse(self, voter: int, evidence: bytes) -> None:
        """Show that a validator broke a rule, once for each."""
        if voter not in self._accused:
            self._accused[voter] = None
            self.counters["evidence"] += 1
            self.out.append(Evidence(evidence))

    @property
    def is_unsettled(self) -> bool:
        """Whether a transaction in the head's branch is not final."""
        head = self.head or self.tree.delivered
        place = head.hash, self.tree.delivered.hash
        if self._unsettled is None or self._unsettled[0] != place:
            blocks = self.tree.below(head.hash)
            holds = any(block.header is not None and block.header.tx_root != ZERO_HASH for block in blocks)
            self._unsettled = place, holds
        return self._unsettled[1]

    def status(self) -> Status:
        """Return what a peer is told of this node's place."""
        head = self.head or self.tree.delivered
        return Status(self.context.epoch, self.gadget.root.index, head.height, head.hash, self.rollcall.question)
