"""The address book: signed records of peers, bounded, with what this node itself saw of each.

One entry per peer; a record replaces an older one of the same peer. A full book gives up an entry of the source that
has brought the most entries never reached so far, so that a flooder evicts itself first; when all were reached, an
expired one, or the one reached longest ago.

It is written to disk as one canonical array and its checksum; a damaged file is refused by name and costs a node no
more than the addresses in it.

Source: the discovery section of the networking specification; the rule of the loudest source follows Bitcoin's addrman
in spirit (Heilman et al., Eclipse Attacks on Bitcoin's Peer-to-Peer Network, 2015, section 7).

Deviations: one bounded table and not yet addrman's buckets; `Book` is the seam behind which they come.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.record import RECORD_BYTES_MAX, PeerRecord, RecordError, decode_record
from p2pcommerce.primitives.codec import HASH, KEY, U32, U64, Shape, array, blob, decode, encode, record, uint
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = ["BOOK_BYTES_MAX", "BOOK_RECORDS_LIMIT", "Book", "BookError", "Entry"]

BOOK_RECORDS_LIMIT: Final = 65_536
BOOK_BYTES_MAX: Final = BOOK_RECORDS_LIMIT * (RECORD_BYTES_MAX + 64)
_VERSION: Final = 1
_CHECKSUM_BYTES: Final = 32


class BookError(UsageError):
    """A saved address book that is damaged, of another network or of a newer version."""

    code = "BOOK"


@dataclass(slots=True)
class Entry:
    """One peer of the book.

    Attributes:
        record: its newest record.
        source: who told of it first, 32 bytes.
        reached_ms: when a connection with it last stood, Unix milliseconds; 0: never.
        failures: dials that failed in a row.
    """

    record: PeerRecord
    source: PeerId
    reached_ms: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    raw: bytes
    source: PeerId
    reached_ms: int
    failures: int


@dataclass(frozen=True, slots=True)
class _File:
    version: int
    genesis_hash: bytes
    rows: tuple[_Row, ...]


_ROW: Final = record(_Row, raw=blob(RECORD_BYTES_MAX, 1), source=KEY, reached_ms=U64, failures=U32)
_FILE: Final[Shape[_File]] = record(
    _File, version=uint(_VERSION, _VERSION), genesis_hash=HASH, rows=array(_ROW, BOOK_RECORDS_LIMIT)
)


class Book:
    """The peers that this node knows of, connected or not.

    Attributes:
        records_max: entries at most.
    """

    def __init__(self, genesis_hash: GenesisHash, records_max: int, rng: random.Random) -> None:
        """Start empty.

        Args:
            genesis_hash: this network, 32 bytes.
            records_max: entries at most, up to 65,536.
            rng: picks what is given up and what is told.
        """
        self.records_max = min(records_max, BOOK_RECORDS_LIMIT)
        self._genesis_hash = genesis_hash
        self._rng = rng
        self._entries: dict[PeerId, Entry] = {}
        self._unreached: dict[PeerId, dict[PeerId, None]] = {}
        """Source -> what it told of that was never reached: kept so that a flood costs no search."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, peer: object) -> bool:
        return peer in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, peer: PeerId) -> Entry | None:
        """Return the entry of a peer, None if there is none."""
        return self._entries.get(peer)

    def is_news(self, parsed: PeerRecord) -> bool:
        """Tell whether a record is newer than what the book holds of its peer."""
        entry = self._entries.get(parsed.public_key)
        return entry is None or parsed.sequence > entry.record.sequence

    def add(self, parsed: PeerRecord, source: PeerId, now: int) -> None:
        """Take a checked record that is news; one without addresses removes the entry.

        Args:
            parsed: checked by `check_record`.
            source: who told of it, 32 bytes.
            now: microseconds.
        """
        peer = parsed.public_key
        entry = self._entries.get(peer)
        if not parsed.addresses:
            self.remove(peer)
        elif entry is not None:
            entry.record = parsed
            entry.failures = 0
        else:
            if len(self._entries) >= self.records_max:
                self._give_up_one(now)
            self._insert(Entry(parsed, source))

    def remove(self, peer: PeerId) -> None:
        """Forget a peer; a stranger is no error."""
        entry = self._entries.pop(peer, None)
        if entry is not None:
            self._drop_unreached(entry)

    def on_reached(self, peer: PeerId, now: int) -> None:
        """A connection with a peer stands."""
        entry = self._entries.get(peer)
        if entry is not None:
            self._drop_unreached(entry)
            entry.reached_ms = now // 1_000
            entry.failures = 0

    def on_failed(self, peer: PeerId, failures_max: int) -> None:
        """A dial failed; after `failures_max` in a row the peer is forgotten."""
        entry = self._entries.get(peer)
        if entry is not None:
            entry.failures += 1
            if entry.failures >= failures_max:
                self.remove(peer)

    def forget_expired(self, now: int) -> None:
        """Drop every entry whose record has expired."""
        for peer in [peer for peer, entry in self._entries.items() if entry.record.expires_ms <= now // 1_000]:
            self.remove(peer)

    def sample(self, count: int, excluded: PeerId, now: int) -> list[bytes]:
        """Return up to `count` records at random, as signed, without those of `excluded` and expired ones."""
        now_ms = now // 1_000
        usable = [
            entry.record.raw
            for peer, entry in self._entries.items()
            if peer != excluded and entry.record.expires_ms > now_ms
        ]
        return self._rng.sample(usable, min(count, len(usable)))

    def dump(self) -> bytes:
        """Return the book as it is written to disk: at most 65,536 entries, and 32 bytes of checksum."""
        rows = tuple(
            _Row(entry.record.raw, entry.source, entry.reached_ms, entry.failures) for entry in self._entries.values()
        )
        content = encode(_FILE, _File(_VERSION, self._genesis_hash, rows))
        return content + blake2b_256(content)

    def load(self, data: bytes, now: int) -> int:
        """Add the entries of a saved book, as far as they have not expired and there is room.

        Signatures were checked before the records were saved; the checksum finds accidents.

        Args:
            data: from `dump`; may be damaged.
            now: microseconds.

        Returns:
            How many entries were added.

        Raises:
            BookError: damaged, of another network or of a newer version; nothing was added.
        """
        content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if blake2b_256(content) != checksum:
            raise BookError("the address book is damaged (its checksum differs): delete it, the node starts a new one")
        try:
            file = decode(_FILE, content, BOOK_BYTES_MAX)
            entries = [Entry(decode_record(row.raw), row.source, row.reached_ms, row.failures) for row in file.rows]
        except (CodecError, RecordError) as error:
            raise BookError(
                f"the address book cannot be read ({error}): delete it, the node starts a new one"
            ) from error
        if file.genesis_hash != self._genesis_hash:
            raise BookError("the address book is of another network: use another folder for each network")
        added = 0
        for entry in entries:
            parsed = entry.record
            fits = len(self._entries) < self.records_max and parsed.genesis_hash == self._genesis_hash
            if fits and parsed.addresses and parsed.expires_ms > now // 1_000 and self.is_news(parsed):
                self.remove(parsed.public_key)
                self._insert(entry)
                added += 1
        return added

    def _insert(self, entry: Entry) -> None:
        peer = entry.record.public_key
        self._entries[peer] = entry
        if not entry.reached_ms:
            self._unreached.setdefault(entry.source, {})[peer] = None

    def _drop_unreached(self, entry: Entry) -> None:
        told = self._unreached.get(entry.source)
        if told is not None:
            told.pop(entry.record.public_key, None)
            if not told:
                del self._unreached[entry.source]

    def _give_up_one(self, now: int) -> None:
        if self._unreached:
            loudest = max(self._unreached.values(), key=len)
            self.remove(next(iter(loudest)))
            return
        oldest = min(
            self._entries.values(), key=lambda entry: (entry.record.expires_ms > now // 1_000, entry.reached_ms)
        )
        self.remove(oldest.record.public_key)
