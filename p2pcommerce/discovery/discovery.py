"""Discovery: whom this node is connected to, and how it finds others.

A core (see `primitives.core`). It dials bootstrap addresses and wanted peers (validators) for ever, and fills up to 8
further connections from the book of signed records, one in an address group; it accepts up to 40 connections of
ordinary peers, and lets one go for a newcomer if it can spare one; who finds no place may ask for records before it is
closed. Of two connections with one peer it keeps one, the same one as the other end. It asks peers for records while it
lacks peers, answers theirs within limits, tells callers at which address it sees them, and says when the book is to be
saved.

It opens no socket and checks no handshake: a connection is reported once the other end has proven its key. Losing all
bootstrap nodes stops nothing once other records are in the book.

Source: the discovery section of the networking specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from p2pcommerce.discovery.address import AddressError, parse_address
from p2pcommerce.discovery.asking import Asking
from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.connections import Connection, Connections
from p2pcommerce.discovery.dial_plan import DialPlan
from p2pcommerce.discovery.dialling import Dialling, Purpose
from p2pcommerce.discovery.duplicate import keep_new
from p2pcommerce.discovery.effects import CloseOne, Effect, SaveBook, SendTo, Which
from p2pcommerce.discovery.eviction import INBOUND_FULL, Places
from p2pcommerce.discovery.exchange import Exchange
from p2pcommerce.discovery.group import known_place
from p2pcommerce.discovery.guests import Guests
from p2pcommerce.discovery.intake import Intake
from p2pcommerce.discovery.observed import Observed
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.discovery.reach import Reach
from p2pcommerce.discovery.record import RecordExpiredError
from p2pcommerce.discovery.reverse import ReverseDialling
from p2pcommerce.discovery.saving import Saving
from p2pcommerce.discovery.source import Source
from p2pcommerce.discovery.telling import Telling
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import GenesisHash, PeerId
from p2pcommerce.wire import messages as wire

__all__ = ["Discovery"]

_AT_ONCE: Final = 0
"""A deadline that has passed whatever the time."""
_SECRET_BYTES: Final = 32


class Discovery:
    """Finds peers and keeps connections to them.

    Attributes:
        book: what is known of peers; to be read.
        connections: who is connected; what a connection was useful for is told to it.
        calls: how those are reached that cannot be dialled; messages about that are told to it.
    """

    def __init__(
        self,
        parameters: DiscoveryParameters,
        own: PeerId,
        genesis_hash: GenesisHash,
        bootstrap: Sequence[str],
        scheme: SignatureScheme,
        rng: random.Random,
        book: Book | None = None,
    ) -> None:
        """Start without peers.

        Args:
            parameters: see `DiscoveryParameters`.
            own: this node's public key, 32 bytes.
            genesis_hash: this network, 32 bytes.
            bootstrap: addresses that a person configured.
            scheme: verifies records.
            rng: draws secrets, jitter and picks.
            book: another book than an empty one of these parameters.

        Raises:
            AddressError: a bootstrap address that is malformed.
        """
        self.book = Book(genesis_hash, parameters, rng) if book is None else book
        self._parameters, self._own = parameters, own
        self.connections = connections = Connections(lambda peer: self._plan.is_reserved(peer))  # noqa: PLW0108 - not there yet
        self._dialling = dialling = Dialling(parameters, rng)
        addresses = {str(parse_address(address)): None for address in bootstrap}
        self._plan = DialPlan(parameters, self.book, connections, dialling, addresses, rng)
        self._asking = Asking(parameters, connections, rng)
        self._exchange = Exchange(parameters)
        self._counters: Counter[str] = Counter()
        self._guests = Guests(self._counters)
        self._telling = Telling(self.book, connections, self._guests, self._exchange, self._counters)
        self._intake = Intake(self.book, self._exchange, own, genesis_hash, scheme, self._counters)
        self._observed = Observed(connections, parameters.observers_min)
        self._reach = Reach(parameters.unreachable_us)
        shared = self.book, connections, dialling, self._plan, self._reach, self._counters
        self.calls = ReverseDialling(own, genesis_hash, scheme, rng, *shared)
        self._places = Places(connections, parameters, rng.randbytes(_SECRET_BYTES))
        self._deadline: int | None = _AT_ONCE
        self._saving, self._now = Saving(parameters, self.book), 0

    # --- inputs ---

    def load(self, book: bytes, now: int) -> int:
        """Add what a saved book holds, and return how many records that was.

        Raises:
            BookError: damaged, of another network or of a newer version; nothing was added.
        """
        added = self.book.load(book, now)
        self._plan.set_anchors(self.book.anchors)
        self._deadline = _AT_ONCE
        return added

    def dump(self) -> bytes:
        """Return the book as it is to be saved, with the peers to dial first after a restart."""
        oldest = [
            (peer, connection.address)
            for peer, connection in self.connections.ordinary(outbound=True)
            if connection.address is not None
        ]
        self.book.anchors = tuple(oldest[: self._parameters.anchors_max])
        return self.book.dump()

    def save_soon(self, now: int) -> None:
        """Ask for `SaveBook` within the usual time: something else in the same file has changed."""
        self._saving.on_change(now)

    def set_own_addresses(self, addresses: Sequence[str]) -> None:
        """Never dial these: this node listens there.

        Raises:
            AddressError: malformed.
        """
        self._dialling.add_own(str(parse_address(address)) for address in addresses)

    def set_wanted(self, validators: Sequence[PeerId]) -> None:
        """Keep connections to these peers (and no longer to those named before)."""
        self._plan.wanted = {peer: None for peer in validators if peer != self._own}
        self.book.set_kept(self._plan.wanted)
        self._deadline = _AT_ONCE

    def on_hints(self, addresses: Iterable[str]) -> None:
        """Take addresses without records, such as a DNS seed gives: dialled once each while nobody is connected.

        Raises:
            AddressError: malformed.
        """
        self._plan.hint([str(parse_address(address)) for address in addresses])
        self._deadline = _AT_ONCE

    def on_found(self, raws: Iterable[bytes], source: Source, now: int) -> None:
        """Take records that came otherwise than from a peer, such as by a beacon; bad ones are counted and left aside.

        Args:
            raws: as signed, untrusted.
            source: where they came from.
            now: microseconds.
        """
        for raw in raws:
            self._intake.take(raw, source, now)
        self._note_news(now)

    def on_record(self, raw: bytes, peer: PeerId, now: int, remote: str | None = None) -> bool:
        """Take a peer's own record, from its handshake; before `on_connected`, which marks its peer as reached.

        Args:
            raw: the record as it came; empty: the peer sent none.
            peer: 32 bytes; the record must be its own.
            now: microseconds.
            remote: the peer's address as this end sees it; None: not known.

        Returns:
            Whether it is good (or none was sent); a bad one is counted under its code.
        """
        if not raw:
            return True
        source = Source.of_peer(peer, None if remote is None else known_place(remote))
        error = self._intake.take(raw, source, now, owner=peer)
        self._note_news(now)
        return error is None

    def on_connected(
        self,
        peer: PeerId,
        address: str | None,
        outbound: bool,  # noqa: FBT001 - a report
        now: int,
        remote: str | None = None,
    ) -> list[Effect]:
        """A connection stands: the peer has proven its key.

        Args:
            peer: 32 bytes.
            address: what was dialled; None for an inbound connection.
            outbound: this node dialled.
            now: microseconds.
            remote: the peer's address as this end sees it; None: not known.
        """
        self._deadline, self._now = _AT_ONCE, now
        purpose = self._on_answered(peer, address, now) if outbound and address is not None else None
        if peer == self._own:
            return [CloseOne(peer, Which.NEW, "SELF")]
        chosen = address if outbound and purpose is not Purpose.CALLED else None
        fresh = Connection.of(peer, chosen, remote, purpose or Purpose.TRIED, now)
        fresh.dialled, fresh.outbound = outbound, fresh.outbound or (not outbound and self.calls.is_awaited(peer))
        self._reach.on_connected(now, outbound=outbound, is_local=fresh.source.is_local)
        if purpose is Purpose.FEELER:
            return [CloseOne(peer, Which.NEW, "FEELER")]
        if (old := self.connections.get(peer)) is not None:
            return [self._resolve(peer, old, fresh, now)]
        effects: list[Effect] = [CloseOne(peer, Which.OLD, "DUPLICATE")] if self._guests.leave(peer) else []
        closing = self._make_room(peer, fresh)
        if closing is not None and closing.peer == peer:
            may_ask = closing.reason == INBOUND_FULL and not outbound and not self._exchange.was_answered(peer, now)
            return [*effects, *((self._guests.receive(peer, fresh, now) if may_ask else []) or [closing])]
        self.connections[peer] = fresh
        effects += [] if closing is None else [closing]
        if chosen is not None:
            self._saving.on_change(now)
            return [*effects, *self._asking.on_dialled(peer, now)]
        place = None if remote is None or outbound else known_place(remote)
        return effects if place is None else [*effects, SendTo(peer, wire.Observed(place))]

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """The connection with a peer has ended, other than by a `CloseOne` of this core."""
        if self._guests.leave(peer) or (connection := self.connections.pop(peer, None)) is None:
            return
        self._deadline = _AT_ONCE
        self._asking.on_disconnected(peer)
        self._observed.on_disconnected(peer)
        if connection.address is not None:
            self.book.on_seen(peer, now)
            self._dialling.on_ended(connection.address, now - connection.since_us, now)

    def on_dial_failed(self, address: str, now: int) -> None:
        """A dial led to no connection, or to another peer than the expected one."""
        self._deadline = _AT_ONCE
        if (peer := self._dialling.on_failed(address, now)) is not None:
            self.book.on_failed(peer, now)

    def on_self_dialled(self, address: str) -> None:
        """An address turned out to be this node's own: it is never dialled again."""
        self._counters["SELF"] += 1
        self._dialling.on_reached(address)
        self._dialling.add_own([address])

    def on_get_peers(self, peer: PeerId, count: int, now: int) -> list[SendTo | CloseOne]:
        """A peer, or a guest (`TakeGuest`), asks for records."""
        effects = self._telling.answer(peer, count, now)
        if peer in self._guests:
            self._deadline = _AT_ONCE
        return effects

    def on_peers(self, peer: PeerId, records: Sequence[bytes], now: int) -> list[Effect]:
        """A peer tells of others; what was not asked for, or is beyond its allowance, is left aside.

        An expired record is nobody's fault. Any other bad one was passed on unchecked: the connection is closed.
        """
        connection = self.connections.get(peer)
        source = Source.of_peer(peer, None) if connection is None else connection.source
        looked_into = self._asking.records_max(peer)
        if len(records) > looked_into:
            self._counters["RECORDS_UNASKED"] += 1
        for raw in records[:looked_into]:
            error = self._intake.take(raw, source, now, teller=peer)
            if error is not None and not isinstance(error, RecordExpiredError):
                return [self._close(peer, error.code, now)]
        self._note_news(now)
        return []

    def on_observed(self, peer: PeerId, address: str, now: int) -> list[Effect]:
        """A peer tells at which address it sees this node; who tells no address at all is closed."""
        try:
            self._observed.on_observed(peer, address)
        except AddressError as error:
            self._counters[error.code] += 1
            return [self._close(peer, error.code, now)]
        return []

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, in microseconds; None: never."""
        return self._deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Give up silent dials, begin new ones, ask for records, have the book saved."""
        self._now = now
        for address in self._dialling.overdue(now):
            self._counters["DIAL_TIMEOUT"] += 1
            self.on_dial_failed(address, now)
        dials, wake = self._plan.plan(now)
        effects: list[Effect] = [*self._guests.on_deadline(now), *dials, *self.calls.plan(now)]
        wake = earliest(wake, self.calls.deadline)
        if self._lacks_peers:
            asked: list[SendTo] = []
            wake = earliest(wake, self._asking.plan(asked, now))
            effects += asked
        if self._saving.take(now):
            self.book.forget_expired(now)
            effects.append(SaveBook())
        self._deadline = earliest(wake, self._saving.due_us, self._dialling.deadline, self._guests.deadline)
        return effects

    # --- what others may ask ---

    @property
    def observed_host(self) -> str | None:
        """The global IP address at which a majority of the peers that were dialled sees this node, if any."""
        return self._observed.host

    @property
    def is_unreachable(self) -> bool:
        """Whether nobody seems able to dial this node."""
        return self._reach.is_unreachable(self._now)

    def statistics(self) -> Mapping[str, int]:
        """Return counts of peers, dials and records; refusals under their codes."""
        outbound = self.connections.outbound
        return {
            "book": len(self.book),
            "book_tried": self.book.tried_count,
            "inbound": len(self.connections) - outbound,
            "outbound": outbound,
            "guests": len(self._guests),
            "dialling": self._dialling.in_flight,
            "wanted": len(self._plan.wanted),
            "wanted_connected": sum(peer in self.connections for peer in self._plan.wanted),
            "observers": len(self._observed),
            "unreachable": int(self.is_unreachable),
            **self._counters,
        }

    # --- connections ---

    def _on_answered(self, peer: PeerId, address: str, now: int) -> Purpose:
        """Somebody answered at an address that was dialled; return why it was."""
        if peer == self._own:
            self.on_self_dialled(address)
        purpose = self._dialling.on_reached(address)
        if purpose is Purpose.CALLED:
            return purpose
        if address in self._plan.bootstrap:
            self._plan.bootstrap[address] = peer
        self.book.on_reached(peer, address, now)
        self._saving.on_change(now)
        return Purpose.TRIED if purpose is None else purpose

    def _make_room(self, peer: PeerId, fresh: Connection) -> CloseOne | None:
        """Close another connection, or the new one itself, if there is no place for it."""
        leaving, reason = (None, "") if self._plan.is_reserved(peer) else self._places.make_room(peer, fresh)
        if leaving is None:
            return None
        self._counters[reason] += 1
        if leaving != peer:
            self._forget(leaving)
        elif fresh.address is not None:
            self._dialling.on_failed(fresh.address, fresh.since_us)
        return CloseOne(leaving, Which.NEW, reason)

    def _resolve(self, peer: PeerId, old: Connection, fresh: Connection, now: int) -> Effect:
        self._counters["DUPLICATE"] += 1
        at_once = now - old.since_us < self._parameters.simultaneous_us
        if not keep_new(self._own, peer, old_is_outbound=old.dialled, new_is_outbound=fresh.dialled, at_once=at_once):
            return CloseOne(peer, Which.NEW, "DUPLICATE")
        self.connections[peer] = fresh
        return CloseOne(peer, Which.OLD, "DUPLICATE")

    def _forget(self, peer: PeerId) -> None:
        """Forget an inbound peer that is let go."""
        self.connections.pop(peer, None)
        self._asking.on_disconnected(peer)
        self._observed.on_disconnected(peer)

    def _close(self, peer: PeerId, reason: str, now: int) -> Effect:
        self.on_disconnected(peer, now)
        return CloseOne(peer, Which.NEW, reason, fault=True)

    @property
    def _lacks_peers(self) -> bool:
        if self.connections.count(outbound=True) < self._parameters.outbound_target:
            return True
        return any(peer not in self.connections for peer in self._plan.wanted)

    def _note_news(self, now: int) -> None:
        """After records came: dial those that are wanted, and save what is new."""
        if self._intake.take_news():
            self._saving.on_change(now)
            self._deadline = _AT_ONCE
