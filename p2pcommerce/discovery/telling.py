"""Telling whoever asks of others: peers, and guests for whom there is no place.

The limits of an answer are those of `exchange`; a guest gets one short answer, and is closed if it may not have one.
"""

from __future__ import annotations

from collections import Counter

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.connections import Connections
from p2pcommerce.discovery.effects import CloseOne, SendTo, Which
from p2pcommerce.discovery.entry import Entry
from p2pcommerce.discovery.eviction import INBOUND_FULL
from p2pcommerce.discovery.exchange import Exchange
from p2pcommerce.discovery.group import is_local
from p2pcommerce.discovery.guests import GUEST_RECORDS_MAX, Guests
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import Peers

__all__ = ["Telling"]


class Telling:
    """Answers to those who ask for records."""

    __slots__ = ("_book", "_connections", "_counters", "_exchange", "_guests")

    def __init__(
        self, book: Book, connections: Connections, guests: Guests, exchange: Exchange, counters: Counter[str]
    ) -> None:
        """Tell of the peers of `book`."""
        self._book, self._connections, self._guests = book, connections, guests
        self._exchange, self._counters = exchange, counters

    def answer(self, peer: PeerId, count: int, now: int) -> list[SendTo | CloseOne]:
        """Answer a peer (32 bytes) that asks for so many records: of local addresses only those nearby are told."""
        guest = self._guests.get(peer)
        asker = self._connections.get(peer) or guest
        is_near = asker is None or asker.source.is_local

        def is_told(entry: Entry) -> bool:
            return entry.peer != peer and (is_near or not all(is_local(each) for each in entry.record.addresses))

        most = count if guest is None else min(count, GUEST_RECORDS_MAX)
        told = self._exchange.answer(
            peer, most, len(self._book), lambda drawn: self._book.sample(drawn, is_told, now), now
        )
        if told is not None:
            self._guests.on_answered(peer, now)
            return [SendTo(peer, Peers(told))]
        self._counters["ASKED_TOO_OFTEN"] += 1
        return [CloseOne(peer, Which.NEW, INBOUND_FULL)] if self._guests.leave(peer) else []
