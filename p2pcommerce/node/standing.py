"""Where this node stands in the epoch: whether it is one of those who decide, and whom it therefore stays close to.

A validator keeps connections to the validators of this epoch and the next: to all of them while they tell each other
everything straight (`finality_routes`), beyond to some drawn at random, whom nobody else can choose for it. One that
asks a quorum for its newest votes, each straight, as it does before it signs in the first two epochs of a life, looks
for all of them meanwhile. When it knows, what it dialled beyond its ordinary places is closed.

Who has no part is shown what has become final by peers (`final_blocks`); as long as that brings the newest blocks, a
small gap is left to it, and to catching up otherwise.

Source: the networking specification (Proposals, votes, certificates; followers), the recovery of the finality
specification.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from p2pcommerce.discovery import Discovery
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.finality_routes import FinalityRoutes
from p2pcommerce.primitives.ids import PeerId, PublicKey
from p2pcommerce.sync import Sync

__all__ = ["Standing"]


class Standing:
    """This node's part in the epoch.

    Attributes:
        members: the validators of this epoch and the next, 32 bytes each.
        has_part: whether this node is one of them.
    """

    def __init__(
        self,
        own: PublicKey,
        chain: Chain,
        engine: FinalityEngine,
        discovery: Discovery,
        sync: Sync,
        routes: FinalityRoutes,
        neighbours: int,
        rng: random.Random,
    ) -> None:
        """Tell `discovery` and `sync` what follows from it.

        Args:
            own: this node's key, 32 bytes.
            chain: tells the epoch.
            engine: tells whether this node still asks for its newest votes.
            discovery: keeps the connections.
            sync: catches up.
            routes: tells whether the validators are too many to be connected with all.
            neighbours: validators to stay connected to then.
            rng: draws them.
        """
        self._own = own
        self._chain = chain
        self._engine = engine
        self._discovery = discovery
        self._sync = sync
        self._routes = routes
        self._neighbours = neighbours
        self._rng = rng
        self._epoch: int | None = None
        self._is_fed = False
        self._asks = True
        self._wanted: Mapping[PeerId, None] = {}
        self.members: Mapping[PeerId, None] = {}
        self.has_part = False

    def see_epoch(self) -> bool:
        """Look whether another epoch has begun; stay close to its validators if this node is one of them."""
        begun = self._chain.epoch_start
        if begun.epoch == self._epoch:
            return False
        if self._epoch is not None:  # else the engine has not started
            self._asks = self._is_asking
        self._epoch = begun.epoch
        self.members = begun.members
        self.has_part = self._own in begun.members
        self._want()
        self._sync.set_live(live=self.has_part or self._is_fed)
        return True

    def settle(self, places: int) -> list[PeerId]:
        """A block became final: look whether all validators are still needed.

        Args:
            places: connections that this node dials for no particular peer.

        Returns:
            The peers (32 bytes each) whose connections are not needed any more.
        """
        if not self._asks or self._is_asking:
            return []
        self._asks = False
        if not self.has_part or not self._routes.is_wide(self.members):
            return []
        self._want()
        return [peer for peer, _ in self._discovery.connections.ordinary(outbound=True)][places:]

    @property
    def _is_asking(self) -> bool:
        """Whether this node may not sign before a quorum has answered it."""
        return bool(self._engine.status().counters.get("recovering"))

    def on_fed(self, *, is_fed: bool) -> None:
        """The final head moved: `is_fed` by a block that a peer pushed, otherwise by catching up."""
        if is_fed is not self._is_fed:
            self._is_fed = is_fed
            self._sync.set_live(live=self.has_part or is_fed)

    def _want(self) -> None:
        self._wanted = self._near() if self.has_part else {}
        self._discovery.set_wanted(list(self._wanted))

    def _near(self) -> Mapping[PeerId, None]:
        """Return the validators to stay connected to; of those drawn before, who still is one stays."""
        members, count = self.members, self._neighbours
        if self._asks or not self._routes.is_wide(members):
            return members
        before = self._wanted if len(self._wanted) <= count else {}
        kept = [peer for peer in before if peer in members]
        others = [peer for peer in members if peer != self._own and peer not in before]
        return dict.fromkeys([*kept, *self._rng.sample(others, min(len(others), count - len(kept)))])
