"""What the rooms of one Simplex engine share: the context, the parts, the effects of the input at hand."""

from __future__ import annotations

from collections import Counter

from p2pcommerce.finality.certificates import VoteVerifier
from p2pcommerce.finality.engine import Context, Effect, Send, Target
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.simplex.held import Held
from p2pcommerce.finality.simplex.messages import Boundary, Message, Proposal, Status, encode_message
from p2pcommerce.finality.simplex.pacemaker import Pacemaker
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.simplex.pool import VotePool
from p2pcommerce.finality.simplex.signer import Signer
from p2pcommerce.finality.simplex.tree import BlockTree
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.primitives.ids import BlockHash, PeerId, PublicKey

__all__ = ["State"]

_LEADERS_MAX = 8
"""Leaders that are remembered: those of the views around the present one."""


class State:
    """One epoch of one node.

    Attributes:
        context: what the engine was started with, with the sets of this epoch.
        parameters: the numbers.
        out: effects of the input at hand, in order.
        counters: what is counted for `status()`.
        seed: the epoch's randomness; of epoch 0 the genesis hash.
        boundary_height: the height of the epoch's last block.
        ending: that block with the proof that it is final, if a peer sent it.
        ended_proof: the proof with which it was delivered; empty: none is known.
        verifier: of this epoch's votes.
        signer: own ballots.
        held: certificates.
        pool: votes.
        tree: blocks.
        pace: timers.
        proposals: by view, the proposals that were accepted.
        misjustified: by block hash, proposals whose justify is wrong: evidence against who notarizes them.
        spoiled_view: the last view whose leader proposed something that is invalid for ever, or could not build.
    """

    def __init__(self, context: Context, now: int, before: State | None = None) -> None:
        """Begin an epoch with nothing but the delivered block; `before`: the epoch before it in this life."""
        self.context = context
        self.parameters = SimplexParameters.of(context.parameters)
        self.out: list[Effect] = [] if before is None else before.out
        self.counters: Counter[str] = Counter() if before is None else before.counters
        self.seed = context.seed or bytes(context.genesis_hash)
        self.boundary_height = boundary_of(context.epoch, context.parameters.epoch_blocks)
        self.ending: Boundary | None = None
        self.ended_proof = b""
        self.verifier = VoteVerifier(context.validators, context.genesis_hash, context.scheme)
        self.signer: Signer = Signer(context, self.out, None if before is None else before.signer)
        self.held = Held(self.parameters.window_views)
        self.pool = VotePool(context.validators, self.parameters.hashes_max)
        self.tree = BlockTree(context.delivered, self.parameters, self.out)
        self.pace = Pacemaker(self.parameters, now)
        if before is not None:
            self.pace.delay_us = before.pace.delay_us
        self.proposals: dict[int, list[Proposal]] = {}
        self.misjustified: dict[bytes, Proposal] = {}
        self.spoiled_view = 0
        self._leaders: dict[int, PublicKey] = {}

    @property
    def lowest_view(self) -> int:
        """Votes of views below this one are not kept (rule 11)."""
        return max(self.held.final_view, self.held.view - self.parameters.window_views)

    @property
    def parent_hash(self) -> BlockHash:
        """The block of the highest N or F, else the delivered one."""
        highest = self.held.highest
        return self.tree.delivered.hash if highest is None else BlockHash(highest.hash)

    def leader(self, view: int) -> PublicKey:
        """Return who leads a view, 32 bytes."""
        if view not in self._leaders:
            if len(self._leaders) >= _LEADERS_MAX:
                self._leaders.clear()
            self._leaders[view] = pick_leader(self.context.validators, self.seed, view)
        return self._leaders[view]

    @property
    def is_over(self) -> bool:
        """Whether the epoch's last block is delivered: nothing is left to decide."""
        return self.tree.delivered.height >= self.boundary_height

    def ends(self, header: Header) -> bool:
        """Tell whether a block is the epoch's last one, or a carrier: only carriers may stand on it."""
        return header.height == self.boundary_height

    def keys_of(self, indices: tuple[int, ...]) -> tuple[PublicKey, ...]:
        """Return the public keys (32 bytes) of validators."""
        members = self.context.validators.validators
        return tuple(members[index].public_key for index in indices)

    def send(self, to: PeerId | Target, message: Message) -> None:
        """Send a message."""
        self.out.append(Send(to, encode_message(message)))

    def status(self, question: int = 0) -> Status:
        """Return what a peer is told of this node's place."""
        held = self.held
        return Status(self.context.epoch, held.view, held.final_view, held.highest_view, question)
