"""The numbers of the gossipsub baseline."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["GossipsubParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipsubParameters:
    """Source: the defaults of the gossipsub v1.0 and v1.1 specifications, unless said otherwise.

    Attributes:
        mesh: D, links of the mesh that a node wants. The specification's default is 6 (with D_lo 4; 5 in go-libp2p),
            and Ethereum's consensus layer runs 8 (with D_lo 6): quicker, surer under attack, and more bytes.
        mesh_low: D_lo, below this it grafts.
        mesh_high: D_hi, above this it prunes.
        mesh_score: D_score, when pruning, so many are kept for their score.
        mesh_outbound: D_out, links of the mesh that this node dialled, at least.
        lazy: D_lazy, peers outside the mesh that get IHAVE each heartbeat, at least.
        lazy_share: gossip factor, the same as a share of those peers.
        heartbeat_us: time between two heartbeats, microseconds.
        history_windows: heartbeats for which messages can be asked for.
        gossip_windows: heartbeats for which they are told of.
        flood_publish: own messages go to all peers, not to the mesh alone.
        prune_backoff_us: no graft for so long after a prune, microseconds.
        graft_flood_us: a graft so early in the back-off costs double, microseconds.
        graft_slack_us: added to the back-off before grafting oneself, microseconds.
        opportunistic_heartbeats: between two looks at whether the mesh is any good.
        opportunistic_peers: grafted if it is not.
        opportunistic_score: the median score below which it is not; no source: what a peer that delivers has.
        ihave_messages_max: IHAVE heard of one peer in a heartbeat.
        ihave_ids_max: ids in an IHAVE, and asked of one peer in a heartbeat.
        promise_us: what was asked for must come within this, microseconds.
        serve_max: times that one peer gets one message by IWANT.
        idontwant: tell the mesh of what has come (v1.2), so that it is not sent again.
        expected_rate: messages a second that the operator expects, for the delivery score; 0: no such score.
        mesh_time_points: per second in the mesh.
        mesh_time_points_max: cap on these.
        first_points: per first delivery; this and all below: no source, in the proportions of Ethereum's.
        first_points_max: cap on these.
        first_decay: of first deliveries per heartbeat.
        delivery_share: share of the expected rate that a link of the mesh must deliver.
        delivery_points: for a link of the mesh that delivers nothing; quadratic in what is lacking.
        delivery_decay: of deliveries per heartbeat.
        delivery_window_us: a duplicate so soon after the first counts as delivered, microseconds.
        delivery_activation_us: time in the mesh before deliveries are expected, microseconds.
        failure_decay: of the deficit at which a link was pruned, per heartbeat.
        invalid_points: times the square of invalid messages.
        invalid_decay: of invalid messages per heartbeat.
        behaviour_points: times the square of broken promises and early grafts, above one.
        behaviour_decay: of these per heartbeat.
        gossip_score: below this no gossip is exchanged.
        publish_score: below this a peer does not get own messages.
        graylist_score: below this a peer is not listened to.
    """

    mesh: int = 8
    mesh_low: int = 6
    mesh_high: int = 12
    mesh_score: int = 4
    mesh_outbound: int = 2
    lazy: int = 6
    lazy_share: float = 0.25
    heartbeat_us: int = MICROSECONDS
    history_windows: int = 5
    gossip_windows: int = 3
    flood_publish: bool = True
    prune_backoff_us: int = 60 * MICROSECONDS
    graft_flood_us: int = 10 * MICROSECONDS
    graft_slack_us: int = MICROSECONDS
    opportunistic_heartbeats: int = 60
    opportunistic_peers: int = 2
    opportunistic_score: float = 1.0
    ihave_messages_max: int = 10
    ihave_ids_max: int = 5_000
    promise_us: int = 3 * MICROSECONDS
    serve_max: int = 3
    idontwant: bool = False
    expected_rate: float = 0.0
    mesh_time_points: float = 0.0003
    mesh_time_points_max: float = 1.0
    first_points: float = 0.5
    first_points_max: float = 10.0
    first_decay: float = 0.7
    delivery_share: float = 0.05
    delivery_points: float = -25.0
    delivery_decay: float = 0.5
    delivery_window_us: int = 2 * MICROSECONDS
    delivery_activation_us: int = 3 * MICROSECONDS
    failure_decay: float = 0.98
    invalid_points: float = -20.0
    invalid_decay: float = 0.99
    behaviour_points: float = -10.0
    behaviour_decay: float = 0.98
    gossip_score: float = -40.0
    publish_score: float = -60.0
    graylist_score: float = -80.0
