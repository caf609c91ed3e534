"""One simulated node: an engine, a signing guard, a log and a store, and crashes at any effect."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2pcommerce.finality import SigningGuard
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import Context, FinalityEngine
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import (
    BlockHash,
    Epoch,
)
from p2pcommerce.primitives.vrf import VRF_KIND
from tests.finality.stand_in import DELAY_US, GENESIS_HASH

if TYPE_CHECKING:
    from tests.finality.network import Network


@dataclass
class Disk:
    """What survives a crash."""

    log: list[bytes | BlockHash] = field(default_factory=list)
    pending: list[bytes | BlockHash] = field(default_factory=list)
    guard: list[bytes] = field(default_factory=list)
    store: list[tuple[Header, bytes]] = field(default_factory=list)


class Host:
    """One node."""

    def __init__(self, network: Network, number: int, seed: bytes) -> None:
        self.network = network
        self.number = number
        self.seed = seed
        self.key = network.scheme.public_key(seed)
        self.disk = Disk(store=[(network.genesis, b"")])
        self.engine: FinalityEngine | None = None
        self.guard: SigningGuard | None = None
        self.bodies: dict[BlockHash, bool] = {}
        self.executed: dict[BlockHash, bool] = {}
        self.submitted = 0
        self.life = 0
        self.crash_in: int | None = None
        self.wake_at: int | None = None
        self.halted: list[str] = []
        self.blamed: list[str] = []
        self.evidence: list[bytes] = []
        self.finalized_at: dict[int, int] = {}
        self.begins: int | None = None

    @property
    def height(self) -> int:
        return self.disk.store[-1][0].height

    @property
    def epoch(self) -> int:
        """The epoch of the block after the head."""
        return self.network.epoch_of(self.height + 1)

    def start(self) -> None:
        """Start, or start again from what the disk holds."""
        network = self.network
        self.life += 1
        self.engine = network.make_engine()
        self.guard = SigningGuard(self.engine)
        self.guard.restore(self.disk.guard)
        records = [record for record in self.disk.log if len(record) != 32]
        logged = [BlockHash(record) for record in self.disk.log if len(record) == 32]
        delivered, proof = self.disk.store[-1]
        self.bodies = dict.fromkeys([*logged, *(header.hash for header, _ in self.disk.store)], True)
        self.executed = dict.fromkeys([header.hash for header, _ in self.disk.store], True)
        context = Context(
            key=self.key,
            genesis_hash=GENESIS_HASH,
            parameters=network.parameters,
            epoch=Epoch(self.epoch),
            validators=network.sets(self.epoch),
            following=network.sets(self.epoch + 1),
            delivered=delivered,
            proof=proof,
            scheme=network.scheme,
            rng=random.Random(network.rng.getrandbits(64)),
            has_pending=lambda block_hash: self.submitted > network.included[block_hash],
            signed=self.guard.last,
            seed=network.seed_of(self.epoch),
        )
        blocks = {block_hash: network.blocks[block_hash].header for block_hash in logged}
        engine = self.engine
        self.run(lambda now: engine.start(context, records, blocks, now))
        if self not in network.honest and self.engine is not None:
            signer = engine._running.state.signer  # type: ignore[attr-defined] # a faulty engine does not stop itself
            signer.knows = lambda _ballot: True
        for other in network.hosts:
            if other.key != self.key and other.engine is not None and not network.is_cut(self, other):
                network.later(0, self, lambda now, key=other.key: self.live.on_peer(key, now))
                network.later(0, other, lambda now, host=other: host.live.on_peer(self.key, now))

    @property
    def live(self) -> FinalityEngine:
        assert self.engine is not None
        return self.engine

    def crash(self) -> None:
        """Lose everything volatile, and a random tail of what was not synced."""
        disk, network = self.disk, self.network
        kept = network.rng.randint(0, len(disk.pending))
        disk.log += disk.pending[:kept]
        disk.pending = []
        self.engine = self.guard = self.crash_in = self.wake_at = None
        self.life += 1
        network.count("crash")
        network.later(network.rng.randint(1, 60) * DELAY_US, None, lambda _now: self.start() or [])

    def run(self, call: Callable[[int], Sequence[seam.Effect]]) -> None:
        """Give an input and do what comes back, in order."""
        life = self.life
        self.begins = None
        for effect in call(self.network.now):
            if self.crash_in is not None:
                self.crash_in -= 1
                if self.crash_in <= 0:
                    self.crash()
                    return
            self.do(effect)
            if self.life != life:
                return
        if self.begins is not None:
            self.run(self.begin_epoch)
            return
        self.network.wake(self)

    def begin_epoch(self, now: int) -> Sequence[seam.Effect]:
        """The last block of an epoch is stored: begin the next one."""
        epoch, network = self.epoch, self.network
        return self.live.on_epoch(
            Epoch(epoch), network.sets(epoch), network.sets(epoch + 1), network.seed_of(epoch), now
        )

    def sync_log(self) -> None:
        self.disk.log += self.disk.pending
        self.disk.pending = []

    def do(self, effect: seam.Effect) -> None:  # noqa: C901 - one arm per effect
        network = self.network
        match effect:
            case seam.Persist(record):
                self.disk.pending.append(record)
            case seam.PersistBlock(block_hash):
                assert self.bodies[block_hash], "only a body that is here can be logged"
                self.disk.pending.append(block_hash)
            case seam.Sign(request, kind, data):
                self.sync_log()
                self.sign(request, kind, data)
            case seam.Send(to, data):
                self.sync_log()
                network.send(self, to, data)
            case seam.Build():
                block = network.build(self, effect)
                network.later(0, self, lambda now: self.live.on_built(effect.request, block, now))
            case seam.Validate(block_hash):
                header = network.blocks[block_hash].header
                assert self.bodies[block_hash], "executed without a body"
                assert self.executed[header.parent_hash], "executed before its parent"
                valid = network.is_valid(block_hash) and network.is_placed(self, header)
                self.executed[block_hash] = valid
                network.later(0, self, lambda now: self.live.on_validated(block_hash, valid, now))
            case seam.Fetch():
                network.fetch(self, effect)
            case seam.Finalized(block_hash, proof):
                self.sync_log()
                self.finalize(block_hash, proof)
            case seam.Rewrite(records, blocks):
                self.disk.log, self.disk.pending = [*blocks, *records], []
                network.count("rewrite")
            case seam.Halt(reason):
                self.halted.append(reason)
            case seam.Blame(_, reason):
                self.blamed.append(reason)
            case seam.Evidence(data):
                self.evidence.append(data)
            case seam.Forget() | seam.Head():
                pass

    def sign(self, request: int, kind: str, data: bytes) -> None:
        assert self.guard is not None
        frame = self.guard.admit(kind, data)
        signature = None
        if frame is not None:
            if frame:
                self.disk.guard.append(frame)
            if kind == VRF_KIND:
                signature = self.network.scheme.vrf_prove(self.seed, data)
            else:
                signature = self.network.scheme.sign(self.seed, signed_bytes(kind, GENESIS_HASH, data))
                self.network.note_signed(self, kind, data, signature)
        self.network.later(0, self, lambda now: self.live.on_signed(request, signature, now))

    def finalize(self, block_hash: BlockHash, proof: bytes) -> None:
        network = self.network
        header = network.blocks[block_hash].header
        head = self.disk.store[-1][0]
        assert header.parent_hash == head.hash, "delivered in another order, or twice"
        assert self.executed[block_hash]
        assert network.is_placed(self, header)
        assert header.height > head.height, "a carrier was delivered"
        assert self.live.verify(header, proof, network.sets)
        self.disk.store.append((header, proof))
        if network.epoch_of(header.height + 1) != network.epoch_of(header.height):
            self.begins = self.epoch
        self.finalized_at[header.height] = network.now
        network.check_final(header)
