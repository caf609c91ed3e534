"""Four validator processes on this machine, and transactions of 250 bytes at a given rate.

The validators are those of the demo: `p2pcommerce run` with a folder, a key file and a loopback port each. The load
comes over their control ports. Everything that can be is done before the clock starts: transactions are signed and
their requests encoded, so that the load takes little of the CPU that the validators need; what it takes is measured.

A transaction's time runs from when the rate says that it is due, whenever a validator took it, to when a block that
holds it reaches the subscription at validator 0. Senders have one validator each, so that their nonces arrive in order;
a validator that has not answered `IN_FLIGHT_MAX` requests is sent no more until it has.
"""

from __future__ import annotations

import os
import resource
import secrets
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

import p2pcommerce as p2p
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.network import LocalNetwork
from p2pcommerce.commerce import StoreSet, build_transaction
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.runtime.control_client import Control, connect_control
from p2pcommerce.runtime.control_file import read_control_file
from p2pcommerce.runtime.control_frames import (
    ANSWER,
    CONTROL_FILE,
    CONTROL_VERSION,
    HELLO,
    MAGIC,
    REQUEST,
    WELCOME,
    FrameStream,
    Hello,
    Request,
)
from p2pcommerce.runtime.identity import KeyFileCost

VALIDATORS = 4
PAYLOAD_BYTES = 250
SENDERS = 400
STAKE_MINOR = 10**9
BALANCE_MINOR = 10**12
TICK_S = 0.01
"""What is due is submitted this often."""
IN_FLIGHT_MAX = 512
"""Half of what a control port takes."""
DRAIN_S = 20.0
"""What is not final so long after the last submission is lost."""
SETTLE_S = 1.0
_COST = KeyFileCost(passes=1, memory_kib=64)
_CLOCK_HZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """One run.

    Attributes:
        rate: transactions per second that were to be submitted.
        seconds: of submission.
        submitted, final, refused: transactions; those that are neither final nor refused are lost.
        started_s: when the first was due, by this process's clock.
        spent_s: from the first submission to the last final block.
        latencies_ms: from submission to final, ascending.
        lag_ms: how long a transaction that was due waited at most until a validator took it.
        cpu_s: of each validator process.
        load_cpu_s: of the load.
        blocks: final in that time.
        refusals: what validators answered -> how often.
    """

    rate: int
    seconds: float
    submitted: int = 0
    final: int = 0
    refused: int = 0
    started_s: float = 0.0
    spent_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    lag_ms: float = 0.0
    cpu_s: list[float] = field(default_factory=list)
    load_cpu_s: float = 0.0
    blocks: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """Transactions of which nothing is known."""
        return self.submitted - self.final - self.refused

    @property
    def sustained(self) -> bool:
        """Whether everything became final, and within a second for 99 of 100."""
        return self.final == self.submitted and self.quantile_ms(0.99) <= 1_000

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the latencies."""
        ordered = self.latencies_ms
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    @property
    def cpu_us_per_transaction(self) -> float:
        """CPU of one validator for one final transaction."""
        return sum(self.cpu_s) / len(self.cpu_s) / max(1, self.final) * 1e6


class LoadNetwork:
    """The running validators."""

    def __init__(self, folder: DemoFolder, network: LocalNetwork, seeds: Sequence[bytes]) -> None:
        """Use `open_network`."""
        self._folder = folder
        self._network = network
        self._seeds = seeds
        self._nonces = [0] * len(seeds)

    def cpu_s(self) -> list[float]:
        """Return the CPU seconds of each validator process, children of threads included."""
        found = []
        for validator in self._network.validators:
            if validator.process is None:
                raise SystemExit("a validator is not running")
            fields = Path(f"/proc/{validator.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            found.append((int(fields[11]) + int(fields[12])) / _CLOCK_HZ)
        return found

    def sign(self, count: int) -> list[Transaction]:
        """Return the next transactions, sender after sender."""
        made = []
        for number in range(count):
            sender = number % len(self._seeds)
            made.append(_transaction(self._folder.genesis, self._seeds[sender], self._nonces[sender]))
            self._nonces[sender] += 1
        return made

    async def run(self, rate: int, seconds: float) -> Measured:
        """Submit at a rate for some time, and wait until everything is final."""
        measured = Measured(rate, seconds)
        transactions = self.sign(round(rate * seconds))
        # A sender's validator is its number: all of its transactions go there.
        frames = [_frame(number, transaction.raw) for number, transaction in enumerate(transactions, start=1)]
        sent_s: dict[bytes, float] = {}
        folders = [self._folder.node_folder(index) for index in range(VALIDATORS)]
        async with connect_control(folders[0]) as control, trio.open_nursery() as nursery:
            ports = [await _open_port(folder) for folder in folders]
            for port in ports:
                nursery.start_soon(_read_answers, port, measured)
            await nursery.start(_follow, control, sent_s, measured, nursery.cancel_scope)
            before, own = self.cpu_s(), resource.getrusage(resource.RUSAGE_SELF)
            await _submit(ports, frames, [transaction.id for transaction in transactions], sent_s, measured)
            with trio.move_on_after(DRAIN_S):
                while measured.final + measured.refused < measured.submitted:  # noqa: ASYNC110 - once, at the end
                    await trio.sleep(TICK_S)
            after, mine = self.cpu_s(), resource.getrusage(resource.RUSAGE_SELF)
            measured.cpu_s = [late - early for early, late in zip(before, after, strict=True)]
            measured.load_cpu_s = mine.ru_utime + mine.ru_stime - own.ru_utime - own.ru_stime
            nursery.cancel_scope.cancel()
        for port in ports:
            await port.stream.aclose()
        measured.latencies_ms.sort()
        return measured


@asynccontextmanager
async def open_network(path: Path) -> AsyncIterator[LoadNetwork]:
    """Found a network in an empty folder and run its validators while the context is open."""
    secret = secrets.token_bytes(32)
    passphrase = secrets.token_hex(32)
    seeds = [secret[:28] + number.to_bytes(4, "big") for number in range(SENDERS)]
    identities = [p2p.Identity.generate() for _ in range(VALIDATORS)]
    genesis = p2p.Genesis.local(
        "bench",
        {identity.public_key: STAKE_MINOR for identity in identities},
        {p2p.Identity.from_seed(seed).public_key: BALANCE_MINOR for seed in seeds},
        time_ms=time.time_ns() // 1_000_000,
    )
    for index, identity in enumerate(identities):
        node = path / f"node{index}"
        node.mkdir(mode=0o700)
        identity.save(node / "node.key", passphrase, cost=_COST)
        genesis.save(node / "genesis.json")
    folder = DemoFolder(path, genesis, VALIDATORS, passphrase, secret, 1)
    async with trio.open_nursery() as nursery:
        network = LocalNetwork(folder, nursery)
        try:
            await network.start()
            await trio.sleep(SETTLE_S)
            yield LoadNetwork(folder, network, seeds)
        finally:
            await network.stop()
        nursery.cancel_scope.cancel()


def _transaction(genesis: p2p.Genesis, seed: bytes, nonce: int) -> Transaction:
    """Return a signed transaction of 250 bytes: it renames the sender's store."""
    padding = 0
    while True:
        key = bytes(range(32))
        payload = StoreSet(name="s" * (1 + padding), box_key=key, profile_hash=key, uri="", operators=())
        transaction = build_transaction(payload, genesis, seed, nonce, 2**31)
        if len(transaction.raw) >= PAYLOAD_BYTES:
            return transaction
        padding += PAYLOAD_BYTES - len(transaction.raw)


