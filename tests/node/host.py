"""One node of a test network, with what a runtime would keep for it.

Effects are done in order, so that an `Append` is durable before whatever follows it in its list. A crash keeps only
what is durable; a start makes a fresh core from it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2pcommerce.finality import SigningGuard
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node import effects as out
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import signed_bytes
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.wire import messages as wire

from .accounts import seed_of

if TYPE_CHECKING:
    from .cluster import Cluster


@dataclass
class Disk:
    """What survives a crash."""

    log: list[bytes] = field(default_factory=list)
    guard: list[bytes] = field(default_factory=list)
    own: list[bytes] = field(default_factory=list)
    blocks: list[CommittedBlock] = field(default_factory=list)
    book: bytes | None = None

    def write(self, effect: out.Append | out.Rewrite | out.AppendOwn | out.RewriteOwn) -> None:
        """Do what concerns the log or the journal of own transactions."""
        match effect:
            case out.Append(record):
                self.log.append(record)
            case out.Rewrite(records):
                self.log = list(records)
            case out.AppendOwn(record):
                self.own.append(record)
            case out.RewriteOwn(records):
                self.own = list(records)

    def state(self, founded: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Return the state after the stored blocks, from that at genesis."""
        values = dict(founded)
        for committed in self.blocks:
            for key, value in committed.changes.items():
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
        return values


class Host:
    """One node with its runtime's memory."""

    def __init__(self, cluster: Cluster, number: int, name: str) -> None:
        self.cluster = cluster
        self.number = number
        self.seed = seed_of(name)
        self.key = cluster.scheme.public_key(self.seed)
        self.address = f"tcp://10.{number}.0.1:7400"
        self.disk = Disk()
        self.core: Node | None = None
        self.guard: SigningGuard | None = None
        self.announcement_key = bytes(16)
        self.life = 0
        self.wake_at: int | None = None
        self.attached: dict[PeerId, int] = {}
        self.verdicts: dict[int, out.Submitted] = {}
        self.dropped: list[out.Dropped] = []
        self.closed: list[tuple[str, str]] = []
        self.halted: list[str] = []
        self.warnings: list[str] = []
        self.refused_to_sign = 0
        self.sent: Counter[str] = Counter()
        self.crash_in: int | None = None

    @property
    def node(self) -> Node:
        assert self.core is not None, "this host is down"
        return self.core

    @property
    def height(self) -> int:
        return self.disk.blocks[-1].block.header.height if self.disk.blocks else 0

    @property
    def head(self) -> Header | None:
        return self.disk.blocks[-1].block.header if self.disk.blocks else None

    def start(self) -> None:
        """Start, or start again from what is durable."""
        cluster, disk = self.cluster, self.disk
        self.life += 1
        engine = cluster.make_engine()
        self.guard = SigningGuard(engine)
        self.guard.restore(disk.guard)
        self.announcement_key = cluster.rng.randbytes(16)
        application = cluster.make_application()
        changes = founding_state(cluster.genesis, application.genesis(cluster.genesis))
        founded = {key: value for key, value in changes.items() if value is not None}
        last = disk.blocks[-1] if disk.blocks else None
        node = self.core = Node(
            public_key=self.key,
            genesis=cluster.genesis,
            application=application,
            engine=engine,
            scheme=cluster.scheme,
            rng=random.Random(cluster.rng.getrandbits(64)),
            parameters=cluster.parameters,
            bootstrap=cluster.bootstrap,
            state=disk.state(founded),
            head=None if last is None else last.block.header,
            proof=b"" if last is None else last.proof,
        )
        signed = self.guard.last
        self.give(lambda now: node.start(list(disk.log), signed, disk.book, [self.address], now, list(disk.own)))

    def crash(self) -> None:
        """Lose everything that is not durable."""
        self.core = self.guard = self.wake_at = self.crash_in = None
        self.life += 1
        self.attached.clear()
        for link in [link for link in self.cluster.links.values() if self in link]:
            self.cluster.break_link(link, by=self)

    def give(self, call: Callable[[int], Sequence[out.Effect]]) -> None:
        """Give the core an input and do what comes back, in order."""
        life = self.life
        for effect in call(self.cluster.now):
            if self.crash_in is not None:
                self.crash_in -= 1
                if self.crash_in < 0:
                    self.crash()
            if self.life != life:
                return
            self.cluster.note(self, effect)
            self.do(effect)
        self.cluster.wake(self)

    def do(self, effect: out.Effect) -> None:  # noqa: C901 - one arm per effect
        cluster, disk = self.cluster, self.disk
        match effect:
            case out.Transmit(peer, message):
                self.sent[type(message).__name__] += 1
                if peer in self.attached:
                    cluster.carry(self, self.attached[peer], wire.encode_message(message))
            case out.Attach(peer, link):
                self.attached[peer] = link
            case out.Close(link, code, reason):
                self.closed.append((code, reason))
                if link in cluster.links:
                    cluster.break_link(cluster.links[link], by=self)
            case out.Dial(address, peer):
                cluster.dial(self, address, peer)
            case out.Append() | out.Rewrite() | out.AppendOwn() | out.RewriteOwn():
                disk.write(effect)
            case out.SignRequest():
                self.sign(effect)
            case out.Commit(blocks):
                for committed in blocks:
                    cluster.check_final(self, committed)
                    disk.blocks.append(committed)
            case out.LoadBlocks(request, from_height, count):
                rows = [(each.block.raw, each.proof) for each in disk.blocks[from_height - 1 :][:count] if from_height]
                cluster.later(0, self, lambda _: self.node.on_loaded(request, rows))
            case out.Submitted(request):
                self.verdicts[request] = effect
            case out.Dropped():
                self.dropped.append(effect)
            case out.SaveBook(data):
                disk.book = data
            case out.Log(level, _, message):
                if level in {"WARNING", "ERROR"}:
                    self.warnings.append(message)
            case out.Halt(reason):
                self.halted.append(reason)
                self.crash()

    def sign(self, effect: out.SignRequest) -> None:
        assert self.guard is not None
        frame, signature = self.guard.admit(effect.kind, effect.data), None
        if frame is None:
            self.refused_to_sign += 1
        else:
            if frame:
                self.disk.guard.append(frame)
            if effect.kind == VRF_KIND:
                signature = self.cluster.scheme.vrf_prove(self.seed, effect.data)
            else:
                message = signed_bytes(effect.kind, self.cluster.genesis.hash, effect.data)
                signature = self.cluster.scheme.sign(self.seed, message)
        self.cluster.later(0, self, lambda now: self.node.on_signed(effect.request, signature, now))

    def submit(self, transaction: Transaction, *, is_private: bool = False) -> int:
        """Submit a transaction and return the request's number."""
        request = self.cluster.new_request()
        self.give(lambda now: self.node.on_submit(request, transaction.raw, now, is_private=is_private))
        return request
