"""How the gossipsub baseline scores its peers.

Of the v1.1 score: time in the mesh (P1), first deliveries (P2), deficit of deliveries in the mesh and what is left of
it after a prune (P3, P3b), invalid messages (P4), broken promises and early grafts (P7). A link of the mesh that is
mute falls below zero within seconds and is pruned.

Source: the gossipsub v1.1 specification (Peer scoring).
Deviations: no score of the application (P5) and none of shared addresses (P6), as no world here has either; a message
that one peer sends twice counts twice, as no adversary here does so.
"""

from __future__ import annotations

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.baselines.gossipsub_parameters import GossipsubParameters

__all__ = ["PeerScore", "points"]

_NEGLIGIBLE = 0.01


class PeerScore:
    """The counters of one peer, which decay by the heartbeat.

    Attributes:
        mesh_since_us: since when the link is in the mesh, microseconds; None: it is not.
        first: first deliveries.
        delivered: deliveries in the mesh, near-first ones included.
        failed: what was lacking when the link left the mesh, squared and relative.
        invalid: invalid messages.
        misbehaved: broken promises and early grafts.
    """

    __slots__ = ("delivered", "failed", "first", "invalid", "mesh_since_us", "misbehaved")

    def __init__(self) -> None:
        """Start neutral."""
        self.mesh_since_us: int | None = None
        self.first = self.delivered = self.failed = self.invalid = self.misbehaved = 0.0

    def on_graft(self, now: int) -> None:
        """The link joins the mesh."""
        self.mesh_since_us = now
        self.delivered = 0.0

    def on_prune(self, parameters: GossipsubParameters, now: int) -> None:
        """The link leaves the mesh; what it owed stays with it."""
        self.failed += self.lacking(parameters, now)
        self.mesh_since_us = None

    def lacking(self, parameters: GossipsubParameters, now: int) -> float:
        """Return the square of the share that is lacking in deliveries: 0 (nothing) to 1 (everything)."""
        since_us = self.mesh_since_us
        if since_us is None or now - since_us < parameters.delivery_activation_us:
            return 0.0
        # A counter that gains r per heartbeat and keeps `decay` of itself settles just above r * decay / (1 - decay).
        per_heartbeat = parameters.expected_rate * parameters.heartbeat_us / MICROSECONDS * parameters.delivery_share
        owed = per_heartbeat * parameters.delivery_decay / (1 - parameters.delivery_decay)
        if owed <= self.delivered or owed < 0.5:  # too quiet a topic to expect anything
            return 0.0
        return (1 - self.delivered / owed) ** 2

    def decay(self, parameters: GossipsubParameters) -> None:
        """Let a heartbeat pass."""
        self.first = _decayed(self.first, parameters.first_decay)
        self.delivered = _decayed(self.delivered, parameters.delivery_decay)
        self.failed = _decayed(self.failed, parameters.failure_decay)
        self.invalid = _decayed(self.invalid, parameters.invalid_decay)
        self.misbehaved = _decayed(self.misbehaved, parameters.behaviour_decay)


def points(score: PeerScore, parameters: GossipsubParameters, now: int) -> float:
    """Return a score as one number."""
    since_us = score.mesh_since_us
    total = min(score.first * parameters.first_points, parameters.first_points_max)
    if since_us is not None:
        seconds = (now - since_us) / MICROSECONDS
        total += min(seconds * parameters.mesh_time_points, parameters.mesh_time_points_max)
        total += score.lacking(parameters, now) * parameters.delivery_points
    total += score.failed * parameters.delivery_points
    total += score.invalid**2 * parameters.invalid_points
    if score.misbehaved > 1:
        total += (score.misbehaved - 1) ** 2 * parameters.behaviour_points
    return total


def _decayed(value: float, decay: float) -> float:
    value *= decay
    return value if value > _NEGLIGIBLE else 0.0
