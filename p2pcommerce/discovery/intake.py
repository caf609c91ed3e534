"""Taking records in: checked, counted, and within the allowance of whoever tells them.

Only what is new costs a teller's allowance: a record that is known already is repeated at no price, so that an honest
peer that gives the same answer twice loses nothing by it. Cheap checks come first, the signature last.

Source: the discovery section of the networking specification (unsigned hearsay is never stored).
"""

from __future__ import annotations

from collections import Counter

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.exchange import Exchange
from p2pcommerce.discovery.record import RecordError, check_owner, check_record, decode_record
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = ["Intake"]


class Intake:
    """The way of a record into the book."""

    __slots__ = ("_book", "_counters", "_exchange", "_genesis_hash", "_has_news", "_own", "_scheme")

    def __init__(
        self,
        book: Book,
        exchange: Exchange,
        own: PeerId,
        genesis_hash: GenesisHash,
        scheme: SignatureScheme,
        counters: Counter[str],
    ) -> None:
        """Take records of the network of `genesis_hash` (32 bytes), but not the node's own (32 bytes)."""
        self._book = book
        self._exchange = exchange
        self._own = own
        self._genesis_hash = genesis_hash
        self._scheme = scheme
        self._counters = counters
        self._has_news = False

    def take(
        self, raw: bytes, source: Source, now: int, *, owner: PeerId | None = None, teller: PeerId | None = None
    ) -> RemoteProtocolError | None:
        """Check a record and put it in the book; return what is wrong with it, None if it is good.

        Args:
            raw: as it came, untrusted.
            source: where it came from.
            now: microseconds.
            owner: whose it must be, 32 bytes; None: anybody's.
            teller: whose allowance news cost, 32 bytes; None: nobody's.
        """
        try:
            parsed = decode_record(raw)
            check_owner(parsed, owner)
            if parsed.genesis_hash == self._genesis_hash and not self._book.is_news(parsed):
                self._book.hear_again(parsed, source, now)
                return None
            if teller is not None and not self._exchange.accept(teller, now):
                self._counters["RECORDS_OVER_ALLOWANCE"] += 1
                return None
            check_record(parsed, self._scheme, self._genesis_hash, now)
        except (CodecError, RecordError) as error:
            self._counters[error.code] += 1
            return error
        if parsed.public_key != self._own:
            self._book.add(parsed, source, now)
            self._has_news = True
        return None

    def take_news(self) -> bool:
        """Tell whether something new came since the last time."""
        has_news, self._has_news = self._has_news, False
        return has_news
