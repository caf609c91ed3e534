"""What the rooms of one Simplex engine share: the context, the parts, the effects of the input at hand."""

from __future__ import annotations

from collections import Counter

from p2pcommerce.finality.certificates import VoteVerifier
from p2pcommerce.finality.engine import Context, Effect, Send, Target
from p2pcommerce.finality.leader import pick_leader
from p2pcommerce.finality.simplex.held import Held
from p2pcommerce.finality.simplex.messages import Message, Proposal, Status, encode_message
from p2pcommerce.finality.simplex.pacemaker import Pacemaker
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.simplex.pool import VotePool
from p2pcommerce.finality.simplex.signer import Signer
from p2pcommerce.finality.simplex.tree import BlockTree
from p2pcommerce.primitives.ids import BlockHash, PeerId, PublicKey

__all__ = ["State"]


class State:
    """One epoch of one node.

    Attributes:
        context: what the engine was started with.
        parameters: the numbers.
        out: effects of the input at hand, in order.
        counters: what is counted for `status()`.
        seed: the epoch's randomness; of epoch 0 the genesis hash.
        verifier: of this epoch's votes.
        signer: own ballots.
        held: certificates.
        pool: votes.
        tree: blocks.
        pace: timers.
        proposals: by view, the proposals that were accepted.
        spoiled_view: the last view whose leader proposed something that is invalid for ever, or could not build.
    """

    def __init__(self, context: Context, now: int) -> None:
        """Begin an epoch with nothing but the delivered block."""
        self.context = context
        self.parameters = SimplexParameters.of(context.parameters)
        self.out: list[Effect] = []
        self.counters: Counter[str] = Counter()
        self.seed = bytes(context.genesis_hash)
        self.verifier = VoteVerifier(context.validators, context.genesis_hash, context.scheme)
        self.signer = Signer(context, self.out)
        self.held = Held(self.parameters.window_views)
        self.pool = VotePool(context.validators, self.parameters.hashes_max)
        self.tree = BlockTree(context.delivered, self.parameters, self.out)
        self.pace = Pacemaker(self.parameters, now)
        self.proposals: dict[int, list[Proposal]] = {}
        self.spoiled_view = 0
        self._leader: tuple[int, PublicKey] | None = None

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
        if self._leader is None or self._leader[0] != view:
            self._leader = view, pick_leader(self.context.validators, self.seed, view)
        return self._leader[1]

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
