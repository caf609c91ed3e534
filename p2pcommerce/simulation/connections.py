"""Connections between hosts: dialled, made, reset, and carrying messages.

By default a connection carries messages as they are, and both ends are told at once who the other one is. With
`sessions` it carries the bytes of real wire sessions: handshake, records, lanes.

A connection behaves as TCP does: what is sent arrives in order or not at all; bytes that a fault changed fail to
authenticate and end it; one that lost something breaks, and both ends hear of it a little later. A dial that nobody
answers is tried again as a SYN is, and given up after `DIAL_US`. Where a link is cut one way, the other way carries on
for a while (`windows`).

Source: the networking specification; the runtime's driver and connection.
Deviations: without sessions the handshake costs time and no bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from p2pcommerce.discovery import sign_record
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.node import Connected
from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.links import Links
from p2pcommerce.simulation.message_sizes import size_of
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.simulation.windows import TIMEOUT_US, Windows
from p2pcommerce.wire import HandshakeDone, LocalPeer, Session
from p2pcommerce.wire.messages import Announce, Engine, Message, Transactions

__all__ = ["DIAL_US", "SEND_BACKLOG_US_MAX", "Connection", "Connections", "ConnectionsOwner"]

DIAL_US: Final = 10_000_000
"""A dial is given up after this long, as in the runtime."""
_SYN_US: Final = (1_000_000, 3_000_000, 7_000_000)
"""When a dial that was not answered is tried again. Source: RFC 6298, an initial timeout of 1 s, doubled."""
_RESET_US: Final = (200_000, 2_000_000)
"""How long an end takes to notice that a connection broke."""
_RECORD_LIFE_MS: Final = 7 * 86_400_000
SEND_BACKLOG_US_MAX: Final = 5_000_000
"""A link that is this far behind takes no more gossip: the runtime's bounded lane would drop it."""


