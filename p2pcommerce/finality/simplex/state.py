"""What the rooms of one Simplex engine share: the context, the parts, the effects of the input at hand."""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality.certificates import Certificate, VoteVerifier
from p2pcommerce.finality.engine import Context
from p2pcommerce.finality.recovery import RollCall
from p2pcommerce.finality.simplex.docket import Docket
from p2pcommerce.finality.simplex.held import Held
from p2pcommerce.finality.simplex.messages import KINDS, Boundary, Message, Proposal, Status
from p2pcommerce.finality.simplex.misjustified import Fault
from p2pcommerce.finality.simplex.pacemaker import Pacemaker
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.simplex.pool import VotePool
from p2pcommerce.finality.simplex.signer import BallotSigner
from p2pcommerce.finality.simplex.stored_justify import encode_justify
from p2pcommerce.finality.simplex.tree import ViewTree
from p2pcommerce.finality.state import EngineState
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["JUSTIFIES_MAX", "State"]

JUSTIFIES_MAX: Final = 256
"""Blocks that are not delivered yet whose justify is remembered."""


class State(EngineState[Message]):
    """One epoch of one node.

    Attributes:
        parameters: the numbers.
        boundary_height: the height of the epoch's last block.
        ending: that block with the proof that it is final, if a peer sent it.
        ended_proof: the proof with which it was delivered; empty: none is known.
        verifier: of this epoch's votes.
        signer: own ballots.
        rollcall: what the others know of this validator.
        held: certificates.
        pool: votes.
        tree: blocks.
        pace: timers.
        proposals: by view, the proposals that were accepted.
        docket: what others were heard to say, to be compared.
        decided: the F by which the delivered block is final, if it is known.
        justifies: by block, why it was proposed on its parent, until it is delivered; the oldest are forgotten first.
        misjustified: by view, headers whose justify is wrong, and why: evidence against who notarizes them.
        spoiled: views of the window above the present one whose leader proposed something that is invalid for ever, or
            could not build.
    """

    def __init__(self, context: Context, now: int, before: State | None = None) -> None:
        """Begin an epoch with nothing but the delivered block; `before`: the epoch before it in this life."""
        super().__init__(context, KINDS, before)
        self.parameters = SimplexParameters.of(context.parameters)
        self.boundary_height = boundary_of(context.epoch, context.parameters.epoch_blocks)
        self.ending: Boundary | None = None
        self.ended_proof = b""
        self.verifier = VoteVerifier(context.validators, context.genesis_hash, context.scheme)
        self.signer: BallotSigner = BallotSigner(context, self.out, None if before is None else before.signer)
        self.rollcall = RollCall(context, self.signer, self.verifier)
        self.held = Held(self.parameters.window_views)
        self.pool = VotePool(context.validators, self.parameters.hashes_max)
        self.docket = Docket(self.parameters.window_views, self.parameters.hashes_max)
        self.decided: Certificate | None = None if before is None else before.decided
        base_height = self.boundary_height - context.parameters.epoch_blocks
        self.tree = ViewTree(context.delivered, self.parameters, self.out, base_height)
        self.pace = Pacemaker(self.parameters, now)
        if before is not None:
            self.pace.delay_us = before.pace.delay_us
        self.proposals: dict[int, list[Proposal]] = {}
        self.justifies: dict[BlockHash, bytes] = {}
        self.misjustified: dict[int, list[Fault]] = {}
        self.spoiled: dict[int, None] = {}

    @property
    def lowest_view(self) -> int:
        """Votes of views below this one are not kept (rule 11)."""
        return max(self.held.final_view, self.held.view - self.parameters.window_views)

    @property
    def heard_view(self) -> int:
        """Votes of views below this one are not even compared."""
        return self.held.view - self.parameters.window_views

    def note_justify(self, proposal: Proposal) -> None:
        """Remember why a block was proposed on its parent, to be stored with it."""
        justify = proposal.justify
        self.justifies[proposal.header.hash] = encode_justify((justify.parent, justify.nullification))
        if len(self.justifies) > JUSTIFIES_MAX:
            del self.justifies[next(iter(self.justifies))]

    def is_near(self, view: int) -> bool:
        """Tell whether a view is not below the lowest one, and not above the window that starts at the present one."""
        return self.lowest_view <= view <= self.held.view + self.parameters.window_views

    def spoil(self, view: int) -> None:
        """Give up a view: its leader proposed something that is invalid for ever, or could not build.

        One that is far above is not remembered: a leader may lead any number of those.
        """
        if self.is_near(view):
            self.spoiled[view] = None

    def prune(self) -> None:
        """Drop what is of views that are too low to matter."""
        low = self.lowest_view
        self.pool.prune(low)
        for by_view in (self.proposals, self.misjustified, self.spoiled):
            for view in [view for view in by_view if view < low]:
                by_view.pop(view)

    @property
    def parent_hash(self) -> BlockHash:
        """The block of the highest N or F, else the delivered one."""
        highest = self.held.highest
        return self.tree.delivered.hash if highest is None else BlockHash(highest.hash)

    @property
    def is_over(self) -> bool:
        """Whether the epoch's last block is delivered: nothing is left to decide."""
        return self.tree.delivered.height >= self.boundary_height

    def ends(self, header: Header) -> bool:
        """Tell whether a block is the epoch's last one, or a carrier: only carriers may stand on it."""
        return header.height == self.boundary_height

    def status(self) -> Status:
        """Return what a peer is told of this node's place."""
        held = self.held
        return Status(self.context.epoch, held.view, held.final_view, held.highest_view, self.rollcall.question)
