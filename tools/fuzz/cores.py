"""The cores beside finality and catching up: any sequence of messages, verdicts, connections and waits.

Bounds are small here, so that a script of a few KiB reaches them. Whatever comes, a core raises nothing, keeps its
bounds, says only what can be sent, and never asks to be woken for ever.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from fuzz.rig import PEERS, Rig, keep_within
from fuzz.station import CREDULOUS, genesis_of, key_of
from fuzz.target import Form, Step, Target
from fuzz.verdicts import check
from p2pcommerce.commerce import Commerce
from p2pcommerce.discovery import Discovery, DiscoveryParameters
from p2pcommerce.discovery import effects as discovery
from p2pcommerce.gossip import Examine, Fluff, GossipParameters, Misbehaving, Offer, Router
from p2pcommerce.gossip import SendTo as Gossiped
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.mempool import Admitted, Dropped, Mempool, MempoolParameters, Refused
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import Height, PeerId, TransactionId
from p2pcommerce.simulation.buffers import over_caps
from p2pcommerce.wire import messages as wire
from p2pcommerce.wire.reconcile_messages import Found, GetIds, GetSymbols, Ids, Lacking, Symbols

__all__ = ["core_targets"]

_GOSSIP: Final = GossipParameters(
    seen_max=16,
    in_flight_max=8,
    ignored_max=8,
    own_max=4,
    wants_max=8,
    scores_max=4,
    stem_max=6,
    stem_peer_max=3,
    stem_fluff_percent=50,
)
_OWN_STEMS: Final = 3
_POOL: Final = MempoolParameters(count_max=6, bytes_max=2_000)


class _RouterRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        self.pool: dict[TransactionId, bytes] = {}
        self.offered: dict[TransactionId, tuple[bytes, PeerId | None]] = {}
        self.examined: list[tuple[TransactionId, bytes, PeerId | None]] = []
        self.own_stems: dict[TransactionId, None] = {}
        self.index = IdIndex()
        self.core = Router(_GOSSIP, random.Random(1), self.pool.get, self.index)

    @override
    def connect(self, peer: PeerId, step: Step) -> None:
        if self.core.is_banned(peer, self.now):
            del self.connected[peer]
            return
        outbound = step.argument >= 128
        self.do(self.core.on_connected(peer, own_key=bytes(16), peer_key=peer[:16], outbound=outbound, now=self.now))

    @override
    def disconnect(self, peer: PeerId) -> None:
        self.do(self.core.on_disconnected(peer, self.now))

    @override
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        match message:
            case wire.Transactions(items):
                self.do(self.core.on_transactions(peer, items, self.now))
            case wire.Announce(entries):
                self.do(self.core.on_announce(peer, entries, self.now))
            case wire.Pull(short_ids):
                self.do(self.core.on_pull(peer, short_ids, self.now))
            case wire.Choose():
                self.do(self.core.on_choose(peer, self.now))
            case wire.Unchoose():
                self.do(self.core.on_unchoose(peer, self.now))
            case wire.Refuse():
                self.do(self.core.on_refuse(peer, self.now))
            case wire.Stem(items):
                self.do(self.core.stems.on_stem(peer, items, self.now))
            case GetSymbols() | Symbols() | GetIds() | Ids() | Lacking() | Found():
                self.do(self.core.on_reconcile(peer, message, self.now))
            case _:
                return
        self.accepted = True

    @override
    def other(self, step: Step, peer: PeerId) -> None:
        match step.code:
            case 4:
                verdict = list(Verdict)[step.argument % len(Verdict)]
                judged = [(tx_id, raw, verdict, origin, 1) for tx_id, (raw, origin) in self.offered.items()]
                self.offered.clear()
                if verdict is Verdict.ACCEPT:
                    for known, raw, *_ in judged:
                        self._pool(known, raw)
                self.do(self.core.on_verdicts(judged, self.now))
            case 5 | 9 if not step.payload:
                pass  # what an own user submits was decoded before: it has bytes
            case 5:
                tx_id = transaction_id(step.payload)
                self._pool(tx_id, step.payload)
                self.core.mark_known(tx_id, self.now)
                self.do(self.core.publish(tx_id, step.payload, step.argument, self.now))
            case 6:
                self.do(self.core.on_rtt(peer, step.argument * 1_000, self.now))
            case 7:
                gone = list(self.pool)[: step.argument % 4]
                for each in gone:
                    self.index.discard(each)
                self.core.retire(gone)
            case _:
                self._hidden(step)

    def _hidden(self, step: Step) -> None:
        """Do what concerns private transactions."""
        match step.code:
            case 8:
                verdict = list(Verdict)[step.argument % len(Verdict)]
                examined, self.examined = self.examined, []
                for tx_id, raw, origin in examined:
                    self.do(self.core.stems.on_examined(tx_id, raw, origin, verdict, self.now))
            case 9 if len(self.own_stems) < _OWN_STEMS:
                tx_id = transaction_id(step.payload)
                self.own_stems[tx_id] = None
                if step.argument >= 128:
                    self.core.stems.resume(tx_id, step.payload, self.now)
                else:
                    self.examined.append((tx_id, step.payload, None))
            case _:
                pass

    def _pool(self, tx_id: TransactionId, raw: bytes) -> None:
        self.pool[tx_id] = raw
        self.index.add(tx_id)

    @override
    def do(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            match effect:
                case Gossiped(peer, message):
                    check(peer in self.connected, "gossip for somebody who is not connected")
                    wire.encode_message(message)
                case Offer(items, origin):
                    self.offered.update((tx_id, (raw, origin)) for tx_id, raw in items)
                case Examine(items, origin):
                    self.examined += [(tx_id, raw, origin) for tx_id, raw in items]
                case Fluff(fluffs):
                    self.offered.update((tx_id, (raw, origin)) for tx_id, raw, origin in fluffs)
                case Misbehaving(peer, reason):
                    check(bool(reason), "a peer is banned without a reason")
                    self.connected.pop(peer, None)
                    self.do(self.core.on_disconnected(peer, self.now))
                case _:
                    pass

    @override
    def check_bounds(self) -> None:
        sizes = self.core.statistics()
        caps = {"seen": 2 * _GOSSIP.seen_max, "in_flight": _GOSSIP.in_flight_max}
        caps |= {
            "asking": _GOSSIP.reconcile_asks_max,
            "ignored_waiting": _GOSSIP.ignored_max,
            "own": _GOSSIP.own_max,
            "wanted": _GOSSIP.wants_max,
            "stems": _GOSSIP.stem_max + _OWN_STEMS,
        }
        keep_within(sizes, caps | {"scores": _GOSSIP.scores_max + len(PEERS)})


class _DiscoveryRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []
        self.core = Discovery(
            DiscoveryParameters(),
            key_of("self"),
            genesis_of("simplex").hash,
            ["tcp://10.9.9.9:1"],
            CREDULOUS,
            random.Random(1),
        )

    @override
    def connect(self, peer: PeerId, step: Step) -> None:
        if step.payload and not self.core.on_record(step.payload, peer, self.now):
            del self.connected[peer]
            return
        outbound = step.argument >= 128
        address = self.dialled[-1] if outbound and self.dialled else None
        self.do(self.core.on_connected(peer, address, outbound, self.now))

    @override
    def disconnect(self, peer: PeerId) -> None:
        self.core.on_disconnected(peer, self.now)

    @override
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        match message:
            case wire.GetPeers(count):
                self.do(self.core.on_get_peers(peer, count, self.now))
            case wire.Peers(records):
                self.do(self.core.on_peers(peer, records, self.now))
            case _:
                return
        self.accepted = True

    @override
    def other(self, step: Step, peer: PeerId) -> None:
        match step.code:
            case 4 if self.dialled:
                self.core.on_dial_failed(self.dialled[step.argument % len(self.dialled)], self.now)
            case 5:
                self.core.on_dial_failed(step.payload.decode(errors="replace"), self.now)
            case 6:
                self.core.set_wanted(PEERS[: step.argument % 5])
            case 7:
                self.core.on_record(step.payload, peer, self.now)
            case _:
                pass

    @override
    def do(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            match effect:
                case discovery.SendTo(peer, message):
                    check(peer in self.connected, "peer exchange with somebody who is not connected")
                    wire.encode_message(message)
                case discovery.Dial(address, _):
                    self.dialled.append(address)
                case discovery.CloseOne(peer, _, reason):
                    check(bool(reason), "a connection is closed without a reason")
                    self.connected.pop(peer, None)
                case discovery.SaveBook():
                    self.core.dump()
                case _:
                    pass

    @override
    def check_bounds(self) -> None:
        over = list(over_caps({"discovery": self.core.statistics()}, _POOL, 0))
        check(not over, "; ".join(over))


class _MempoolRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        genesis = genesis_of("simplex")
        changes = founding_state(genesis, Commerce().genesis(genesis))
        self.view = VersionedState({key: value for key, value in changes.items() if value is not None}).final
        self.height = 0
        self.admitted: list[TransactionId] = []
        self.core = Mempool(_POOL, Commerce(), genesis, CREDULOUS)
        self.core.set_view(self.view, Height(0))

    @override
    def connect(self, peer: PeerId, step: Step) -> None:
        del peer, step

    @override
    def disconnect(self, peer: PeerId) -> None:
        del peer

    @override
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        if isinstance(message, wire.Transactions):
            for raw in message.items:
                self._submit(raw, peer)

    def _submit(self, raw: bytes, origin: PeerId | None) -> None:
        if self.core.has_room(origin):
            self.core.submit(raw, origin, transaction_id(raw), self.now)

    @override
    def other(self, step: Step, peer: PeerId) -> None:
        match step.code:
            case 4:
                self._submit(step.payload, None if step.argument >= 128 else peer)
            case 5:
                self.height += step.argument
                self.core.on_block(Height(self.height), self.view, self.admitted[:2], list(PEERS), self.now)
            case _:
                pass

    @override
    def do(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            match effect:
                case Admitted(tx_id):
                    self.admitted.append(tx_id)
                    self.accepted = True
                case Refused() | Dropped():
                    check(bool(effect.detail), "a transaction is refused without a word")
                case _:
                    pass

    @override
    def check_bounds(self) -> None:
        keep_within(self.core.statistics(), {"transactions": _POOL.count_max, "bytes": _POOL.bytes_max})


_RIGS: Final[dict[str, type[Rig]]] = {
    "router": _RouterRig,
    "discovery": _DiscoveryRig,
    "mempool": _MempoolRig,
}


def _target(name: str, rig: type[Rig]) -> Target:
    return Target(f"core.{name}", lambda data: rig().run(data), (), Form.SCRIPT)


def core_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    return tuple(_target(name, rig) for name, rig in _RIGS.items())
