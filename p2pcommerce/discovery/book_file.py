"""The address book on disk: one canonical array and its checksum.

    [version, genesis hash, secret, entries, anchors] | BLAKE2b-256 of it
    entry  = [record, source group, source is local, source peer, reached (ms), reached at, failures, was tried, places]
    place  = [bucket, place]
    anchor = [peer, address]

A damaged file is refused by name and costs a node no more than the addresses in it. The version before had no buckets;
what it holds is taken over.

Source: none; the project's own format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.address import ADDRESS_BYTES_MAX, AddressError, parse_address
from p2pcommerce.discovery.entry import Entry, Place
from p2pcommerce.discovery.record import RECORD_BYTES_MAX, RecordError, decode_record
from p2pcommerce.discovery.source import SOURCE_GROUP_BYTES_MAX, Source
from p2pcommerce.primitives.codec import (
    BOOL,
    HASH,
    KEY,
    U16,
    U32,
    U64,
    Shape,
    array,
    blob,
    decode,
    encode,
    pair,
    raw,
    record,
    text,
    uint,
    unpack,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = [
    "ANCHORS_MAX",
    "BOOK_BYTES_MAX",
    "BOOK_ENTRIES_MAX",
    "BookError",
    "Saved",
    "SavedEntry",
    "dump_book",
    "load_book",
]

BOOK_ENTRIES_MAX: Final = 65_536
"""Entries of a file: more than the tables of any parameters in use have places."""
ANCHORS_MAX: Final = 8
BOOK_BYTES_MAX: Final = 32 * 2**20
"""A full book of records of ordinary size has 6 MB; one of the largest records, 24 MB."""
_PLACES_MAX: Final = 64
_VERSION: Final = 2
_OLD_VERSION: Final = 1
_SECRET_BYTES: Final = 32
_CHECKSUM_BYTES: Final = 32
_DELETE: Final = "delete it, the node starts a new one"


class BookError(UsageError):
    """A saved address book that is damaged, of another network or of a newer version."""

    code = "BOOK"


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """An entry as it is saved; the fields are those of `Entry` and its source."""

    raw: bytes
    source_group: bytes
    source_is_local: bool
    source_peer: bytes
    reached_ms: int
    reached_at: str
    failures: int
    was_tried: bool
    places: tuple[Place, ...]

    @classmethod
    def of(cls, entry: Entry) -> SavedEntry:
        """Return what is saved of an entry."""
        source = entry.source
        return cls(
            raw=entry.record.raw,
            source_group=source.group,
            source_is_local=source.is_local,
            source_peer=b"" if source.peer is None else source.peer,
            reached_ms=entry.reached_ms,
            reached_at=entry.reached_at,
            failures=entry.failures,
            was_tried=entry.tried is not None,
            places=tuple(entry.new),
        )

    def entry(self) -> Entry:
        """Return the entry, without its places.

        Raises:
            CodecError, RecordError, AddressError: what was saved is no entry.
        """
        if self.was_tried and not self.reached_at:
            raise CodecError("a peer that was reached, and nowhere")
        peer = PeerId(self.source_peer) if self.source_peer else None
        return Entry(
            record=decode_record(self.raw),
            source=Source(self.source_group, self.source_is_local, peer),
            reached_ms=self.reached_ms,
            reached_at=str(parse_address(self.reached_at)) if self.reached_at else "",
            failures=self.failures,
        )


@dataclass(frozen=True, slots=True)
class Saved:
    """A book as it is saved.

    Attributes:
        genesis_hash: its network, 32 bytes.
        secret: of its buckets, 32 bytes.
        entries: its peers.
        anchors: peers (32 bytes) and addresses.
    """

    genesis_hash: GenesisHash
    secret: bytes
    entries: tuple[SavedEntry, ...]
    anchors: tuple[tuple[PeerId, str], ...]


@dataclass(frozen=True, slots=True)
class _File:
    version: int
    genesis_hash: GenesisHash
    secret: bytes
    entries: tuple[SavedEntry, ...]
    anchors: tuple[tuple[PeerId, str], ...]


@dataclass(frozen=True, slots=True)
class _OldRow:
    raw: bytes
    source: PeerId
    reached_ms: int
    failures: int


@dataclass(frozen=True, slots=True)
class _OldFile:
    version: int
    genesis_hash: GenesisHash
    rows: tuple[_OldRow, ...]


_RAW: Final = blob(RECORD_BYTES_MAX, 1)
_ENTRY: Final = record(
    SavedEntry,
    raw=_RAW,
    source_group=blob(SOURCE_GROUP_BYTES_MAX),
    source_is_local=BOOL,
    source_peer=blob(32),
    reached_ms=U64,
    reached_at=text(ADDRESS_BYTES_MAX),
    failures=U32,
    was_tried=BOOL,
    places=array(pair(U16, U16), _PLACES_MAX),
)
_FILE: Final[Shape[_File]] = record(
    _File,
    version=uint(_VERSION, _VERSION),
    genesis_hash=HASH,
    secret=raw(_SECRET_BYTES),
    entries=array(_ENTRY, BOOK_ENTRIES_MAX),
    anchors=array(pair(KEY, text(ADDRESS_BYTES_MAX)), ANCHORS_MAX),
)
_OLD_ROW: Final = record(_OldRow, raw=_RAW, source=KEY, reached_ms=U64, failures=U32)
_OLD_FILE: Final[Shape[_OldFile]] = record(
    _OldFile,
    version=uint(_OLD_VERSION, _OLD_VERSION),
    genesis_hash=HASH,
    rows=array(_OLD_ROW, BOOK_ENTRIES_MAX),
)


def dump_book(saved: Saved) -> bytes:
    """Return the file's bytes."""
    content = encode(_FILE, _File(_VERSION, saved.genesis_hash, saved.secret, saved.entries, saved.anchors))
    return content + blake2b_256(content)


