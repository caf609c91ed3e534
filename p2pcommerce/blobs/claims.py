"""What peers say a blob is made of, and who turned out to have lied.

A blob's address is the plain SHA-256 of its content, which proves the whole and no part. So each peer that has it tells
its own list of chunk hashes, computed from content that it had checked itself: an honest peer's list is the true one.
A list is believed until the end:

- a chunk that differs from the list of the peer that sent it convicts that peer at once;
- all chunks there, and the whole has another hash: the list was false, and whoever told it is convicted;
- chunks are kept by their own hash, so that those of a false list which were true count for the next one;
- a blob of one chunk has the address itself as its list: a false one is seen before anything is fetched.

So a liar costs at most one blob's transfer, is named with certainty, and never makes an honest peer look guilty. Peers
that tell one list share the work; the list that most of them tell is tried first. If that is not whole soon, the others
are fetched beside it, as many as there is memory for; where there is none, a list that came more slowly than the pace
that is asked of it goes to the end of the line. So no list, however slowly it is served, keeps another from its turn.

Source: the commerce specification (Off chain); the idea of BitTorrent's piece hashes (BEP 3), without a metadata file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.off_chain_messages import BLOB_CHUNK_BYTES, BLOB_CHUNKS_MAX

__all__ = ["Claim", "chunk_count", "chunk_hashes", "is_possible", "sha256"]

_LARGEST: Final = BLOB_CHUNK_BYTES * BLOB_CHUNKS_MAX


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 (32 bytes)."""
    return hashlib.sha256(data).digest()


def chunk_hashes(data: bytes) -> tuple[bytes, ...]:
    """Return the SHA-256 (32 bytes) of each chunk of a blob."""
    view = memoryview(data)
    return tuple(
        hashlib.sha256(view[start : start + BLOB_CHUNK_BYTES]).digest()
        for start in range(0, len(data), BLOB_CHUNK_BYTES)
    )


def chunk_count(size: int) -> int:
    """Return how many chunks a blob of so many bytes has."""
    return -(-size // BLOB_CHUNK_BYTES)


def is_possible(blob_hash: bytes, size: int, chunks: tuple[bytes, ...]) -> bool:
    """Tell whether a list can be that of a blob: its length fits the size, and a single chunk is the blob."""
    if not 0 < size <= _LARGEST or len(chunks) != chunk_count(size):
        return False
    return len(chunks) > 1 or chunks[0] == blob_hash


@dataclass(slots=True)
class Claim:
    """One list, and the peers that told it.

    Attributes:
        size: bytes of the blob.
        chunks: SHA-256 (32 bytes) of each chunk.
        tellers: everybody who told it, in order; only they are convicted if it is false.
        sources: those of them who still serve.
        is_believed: whether it is being fetched.
        turns: how often it had to make room for another.
        due_us: from when on it is behind its pace, and makes room if another needs it, microseconds.
    """

    size: int
    chunks: tuple[bytes, ...]
    tellers: dict[PeerId, None] = field(default_factory=dict)
    sources: dict[PeerId, None] = field(default_factory=dict)
    is_believed: bool = False
    turns: int = 0
    due_us: int = 0

    def bytes_of(self, index: int) -> int:
        """Return the bytes of a chunk."""
        return min(BLOB_CHUNK_BYTES, self.size - index * BLOB_CHUNK_BYTES)
