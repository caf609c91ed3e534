"""A deterministic network of whole nodes for tests: seeded delays, crashes, partitions; no socket, no file, no clock.

Messages go through the wire's own encoding, in order per connection; connections are made as discovery asks for them.
Each step checks that no two blocks are final at one height.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from p2pcommerce.commerce import Commerce
from p2pcommerce.discovery import sign_record
from p2pcommerce.finality import Simplex
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node import effects as out
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.node import Connected, NodeParameters
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire import messages as wire

from .accounts import KEYED, MS, SECOND, START_US, TOKEN, WEEK_MS, KeyedScheme, make_genesis, seed_of, transfer
from .host import Host

TICKS_AT_ONCE_MAX = 2_000


@dataclass
class Link:
    """One connection; messages keep their order in each direction."""

    number: int
    dialler: Host
    answerer: Host
    lives: tuple[int, int]
    arrives: dict[int, int] = field(default_factory=dict)

    def __contains__(self, host: Host) -> bool:
        return host in (self.dialler, self.answerer)

    def other(self, host: Host) -> Host:
        return self.answerer if host is self.dialler else self.dialler


class Cluster:
    """Hosts, connections and time."""

    def __init__(
        self,
        seed: int = 1,
        *,
        genesis: Genesis | None = None,
        followers: int = 0,
        scheme: SignatureScheme = KEYED,
        delay_us: tuple[int, int] = (2 * MS, 12 * MS),
        make_engine: Callable[[], FinalityEngine] = Simplex,
        make_application: Callable[[], Application] = Commerce,
        parameters: NodeParameters | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.scheme = scheme
        self.genesis = genesis or make_genesis(scheme=scheme)
        self.delay_us = delay_us
        self.make_engine = make_engine
        self.make_application = make_application
        self.parameters = parameters
        self.now = START_US
        self.links: dict[int, Link] = {}
        self.finals: dict[int, Header] = {}
        self.messages: Counter[str] = Counter()
        self.trace = hashlib.blake2b(digest_size=16)
        self.groups: dict[Host, int] = {}
        self._events: list[tuple[int, int, Host | None, int, Callable[[int], Sequence[out.Effect]]]] = []
        self._sequence = 0
        self._links_made = 0
        self._requests = 0
        self._ticks = (0, 0)
        validators = len(self.genesis.validators)
        names = [f"validator {n}" for n in range(validators)] + [f"follower {n}" for n in range(followers)]
        self.hosts = [Host(self, number, name) for number, name in enumerate(names)]
        self.validators = self.hosts[:validators]
        self.followers = self.hosts[validators:]
        self.bootstrap = [host.address for host in self.validators]

    # --- time ---

    def later(self, wait_us: int, host: Host | None, call: Callable[[int], Sequence[out.Effect]]) -> None:
        """Give a host an input after a while, unless it stops before; without a host, just call."""
        self._sequence += 1
        life = 0 if host is None else host.life
        heapq.heappush(self._events, (self.now + wait_us, self._sequence, host, life, call))

    def wake(self, host: Host) -> None:
        due = None if host.core is None else host.core.deadline
        if due is not None and (host.wake_at is None or due < host.wake_at):
            host.wake_at = max(due, self.now)
            self.later(host.wake_at - self.now, host, lambda now: self._tick(host, now))

    def _tick(self, host: Host, now: int) -> Sequence[out.Effect]:
        if host.wake_at is not None and host.wake_at <= now:
            host.wake_at = None
        self._ticks = (now, self._ticks[1] + 1 if self._ticks[0] == now else 1)
        assert self._ticks[1] < TICKS_AT_ONCE_MAX, "a node wants to be woken again and again"
        due = host.node.deadline
        return host.node.on_deadline(now) if due is not None and due <= now else []

    def start(self) -> Cluster:
        for host in self.hosts:
            host.start()
        return self

    def run_until(self, done: Callable[[], bool], limit_s: float = 30) -> bool:
        """Let time pass until something holds; tell whether it did."""
        end = self.now + int(limit_s * SECOND)
        while self._events and self._events[0][0] <= end:
            if done():
                return True
            self.now, _, host, life, call = heapq.heappop(self._events)
            if host is None:
                call(self.now)
            elif host.life == life and host.core is not None:
                host.give(call)
        self.now = end
        return done()

    def run(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds)

    # --- connections ---

    def new_request(self) -> int:
        self._requests += 1
        return self._requests

    def _delay(self) -> int:
        return self.rng.randint(*self.delay_us)

    def is_cut(self, one: Host, other: Host) -> bool:
        return self.groups.get(one, 0) != self.groups.get(other, 0)

    def partition(self, *groups: Sequence[Host]) -> None:
        """Break every connection between groups, and let none be made, until `heal`."""
        self.groups = {host: number for number, group in enumerate(groups) for host in group}
        for link in list(self.links.values()):
            if self.is_cut(link.dialler, link.answerer):
                self.break_link(link)

    def heal(self) -> None:
        self.groups = {}

    def dial(self, dialler: Host, address: str, expected: PeerId | None) -> None:
        answerer = next((host for host in self.hosts if host.address == address), None)
        life = dialler.life

        def arrive(_now: int) -> Sequence[out.Effect]:
            if dialler.life == life and dialler.core is not None:
                is_there = answerer is not None and answerer.core is not None and not self.is_cut(dialler, answerer)
                if answerer is None or not is_there or expected not in {None, answerer.key}:
                    dialler.give(lambda now: dialler.node.on_dial_failed(address, now))
                elif answerer is dialler:
                    dialler.node.on_self_dialled(address)
                    dialler.give(lambda now: dialler.node.on_dial_failed(address, now))
                else:
                    self.connect(dialler, answerer, address)
            return []

        self.later(2 * self._delay(), None, arrive)

    def connect(self, dialler: Host, answerer: Host, address: str | None = None) -> None:
        """Make a connection; both ends have proven who they are."""
        self._links_made += 1
        number = self._links_made
        self.links[number] = Link(number, dialler, answerer, (dialler.life, answerer.life))
        for host, other, outbound in ((dialler, answerer, True), (answerer, dialler, False)):
            if number not in self.links or host.core is None:
                return
            connected = Connected(
                peer=other.key,
                link=number,
                outbound=outbound,
                address=(address or other.address) if outbound else None,
                own_key=host.announcement_key,
                peer_key=other.announcement_key,
                peer_record=self.record_of(other),
            )
            node = host.node
            host.give(lambda now, node=node, connected=connected: node.on_connected(connected, now))

    def record_of(self, host: Host) -> bytes:
        now_ms = START_US // MS
        record = sign_record(self.scheme, host.seed, self.genesis.hash, (host.address,), now_ms, now_ms + WEEK_MS)
        return record.raw

    def break_link(self, link: Link, by: Host | None = None) -> None:
        """End a connection; whoever did not end it hears of it."""
        self.links.pop(link.number, None)
        for host, other in ((link.dialler, link.answerer), (link.answerer, link.dialler)):
            if host.attached.get(other.key) == link.number:
                del host.attached[other.key]
            if host is not by and host.core is not None:
                self.later(
                    self._delay(),
                    host,
                    lambda now, host=host, other=other: host.node.on_disconnected(other.key, link.number, now),
                )

    def carry(self, sender: Host, number: int, data: bytes) -> None:
        """Carry a message; it arrives after those sent before it over this connection."""
        link = self.links.get(number)
        if link is None:
            return
        receiver = link.other(sender)
        self.messages[type(wire.decode_message(data)).__name__] += 1
        arrives = max(self.now + self._delay(), link.arrives.get(sender.number, 0))
        link.arrives[sender.number] = arrives

        def deliver(now: int) -> Sequence[out.Effect]:
            if number not in self.links or receiver.attached.get(sender.key) != number:
                return []
            return receiver.node.on_message(sender.key, wire.decode_message(data), now)

        self.later(arrives - self.now, receiver, deliver)

    # --- oracles ---

    def note(self, host: Host, effect: out.Effect) -> None:
        self.trace.update(repr((self.now, host.number, effect)).encode())

    def check_final(self, host: Host, committed: CommittedBlock) -> None:
        header = committed.block.header
        assert header.height == host.height + 1, "blocks are committed in order, each once"
        assert self.finals.setdefault(header.height, header) == header, "two final blocks at one height"

    def check_healthy(self) -> None:
        """Nobody halted, was closed for a fault, refused a signature or saw an invalid block."""
        for host in self.hosts:
            assert not host.halted, host.halted
            assert not host.warnings, host.warnings
            assert host.refused_to_sign == 0
            faults = [code for code, _ in host.closed if code not in {"DUPLICATE", "SELF"}]
            assert not faults, host.closed

    @property
    def heights(self) -> list[int]:
        return [host.height for host in self.hosts]

    def settle(self, limit_s: float = 30) -> None:
        """Run until every pool is empty and all stand on one block."""

        def done() -> bool:
            live = [host for host in self.hosts if host.core is not None]
            return len({host.head for host in live}) == 1 and all(len(host.node.mempool) == 0 for host in live)

        self.run(0.05)  # what was submitted just now reaches the pools
        assert self.run_until(done, limit_s), self.heights


__all__ = [
    "KEYED",
    "SECOND",
    "START_US",
    "TOKEN",
    "WEEK_MS",
    "Cluster",
    "Host",
    "KeyedScheme",
    "make_genesis",
    "replace",
    "seed_of",
    "transfer",
]