def load_book(data: bytes, genesis_hash: GenesisHash, draw_secret: Callable[[int], bytes]) -> Saved:
    """Read a file.

    Args:
        data: may be damaged.
        genesis_hash: this network, 32 bytes.
        draw_secret: makes a secret of so many bytes for a file that has none.

    Raises:
        BookError: damaged, of another network or of a newer version; one line says which and what to do.
    """
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if blake2b_256(content) != checksum:
        raise BookError(f"the address book is damaged (its checksum differs): {_DELETE}")
    try:
        saved = _read(content, draw_secret)
        for item in saved.entries:
            item.entry()
    except (CodecError, RecordError, AddressError) as error:
        raise BookError(f"the address book cannot be read ({error}): {_DELETE}") from error
    if saved.genesis_hash != genesis_hash:
        raise BookError("the address book is of another network: use another folder for each network")
    return saved


def _read(content: bytes, draw_secret: Callable[[int], bytes]) -> Saved:
    plain = unpack(content, BOOK_BYTES_MAX)
    version = plain[0] if type(plain) is tuple and plain else None
    if version == _OLD_VERSION:
        old = decode(_OLD_FILE, content, BOOK_BYTES_MAX)
        return Saved(old.genesis_hash, draw_secret(_SECRET_BYTES), tuple(map(_migrated, old.rows)), ())
    if type(version) is int and version > _VERSION:
        raise CodecError(f"it has version {version}, this node knows up to {_VERSION}: a newer version wrote it")
    file = decode(_FILE, content, BOOK_BYTES_MAX)
    return Saved(file.genesis_hash, file.secret, file.entries, file.anchors)


def _migrated(row: _OldRow) -> SavedEntry:
    """Return an entry of the version before: where its peer was reached was not noted, the first address will do."""
    addresses = decode_record(row.raw).addresses
    is_tried = bool(row.reached_ms and addresses)
    return SavedEntry(
        raw=row.raw,
        source_group=b"peer " + row.source,
        source_is_local=True,
        source_peer=row.source,
        reached_ms=row.reached_ms if is_tried else 0,
        reached_at=addresses[0] if is_tried else "",
        failures=row.failures,
        was_tried=is_tried,
        places=(),
    )
