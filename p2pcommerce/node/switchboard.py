"""The rooms of one node, and what happens between them.

Each room says what it wants in its own words; the switchboard does what concerns another room, and turns the rest into
node effects. Who is connected over which link is kept here, and nowhere else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from p2pcommerce.discovery import Discovery
from p2pcommerce.discovery import effects as discovery
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.gossip import Router, dump_scores
from p2pcommerce.gossip import effects as gossip
from p2pcommerce.gossip.relay import Relay
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.mempool import Admitted, Examined, Mempool, Refused, Verifier
from p2pcommerce.mempool import Dropped as PoolDropped
from p2pcommerce.mempool import Effect as PoolEffect
from p2pcommerce.node.adoption import Adoption
from p2pcommerce.node.agreement import Agreement
from p2pcommerce.node.archive import Archive
from p2pcommerce.node.bodies import Bodies
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.connected import Connected
from p2pcommerce.node.effects import (
    Close,
    Deliver,
    Dial,
    Dropped,
    Effect,
    Halt,
    Log,
    SaveBook,
    Transmit,
)
from p2pcommerce.node.fee_floors import FeeFloors
from p2pcommerce.node.final_blocks import FinalBlocks
from p2pcommerce.node.finality_routes import FinalityRoutes
from p2pcommerce.node.guests import Guests
from p2pcommerce.node.light import TrustExpiredError
from p2pcommerce.node.off_chain import OffChain
from p2pcommerce.node.offences import Offences
from p2pcommerce.node.own import OwnTransactions
from p2pcommerce.node.parameters import NodeParameters
from p2pcommerce.node.private import PrivateTransactions
from p2pcommerce.node.pulse import Pulse
from p2pcommerce.node.rates import Rates
from p2pcommerce.node.relaying import Relaying
from p2pcommerce.node.restoring import Restoring
from p2pcommerce.node.saved_peers import join_peers
from p2pcommerce.node.serving import Serving
from p2pcommerce.node.standing import Standing
from p2pcommerce.node.subjectivity import Subjectivity
from p2pcommerce.node.submissions import Submissions
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import RejectionCode, Verdict
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId, PublicKey, TransactionId, short
from p2pcommerce.primitives.quick import quick
from p2pcommerce.sync import Sync
from p2pcommerce.sync import effects as sync
from p2pcommerce.sync import restore_effects as snapshot
from p2pcommerce.wire.messages import Status

__all__ = ["NodeParameters", "Switchboard"]

_transmit = quick(Transmit)


class Switchboard:
    """The rooms, connected.

    Attributes:
        chain, mempool, router, discovery, sync, bodies, agreement, offences, serving, archive, subjectivity, restoring,
            pulse, final_blocks, relay, relaying: rooms.
        links: peer -> the link over which it is connected; guests: those who are connected and are no peers.
        submissions: what waits for the pool's verdict; own: what it accepted of them; private: what is to stay so.
        counters: events of the node as a whole; rates: how often peers may send what no room limits.
    """

    def __init__(
        self,
        *,
        public_key: PublicKey,
        genesis: Genesis,
        application: Application,
        engine: FinalityEngine,
        scheme: SignatureScheme,
        rng: random.Random,
        parameters: NodeParameters,
        bootstrap: Sequence[str],
        chain: Chain,
        verifier: Verifier | None = None,
    ) -> None:
        """Furnish the rooms; see `Node` for the arguments.

        Raises:
            AddressError: a bootstrap address is malformed.
        """
        self._engine = engine
        self.chain = chain
        self.mempool = Mempool(parameters.mempool, application, genesis, scheme, verifier)
        self.mempool.set_view(chain.state.final, chain.head.height)
        self.fee_floors = FeeFloors(self.mempool)
        unwilling = self.fee_floors.unwilling
        self.router = Router(
            parameters.gossip,
            rng,
            self.mempool.raw,
            self.mempool.index,
            unwilling=unwilling,
            scheme=scheme,
            genesis_hash=genesis.hash,
        )
        self.discovery = Discovery(parameters.discovery, public_key, genesis.hash, bootstrap, scheme, rng)
        sync_parameters = replace(parameters.sync, epoch_blocks=chain.rules.blocks if chain.rules.follows else 0)
        self.sync = Sync(sync_parameters, self._verify, chain.head, rng)
        patience_us = max(1, genesis.parameters.base_delay_ms * 1_000 // 2)
        self.bodies = Bodies(self.mempool.raw, patience_us, rng)
        self.final_blocks = FinalBlocks(chain, self._verify, self.mempool.raw, patience_us, rng)
        self.relay = Relay(
            parameters.relay,
            parameters.gossip,
            self.router.scores,
            rng,
            self.router.blame,
            engine.series,
            engine.maker,
        )
        routes = FinalityRoutes(engine, self.relay, public_key, parameters.relay.direct_max)
        self.offences = Offences(engine, chain, application, genesis, public_key, rng)
        self.agreement = Agreement(
            engine=engine,
            chain=chain,
            offences=self.offences,
            mempool=self.mempool,
            bodies=self.bodies,
            genesis=genesis,
            routes=routes,
            key=public_key,
            scheme=scheme,
            rng=rng,
        )
        self.serving = Serving(chain, self.mempool.raw)
        self.archive = Archive(chain)
        self.subjectivity = Subjectivity(chain, genesis, parameters.checkpoint)
        self.restoring = Restoring(parameters.restore, chain, genesis, engine, scheme, rng, self.subjectivity)
        self.pulse = Pulse(rng)
        numbers = parameters.blobs, parameters.mail
        self.off_chain = OffChain(public_key, genesis.hash, scheme, rng, numbers, self.blame, self._record_of)
        self.links: dict[PeerId, int] = {}
        self.guests = Guests(self.discovery)
        self.submissions = Submissions()
        self.own = OwnTransactions(self.mempool, parameters.mempool)
        self.private = PrivateTransactions(self.router, self.mempool, self.own, self.submissions)
        self.counters: Counter[str] = Counter()
        self.rates = Rates()
        self.relaying = Relaying(self.relay, self.agreement, engine, parameters.relay, self.gossip)
        self._standing = Standing(
            public_key, chain, engine, self.discovery, self.sync, routes, parameters.relay.neighbours, rng
        )
        self._places = parameters.discovery.outbound_target
        self._adoption = Adoption(self)
        self._see_epoch()

    def _see_epoch(self) -> None:
        if self._standing.see_epoch():
            self._adoption.set_horizon()

    # --- who is connected ---

    def detach(self, peer: PeerId, code: str, reason: str, now: int) -> list[Effect]:
        """Close a peer's link and forget the peer in every room but discovery, which has forgotten it."""
        link = self.links.pop(peer, None)
        if link is None:
            return self.guests.close(peer, code)
        self.counters[f"closed.{code}"] += 1
        return [Close(link, code, reason), *self.forget_peer(peer, now)]

    def forget_peer(self, peer: PeerId, now: int) -> list[Effect]:
        """A peer's link has ended: tell every room but discovery."""
        self.rates.on_disconnected(peer, now)
        self.pulse.on_disconnected(peer)
        self.discovery.save_soon(now)
        self.fee_floors.on_disconnected(peer)
        self.serving.on_disconnected(peer)
        self.archive.on_disconnected(peer)
        self.restoring.on_disconnected(peer)
        self.agreement.on_disconnected(peer, now)
        self.offences.on_disconnected(peer)
        self.final_blocks.on_disconnected(peer, now)
        self.sync.on_disconnected(peer, now)
        beside = self.off_chain.on_disconnected(peer, now)
        left = self.router.on_disconnected(peer, now) + self.relay.on_disconnected(peer, now)
        return self.gossip(left, now) + beside

    def blame(self, peer: PeerId, code: str, reason: str, now: int) -> list[Effect]:
        """Close the connection with a peer that broke a rule."""
        if peer not in self.links:
            return []
        self.discovery.on_disconnected(peer, now)
        return [Log("INFO", "node", f"peer {short(peer)} is closed: {reason}"), *self.detach(peer, code, reason, now)]

    # --- what the rooms want ---

    def join_gossip(self, connected: Connected, now: int) -> list[Effect]:
        """Take a new peer into the rooms that spread things."""
        peer, keys = connected.peer, {"own_key": connected.own_key, "peer_key": connected.peer_key}
        outbound = self.discovery.connections[peer].outbound  # who is dialled at its own wish was not chosen
        effects: list[gossip.Effect] = []
        for room in (self.router, self.relay):
            effects += room.on_connected(peer, **keys, outbound=outbound, now=now)
        return self.gossip(effects, now)

    def gossip(self, effects: Sequence[gossip.Effect], now: int) -> list[Effect]:
        """Do what the router wants."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case gossip.SendTo(peer, message):
                    out.append(_transmit(peer, message))
                case gossip.Offer(items, origin):
                    for tx_id, raw in items:
                        self.mempool.submit(raw, origin, tx_id, now)
                case gossip.Examine() | gossip.Fluff():
                    self.private.do(effect, now)
                case gossip.Deliver(post):
                    out.append(Deliver(post))
                case gossip.Misbehaving(peer, reason):
                    self.discovery.save_soon(now)
                    out += self.blame(peer, "GOSSIP", reason, now)
        return out

    def verdicts(self, effects: Sequence[PoolEffect], now: int) -> list[Effect]:
        """Tell submitters, the router and the engine what the pool decided."""
        out: list[Effect] = []
        judged: list[tuple[TransactionId, bytes, Verdict, PeerId | None, int]] = []
        admitted = False
        submissions = self.submissions
        for effect in effects:
            match effect:
                case Admitted(tx_id, transaction, origin):
                    admitted = True
                    if origin is None or tx_id in submissions:
                        origin = None  # a peer's copy came between: it is a user's all the same
                        out += self.own.on_admitted(tx_id, transaction.raw, now)
                        out += submissions.answer(tx_id, RejectionCode.OK, "")
                    judged.append((tx_id, transaction.raw, Verdict.ACCEPT, origin, transaction.fee))
                case Examined() | Refused(is_private=True):
                    told, wanted = self.private.on_verdict(effect, now)
                    out += told + self.gossip(wanted, now)
                case Refused(tx_id, origin, verdict, code, detail):
                    judged.append((tx_id, b"", verdict, origin, 0))
                    if origin is None:  # a peer's copy may be refused for the peer's sake
                        out += self.own.on_refused(tx_id, code, detail)
                        out += self.submissions.answer(tx_id, code, detail)
                case PoolDropped():
                    out += self._drop(effect)
        out += self.gossip(self.router.on_verdicts(judged, now), now)
        self.feed_own(now)
        if admitted:
            brought = [
                origin for _, _, verdict, origin, _ in judged if origin is not None and verdict is Verdict.ACCEPT
            ]
            self.discovery.connections.on_useful_transactions(dict.fromkeys(brought), now)
            out += self.after(self.agreement.on_pending(now), now)
        return out

    def feed_own(self, now: int) -> None:
        """Submit own transactions of an earlier life again, as far as the pool has room."""
        for tx_id in self.own.feed(now):
            self.router.mark_known(tx_id, now)

    def _drop(self, dropped: PoolDropped) -> list[Effect]:
        self.router.retire([dropped.tx_id])
        return [
            *self.own.on_dropped(dropped.tx_id, dropped.code, dropped.detail),
            Dropped(dropped.tx_id, dropped.code, dropped.detail, dropped.replaced_by),
        ]

    def discover(self, effects: Sequence[discovery.Effect], now: int) -> list[Effect]:
        """Do what discovery wants."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case discovery.Dial(address, peer):
                    out.append(Dial(address, peer))
                case discovery.SendTo(peer, message):
                    out.append(Transmit(peer, message))
                case discovery.CloseOne(peer, _, reason):
                    out += self.detach(peer, reason, "discovery closes it", now)
                case discovery.TakeGuest():
                    pass  # `Node.on_connected` does it, and knows the link
                case discovery.SaveBook():
                    out.append(
                        SaveBook(join_peers(self.discovery.dump(), dump_scores(self.router.scores.items(), now)))
                    )
        return out

    def catch_up(self, effects: Sequence[sync.Effect], now: int) -> list[Effect]:
        """Do what catching up wants."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case sync.SendTo(peer, message):
                    out.append(Transmit(peer, message))
                case sync.Ready(blocks):
                    self._standing.on_fed(is_fed=False)
                    out += self.after(self.agreement.on_synced(blocks, now), now)
                case sync.Blame(peer, reason):
                    if reason != sync.Fault.STALLED:
                        out += self.blame(peer, reason, "it answered a request for blocks wrongly", now)
                case sync.Conflict(delivered, header, proof):
                    out += self.after(self.agreement.on_rival(proof, _conflict(delivered, header), now), now)
                case sync.CatchingUp(height, target, _, _) if height >= target:
                    out.append(Log("INFO", "sync", f"caught up at height {height}"))
                case sync.CatchingUp(height, target, blocks_per_s, left_us):
                    left = "" if left_us is None else f", about {left_us // MICROSECONDS} s left"
                    told = f"height {height} of {target} that peers tell, {blocks_per_s} blocks/s{left}"
                    out.append(Log("INFO", "sync", told))
        return out

    def deliver_pushed(self, effects: list[Effect], now: int) -> list[Effect]:
        """Deliver what peers pushed as final, as far as it is complete."""
        while (ready := self.final_blocks.next(self.chain.head)) is not None:
            block, proof = ready
            if block.header.parent_hash != self.chain.head.hash:
                reason = _conflict(self.chain.head, block.header)
                return effects + self.after(self.agreement.on_rival(proof, reason, now), now)
            self._standing.on_fed(is_fed=True)
            effects += self.after(self.agreement.on_synced([ready], now), now)
        return effects

    def on_status(self, peer: PeerId, status: Status, now: int) -> list[Effect]:
        """A peer says where it stands."""
        if status.height > self.chain.head.height:
            try:
                self.subjectivity.check(now)
            except TrustExpiredError as error:
                return [Halt(str(error))]
        self.restoring.on_status(peer, status.height, now)
        self._adoption.see_restoring()
        return self.catch_up(self.sync.on_status(peer, status, now), now)

    def restore(self, effects: Sequence[snapshot.RestoreEffect], now: int) -> list[Effect]:
        """Do what the restoring of a state wants."""
        return self._adoption.do(effects, now)

    def after(self, effects: list[Effect], now: int) -> list[Effect]:
        """Follow up on what the engine decided: peers it blames, blocks that became final, what left the pool."""
        if not self.agreement.has_news:
            return effects
        for peer, reason in self.agreement.take_blamed():
            effects += self.blame(peer, "ENGINE", reason, now)
        finals = self.agreement.take_finals()
        shown: list[Effect] = []
        for block, proof in finals:
            self.router.retire(block.transaction_ids)
            self.serving.on_final(block)
            shown += self.final_blocks.push(block, proof, self.router.choosers, self._standing.members, now)
            effects += self.own.on_final(block.transaction_ids)
        for item in self.agreement.take_dropped():
            effects += self._drop(item)
        if finals:
            self.on_head(now)
            for peer in self._standing.settle(self._places):
                self.discovery.on_disconnected(peer, now)
                effects += self.detach(peer, "SURPLUS", "it was only asked for this node's own votes", now)
            effects += self.offences.on_final()
            contradiction = self.subjectivity.contradiction([block.header for block, _ in finals])
            effects += [Halt(contradiction)] if contradiction is not None else []
        return shown + effects  # others need not wait until it is stored here: the proof stands by itself

    def on_head(self, now: int) -> None:
        """The final head has moved."""
        self._see_epoch()
        self.relay.on_final(now)
        self.final_blocks.on_delivered(self.chain.head)
        self.sync.on_delivered(self.chain.head, now)

    def beat(self, now: int) -> list[Effect]:
        """Send the pings that are due, and close peers that do not answer theirs."""
        pings, silent = self.pulse.on_deadline(now)
        effects: list[Effect] = [Transmit(peer, ping) for peer, ping in pings]
        for peer in silent:
            effects += self.blame(peer, "SILENT", "it does not answer", now)
        return effects

    def _record_of(self, peer: PeerId) -> bytes | None:
        entry = self.discovery.book.get(peer)
        return None if entry is None else entry.record.raw

    def _verify(self, header: Header, proof: bytes) -> bool:
        # Sets of long ago are known as well: those who left must not decide on heights of epochs after theirs.
        if header.epoch != self.chain.rules.epoch(header.height):
            return False
        return self._engine.verify(header, proof, self.chain.sets)


def _conflict(delivered: Header, header: Header) -> str:
    return (
        f"another chain is final at height {header.height}: its block {short(header.hash)} does not stand on this "
        f"node's {short(delivered.hash)} at height {delivered.height}"
    )
