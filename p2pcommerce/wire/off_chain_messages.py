"""Messages about what is kept off the chain: blobs by their SHA-256, and sealed messages to a store's node.

All of them travel in the last lane: a picture holds up neither a vote nor a block that somebody catches up with.

| kind | message | honest rate of one peer | what is beyond it |
| --- | --- | --- | --- |
| 0x50 | `WantBlob` | 64 at once, then 16 a second | is not answered, and counted |
| 0x51 | `HaveBlob` | one answer to each `WantBlob` | unasked ones are left aside, and counted |
| 0x52 | `GetBlobChunk` | 8 under way | beyond 16 waiting: not answered, and counted |
| 0x53 | `BlobChunk` | one answer to each `GetBlobChunk` | unasked ones are left aside, and counted |
| 0x54 | `BlobProviders` | one answer to a `WantBlob` that may be passed on | unasked ones are left aside, and counted |
| 0x55 | `PostMessage` | 32 at once, then 4 a second | is refused by `MessageTaken` |
| 0x56 | `MessageTaken` | one answer to each `PostMessage` | unasked ones are left aside |

A chunk list that cannot be one, a chunk that differs from its sender's own list, and a list whose content has another
SHA-256 close the connection with whoever sent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from p2pcommerce.primitives.codec import BOOL, HASH, KEY, U8, U16, U32, U64, array, blob, raw
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = [
    "BLOB_CHUNKS_MAX",
    "BLOB_CHUNK_BYTES",
    "BLOB_RECORDS_MAX",
    "SEALED_BYTES_MAX",
    "BlobChunk",
    "BlobProviders",
    "GetBlobChunk",
    "HaveBlob",
    "MessageTaken",
    "OffChainMessage",
    "PostMessage",
    "WantBlob",
]

_KIB: Final = 1024
BLOB_CHUNK_BYTES: Final = 64 * _KIB
"""Bytes of each chunk of a blob but the last."""
BLOB_CHUNKS_MAX: Final = 1_024
"""Chunks of one blob: 64 MiB. What a node takes is far less by default."""
BLOB_RECORDS_MAX: Final = 4
_RECORD_BYTES_MAX: Final = 1_024
SEALED_BYTES_MAX: Final = 16 * _KIB
"""Bytes of a sealed message."""


@kind(0x50, Lane.EXCHANGE, 64, blob_hash=HASH, may_ask_on=BOOL)
@dataclass(frozen=True, slots=True)
class WantBlob(WireMessage):
    """Asks who has a blob (SHA-256: 32 bytes); `may_ask_on`: who has it not may ask its own peers, once."""

    blob_hash: bytes
    may_ask_on: bool


@kind(0x51, Lane.EXCHANGE, 40 * _KIB, blob_hash=HASH, size=U32, chunks=array(HASH, BLOB_CHUNKS_MAX))
@dataclass(frozen=True, slots=True)
class HaveBlob(WireMessage):
    """Answers `WantBlob`: the blob's bytes and the SHA-256 of each chunk; 0 and none: it is not here."""

    blob_hash: bytes
    size: int
    chunks: tuple[bytes, ...]


@kind(0x52, Lane.EXCHANGE, 64, blob_hash=HASH, index=U16)
@dataclass(frozen=True, slots=True)
class GetBlobChunk(WireMessage):
    """Asks for one chunk of a blob."""

    blob_hash: bytes
    index: int


@kind(0x53, Lane.EXCHANGE, BLOB_CHUNK_BYTES + 64, blob_hash=HASH, index=U16, data=blob(BLOB_CHUNK_BYTES))
@dataclass(frozen=True, slots=True)
class BlobChunk(WireMessage):
    """Answers `GetBlobChunk`; empty: the blob is not here any more."""

    blob_hash: bytes
    index: int
    data: bytes


@kind(0x54, Lane.EXCHANGE, 5 * _KIB, blob_hash=HASH, records=array(blob(_RECORD_BYTES_MAX, 1), BLOB_RECORDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class BlobProviders(WireMessage):
    """Answers a `WantBlob` that was passed on: the signed records of peers who say that they have it."""

    blob_hash: bytes
    records: tuple[bytes, ...]


@kind(
    0x55,
    Lane.EXCHANGE,
    SEALED_BYTES_MAX + 128,
    to=KEY,
    salt=raw(32),
    expires_ms=U64,
    sealed=blob(SEALED_BYTES_MAX, 1),
)
@dataclass(frozen=True, slots=True)
class PostMessage(WireMessage):
    """A sealed message for the node `to` (32 bytes); its id is BLAKE2b-256 of salt (32 bytes) and sealed bytes."""

    to: bytes
    salt: bytes
    expires_ms: int
    sealed: bytes


@kind(0x56, Lane.EXCHANGE, 48, message_id=HASH, state=U8)
@dataclass(frozen=True, slots=True)
class MessageTaken(WireMessage):
    """Answers `PostMessage`: 0 it is for the sender and kept, 1 kept for another, 2 refused for now, 3 for good."""

    message_id: bytes
    state: int


OffChainMessage: TypeAlias = WantBlob | HaveBlob | GetBlobChunk | BlobChunk | BlobProviders | PostMessage | MessageTaken
