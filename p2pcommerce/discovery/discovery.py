"""Discovery: whom this node is connected to, and how it finds others.

A core (see `primitives.core`). It dials bootstrap addresses and wanted peers (validators) for ever, and fills up to 8
further connections from the book of signed records; it accepts up to 40 connections of ordinary peers; of two
connections with one peer it keeps one, the same one as the other end. It asks peers for records while it lacks peers,
answers theirs within limits, and says when the book is to be saved.

It opens no socket and checks no handshake: a connection is reported once the other end has proven its key. Losing all
bootstrap nodes stops nothing once other records are in the book.

Source: the discovery section of the networking specification.

Deviations: peers are picked at random from one book; addrman's buckets, one peer per /16, feelers, anchors and
protected eviction are to come behind `Book` and `Selection`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.address import parse_address
from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.dialling import Dialling
from p2pcommerce.discovery.duplicate import keep_new
from p2pcommerce.discovery.effects import CloseOne, Dial, Effect, SaveBook, SendTo, Which
from p2pcommerce.discovery.exchange import Exchange
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.discovery.record import (
    RecordError,
    RecordExpiredError,
    check_owner,
    check_record,
    decode_record,
)
from p2pcommerce.discovery.selection import Selection
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PeerId
from p2pcommerce.wire.messages import GetPeers, Peers

__all__ = ["Discovery"]

_AT_ONCE: Final = 0
"""A deadline that has passed whatever the time."""


@dataclass(slots=True)
class _Connection:
    outbound: bool
    address: str | None
    since_us: int
    asked_us: int | None = None


class Discovery:
    """Finds peers and keeps connections to them.

    Attributes:
        book: what is known of peers; to be read.
    """

    def __init__(
        self,
        parameters: DiscoveryParameters,
        own: PeerId,
        genesis_hash: GenesisHash,
        bootstrap: Sequence[str],
        scheme: SignatureScheme,
        rng: random.Random,
    ) -> None:
        """Start without peers.

        Args:
            parameters: see `DiscoveryParameters`.
            own: this node's public key, 32 bytes.
            genesis_hash: this network, 32 bytes.
            bootstrap: addresses that a person configured.
            scheme: verifies records.
            rng: draws jitter and picks.

        Raises:
            AddressError: a bootstrap address that is malformed.
        """
        self.book = Book(genesis_hash, parameters.book_records_max, rng)
        self._parameters = parameters
        self._own = own
        self._genesis_hash = genesis_hash
        self._bootstrap: dict[str, PeerId | None] = {str(parse_address(address)): None for address in bootstrap}
        """Address -> who answered there last."""
        self._scheme = scheme
        self._rng = rng
        self._wanted: dict[PeerId, None] = {}
        self._connections: dict[PeerId, _Connection] = {}
        self._dialling = Dialling(parameters, rng)
        self._exchange = Exchange(parameters)
        self._deadline: int | None = _AT_ONCE
        self._save_us: int | None = None
        self._ask_us = _AT_ONCE
        self._counters: dict[str, int] = {}

    # --- inputs ---

    def load(self, book: bytes, now: int) -> int:
        """Add what a saved book holds, and return how many records that was.

        Raises:
            BookError: damaged, of another network or of a newer version; nothing was added.
        """
        added = self.book.load(book, now)
        self._deadline = _AT_ONCE
        return added

    def dump(self) -> bytes:
        """Return the book as it is to be saved."""
        return self.book.dump()

    def set_own_addresses(self, addresses: Sequence[str]) -> None:
        """Never dial these: this node listens there.

        Raises:
            AddressError: malformed.
        """
        self._dialling.add_own(str(parse_address(address)) for address in addresses)

    def set_wanted(self, validators: Sequence[PeerId]) -> None:
        """Keep connections to these peers (and no longer to those named before)."""
        self._wanted = {peer: None for peer in validators if peer != self._own}
        self._deadline = _AT_ONCE

    def on_record(self, raw: bytes, source: PeerId, now: int) -> bool:
        """Take a peer's own record, from its handshake; before `on_connected`, which marks its peer as reached.

        Args:
            raw: the record as it came; empty: the peer sent none.
            source: the peer, 32 bytes; the record must be its own.
            now: microseconds.

        Returns:
            Whether it is good (or none was sent); a bad one is counted under its code.
        """
        if not raw:
            return True
        return self._take(raw, source, now, owner=source) is None

    def on_connected(self, peer: PeerId, address: str | None, outbound: bool, now: int) -> list[Effect]:  # noqa: FBT001 - a report
        """A connection stands: the peer has proven its key.

        Args:
            peer: 32 bytes.
            address: what was dialled; None for an inbound connection.
            outbound: this node dialled.
            now: microseconds.
        """
        self._deadline = _AT_ONCE
        if outbound and address is not None:
            if peer == self._own:
                self.on_self_dialled(address)
            self._dialling.on_reached(address)
            if address in self._bootstrap:
                self._bootstrap[address] = peer
        if peer == self._own:
            return [CloseOne(peer, Which.NEW, "SELF")]
        fresh = _Connection(outbound, address if outbound else None, now)
        old = self._connections.get(peer)
        if old is not None:
            return [self._resolve(peer, old, fresh, now)]
        if (
            not outbound
            and not self._is_reserved(peer)
            and self._ordinary(outbound=False) >= self._parameters.inbound_max
        ):
            self._count("INBOUND_FULL")
            return [CloseOne(peer, Which.NEW, "INBOUND_FULL")]
        self._connections[peer] = fresh
        if not outbound:
            return []
        self._on_reached(peer, now)
        return [self._ask(peer, fresh, now)]

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """The connection with a peer has ended, other than by a `CloseOne` of this core."""
        connection = self._connections.pop(peer, None)
        if connection is None:
            return
        self._deadline = _AT_ONCE
        if connection.address is not None:
            self._dialling.on_ended(connection.address, now - connection.since_us, now)

    def on_dial_failed(self, address: str, now: int) -> None:
        """A dial led to no connection, or to another peer than the expected one."""
        self._deadline = _AT_ONCE
        peer = self._dialling.on_failed(address, now)
        if peer is not None and not self._is_reserved(peer):
            self.book.on_failed(peer, self._parameters.failures_max)

    def on_self_dialled(self, address: str) -> None:
        """An address turned out to be this node's own: it is never dialled again."""
        self._count("SELF")
        self._dialling.on_reached(address)
        self._dialling.add_own([address])

    def on_get_peers(self, peer: PeerId, count: int, now: int) -> list[Effect]:
        """A peer asks for records."""
        told = self._exchange.answer(peer, count, len(self.book), lambda most: self.book.sample(most, peer, now), now)
        if told is None:
            self._count("ASKED_TOO_OFTEN")
            return []
        return [SendTo(peer, Peers(told))]

    def on_peers(self, peer: PeerId, records: Sequence[bytes], now: int) -> list[Effect]:
        """A peer tells of others; records beyond its allowance are left aside.

        An expired record is nobody's fault. Any other bad one was passed on unchecked: the connection is closed.
        """
        for raw in records:
            if not self._exchange.accept(peer, now):
                self._count("RECORDS_OVER_ALLOWANCE")
                break
            error = self._take(raw, peer, now)
            if error is not None and not isinstance(error, RecordExpiredError):
                return [self._close(peer, error.code, now)]
        return []

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, in microseconds; None: never."""
        return self._deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Give up silent dials, begin new ones, ask for records, have the book saved."""
        for address in self._dialling.overdue(now):
            self._count("DIAL_TIMEOUT")
            self.on_dial_failed(address, now)
        effects: list[Effect] = []
        wakes = [self._plan_bootstrap(effects, now), self._plan_wanted(effects, now)]
        wakes += [self._plan_ordinary(effects, now), self._plan_asking(effects, now)]
        if self._save_us is not None and self._save_us <= now:
            self._save_us = None
            self.book.forget_expired(now)
            effects.append(SaveBook())
        self._deadline = earliest(*wakes, self._save_us, self._dialling.deadline)
        return effects

    def statistics(self) -> Mapping[str, int]:
        """Return counts of peers, dials and records; refusals under their codes."""
        outbound = sum(connection.outbound for connection in self._connections.values())
        return {
            "book": len(self.book),
            "inbound": len(self._connections) - outbound,
            "outbound": outbound,
            "dialling": self._dialling.in_flight,
            "wanted": len(self._wanted),
            "wanted_connected": sum(peer in self._connections for peer in self._wanted),
            **self._counters,
        }

    # --- connections ---

    def _resolve(self, peer: PeerId, old: _Connection, fresh: _Connection, now: int) -> Effect:
        self._count("DUPLICATE")
        at_once = now - old.since_us < self._parameters.simultaneous_us
        if not keep_new(self._own, peer, old_is_outbound=old.outbound, new_is_outbound=fresh.outbound, at_once=at_once):
            return CloseOne(peer, Which.NEW, "DUPLICATE")
        fresh.asked_us = old.asked_us
        self._connections[peer] = fresh
        if fresh.outbound:
            self._on_reached(peer, now)
        return CloseOne(peer, Which.OLD, "DUPLICATE")

    def _close(self, peer: PeerId, reason: str, now: int) -> Effect:
        self.on_disconnected(peer, now)
        return CloseOne(peer, Which.NEW, reason, fault=True)

    def _is_reserved(self, peer: PeerId) -> bool:
        """Tell whether a peer has a place of its own: a validator, or one that was configured."""
        return peer in self._wanted or peer in self._bootstrap.values()

    def _ordinary(self, *, outbound: bool) -> int:
        return sum(
            connection.outbound == outbound and not self._is_reserved(peer)
            for peer, connection in self._connections.items()
        )

    def _on_reached(self, peer: PeerId, now: int) -> None:
        self.book.on_reached(peer, now)
        self._plan_save(now)

    # --- dialling ---

    def _has_room(self) -> bool:
        return self._dialling.in_flight < self._parameters.dials_in_flight_max

    def _dial(self, effects: list[Effect], address: str, peer: PeerId | None, now: int, *, ordinary: bool) -> None:
        self._dialling.start(address, peer, ordinary=ordinary, now=now)
        # Who stands behind a configured address may change its key.
        effects.append(Dial(address, None if address in self._bootstrap else peer))

    def _plan_bootstrap(self, effects: list[Effect], now: int) -> int | None:
        """Dial what a person configured; return when the next of them may be dialled."""
        wake = None
        for address, peer in self._bootstrap.items():
            next_us = self._dialling.next_us(address)
            if next_us is None or (peer is not None and peer in self._connections):
                continue
            if next_us > now:
                wake = earliest(wake, next_us)
            elif self._has_room():
                self._dial(effects, address, peer, now, ordinary=False)
        return wake

    def _plan_wanted(self, effects: list[Effect], now: int) -> int | None:
        """Dial validators whose addresses are known; return when the next of them may be dialled."""
        wake = None
        under_way = self._dialling.peers_in_flight
        for peer in self._wanted:
            entry = self.book.get(peer)
            if entry is None or peer in self._connections or peer in under_way:
                continue
            addresses = [address for address in entry.record.addresses if address not in self._bootstrap]
            address = self._dialling.best(addresses, now)
            if address is None:
                wake = earliest(wake, *(self._dialling.next_us(each) for each in addresses))
            elif self._has_room():
                self._dial(effects, address, peer, now, ordinary=False)
        return wake

    def _plan_ordinary(self, effects: list[Effect], now: int) -> int | None:
        """Dial peers of the book up to the target; return when the next of them may be dialled."""
        limits = self._parameters
        under_way = self._dialling.ordinary_in_flight
        missing = limits.outbound_target - self._ordinary(outbound=True) - under_way
        missing = min(missing, limits.ordinary_dials_in_flight_max - under_way)
        if missing <= 0:
            return None
        selection = Selection(self.book, self._is_taken, self._dialling, self._rng, now)
        while missing and self._has_room() and (picked := selection.pick()) is not None:
            missing -= 1
            self._dial(effects, picked[1], picked[0], now, ordinary=True)
        return selection.wake_us

    def _is_taken(self, peer: PeerId) -> bool:
        return peer in self._connections or self._is_reserved(peer)

    # --- records ---

    def _ask(self, peer: PeerId, connection: _Connection, now: int) -> Effect:
        connection.asked_us = now
        return SendTo(peer, GetPeers(self._parameters.answer_records_max))

    def _plan_asking(self, effects: list[Effect], now: int) -> int | None:
        """Ask one peer for records while this node lacks peers; return when the next may be asked."""
        lacks = self._ordinary(outbound=True) < self._parameters.outbound_target
        if not lacks and all(peer in self._connections for peer in self._wanted):
            return None
        interval = self._parameters.ask_interval_us
        waits = {
            peer: _AT_ONCE if connection.asked_us is None else connection.asked_us + interval
            for peer, connection in self._connections.items()
        }
        if not waits:
            return None
        wake = max(self._ask_us, min(waits.values()))
        if wake > now:
            return wake
        ready = [peer for peer, at in waits.items() if at <= now]
        peer = ready[self._rng.randrange(len(ready))]
        effects.append(self._ask(peer, self._connections[peer], now))
        self._ask_us = now + interval // max(self._parameters.outbound_target, 1)
        return self._ask_us

    def _take(self, raw: bytes, source: PeerId, now: int, owner: PeerId | None = None) -> RemoteProtocolError | None:
        """Check a record and put it in the book; return what is wrong with it, None if it is good."""
        try:
            parsed = decode_record(raw)
            check_owner(parsed, owner)
            if parsed.genesis_hash == self._genesis_hash and not self.book.is_news(parsed):
                return None
            check_record(parsed, self._scheme, self._genesis_hash, now)
        except (CodecError, RecordError) as error:
            self._count(error.code)
            return error
        if parsed.public_key != self._own:
            self.book.add(parsed, source, now)
            self._plan_save(now)
            self._deadline = _AT_ONCE
        return None

    def _plan_save(self, now: int) -> None:
        if self._save_us is None:
            self._save_us = now + self._parameters.book_save_us
            self._deadline = earliest(self._deadline, self._save_us)

    def _count(self, code: str) -> None:
        self._counters[code] = self._counters.get(code, 0) + 1
