"""What connections may take of a node: sockets, handshakes, bytes, messages, by peer, host, address group and in all.

The runtime says what happens to its links; the answers say what may go on, what is refused, and which unproven caller
has to make room. There are four scopes, and a cap for each resource in those where one makes sense:

- peer: one link. What its lanes hold, what has not left for its socket, and what it began to say and did not finish.
- host: one address. Whoever opens a thousand sockets there displaces himself.
- group: an IPv4 /16, an IPv6 /32, as discovery counts groups; a local address is a group of its own.
- total.

Rules:

1. A caller who finds no room for a handshake takes the place of the oldest unproven one: of its host if that has its
   share, of its group if that has its share, else of the group that has most. An honest handshake takes a few round
   trips, an idle socket stays until it is displaced; so a thousand half-open ones keep nobody out.
2. Callers of one host, and all together, come at a bounded rate with a burst: each costs a socket, a task and, if it
   goes on, four operations on keys. Whoever is above it is closed at once.
3. Sockets that have proven who they are stay; a caller beyond the sockets of its host, its group or of all is refused,
   unless an unproven one can make room.
4. A link that holds more bytes or messages than a peer may is closed. When a group, or all together, hold their
   total, a link that grows is closed if it holds more than an equal share; the others go on, so that those who flood or
   do not read cannot shut them out. All together never hold more than twice the total.

Source: the networking specification (caps on pending handshakes, queues bounded in bytes per peer); displacing the
oldest is what RFC 4987 section 3.4 proposes for half-open connections. The other numbers are ours.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.address import AddressError
from p2pcommerce.discovery.group import source_group_of
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["Admission", "ResourceLimits", "Resources", "fitted"]

_MIB: Final = 2**20
_HANDSHAKES_OF_FILES: Final = 4
"""Of the files that the process may open, at most a fourth go to callers that have not proven anything."""


_HARD: Final = 2
"""Times the total of a scope that is never passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """How much connections may take.

    Attributes:
        sockets_max: connections in all, proven or not, dialled or accepted.
        sockets_per_group_max: accepted connections of one address group.
        sockets_per_host_max: accepted connections of one host.
        handshakes_max: accepted connections whose other end has not proven who it is; networking specification.
        handshakes_per_group_max: those of one address group.
        handshakes_per_host_max: those of one host.
        handshakes_rate: callers accepted per second in all.
        handshakes_burst: callers accepted at once after a pause.
        handshakes_per_host_rate: the rate of one host.
        handshakes_per_host_burst: its burst.
        bytes_max: bytes held for all connections.
        bytes_per_group_max: bytes held for one address group.
        bytes_per_peer_max: bytes held for one connection; all its lanes full, the largest messages half come.
        messages_max: messages waiting to be sent in all.
        messages_per_group_max: messages waiting for one address group.
        messages_per_peer_max: messages waiting for one connection.
        rated_hosts_max: hosts whose rate is remembered.
    """

    sockets_max: int = 5_120
    sockets_per_group_max: int = 512
    sockets_per_host_max: int = 256
    handshakes_max: int = 512
    handshakes_per_group_max: int = 128
    handshakes_per_host_max: int = 64
    handshakes_rate: int = 512
    handshakes_burst: int = 1_024
    handshakes_per_host_rate: int = 64
    handshakes_per_host_burst: int = 256
    bytes_max: int = 256 * _MIB
    bytes_per_group_max: int = 64 * _MIB
    bytes_per_peer_max: int = 12 * _MIB
    messages_max: int = 524_288
    messages_per_group_max: int = 131_072
    messages_per_peer_max: int = 32_768
    rated_hosts_max: int = 4_096

    def __post_init__(self) -> None:
        """Check that every cap leaves room for one.

        Raises:
            LocalProtocolError: one does not.
        """
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise LocalProtocolError(f"{field.name} must be at least 1")