class ConnectionsOwner(Protocol):
    """What connections need of their world."""

    hosts: list[Host]
    streams: Streams
    trace: Trace
    genesis: Genesis
    scheme: SignatureScheme

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def at(self, world_us: int, host: Host, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let a host do something at a moment, unless its life ends before."""
        ...

    def on_sent(self, source: Host, target: Host, message: Message, arrives_us: int) -> None:
        """A message is on its way."""
        ...


class Connection:
    """One connection.

    Attributes:
        number: its number in the world.
        dialler, answerer: its ends.
        address: what was dialled.
        is_open: False once it has ended.
        sessions: by end's number, the wire session, if sessions are used.
        windows: what is on its way over a link that is cut one way.
    """

    __slots__ = ("address", "answerer", "dialler", "expected", "is_open", "number", "sessions", "told", "windows")

    def __init__(self, number: int, dialler: Host, answerer: Host, address: str, expected: PeerId | None) -> None:
        """Join two hosts."""
        self.number = number
        self.dialler = dialler
        self.answerer = answerer
        self.address = address
        self.expected = expected
        self.is_open = True
        self.sessions: dict[int, Session] = {}
        self.told: set[int] = set()
        self.windows = Windows()

    def other(self, host: Host) -> Host:
        """Return the other end."""
        return self.answerer if host is self.dialler else self.dialler


class Connections:
    """Every connection of one world.

    Attributes:
        fired: faults that struck connections in the making.
        delivered: messages that arrived, by kind.
    """

    def __init__(self, owner: ConnectionsOwner, links: Links, *, sessions: bool) -> None:
        """Begin without any."""
        self._owner = owner
        self._links = links
        self._uses_sessions = sessions
        self._open: dict[int, Connection] = {}
        self._made = 0
        self._rng = owner.streams.of("connections")
        self._dirty: dict[int, Connection] = {}
        self.fired: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    # --- making ---

    def dial(self, host: Host, address: str, expected: PeerId | None) -> None:
        """Connect a host to an address."""
        answerer = next((each for each in self._owner.hosts if each.address == address), None)
        if answerer is None:
            self._later(host, 1_000, self._fail_dial, host, address)
        elif answerer is host:
            self._later(host, 100, self._fail_self, host, address)
        else:
            self._try(host, answerer, address, expected, 0)

    def _try(self, host: Host, answerer: Host, address: str, expected: PeerId | None, tries: int) -> None:
        if self._links.reachable(host.number, answerer.number):
            there = self._links.transmit(host.number, answerer.number, 60, self._owner.now_us)
            if there:
                back_us = self._links.delay_us(answerer.number, host.number)
                self._later(
                    host, abs(there[0]) + back_us - self._owner.now_us, self._answer, host, answerer, address, expected
                )
                return
        else:
            self._count_cut(host.number, answerer.number)
        wait_us = _SYN_US[tries] if tries < len(_SYN_US) else DIAL_US
        before_us = 0 if tries == 0 else _SYN_US[tries - 1]
        if tries < len(_SYN_US):
            self._later(host, wait_us - before_us, self._try, host, answerer, address, expected, tries + 1)
        else:
            self._later(host, DIAL_US - before_us, self._fail_dial, host, address)

    def _count_cut(self, one: int, other: int) -> None:
        """Count what keeps two nodes from making a connection."""
        is_one_way = self._links.is_one_way(one, other) or self._links.is_one_way(other, one)
        self.fired["one_way" if is_one_way else "partition"] += 1

    def _answer(self, host: Host, answerer: Host, address: str, expected: PeerId | None) -> None:
        if answerer.core is None:
            self._fail_dial(host, address)
            return
        self._made += 1
        connection = Connection(self._made, host, answerer, address, expected)
        self._open[self._made] = connection
        if self._uses_sessions:
            self._shake_hands(connection)
        elif expected not in {None, answerer.key}:
            self._end(connection)
            self._fail_dial(host, address)
        else:
            self._tell(connection, host, answerer.key, answerer.announcement_key, self._record_of(answerer))
            self._tell(connection, answerer, host.key, host.announcement_key, self._record_of(host))

    def _tell(self, connection: Connection, host: Host, peer: PeerId, peer_key: bytes, record: bytes) -> None:
        """Tell one end who the other is."""
        core = host.core
        if not connection.is_open or core is None:
            return
        outbound = host is connection.dialler
        connection.told.add(host.number)
        connected = Connected(
            peer=peer,
            link=connection.number,
            outbound=outbound,
            address=connection.address if outbound else None,
            own_key=host.announcement_key,
            peer_key=peer_key,
            peer_record=record,
            remote=connection.other(host).address,
        )
        host.give(lambda now: core.on_connected(connected, now))

    def _record_of(self, host: Host) -> bytes:
        owner, now_ms = self._owner, host.now // 1_000
        addresses = (host.address,)
        record = sign_record(owner.scheme, host.seed, owner.genesis.hash, addresses, now_ms, now_ms + _RECORD_LIFE_MS)
        return record.raw

    def _fail_dial(self, host: Host, address: str) -> None:
        core = host.core
        if core is not None:
            host.give(lambda now: core.on_dial_failed(address, now))

    def _fail_self(self, host: Host, address: str) -> None:
        if host.core is not None:
            host.core.on_self_dialled(address)
        self._fail_dial(host, address)

    # --- ending ---

    def close(self, host: Host, number: int) -> None:
        """End a connection for one end; the other hears of it."""
        connection = self._open.get(number)
        if connection is not None and connection.is_open:
            self._detach(connection)
            self._notify(connection, connection.other(host), quick=True)

    def other_end(self, host: Host, number: int) -> Host | None:
        """Return who is at the other end of an open connection."""
        connection = self._open.get(number)
        return None if connection is None else connection.other(host)

    def close_all(self, host: Host) -> None:
        """End every connection of a host that is gone."""
        for connection in [each for each in self._open.values() if host in (each.dialler, each.answerer)]:
            if connection.is_open:
                self._detach(connection)
                self._notify(connection, connection.other(host), quick=True)

    def cut(self, is_cut: Callable[[int, int], bool]) -> None:
        """Break every connection between hosts that cannot reach each other."""
        for connection in list(self._open.values()):
            if is_cut(connection.dialler.number, connection.answerer.number):
                self._break(connection)

    def _break(self, connection: Connection) -> None:
        """End a connection for both ends."""
        if connection.is_open:
            self._detach(connection)
            for host in (connection.dialler, connection.answerer):
                self._notify(connection, host, quick=False)

    def _detach(self, connection: Connection) -> None:
        connection.is_open = False
        self._end(connection)
        for host in (connection.dialler, connection.answerer):
            peer = connection.other(host).key
            if host.attached.get(peer) == connection.number:
                del host.attached[peer]

    def _end(self, connection: Connection) -> None:
        self._open.pop(connection.number, None)
        self._dirty.pop(connection.number, None)
        # What follows over a new connection does not wait for what the old one still had on its way.
        self._links.reset(connection.dialler.number, connection.answerer.number)
        self._links.reset(connection.answerer.number, connection.dialler.number)

    def _notify(self, connection: Connection, host: Host, *, quick: bool) -> None:
        if host.core is None:
            return
        other = connection.other(host)
        wait_us = self._links.delay_us(other.number, host.number)
        if not quick or not self._links.reachable(other.number, host.number):
            wait_us += self._rng.randint(*_RESET_US)
        self._later(host, wait_us, self._hear_end, host, connection)

    def _hear_end(self, host: Host, connection: Connection) -> None:
        core = host.core
        if core is None:
            return
        if host.number in connection.told:
            peer = connection.other(host).key
            host.give(lambda now: core.on_disconnected(peer, connection.number, now))
        elif host is connection.dialler:
            self._fail_dial(host, connection.address)

    # --- carrying ---

    def transmit(self, host: Host, peer: PeerId, message: Message) -> None:
        """Send a message over the attached connection with a peer."""
        connection = self._open.get(host.attached.get(peer, 0))
        if connection is None:
            return
        if self._uses_sessions:
            connection.sessions[host.number].send(message)
            self._dirty[connection.number] = connection
            return
        target = connection.other(host)
        if isinstance(message, Transactions | Announce) and self._is_behind(host, target):
            return
        for arrives_us in self._send(connection, host, target, size_of(message)):
            if arrives_us < 0:
                self._owner.at(-arrives_us, target, self._receive_broken, connection, target)
            else:
                self._owner.at(arrives_us, target, self._receive, connection, host, target, message)
                self._owner.on_sent(host, target, message, arrives_us)

    def _is_behind(self, host: Host, target: Host) -> bool:
        return self._links.backlog_us(host.number, target.number, self._owner.now_us) > SEND_BACKLOG_US_MAX

    def _send(self, connection: Connection, host: Host, target: Host, size_bytes: int) -> list[int]:
        links = self._links
        is_cut, is_deaf = links.is_one_way(host.number, target.number), links.is_one_way(target.number, host.number)
        if is_cut or is_deaf or connection.windows.is_stuck:
            if connection.windows.is_clear:
                self._later(connection.dialler, TIMEOUT_US, self._give_up, connection)
            if not connection.windows.send(host.number, size_bytes, is_cut=is_cut):
                self.fired["one_way"] += 1
                return []
        arrivals = links.transmit(host.number, target.number, size_bytes, self._owner.now_us)
        if not arrivals:
            self._break(connection)
        return arrivals

    def _give_up(self, connection: Connection) -> None:
        """End a connection on which something was not acknowledged for too long."""
        one, other = connection.dialler.number, connection.answerer.number
        if connection.windows.is_stuck or self._links.is_one_way(one, other) or self._links.is_one_way(other, one):
            self._break(connection)
        else:
            connection.windows.clear()

    def _receive(self, connection: Connection, source: Host, target: Host, message: Message) -> None:
        if not connection.is_open or target.attached.get(source.key) != connection.number:
            return
        kind = type(message).__name__
        self.delivered[kind] += 1
        # An engine's bytes can be read in a report; of the others every field counts, in the order of the wire.
        detail = message.data if isinstance(message, Engine) else pack(message.SHAPE.plain(message))
        self._owner.trace.record(self._owner.now_us, target.number, kind, detail, source=source.number)
        target.receive(source.key, message)

    def _receive_broken(self, connection: Connection, target: Host) -> None:
        """Changed bytes do not authenticate: the receiver ends the connection."""
        del target
        self._break(connection)

    # --- sessions ---

    def _shake_hands(self, connection: Connection) -> None:
        for host in (connection.dialler, connection.answerer):
            local = LocalPeer(
                public_key=host.key,
                sign=partial(self._owner.scheme.sign, host.seed),
                genesis_hash=self._owner.genesis.hash,
                static_secret=self._rng.randbytes(32),
                peer_record=self._record_of(host),
                scheme=self._owner.scheme,
            )
            connection.sessions[host.number] = Session(
                local,
                initiator=host is connection.dialler,
                announcement_key=host.announcement_key,
                ephemeral_secret=self._rng.randbytes(32),
                expected=connection.expected if host is connection.dialler else None,
            )
        self._pump(connection, connection.dialler)
        self._pump(connection, connection.answerer)

    def flush(self, host: Host) -> None:
        """Send what a host has queued in its sessions."""
        if self._dirty:
            for number in [n for n, each in self._dirty.items() if host in (each.dialler, each.answerer)]:
                self._pump(self._dirty.pop(number), host)

    def _pump(self, connection: Connection, host: Host) -> None:
        target = connection.other(host)
        while connection.is_open and (data := connection.sessions[host.number].data_to_send()):
            for arrives_us in self._send(connection, host, target, len(data)):
                changed = self._links.corrupted(data) if arrives_us < 0 else data
                self._owner.at(abs(arrives_us), target, self._receive_bytes, connection, host, target, changed)
                break  # a stream's bytes arrive once

    def _receive_bytes(self, connection: Connection, source: Host, target: Host, data: bytes) -> None:
        if not connection.is_open:
            return
        try:
            events = connection.sessions[target.number].receive_data(data)
        except RemoteProtocolError:
            self._break(connection)
            return
        self._owner.trace.record(self._owner.now_us, target.number, "Bytes", data, source=source.number)
        for event in events:
            if isinstance(event, HandshakeDone):
                self._pump(connection, target)
                self._tell(connection, target, event.peer, event.announcement_key, event.peer_record)
            elif connection.is_open and target.attached.get(source.key) == connection.number:
                self.delivered[type(event.message).__name__] += 1
                target.receive(source.key, event.message)
        if not events:
            self._pump(connection, target)  # the next message of a handshake; answers to messages were flushed

    def _later(self, host: Host, wait_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        self._owner.at(self._owner.now_us + wait_us, host, call, *arguments)
