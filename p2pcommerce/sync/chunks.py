"""A whole state in chunks, each provable by itself under the state's root.

The state's tree is divided into subtrees from the root down, until what a subtree holds fits one chunk; the depths of
the chunks from left to right name them all. A chunk holds its keys and values in the order of their paths, and the
hashes beside the way from the root to it, so that whoever knows the root believes nobody: neither what a chunk holds,
nor that it holds all of it.

Source: catching up in the finality specification (snapshots at epoch boundaries).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from p2pcommerce.primitives.codec import HASH, Shape, array, blob, decode, encode, pair, record_of
from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError
from p2pcommerce.primitives.sparse_merkle import (
    DEPTH_MAX,
    first_right,
    inner_hash,
    pack_leaf,
    subtree_hash,
    verify_subtree,
)
from p2pcommerce.wire.messages import CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_MAX

__all__ = ["ChunkError", "Cut", "CutError", "DepthsError", "Place", "read_chunk", "read_depths"]

_PAIRS_BYTES_MAX: Final = 128 * 1024
"""Bytes of keys and values in a chunk, with their framing, unless one alone has more; the proof takes up to 9 KB."""
_FRAMING_BYTES: Final = 11
_FORGOTTEN_AT_ONCE: Final = 1_000
_KEY_BYTES_MAX: Final = 1_024
_PAIRS_MAX: Final = _PAIRS_BYTES_MAX // _FRAMING_BYTES + 1


class CutError(LocalProtocolError):
    """A state that makes no snapshot: a value or the whole is too large."""

    code = "SNAPSHOT_CUT"


class DepthsError(RemoteProtocolError):
    """Depths of chunks that divide no tree."""

    code = "SNAPSHOT_DEPTHS"


class ChunkError(RemoteProtocolError):
    """A chunk that is not what the state's root commits to."""

    code = "SNAPSHOT_CHUNK"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk is: every path in it begins with these bits.

    Attributes:
        depth: how many.
        prefix: the bits, as a number.
    """

    depth: int
    prefix: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    siblings: tuple[bytes, ...]
    pairs: tuple[tuple[bytes, bytes], ...]


_CHUNK: Final[Shape[_Chunk]] = record_of(
    _Chunk,
    siblings=array(HASH, DEPTH_MAX),
    pairs=array(pair(blob(_KEY_BYTES_MAX), blob(CHUNK_BYTES_MAX)), _PAIRS_MAX),
)


@dataclass(frozen=True, slots=True)
class _Leaves:
    """A subtree that is one chunk."""

    hash: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Inner:
    """A subtree of several chunks."""

    hash: bytes
    left: _Node
    right: _Node


_Node: TypeAlias = Union[_Leaves, "_Inner"]


class Cut:
    """A state, cut.

    Attributes:
        root: of the state, 32 bytes.
        depths: one byte for each chunk.
    """

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Cut a state, given as keys and values in any order.

        Raises:
            CutError: it makes no snapshot.
        """
        # Sorted bucket by bucket: one sort of a large state would stop every other thread for long.
        buckets: list[list[tuple[bytes, bytes, bytes]]] = [[] for _ in range(256)]
        for key, value in pairs:
            leaf = pack_leaf(key, value)
            buckets[leaf[0]].append((leaf, key, value))
        self._leaves: list[bytes] = []
        self._pairs: list[tuple[bytes, bytes]] = []
        self._ends = [0]
        for bucket in buckets:
            bucket.sort()
            for leaf, key, value in bucket:
                self._leaves.append(leaf)
                self._pairs.append((key, value))
                self._ends.append(self._ends[-1] + len(key) + len(value) + _FRAMING_BYTES)
            bucket.clear()
        self._top = self._divide(0, len(self._leaves), 0)
        self.root = self._top.hash
        self.depths = bytes(depth for _, depth, _ in self._walk())
        if len(self.depths) > SNAPSHOT_CHUNKS_MAX:
            raise CutError(f"the state makes {len(self.depths)} chunks, at most {SNAPSHOT_CHUNKS_MAX} are possible")

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks in order.

        Raises:
            CutError: one is too large.
        """
        for node, _, siblings in self._walk():
            data = encode(_CHUNK, _Chunk(siblings, tuple(self._pairs[node.start : node.end])))
            if len(data) > CHUNK_BYTES_MAX:
                raise CutError(f"a chunk has {len(data)} bytes, at most {CHUNK_BYTES_MAX} are possible")
            yield data

    def forget(self) -> Iterator[None]:
        """Forget the state piece by piece, one for each turn of the iteration; no chunk can be had then.

        Of 100,000 records, freed at once, every other thread waits for 80 ms.
        """
        for held in (self._leaves, self._pairs, self._ends):
            while held:
                del held[-_FORGOTTEN_AT_ONCE:]
                yield

    def _divide(self, start: int, end: int, depth: int) -> _Node:
        if self._ends[end] - self._ends[start] <= _PAIRS_BYTES_MAX or end - start == 1:
            return _Leaves(subtree_hash(self._leaves, depth, start, end), start, end)
        middle = first_right(self._leaves, depth, start, end)
        left, right = self._divide(start, middle, depth + 1), self._divide(middle, end, depth + 1)
        return _Inner(inner_hash(left.hash, right.hash), left, right)

    def _walk(self) -> Iterator[tuple[_Leaves, int, tuple[bytes, ...]]]:
        """Yield each chunk's leaves, depth and siblings from left to right."""
        waiting: list[tuple[_Node, tuple[bytes, ...]]] = [(self._top, ())]
        while waiting:
            node, siblings = waiting.pop()
            if isinstance(node, _Leaves):
                yield node, len(siblings), siblings
            else:
                waiting.append((node.right, (*siblings, node.left.hash)))
                waiting.append((node.left, (*siblings, node.right.hash)))


def read_depths(depths: bytes) -> list[Place]:
    """Return the places of all chunks from untrusted depths.

    Raises:
        DepthsError: they do not divide a tree.
    """
    if not 0 < len(depths) <= SNAPSHOT_CHUNKS_MAX:
        raise DepthsError(f"{len(depths)} chunks; 1 to {SNAPSHOT_CHUNKS_MAX} are possible")
    places: list[Place] = []
    path = 0  # where the next chunk begins
    for depth in depths:
        span = 1 << (DEPTH_MAX - depth)
        if path >= 1 << DEPTH_MAX or path & (span - 1):
            raise DepthsError("depths of chunks that do not follow each other")
        places.append(Place(depth, path >> (DEPTH_MAX - depth)))
        path += span
    if path != 1 << DEPTH_MAX:
        raise DepthsError("depths of chunks that leave a part of the state out")
    return places


def read_chunk(data: bytes, root: bytes, place: Place) -> tuple[tuple[bytes, bytes], ...]:
    """Return the keys and values of a chunk from untrusted bytes.

    Args:
        data: at most 256 KiB.
        root: the state's, 32 bytes.
        place: which chunk it must be.

    Raises:
        CodecError: too large, malformed, not canonical.
        ChunkError: the root does not commit to it.
    """
    chunk = decode(_CHUNK, data, CHUNK_BYTES_MAX)
    leaves = [pack_leaf(key, value) for key, value in chunk.pairs]
    if len(chunk.siblings) != place.depth or not verify_subtree(root, place.prefix, leaves, chunk.siblings):
        raise ChunkError("a chunk that the state's root does not commit to")
    return chunk.pairs
