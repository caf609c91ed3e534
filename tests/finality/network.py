"""A deterministic network of engines for tests: seeded delays, loss, duplication, partitions, crashes with torn logs.

Every host is an engine, a signing guard, a log and a store. Effects are done in order; a host may crash before any one
of them, and then loses a random part of what its log had not synced. A keyed hash stands in for Ed25519.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from p2pcommerce.finality import Simplex
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.engine import FinalityEngine, Target
from p2pcommerce.ledger.block import Block, Header, tx_root
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.primitives.ids import (
    ZERO_HASH,
    BlockHash,
    Epoch,
    Height,
    PeerId,
    PublicKey,
    Stake,
    TransactionId,
)
from tests.finality.host import Host
from tests.finality.judge import Judge
from tests.finality.stand_in import DELAY_US, GENESIS_HASH, KEYED, START_US

__all__ = ["DELAY_US", "GENESIS_HASH", "KEYED", "START_US", "Faults", "Host", "Network"]


@dataclass(frozen=True)
class Faults:
    """What goes wrong, until `heal_us` after the start; twins (second instances of the last keys) stay for ever."""

    delay_us: tuple[int, int] = (DELAY_US, DELAY_US)
    drop: float = 0.0
    duplicate: float = 0.0
    partition: float = 0.0
    crashes: int = 0
    body_missing: float = 0.0
    silent: int = 0
    twin: int = 0
    heal_us: int = 0


class Network:
    """Hosts, links and time."""

    def __init__(
        self,
        seed: int,
        stakes: Sequence[int] = (1, 1, 1, 1),
        faults: Faults | None = None,
        parameters: ChainParameters | None = None,
        scheme: SignatureScheme = KEYED,
        make_engine: Callable[[], FinalityEngine] = Simplex,
        plan: Callable[[int, ValidatorSet], ValidatorSet] | None = None,
    ) -> None:
        """Build hosts with these stakes; `plan` picks each epoch's set from all of them, by default everybody."""
        self.rng = random.Random(seed)
        self.faults = faults or Faults()
        self.scheme = scheme
        self.make_engine = make_engine
        local = ChainParameters.local()
        self.parameters = parameters or replace(local, block_interval_ms=20)
        seeds = [blake2b_256(f"validator {number}".encode()) for number in range(len(stakes))]
        self.validators = ValidatorSet.of(
            Validator(scheme.public_key(key_seed), Stake(stake)) for key_seed, stake in zip(seeds, stakes, strict=True)
        )
        self.everybody = self.validators
        self.plan = plan
        self.follows = make_engine().follows_epochs
        self.genesis = self.header_of(None, PublicKey(ZERO_HASH), Epoch(0), b"", START_US // 1_000 - 10_000, ())
        self.blocks: dict[BlockHash, Block] = {self.genesis.hash: Block(self.genesis, ())}
        self.included: dict[BlockHash, int] = {self.genesis.hash: 0}
        self.now = START_US
        self.events: list[tuple[int, int, Host | None, int, Callable[[int], Sequence[seam.Effect]]]] = []
        self.sequence = 0
        self.counts: dict[str, int] = {}
        self.finals: dict[int, BlockHash] = {0: self.genesis.hash}
        self.judges: dict[tuple[int, int], Judge] = {}
        self.invalid: dict[BlockHash, bool] = {}
        twins = int(self.faults.twin)
        seeds += seeds[len(stakes) - twins :]
        self.hosts = [Host(self, number, key_seed) for number, key_seed in enumerate(seeds)]
        self.groups = [0] * len(self.hosts)
        self.honest = self.hosts[: len(stakes) - twins]
        self.is_safe = 3 * sum(stakes[len(stakes) - twins :]) < sum(stakes)
        self.forks = 0
        self.signatures: dict[Host, list[tuple[str, bytes, bytes]]] = {host: [] for host in self.hosts}

    # --- epochs ---

    def epoch_of(self, height: int) -> int:
        return max(height - 1, 0) // self.parameters.epoch_blocks if self.follows else 0

    def sets(self, epoch: int) -> ValidatorSet:
        return self.everybody if self.plan is None else self.plan(epoch, self.everybody)

    def seed_of(self, epoch: int) -> bytes:
        return blake2b_256(b"seed %d" % epoch) if epoch else bytes(GENESIS_HASH)

    def is_placed(self, host: Host, header: Header) -> bool:
        """Tell whether a block may stand where it stands: what a chain would check of its epoch."""
        parent = self.blocks[header.parent_hash].header
        is_end = self.follows and parent.height > 0 and parent.height % self.parameters.epoch_blocks == 0
        if is_end and host.disk.store[-1][0].hash != parent.hash:
            return header.height == parent.height and header.epoch == parent.epoch and header.tx_root == ZERO_HASH
        return header.height == parent.height + 1 and header.epoch == self.epoch_of(header.height)

    # --- time ---

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def later(self, wait_us: int, host: Host | None, call: Callable[[int], Sequence[seam.Effect]]) -> None:
        """Give a host an input after a while, unless it crashes before; without a host, just call."""
        self.sequence += 1
        life = 0 if host is None else host.life
        heapq.heappush(self.events, (self.now + wait_us, self.sequence, host, life, call))

    def wake(self, host: Host) -> None:
        due = host.live.deadline
        if due is not None and (host.wake_at is None or due < host.wake_at):
            host.wake_at = max(due, self.now)
            self.later(host.wake_at - self.now, host, lambda now: self.on_due(host, now))

    def on_due(self, host: Host, now: int) -> Sequence[seam.Effect]:
        if host.wake_at is not None and host.wake_at <= now:
            host.wake_at = None
        due = host.live.deadline
        return host.live.on_deadline(now) if due is not None and due <= now else []

    def start(self) -> None:
        self.repartition(self.now)
        for host in self.hosts[self.faults.silent :]:
            host.start()
        for _ in range(self.faults.crashes):
            self.later(self.rng.randint(0, self.faults.heal_us), None, self.arm_crash)
        if self.faults.partition:
            for at in range(0, self.faults.heal_us, 20 * DELAY_US):
                self.later(at, None, self.repartition)
        self.later(50 * DELAY_US, None, self.sync)

    def run_until(self, done: Callable[[], bool], limit_us: int) -> bool:
        """Let time pass until something holds; tell whether it did."""
        end = self.now + limit_us
        while self.events and self.events[0][0] <= end:
            if done():
                return True
            self.now, _, host, life, call = heapq.heappop(self.events)
            if host is None:
                call(self.now)
            elif host.life == life:
                host.run(call)
        self.now = end
        return done()

    def run_for(self, span_us: int) -> None:
        self.run_until(lambda: False, span_us)

    @property
    def is_healed(self) -> bool:
        return self.now >= START_US + self.faults.heal_us

    # --- faults ---

    def arm_crash(self, _now: int) -> list[seam.Effect]:
        host = self.rng.choice(self.hosts)
        if host.engine is not None:
            host.crash_in = self.rng.randint(1, 12)
        return []

    def repartition(self, _now: int) -> list[seam.Effect]:
        whole = self.rng.random() >= self.faults.partition
        self.groups = [0 if whole else self.rng.randint(0, 1) for _ in self.hosts]
        return []

    def is_cut(self, one: Host, other: Host) -> bool:
        return not self.is_healed and self.groups[one.number] != self.groups[other.number]

    def send(self, sender: Host, to: PeerId | Target, data: bytes) -> None:
        assert len(data) <= 256 * 1024
        others = [host for host in self.hosts if host.key != sender.key]
        present, following = self.sets(sender.epoch), self.sets(sender.epoch + 1)
        hearers = [host for host in others if host.key in present or host.key in following]
        receivers = hearers if isinstance(to, Target) else [host for host in others if host.key == to]
        faults, rng = self.faults, self.rng
        for receiver in receivers:
            self.count("messages")
            if receiver.engine is None or self.is_cut(sender, receiver):
                continue
            healed = self.is_healed
            if not healed and rng.random() < faults.drop:
                continue
            copies = 2 if not healed and rng.random() < faults.duplicate else 1
            for _ in range(copies):
                wait_us = DELAY_US if healed and faults.heal_us else rng.randint(*faults.delay_us)
                call = self.delivery(receiver, sender.key, data)
                self.later(wait_us, receiver, call)

    def delivery(self, receiver: Host, peer: PeerId, data: bytes) -> Callable[[int], Sequence[seam.Effect]]:
        return lambda now: receiver.live.on_message(peer, data, now)

    # --- blocks ---

    def header_of(
        self,
        parent: Header | None,
        proposer: PublicKey,
        epoch: Epoch,
        seal: bytes,
        time_ms: int,
        ids: tuple[bytes, ...],
    ) -> Header:
        before = ZERO_HASH if parent is None else parent.state_root
        return Header(
            version=1,
            genesis_hash=GENESIS_HASH,
            epoch=epoch,
            height=Height(0 if parent is None else parent.height + 1),
            parent_hash=BlockHash(ZERO_HASH) if parent is None else parent.hash,
            proposer=proposer,
            time_ms=time_ms,
            tx_root=tx_root(tuple(TransactionId(tx_id) for tx_id in ids)),
            receipts_root=ZERO_HASH,
            state_root=blake2b_256(before + b"".join(ids)),
            validators_hash=self.sets(epoch).hash,
            next_validators_hash=self.sets(epoch + 1).hash,
            engine_data=seal,
        )

    def build(self, host: Host, request: seam.Build) -> Block:
        parent = self.blocks[request.parent].header
        assert host.executed[request.parent], "a parent that is not executed"
        if request.empty:
            return self.carry(host, parent, request)
        done = self.included[request.parent]
        taken = range(done, min(host.submitted, done + 3))
        transactions = tuple(f"transaction {number}".encode() for number in taken)
        ids = tuple(blake2b_256(raw) for raw in transactions)
        header = self.header_of(parent, host.key, request.epoch, request.seal, request.time_ms, ids)
        return self.keep(host, Block(header, transactions), done + len(transactions))

    def keep(self, host: Host, block: Block, included: int) -> Block:
        self.blocks[block.hash] = block
        self.included[block.hash] = included
        host.bodies[block.hash] = host.executed[block.hash] = True
        return block

    def carry(self, host: Host, parent: Header, request: seam.Build) -> Block:
        self.count("carriers")
        header = replace(
            parent,
            parent_hash=parent.hash,
            proposer=host.key,
            time_ms=request.time_ms,
            tx_root=ZERO_HASH,
            engine_data=request.seal,
        )
        return self.keep(host, Block(header, ()), self.included[parent.hash])

    def is_valid(self, block_hash: BlockHash) -> bool:
        return block_hash not in self.invalid

    def fetch(self, host: Host, fetch: seam.Fetch) -> None:
        if host.bodies.get(fetch.block_hash):
            self.later(0, host, lambda now: host.live.on_block(self.blocks[fetch.block_hash].header, now))
            return
        wait_us = 0
        if fetch.transaction_ids is None or self.rng.random() < self.faults.body_missing:
            holders = [
                other
                for other in self.hosts
                if other.engine is not None and other.bodies.get(fetch.block_hash) and not self.is_cut(host, other)
            ]
            if not holders:
                return
            wait_us = 2 * DELAY_US
        self.later(wait_us, host, lambda now: self.on_body(host, fetch.block_hash, now))

    def on_body(self, host: Host, block_hash: BlockHash, now: int) -> Sequence[seam.Effect]:
        block = self.blocks.get(block_hash)
        if block is None:
            return []
        host.bodies[block_hash] = True
        return host.live.on_block(block.header, now)

    def sync(self, _now: int) -> list[seam.Effect]:
        """Every host that is behind takes the final blocks of one that is ahead."""
        for host in self.hosts:
            others = [other for other in self.hosts if other.engine is not None and not self.is_cut(host, other)]
            ahead = max(others, key=lambda other: other.height, default=None)
            if host.engine is None or ahead is None or ahead.height < host.height + self.grace(host):
                continue
            self.count("synced")
            crossed = None
            for header, proof in ahead.disk.store[host.height + 1 :]:
                host.bodies[header.hash] = host.executed[header.hash] = True
                host.disk.store.append((header, proof))
                self.check_final(header)
                if self.epoch_of(header.height + 1) != self.epoch_of(header.height):
                    crossed = header, proof
            for number, (last, proof) in enumerate(filter(None, (crossed, host.disk.store[-1]))):
                life = host.life
                host.run(lambda now, live=host.live, last=last, proof=proof: live.on_synced(last, proof, now))
                if crossed is not None and number == 0 and host.life == life:
                    host.run(host.begin_epoch)
                if host.life != life:
                    break
        self.later((50 if self.plan is None else 5) * DELAY_US, None, self.sync)
        return []

    def grace(self, host: Host) -> int:
        """Return how far behind a host is before it catches up: who has no part in the voting does at once."""
        epoch = host.epoch
        return 4 if host.key in self.sets(epoch) or host.key in self.sets(epoch + 1) else 1

    def submit(self, count: int = 1) -> None:
        """Transactions reach every pool at once."""
        for host in self.hosts:
            host.submitted += count
            if host.engine is not None:
                self.later(0, host, lambda now, host=host: host.live.on_pending(now))

    # --- oracles ---

    def check_final(self, header: Header) -> None:
        is_fork = self.finals.setdefault(header.height, header.hash) != header.hash
        self.forks += is_fork
        assert not (is_fork and self.is_safe), "two final blocks at one height"

    def note_signed(self, host: Host, kind: str, data: bytes, signature: bytes) -> None:
        """No honest host signs two messages that contradict each other, over all its lives."""
        self.signatures[host].append((kind, data, signature))
        if host in self.honest:
            found = self.judges.setdefault((host.number, host.epoch), Judge()).see(data)
            assert found is None, f"host {host.number} signed {found}"

    def check_honest(self) -> None:
        """No honest host is stopped or accused; nobody is blamed where all are honest."""
        faulty = {host.key for host in self.hosts if host not in self.honest}
        for host in self.honest:
            assert not host.halted, host.halted
            assert faulty or not host.blamed, host.blamed
            for data in host.evidence:
                offence = host.live.convict(data, self.sets)
                assert offence is not None
                assert offence.offender in faulty
        assert faulty or self.counter("guard_refused") == 0

    def counter(self, name: str) -> int:
        return sum(host.engine.status().counters.get(name, 0) for host in self.hosts if host.engine is not None)

    @property
    def heights(self) -> list[int]:
        return [host.height for host in self.honest[self.faults.silent :]]
