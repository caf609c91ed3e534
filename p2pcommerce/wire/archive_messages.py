"""Messages about what a node keeps beside blocks: epoch links, and snapshots with their chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import U16, U32, array, blob
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = [
    "CHUNK_BYTES_MAX",
    "FINALITY_BYTES_MAX",
    "HEADER_BYTES_MAX",
    "LINKS_COUNT_MAX",
    "LINK_BYTES_MAX",
    "SNAPSHOT_CHUNKS_MAX",
    "Chunk",
    "GetChunk",
    "GetLinks",
    "GetSnapshot",
    "Links",
    "Snapshot",
]

_KIB: Final = 1024
_MIB: Final = 1024 * 1024
FINALITY_BYTES_MAX: Final = 384 * _KIB
"""Bytes of a proof of finality: as many as any engine of this project makes, and as a link holds."""
HEADER_BYTES_MAX: Final = 1_024
LINK_BYTES_MAX: Final = 400 * _KIB
LINKS_COUNT_MAX: Final = 64
CHUNK_BYTES_MAX: Final = 256 * _KIB
"""Bytes of an encoded chunk of a snapshot."""
SNAPSHOT_CHUNKS_MAX: Final = 16_384
"""Chunks of one snapshot: 4 GiB of state."""


@kind(0x37, Lane.SYNC, 16, from_epoch=U32)
@dataclass(frozen=True, slots=True)
class GetLinks(WireMessage):
    """Asks how one gets from the validators of an epoch to those of the next ones, and for the sender's final head."""

    from_epoch: int


@kind(
    0x38,
    Lane.SYNC,
    2 * _MIB,
    from_epoch=U32,
    links=array(blob(LINK_BYTES_MAX, 1), LINKS_COUNT_MAX),
    header=blob(HEADER_BYTES_MAX, 1),
    proof=blob(FINALITY_BYTES_MAX),
)
@dataclass(frozen=True, slots=True)
class Links(WireMessage):
    """Answers `GetLinks`: links by epoch, as many as fit, then header and proof of the sender's final head."""

    from_epoch: int
    links: tuple[bytes, ...]
    header: bytes
    proof: bytes


@kind(0x39, Lane.SYNC, 16)
@dataclass(frozen=True, slots=True)
class GetSnapshot(WireMessage):
    """Asks for the newest snapshot that the receiver has."""


@kind(
    0x3A,
    Lane.SYNC,
    HEADER_BYTES_MAX + FINALITY_BYTES_MAX + SNAPSHOT_CHUNKS_MAX + 64,
    header=blob(HEADER_BYTES_MAX),
    proof=blob(FINALITY_BYTES_MAX),
    depths=blob(SNAPSHOT_CHUNKS_MAX),
)
@dataclass(frozen=True, slots=True)
class Snapshot(WireMessage):
    """Answers `GetSnapshot`: header and proof of the block whose state it is, and the depth of each chunk in its tree.

    All empty: the sender has none.
    """

    header: bytes
    proof: bytes
    depths: bytes


@kind(0x3B, Lane.SYNC, 16, height=U32, index=U16)
@dataclass(frozen=True, slots=True)
class GetChunk(WireMessage):
    """Asks for one chunk of the receiver's snapshot of a height."""

    height: int
    index: int


@kind(0x3C, Lane.SYNC, CHUNK_BYTES_MAX + 32, height=U32, index=U16, data=blob(CHUNK_BYTES_MAX))
@dataclass(frozen=True, slots=True)
class Chunk(WireMessage):
    """Answers `GetChunk`; empty: the sender has that snapshot no more."""

    height: int
    index: int
    data: bytes