def _frame(number: int, raw: bytes) -> bytes:
    data = encode(REQUEST, Request(number, "submit", (raw, False)))
    return len(data).to_bytes(4, "big") + data


@dataclass(eq=False)
class _Port:
    """One validator's control port.

    Attributes:
        stream: connected and welcome.
        waiting: numbers of transactions that are due and not handed over.
        in_flight: requests without an answer.
    """

    stream: trio.SocketStream
    waiting: deque[int] = field(default_factory=deque)
    in_flight: int = 0


async def _open_port(folder: Path) -> _Port:
    """Connect to a control port and be welcome."""
    number, token = read_control_file(folder / CONTROL_FILE)
    stream = await trio.open_tcp_stream("127.0.0.1", number)
    frames = FrameStream(stream)
    await frames.send(HELLO, Hello(MAGIC, CONTROL_VERSION, token))
    if await frames.receive(WELCOME) is None:
        raise SystemExit("a control port closed the connection")
    return _Port(stream)


async def _read_answers(port: _Port, measured: Measured) -> None:
    """Read the answers to submissions."""
    frames = FrameStream(port.stream)
    while (answer := await frames.receive(ANSWER)) is not None:
        port.in_flight -= 1
        if answer.status != "ok":
            measured.refused += 1
            measured.refusals[str(answer.value)] += 1


async def _submit(
    ports: Sequence[_Port],
    frames: Sequence[bytes],
    ids: Sequence[bytes],
    sent_s: dict[bytes, float],
    measured: Measured,
) -> None:
    """Hand over what is due, tick by tick."""
    measured.started_s = started_s = time.perf_counter()
    due = 0
    while measured.submitted < len(frames):
        now_s = time.perf_counter()
        first, due = due, min(len(frames), int((now_s - started_s) * measured.rate) + 1)
        for number in range(first, due):
            sent_s[ids[number]] = started_s + number / measured.rate
            ports[number % SENDERS % len(ports)].waiting.append(number)
        for port in ports:
            mine = [port.waiting.popleft() for _ in range(min(len(port.waiting), IN_FLIGHT_MAX - port.in_flight))]
            if mine:
                measured.submitted += len(mine)
                measured.lag_ms = max(measured.lag_ms, (now_s - sent_s[ids[mine[0]]]) * 1e3)
                port.in_flight += len(mine)
                await port.stream.send_all(b"".join([frames[number] for number in mine]))
        await trio.sleep(TICK_S)


async def _follow(
    control: Control,
    sent_s: dict[bytes, float],
    measured: Measured,
    scope: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Note when each transaction is final."""
    async with control.subscribe() as blocks:
        task_status.started()
        async for block in blocks:
            now_s = time.perf_counter()
            measured.blocks += 1
            for tx_id, code in block.results:
                at_s = sent_s.pop(tx_id, None)
                if at_s is not None:
                    measured.final += 1
                    measured.spent_s = now_s - measured.started_s
                    measured.latencies_ms.append((now_s - at_s) * 1e3)
                    if code is not RejectionCode.OK:
                        raise SystemExit(f"a transaction failed: {code}")
    scope.cancel()
