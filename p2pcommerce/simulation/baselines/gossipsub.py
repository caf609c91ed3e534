"""Gossipsub v1.1, as well made as its specification: the baseline that the product's router has to beat.

A mesh of D links carries full messages at once; each heartbeat, ids of the last messages go to some peers outside the
mesh, who ask for what they lack. Scores prune links that deliver nothing. One topic; peers are given, so there is no
peer exchange. IDONTWANT (v1.2) is an option.

Source: the gossipsub v1.0, v1.1 and v1.2 specifications; the choices of go-libp2p where they leave one.
Deviations, all in favour of the baseline: peers that show a message while it is being judged do not get it back; a mesh
that is too thin after a connection is made or lost is filled at once and not at the next heartbeat; every id that was
asked for is a promise, and not one of each IWANT.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from p2pcommerce.gossip import Judged
from p2pcommerce.gossip.arrivals import TRANSACTION_ID
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.simulation.baselines.frames import Graft, IDontWant, IHave, IWant, Prune
from p2pcommerce.simulation.baselines.gossipsub_parameters import GossipsubParameters
from p2pcommerce.simulation.baselines.gossipsub_score import PeerScore
from p2pcommerce.simulation.baselines.history import History
from p2pcommerce.simulation.baselines.mesh import Mesh, MeshPeer
from p2pcommerce.simulation.baselines.message_cache import MessageCache
from p2pcommerce.simulation.baselines.seam import Action, GossipMessage, SendFrame
from p2pcommerce.wire.messages import Transactions

__all__ = ["SCORES_MAX", "UNWANTED_MAX", "Gossipsub"]

SCORES_MAX = 4_096
"""Scores kept, of peers present and gone."""
UNWANTED_MAX = 5_000
"""Ids that one peer does not want; the oldest go."""


class Gossipsub:
    """One gossipsub node."""

    __slots__ = (
        "_beats",
        "_cache",
        "_heartbeat_us",
        "_history",
        "_mesh",
        "_parameters",
        "_promises",
        "_rng",
        "_scores",
    )

    def __init__(
        self,
        parameters: GossipsubParameters,
        rng: random.Random,
        identify: Callable[[bytes], TransactionId] = TRANSACTION_ID,
    ) -> None:
        """Start without peers.

        Args:
            parameters: the numbers.
            rng: draws the mesh, whom to tell, and when the heart beats.
            identify: the id of a message (32 bytes) by its bytes.
        """
        self._parameters = parameters
        self._rng = rng
        self._mesh = Mesh(parameters, rng)
        self._history = History(identify)
        self._cache = MessageCache(parameters.history_windows, parameters.gossip_windows)
        self._scores: dict[PeerId, PeerScore] = {}
        self._promises: dict[TransactionId, dict[PeerId, int]] = {}
        self._heartbeat_us: int | None = None
        self._beats = 0

    @property
    def mesh(self) -> tuple[PeerId, ...]:
        """The peers (32 bytes each) in the mesh."""
        return tuple(self._mesh.links)

    @property
    def deadline(self) -> int | None:
        """The next heartbeat."""
        return self._heartbeat_us

    # --- peers ---

    def connect(self, peer: PeerId, *, outbound: bool, now: int) -> Sequence[Action]:
        """Take a new peer (32 bytes) in; it is grafted at once if the mesh is thin."""
        score = self._scores.pop(peer, None) or PeerScore()
        self._scores[peer] = score
        self._forget_scores()
        self._mesh.peers[peer] = MeshPeer(peer, score, outbound=outbound)
        self._mesh.look(self._mesh.peers[peer], now)
        if self._heartbeat_us is None:
            self._heartbeat_us = now + self._rng.randrange(self._parameters.heartbeat_us)
        return self._mesh.fill(now)

    def measured(self, peer: PeerId, rtt_us: int, now: int) -> Sequence[Action]:
        """Round-trip times mean nothing to gossipsub."""
        del peer, rtt_us, now
        return ()

    def disconnect(self, peer: PeerId, now: int) -> Sequence[Action]:
        """Let a peer (32 bytes) go; its score is kept."""
        gone = self._mesh.peers.pop(peer, None)
        if gone is None:
            return ()
        if self._mesh.links.pop(peer, None) is not None:
            gone.score.on_prune(self._parameters, now)
        return self._mesh.fill(now)

    # --- messages ---

    def receive(self, peer: PeerId, message: GossipMessage, now: int) -> Sequence[Action]:
        """Take a message of a peer (32 bytes)."""
        known = self._mesh.peers.get(peer)
        if known is None or known.points < self._parameters.graylist_score:
            return ()
        match message:
            case Transactions(items):
                return self._on_items(known, items, now)
            case IHave(ids):
                return self._on_ihave(known, ids, now)
            case IWant(ids):
                return self._on_iwant(known, ids)
            case Graft():
                return self._mesh.on_graft(known, now)
            case Prune(backoff_us):
                self._mesh.on_prune(known, backoff_us, now)
            case IDontWant(ids):
                self._on_unwanted(known, ids)
            case _:  # the product's own, which nobody sends here
                pass
        return ()

    def judged(self, verdicts: Sequence[Judged], now: int) -> Sequence[Action]:
        """Pass on what was accepted to the mesh."""
        actions: list[Action] = []
        for tx_id, raw, verdict, origin, _ in verdicts:
            shown = self._history.land(tx_id)
            if verdict is Verdict.ACCEPT:
                self._credit(origin)
                self._cache.put(tx_id, raw)
                message = Transactions((raw,))
                actions += [
                    SendFrame(peer, message)
                    for peer, link in self._mesh.links.items()
                    if peer not in shown and tx_id not in link.unwanted
                ]
            elif verdict is Verdict.REJECT:
                for peer in shown:
                    if peer in self._scores:
                        self._punish(peer, now)
        return actions

    def publish(self, tx_id: TransactionId, raw: bytes, now: int) -> Sequence[Action]:
        """Send a transaction (id of 32 bytes) of this node's own to all peers of good standing."""
        self._history.know(tx_id, now)
        self._cache.put(tx_id, raw)
        message = Transactions((raw,))
        if not self._parameters.flood_publish and self._mesh.links:
            return [SendFrame(peer, message) for peer in self._mesh.links]
        return [
            SendFrame(peer.peer, message)
            for peer in self._mesh.peers.values()
            if peer.points >= self._parameters.publish_score
        ]

    def retire(self, tx_ids: Iterable[TransactionId]) -> None:
        """The windows of the cache end by themselves."""

    # --- time ---

    def on_deadline(self, now: int) -> Sequence[Action]:
        """Beat: scores, promises, mesh, gossip, windows."""
        if self._heartbeat_us is None or now < self._heartbeat_us:
            return ()
        parameters, mesh = self._parameters, self._mesh
        self._heartbeat_us = now + parameters.heartbeat_us
        self._beats += 1
        self._break_promises(now)
        for score in self._scores.values():
            score.decay(parameters)
        for peer in mesh.peers.values():
            mesh.look(peer, now)
            peer.ihaves = peer.asked = 0
        actions: list[Action] = [*mesh.maintain(now)]
        if self._beats % parameters.opportunistic_heartbeats == 0:
            actions += mesh.graft_better(now)
        actions += self._tell()
        self._cache.shift()
        return actions

    # --- inside ---

    def _on_items(self, known: MeshPeer, items: Sequence[bytes], now: int) -> Sequence[Action]:
        peer, score = known.peer, known.score
        showing = self._history.show(peer, items, now)
        if showing.repeat_us and score.mesh_since_us is not None:
            # A link of the mesh is credited with what it delivers near the first time, too.
            window_us = self._parameters.delivery_window_us
            score.delivered += sum(age_us <= window_us for age_us in showing.repeat_us)
        offers = showing.offers(peer)
        if not offers:
            return offers
        ids = tuple(tx_id for tx_id, _ in showing.fresh)
        if self._promises:
            for tx_id in ids:
                self._promises.pop(tx_id, None)
        if self._parameters.idontwant:
            told = [SendFrame(link, IDontWant(ids)) for link in self._mesh.links if link != peer]
            return [*offers, *told]
        return offers

    def _on_ihave(self, known: MeshPeer, ids: Sequence[TransactionId], now: int) -> Sequence[Action]:
        parameters = self._parameters
        known.ihaves += 1
        room = parameters.ihave_ids_max - known.asked
        if known.points < parameters.gossip_score or known.ihaves > parameters.ihave_messages_max or room <= 0:
            return ()
        # As in go-libp2p, whoever tells of an id that is not here is asked for it: the first one may never answer.
        wanted = [tx_id for tx_id in ids if tx_id not in self._history][:room]
        if not wanted:
            return ()
        known.asked += len(wanted)
        for tx_id in wanted:
            self._promises.setdefault(tx_id, {}).setdefault(known.peer, now + parameters.promise_us)
        return [SendFrame(known.peer, IWant(tuple(wanted)))]

    def _on_iwant(self, known: MeshPeer, ids: Sequence[TransactionId]) -> Sequence[Action]:
        if known.points < self._parameters.gossip_score:
            return ()
        served = (self._cache.serve(tx_id, known.peer, self._parameters.serve_max) for tx_id in ids)
        return [SendFrame(known.peer, Transactions((raw,))) for raw in served if raw is not None]

    def _on_unwanted(self, known: MeshPeer, ids: Sequence[TransactionId]) -> None:
        unwanted = known.unwanted
        for tx_id in ids:
            if len(unwanted) >= UNWANTED_MAX:
                del unwanted[next(iter(unwanted))]
            unwanted[tx_id] = None

    def _tell(self) -> list[SendFrame]:
        """Tell some peers outside the mesh what was seen lately."""
        parameters, mesh = self._parameters, self._mesh
        ids = self._cache.told()
        if not ids:
            return []
        if len(ids) > parameters.ihave_ids_max:
            ids = self._rng.sample(ids, parameters.ihave_ids_max)
        outside = [
            peer.peer
            for peer in mesh.peers.values()
            if peer.peer not in mesh.links and peer.points >= parameters.gossip_score
        ]
        count = min(len(outside), max(parameters.lazy, int(parameters.lazy_share * len(outside))))
        message = IHave(tuple(ids))
        return [SendFrame(peer, message) for peer in self._rng.sample(outside, count)]

    def _credit(self, origin: PeerId | None) -> None:
        """Count a first delivery."""
        score = None if origin is None else self._scores.get(origin)
        if score is not None:
            score.first += 1
            if score.mesh_since_us is not None:
                score.delivered += 1

    def _punish(self, peer: PeerId, now: int) -> None:
        self._scores[peer].invalid += 1
        known = self._mesh.peers.get(peer)
        if known is not None:
            self._mesh.look(known, now)

    def _break_promises(self, now: int) -> None:
        """Count one breach for each peer that did not send what it was asked for."""
        overdue = [
            (tx_id, peer) for tx_id, asked in self._promises.items() for peer, due_us in asked.items() if due_us <= now
        ]
        for tx_id, peer in overdue:
            asked = self._promises[tx_id]
            del asked[peer]
            if not asked:
                del self._promises[tx_id]
        for peer in dict.fromkeys(peer for _, peer in overdue):
            if peer in self._scores:
                self._scores[peer].misbehaved += 1

    def _forget_scores(self) -> None:
        """Drop the score of whoever has been gone longest beyond the bound."""
        surplus = len(self._scores) - SCORES_MAX
        if surplus > 0:
            gone = [peer for peer in self._scores if peer not in self._mesh.peers]
            for peer in gone[:surplus]:
                del self._scores[peer]
