"""The mesh of the gossipsub baseline: which links carry full messages, kept between D_lo and D_hi.

Source: the gossipsub v1.1 specification (mesh maintenance, back-off, outbound quota, opportunistic grafting).
"""

from __future__ import annotations

import random

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.baselines.frames import Graft, Prune
from p2pcommerce.simulation.baselines.gossipsub_parameters import GossipsubParameters
from p2pcommerce.simulation.baselines.gossipsub_score import PeerScore, points
from p2pcommerce.simulation.baselines.seam import SendFrame

__all__ = ["Mesh", "MeshPeer"]


class MeshPeer:
    """One connected peer.

    Attributes:
        peer: 32 bytes.
        outbound: this node dialled it.
        score: its counters.
        points: its score as of the last heartbeat, or of the last look.
        backoff_until_us: no graft before, microseconds.
        ihaves: IHAVE heard of it since the heartbeat.
        asked: ids asked of it since the heartbeat.
        unwanted: ids that it does not want.
    """

    __slots__ = ("asked", "backoff_until_us", "ihaves", "outbound", "peer", "points", "score", "unwanted")

    def __init__(self, peer: PeerId, score: PeerScore, *, outbound: bool) -> None:
        """Start outside the mesh."""
        self.peer = peer
        self.outbound = outbound
        self.score = score
        self.points = 0.0
        self.backoff_until_us = 0
        self.ihaves = self.asked = 0
        self.unwanted: dict[bytes, None] = {}


class Mesh:
    """The links of the mesh, among all peers.

    Attributes:
        peers: all connected peers, in the order of their connections.
        links: those in the mesh.
    """

    __slots__ = ("_parameters", "_rng", "links", "peers")

    def __init__(self, parameters: GossipsubParameters, rng: random.Random) -> None:
        """Start without peers."""
        self._parameters = parameters
        self._rng = rng
        self.peers: dict[PeerId, MeshPeer] = {}
        self.links: dict[PeerId, MeshPeer] = {}

    def look(self, peer: MeshPeer, now: int) -> float:
        """Return a peer's score of this moment."""
        peer.points = points(peer.score, self._parameters, now)
        return peer.points

    def fill(self, now: int) -> list[SendFrame]:
        """Graft up to D if there are fewer than D_lo."""
        if len(self.links) >= self._parameters.mesh_low:
            return []
        return self._graft_some(self._parameters.mesh - len(self.links), self._candidates(now), now)

    def maintain(self, now: int) -> list[SendFrame]:
        """Prune the bad and the surplus, and graft what is lacking; scores are those of this heartbeat."""
        parameters = self._parameters
        actions = [self.prune(peer, now) for peer in list(self.links.values()) if peer.points < 0]
        actions += self.fill(now)
        if len(self.links) > parameters.mesh_high:
            actions += [self.prune(peer, now) for peer in self._surplus()]
        lacking = parameters.mesh_outbound - sum(peer.outbound for peer in self.links.values())
        if len(self.links) >= parameters.mesh_low and lacking > 0:
            actions += self._graft_some(lacking, [peer for peer in self._candidates(now) if peer.outbound], now)
        return actions

    def graft_better(self, now: int) -> list[SendFrame]:
        """Graft peers of a score above the median, if that is poor."""
        ranked = sorted(peer.points for peer in self.links.values())
        if len(ranked) < 2 or ranked[len(ranked) // 2] >= self._parameters.opportunistic_score:
            return []
        median = ranked[len(ranked) // 2]
        better = [peer for peer in self._candidates(now) if peer.points > median]
        return self._graft_some(self._parameters.opportunistic_peers, better, now)

    def on_graft(self, peer: MeshPeer, now: int) -> list[SendFrame]:
        """A peer adds this link to its mesh: agree, or prune."""
        parameters = self._parameters
        if peer.peer in self.links:
            return []
        if now < peer.backoff_until_us:
            peer.score.misbehaved += 1
            if now < peer.backoff_until_us - parameters.prune_backoff_us + parameters.graft_flood_us:
                peer.score.misbehaved += 1
        elif self.look(peer, now) >= 0 and (peer.outbound or len(self.links) < parameters.mesh_high):
            self._add(peer, now)
            return []
        return [self._refuse(peer, now)]

    def on_prune(self, peer: MeshPeer, backoff_us: int, now: int) -> None:
        """A peer takes this link out of its mesh."""
        if self.links.pop(peer.peer, None) is not None:
            peer.score.on_prune(self._parameters, now)
        peer.backoff_until_us = max(peer.backoff_until_us, now + min(backoff_us, self._parameters.prune_backoff_us))

    def prune(self, peer: MeshPeer, now: int) -> SendFrame:
        """Take a link out of the mesh."""
        del self.links[peer.peer]
        peer.score.on_prune(self._parameters, now)
        return self._refuse(peer, now)

    def _add(self, peer: MeshPeer, now: int) -> None:
        self.links[peer.peer] = peer
        peer.score.on_graft(now)

    def _refuse(self, peer: MeshPeer, now: int) -> SendFrame:
        backoff_us = self._parameters.prune_backoff_us
        peer.backoff_until_us = now + backoff_us
        return SendFrame(peer.peer, Prune(backoff_us))

    def _candidates(self, now: int) -> list[MeshPeer]:
        slack_us = self._parameters.graft_slack_us
        return [
            peer
            for peer in self.peers.values()
            if peer.peer not in self.links
            and (not peer.backoff_until_us or peer.backoff_until_us + slack_us <= now)
            and peer.points >= 0
        ]

    def _graft_some(self, count: int, candidates: list[MeshPeer], now: int) -> list[SendFrame]:
        grafted = self._rng.sample(candidates, min(count, len(candidates)))
        for peer in grafted:
            self._add(peer, now)
        return [SendFrame(peer.peer, Graft()) for peer in grafted]

    def _surplus(self) -> list[MeshPeer]:
        """Return who has to go: the best by score stay, then others by lot, with enough that were dialled."""
        parameters = self._parameters
        links = list(self.links.values())
        self._rng.shuffle(links)
        links.sort(key=lambda peer: -peer.points)
        best, others = links[: parameters.mesh_score], links[parameters.mesh_score :]
        self._rng.shuffle(others)
        lacking = parameters.mesh_outbound - sum(peer.outbound for peer in best)
        dialled = [peer for peer in others if peer.outbound][: max(lacking, 0)]
        kept = best + dialled
        rest = [peer for peer in others if peer not in dialled]
        return rest[parameters.mesh - len(kept) :]
