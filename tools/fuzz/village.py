"""Four nodes that say everything once: where the first inputs of the corpus come from, and what engines are tried with.

Deterministic: no clock, one order of events, keyed hashes as signatures.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import cache
from typing import Final

import msgpack

from fuzz.nodes import CONNECT, HEAR, SUBMIT, WAIT, WAITS_US
from fuzz.station import CREDULOUS, START_US, VALIDATORS, Station, key_of, seed_of
from fuzz.target import Step, script
from p2pcommerce.commerce import Transfer
from p2pcommerce.commerce.wallet import build_transaction
from p2pcommerce.ledger.receipt import OUTCOME
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.log_records import ENGINE_RECORD
from p2pcommerce.primitives.codec import encode, pack
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import World
from p2pcommerce.wire import messages as wire

__all__ = ["Village", "pool", "scripts", "village"]

_DELAY_US: Final = 3_000
_MARKET_US: Final = 20_000_000
_ROUNDS: Final = 20
_ROUND_US: Final = 400_000


class Village:
    """Four stations and what they said.

    Attributes:
        stations: the nodes.
        heard: messages, each once, in order.
        script: everything that happened to the first station, as steps.
    """

    def __init__(self, engine: str) -> None:
        """Start them, and connect each with each."""
        self.engine = engine
        self.stations = [Station(engine, number) for number in range(VALIDATORS)]
        self.heard: dict[bytes, None] = {}
        self.script: list[Step] = []
        self._events: list[tuple[int, int, int, int, bytes]] = []
        self._sequence = 0
        self._told_us = START_US
        for station in self.stations:
            station.start()
        for station in self.stations:
            for other in self.stations:
                if other is not station:
                    if station.number == 0:
                        self.script.append(Step(CONNECT, other.number, other.record()))
                    station.connect(other.key, other.record(), outbound=station.number < other.number)
        self._collect()

    def _collect(self) -> None:
        by_key = {station.key: station.number for station in self.stations}
        for station in self.stations:
            for peer, data in station.sent:
                self.heard[data] = None
                if peer in by_key:
                    self._sequence += 1
                    event = (station.now + _DELAY_US, self._sequence, station.number, by_key[peer], data)
                    heapq.heappush(self._events, event)
            station.sent.clear()

    def run(self, duration_us: int) -> None:
        """Let time pass."""
        until = self.stations[0].now + duration_us
        while True:
            deadlines = [(station.node.deadline or until, station.number) for station in self.stations]
            due, number = min(deadlines)
            if self._events and self._events[0][0] <= max(due, self.stations[0].now):
                now, _, sender, receiver, data = heapq.heappop(self._events)
                if now > until:
                    break
                self._go_to(now)
                self._say(receiver, sender, data)
            elif due <= until:
                self._go_to(max(due, self.stations[0].now))
                self.stations[number].wait(0)
            else:
                break
            self._collect()
        self._go_to(until)

    def _go_to(self, now: int) -> None:
        for station in self.stations:
            station.now = now

    def _pass_time(self) -> None:
        """Write down that time passed, in the steps that a script knows."""
        while (missing := self.stations[0].now - self._told_us) >= WAITS_US[1]:
            argument = max(number for number, wait_us in enumerate(WAITS_US) if wait_us <= missing)
            self.script.append(Step(WAIT, argument))
            self._told_us += WAITS_US[argument]

    def _say(self, receiver: int, sender: int, data: bytes) -> None:
        if receiver == 0:
            self._pass_time()
            self.script.append(Step(HEAR, sender, data))
        self.stations[receiver].hear(self.stations[sender].key, data)

    def submit(self, number: int, raw: bytes) -> None:
        """Submit a transaction at a station."""
        if number == 0:
            self._pass_time()
            self.script.append(Step(SUBMIT, 0, raw))
        self.stations[number].submit(raw)
        self._collect()

    def ask(self, message: wire.Message, *, of: int = 1) -> list[bytes]:
        """Ask a station something, and return what it says to that."""
        station = self.stations[of]
        asking = self.stations[0].key
        station.hear(asking, wire.encode_message(message))
        station.wait(0)
        said = [data for _, data in station.sent]
        station.sent.clear()
        return said


@cache
def village(engine: str) -> Village:
    """Return a village after some rounds of transfers."""
    world = Village(engine)
    genesis = world.stations[0].genesis
    for round_ in range(_ROUNDS):
        for number, name in enumerate(("ann", "bob", "cid", "dan")):
            payload = Transfer(key_of("bob" if name != "bob" else "ann"), 1_000_000 + round_)
            transaction = build_transaction(payload, genesis, seed_of(name), round_, 10**6, scheme=CREDULOUS)
            world.submit(number, transaction.raw)
        world.run(_ROUND_US)
    return world


@cache
def pool() -> tuple[bytes, ...]:
    """Return every byte string that the villages know, and those inside of them, each once."""
    found: dict[bytes, None] = {}
    for engine in ("simplex", "ffg"):
        world = village(engine)
        for data in _known(world):
            for piece in _pieces(data):
                found.setdefault(piece)
    for data in _market():
        found.setdefault(data)
    return tuple(found)


def _market() -> Iterator[bytes]:
    """Yield bodies, records and outcomes of a simulated market: orders, deliveries, stake."""
    world = World(
        Scenario(seed=3, nodes=5, epoch_blocks=20, horizon_us=_MARKET_US, liveness_us=0), WorldOptions(orders=True)
    )
    committed: list[CommittedBlock] = []
    world.subscribe(committed.append)
    world.run_until(_MARKET_US)
    for each in committed:
        for raw in each.block.transactions:
            transaction = decode_transaction(raw)
            yield pack((transaction.type, transaction.body))
        for outcome in each.outcomes:
            yield encode(OUTCOME, outcome)
        for key, value in each.changes.items():
            if value is not None:
                yield key[:1] + value
                yield value


def _known(world: Village) -> Iterator[bytes]:
    yield from world.heard
    station = world.stations[1]
    head = station.memory.blocks[-1].block.header
    asked: list[wire.Message] = [
        wire.GetLinks(0), wire.GetSnapshot(), wire.GetChunk(head.height, 0), wire.GetBlocks(1, 3), wire.GetPeers(5),
        wire.GetBlock(station.memory.blocks[0].block.hash), wire.GetBlock(bytes(32)),
        wire.GetTransactions(head.hash, (bytes(32),)), wire.Evidence(b"evidence"), wire.Ping(1), wire.Refuse(),
        wire.Unchoose(), wire.Choose(), wire.Pull((bytes(8),)), wire.Announce(((bytes(8), 200, 1),)),
    ]  # fmt: skip
    for message in asked:
        yield wire.encode_message(message)
        yield from world.ask(message)
    memory = station.memory
    for record in memory.log:
        yield record
        if record[:1] == ENGINE_RECORD:
            yield record[1:]
    yield from memory.guard
    if memory.book is not None:
        yield memory.book[:-32]
    for committed in memory.blocks:
        yield committed.block.raw
        yield committed.block.header.raw
        yield committed.proof
    for key, value in memory.state(station.founded).items():
        yield key[:1] + value
        yield value


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield data, and all arrays and byte strings inside of it."""
    yield data
    for start in (0, 1):
        try:
            value = msgpack.unpackb(data[start:])
        except (ValueError, msgpack.exceptions.UnpackException):
            continue
        yield from _inner(value)
        return


def _inner(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        if len(value) > 32:
            yield from _pieces(value)
    elif isinstance(value, list):
        yield msgpack.packb(value)
        for item in value:
            yield from _inner(item)


def scripts(engine: str) -> list[bytes]:
    """Return what happened to the first station, cut where inputs of a few KiB end."""
    steps = village(engine).script
    return [script(steps[:count]) for count in (4, 12, 24, 48)]