def fitted(limits: ResourceLimits, files_max: int) -> ResourceLimits:
    """Return limits that fit a process that may open so many files; -1: any number.

    The disk must not fail for want of descriptors because strangers call: a fourth of them goes to handshakes at most,
    three fourths to sockets.
    """
    if files_max < 0:
        return limits
    quarter = max(1, files_max // _HANDSHAKES_OF_FILES)
    return dataclasses.replace(
        limits,
        handshakes_max=min(limits.handshakes_max, quarter),
        sockets_max=min(limits.sockets_max, max(1, files_max - quarter)),
    )


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a caller.

    Attributes:
        refused: why it is closed at once, a code; empty: it may shake hands.
        displaced: the number of the unproven link that is closed for it, None if there is room.
    """

    refused: str = ""
    displaced: int | None = None


class _Scope:
    """What one host, one group, or all together use."""

    __slots__ = ("bytes", "messages", "shaking", "sockets")

    def __init__(self) -> None:
        self.sockets = 0
        self.bytes = 0
        self.messages = 0
        self.shaking: dict[int, None] = {}  # unproven links, the oldest first


class _Link:
    """What one link uses."""

    __slots__ = ("bytes", "group", "host", "messages")

    def __init__(self, host: str, group: bytes) -> None:
        self.host = host
        self.group = group
        self.bytes = 0
        self.messages = 0


class Resources:
    """The one place that counts what connections take.

    Attributes:
        limits: the caps.
    """

    def __init__(self, limits: ResourceLimits) -> None:
        """Begin with nothing taken."""
        self.limits = limits
        self._links: dict[int, _Link] = {}
        self._hosts: dict[str, _Scope] = {}
        self._groups: dict[bytes, _Scope] = {}
        self._total = _Scope()
        self._counts: Counter[str] = Counter()
        # When a caller at exactly its rate would come next, microseconds: the state of a leaky bucket in one number.
        self._rates: dict[str, int] = {}
        self._total_rate_us = 0

    # --- links ---

    def admit(self, link: int, address: str, now: int) -> Admission:
        """Take a caller, or say why not.

        Args:
            link: the number of its connection.
            address: the caller's, as the transport gives it.
            now: microseconds.
        """
        host, group = _host_of(address), _group_of(address)
        refused, displaced = self._refusal(host, group, now)
        if refused:
            self._counts[f"refused.{refused}"] += 1
            return Admission(refused)
        if displaced is not None:
            self._counts["displaced"] += 1
            self.close(displaced)
        self._links[link] = _Link(host, group)
        for scope in (self._hosts.setdefault(host, _Scope()), self._groups.setdefault(group, _Scope()), self._total):
            scope.sockets += 1
            scope.shaking[link] = None
        self._counts["admitted"] += 1
        return Admission("", displaced)

    def dialled(self, link: int, address: str) -> None:
        """Count a connection that this node opens; how many it opens is discovery's matter.

        Args:
            link: its number.
            address: what is dialled.
        """
        host, group = _host_of(address), _group_of(address)
        self._links[link] = _Link(host, group)
        for scope in (self._hosts.setdefault(host, _Scope()), self._groups.setdefault(group, _Scope()), self._total):
            scope.sockets += 1

    def proven(self, link: int) -> None:
        """The other end of a link has proven who it is."""
        for scope in self._scopes(link):
            scope.shaking.pop(link, None)

    def close(self, link: int) -> None:
        """A link has ended; nothing happens for one that was not admitted, or was closed before."""
        use = self._links.get(link)
        if use is None:
            return
        for scope in self._scopes(link):
            scope.sockets -= 1
            scope.bytes -= use.bytes
            scope.messages -= use.messages
            scope.shaking.pop(link, None)
        del self._links[link]
        if not self._hosts[use.host].sockets:
            del self._hosts[use.host]
        if not self._groups[use.group].sockets:
            del self._groups[use.group]

    def hold(self, link: int, size: int, messages: int) -> str:
        """Learn what a link holds now; return why it must be closed, empty if it may go on.

        Args:
            link: its number.
            size: bytes held for it, both directions.
            messages: messages waiting to be sent to it.
        """
        use = self._links.get(link)
        if use is None or (size == use.bytes and messages == use.messages):
            return ""
        more, more_messages = size - use.bytes, messages - use.messages
        use.bytes, use.messages = size, messages
        group, total = self._groups[use.group], self._total
        for scope in (self._hosts[use.host], group, total):
            scope.bytes += more
            scope.messages += more_messages
        if more <= 0 and more_messages <= 0:
            return ""
        refused = self._excess(use, group, total)
        if refused:
            self._counts[f"closed.{refused}"] += 1
        return refused

    def _excess(self, use: _Link, group: _Scope, total: _Scope) -> str:
        """Return the cap that a link exceeds."""
        limits = self.limits
        if use.bytes > limits.bytes_per_peer_max:
            return "bytes_per_peer"
        if use.messages > limits.messages_per_peer_max:
            return "messages_per_peer"
        for name, scope, bytes_max, messages_max in (
            ("group", group, limits.bytes_per_group_max, limits.messages_per_group_max),
            ("total", total, limits.bytes_max, limits.messages_max),
        ):
            if _exceeds(use.bytes, scope.bytes, bytes_max, scope.sockets):
                return f"bytes_per_{name}"
            if _exceeds(use.messages, scope.messages, messages_max, scope.sockets):
                return f"messages_per_{name}"
        return ""

    # --- admission ---

    def _refusal(self, host: str, group: bytes, now: int) -> tuple[str, int | None]:
        """Return why a caller is refused (a code or empty), and who makes room for it otherwise."""
        limits = self.limits
        of_host, of_group = self._hosts.get(host), self._groups.get(group)
        displaced: int | None = None
        for name, scope, sockets_max, shaking_max in (
            ("host", of_host, limits.sockets_per_host_max, limits.handshakes_per_host_max),
            ("group", of_group, limits.sockets_per_group_max, limits.handshakes_per_group_max),
            ("total", self._total, limits.sockets_max, limits.handshakes_max),
        ):
            if scope is None or displaced is not None:
                continue  # who makes room in a narrow scope makes it in the wider ones
            if len(scope.shaking) >= shaking_max or scope.sockets >= sockets_max:
                fullest = self._fullest() if scope is self._total else scope
                if fullest is None or not fullest.shaking:
                    return f"sockets_per_{name}", None
                displaced = next(iter(fullest.shaking))
        return self._too_fast(host, now), displaced

    def _fullest(self) -> _Scope | None:
        return max(self._groups.values(), key=lambda scope: len(scope.shaking), default=None)

    def _too_fast(self, host: str, now: int) -> str:
        """Take a caller's turn from the rates, or return which of them is exceeded."""
        limits, rates = self.limits, self._rates
        period_us = MICROSECONDS // limits.handshakes_per_host_rate
        total_period_us = MICROSECONDS // limits.handshakes_rate
        next_us, total_us = max(now, rates.get(host, 0)), max(now, self._total_rate_us)
        if next_us - now > period_us * (limits.handshakes_per_host_burst - 1):
            return "handshakes_per_host_rate"
        if total_us - now > total_period_us * (limits.handshakes_burst - 1):
            return "handshakes_rate"
        rates.pop(host, None)
        if len(rates) >= limits.rated_hosts_max:
            del rates[next(iter(rates))]  # who called least recently
        rates[host] = next_us + period_us
        self._total_rate_us = total_us + total_period_us
        return ""

    def _scopes(self, link: int) -> tuple[_Scope, ...]:
        use = self._links.get(link)
        return () if use is None else (self._hosts[use.host], self._groups[use.group], self._total)

    # --- counting ---

    def statistics(self) -> Mapping[str, int]:
        """Return what is used, in all and by whoever uses most, every cap under its name, and what was refused."""
        total = self._total
        groups, hosts, links = self._groups.values(), self._hosts.values(), self._links.values()
        return {
            "sockets": total.sockets,
            "sockets_per_group": max((scope.sockets for scope in groups), default=0),
            "sockets_per_host": max((scope.sockets for scope in hosts), default=0),
            "handshakes": len(total.shaking),
            "handshakes_per_group": max((len(scope.shaking) for scope in groups), default=0),
            "handshakes_per_host": max((len(scope.shaking) for scope in hosts), default=0),
            "bytes": total.bytes,
            "bytes_per_group": max((scope.bytes for scope in groups), default=0),
            "bytes_per_peer": max((use.bytes for use in links), default=0),
            "messages": total.messages,
            "messages_per_group": max((scope.messages for scope in groups), default=0),
            "messages_per_peer": max((use.messages for use in links), default=0),
            "rated_hosts": len(self._rates),
            **{field.name: getattr(self.limits, field.name) for field in dataclasses.fields(self.limits)},
            **{name: self._counts[name] for name in sorted(self._counts)},
        }


def _exceeds(own: int, held: int, held_max: int, links: int) -> bool:
    """Tell whether a link must not grow to `own` where all links of a scope hold `held`."""
    return held > held_max and (own > held_max // links or held > _HARD * held_max)


def _host_of(address: str) -> str:
    return address.partition("://")[2].rpartition(":")[0]


def _group_of(address: str) -> bytes:
    """Return the address group; of what is no address, a group for its host alone."""
    try:
        return source_group_of(address)
    except AddressError:
        return b"other " + _host_of(address).encode()
