"""A world of discovery: its real cores over a queue of events, and an attacker's puppets that answer every call.

Connections stand one round trip after they are dialled; both ends see each other's address. Nothing but records is
said over them, and who is to be dialled. A dial to nobody, or to a hidden host, fails after a while.

Source: the deterministic simulator specification.
Deviations: no links with bandwidth, no encryption: what is looked at is who is connected to whom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from p2pcommerce.discovery import CloseOne, Dial, Discovery, SaveBook, SendTo, TakeGuest, Which
from p2pcommerce.discovery.effects import Effect
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.peers.host import Host, Link
from p2pcommerce.simulation.queue import EventQueue
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.wire.messages import CallBack, GetPeers, Peers, TakesCalls

__all__ = ["PeersWorld"]

_CONNECT_US: Final = 60_000
_NOBODY_US: Final = 2 * MICROSECONDS
_MESSAGE_US: Final = 20_000
_CALLER_PORT: Final = ":50000"


class PeersWorld:
    """Hosts, and the time that passes.

    Attributes:
        hosts: by address.
        trace: over all events.
        answers: what a puppet answers who asks for records.
    """

    def __init__(self, make_core: Callable[[Host, int], Discovery], answers: Callable[[Host], Sequence[bytes]]) -> None:
        """Start empty at time 0; `make_core` gives a host's core for its n-th life."""
        self.hosts: dict[str, Host] = {}
        self.trace = Trace()
        self.answers = answers
        self._by_key: dict[PeerId, Host] = {}
        self._make_core = make_core
        self._queue: EventQueue[Callable[[], None]] = EventQueue()

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        return self._queue.now_us

    @property
    def unix_us(self) -> int:
        """The same as Unix time."""
        return UNIX_BASE_US + self.now_us

    def add(self, host: Host) -> None:
        """Put a host in."""
        self.hosts[host.address] = host
        self._by_key[host.key] = host

    def host(self, peer: PeerId) -> Host:
        """Return a host by its key (32 bytes)."""
        return self._by_key[peer]

    def at(self, time_us: int, action: Callable[[], None]) -> None:
        """Let something happen."""
        self._queue.push(time_us, 0, action)

    def run_until(self, time_us: int) -> None:
        """Let time pass."""
        while (due_us := self._queue.next_us) is not None and due_us <= time_us:
            self._queue.pop()[3]()
        self._queue.advance(time_us)

    # --- lives ---

    def start(self, host: Host) -> None:
        """Start a host from its file."""
        host.life += 1
        core = host.core = self._make_core(host, host.life)
        core.set_own_addresses([host.address])
        if host.book is not None:
            core.load(host.book, self.unix_us)
        self.trace.record(self.now_us, 0, "start", host.key)
        self._wake(host)

    def stop(self, host: Host) -> None:
        """End a host at once; others notice."""
        host.core = None
        host.life += 1
        for peer in list(host.links):
            for link in list(host.links.get(peer, ())):
                self._cut(host, link)

    def outbound(self, host: Host) -> list[Host]:
        """Return whom a host has dialled and is connected to."""
        return [
            self.host(peer) for peer, links in host.links.items() if any(link.ends[0] == host.address for link in links)
        ]

    # --- connections ---

    def dial(self, host: Host, address: str, expected: PeerId | None) -> None:
        """Connect a host to an address."""
        self.at(self.now_us + _CONNECT_US, partial(self._answer, host, host.life, address, expected))

    def _answer(self, host: Host, life: int, address: str, expected: PeerId | None) -> None:
        if host.life != life:
            return
        other = self.hosts.get(address)
        is_there = other is not None and not other.is_hidden and (other.is_hostile or other.core is not None)
        if other is None or other is host or not is_there or expected not in {None, other.key}:
            self.at(self.now_us + _NOBODY_US, partial(self._fail, host, life, address))
            return
        self.trace.record(self.now_us, 0, "connect", host.key + other.key)
        link = Link(host.address, address)
        for own, peer in ((host, other), (other, host)):
            own.links.setdefault(peer.key, []).append(link)
        for own, peer in ((host, other), (other, host)):
            self._tell(own, peer, link, address if own is host else None)

    def _tell(self, own: Host, peer: Host, link: Link, address: str | None) -> None:
        core, now = own.core, self.unix_us
        if core is None or link not in own.links.get(peer.key, ()):
            return
        remote = peer.address if address is not None else peer.address.rpartition(":")[0] + _CALLER_PORT
        core.on_record(peer.record, peer.key, now, remote)
        self._act(own, core.on_connected(peer.key, address, address is not None, now, remote))

    def _fail(self, host: Host, life: int, address: str) -> None:
        if host.core is not None and host.life == life:
            host.core.on_dial_failed(address, self.unix_us)
            self._wake(host)

    def _cut(self, host: Host, link: Link) -> None:
        """End a connection: the host knows, the other end hears of it."""
        other = self.hosts[link.ends[1] if link.ends[0] == host.address else link.ends[0]]
        for own, peer in ((host, other), (other, host)):
            own.links[peer.key].remove(link)
            if not own.links[peer.key]:
                del own.links[peer.key]
        if other.core is not None and host.key not in other.links:
            other.core.on_disconnected(host.key, self.unix_us)
            self._wake(other)

    # --- what cores want ---

    def _act(self, host: Host, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Dial(address, peer):
                    self.dial(host, address, peer)
                case SendTo(peer, message):
                    self.at(self.now_us + _MESSAGE_US, partial(self._receive, host, peer, message))
                case CloseOne(peer, which, _):
                    links = host.links.get(peer)
                    if links:
                        self._cut(host, links[0 if which is Which.OLD else -1])
                case TakeGuest():
                    pass  # the link stands already
                case SaveBook():
                    host.book = None if host.core is None else host.core.dump()
        self._wake(host)

    def _receive(self, source: Host, peer: PeerId, message: object) -> None:
        target = self.host(peer)
        if source.key not in target.links:
            return
        if target.is_hostile:
            if isinstance(message, GetPeers):
                answer = Peers(tuple(self.answers(target)))
                self.at(self.now_us + _MESSAGE_US, partial(self._receive, target, source.key, answer))
        elif target.core is not None:
            match message:
                case GetPeers(count):
                    self._act(target, target.core.on_get_peers(source.key, count, self.unix_us))
                case Peers(records):
                    self._act(target, target.core.on_peers(source.key, records, self.unix_us))
                case TakesCalls(is_willing):
                    target.core.calls.on_takes_calls(source.key, is_willing=is_willing)
                case CallBack():
                    self._act(target, target.core.calls.on_call(source.key, message, self.unix_us))
                case _:
                    pass  # where a host is seen makes no difference here

    def _wake(self, host: Host) -> None:
        if host.core is None or host.core.deadline is None:
            return
        # Not in this microsecond, so that a core that is never content does not stop the world.
        wake_us = max(host.core.deadline - UNIX_BASE_US, self.now_us + 1)
        if host.wake_us is None or wake_us < host.wake_us or host.wake_us <= self.now_us:
            host.wake_us = wake_us
            self.at(wake_us, partial(self._tick, host, host.life, wake_us))

    def _tick(self, host: Host, life: int, wake_us: int) -> None:
        if host.core is None or host.life != life or host.wake_us != wake_us:
            return
        host.wake_us = None
        self._act(host, host.core.on_deadline(self.unix_us))
