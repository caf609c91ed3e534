"""Leaves of the state's Merkle tree, and the packed subtree of a few of them.

A leaf is worked on as one bytes object: path (32 bytes), hash (32), lengths (6), key, value; so leaves sort by path. A
packed subtree, or bucket, is one bytes object, too: its hash (32 bytes), the number of its leaves (1), and its leaves
in order, each without its path, which is the hash of its key. What is hashed is said in `sparse_merkle`.

The lengths are of this room alone: nothing of a packed subtree is ever written to a disk or sent to a peer.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import Final

from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = [
    "BITS",
    "COUNT_PLACE",
    "DEPTH_MAX",
    "EMPTY_BUCKET",
    "HASH_BYTES",
    "KEY_BYTES_MAX",
    "find_value",
    "first_right",
    "leaf_hash",
    "leaves_of",
    "make_leaf",
    "pack_bucket",
    "pairs_of",
    "path_and_value_hash",
    "split_leaves",
    "subtree_hash",
]

DEPTH_MAX: Final = 256
"""Bits of a path: the longest proof."""

KEY_BYTES_MAX: Final = 65_535
"""Bytes of a key, as a packed leaf counts them."""

HASH_BYTES: Final = 32
COUNT_PLACE: Final = 32
"""Where a packed subtree has the number of its leaves."""
_FIRST_LEAF: Final = 33
_LENGTHS: Final = struct.Struct("<HI")
"""Of a leaf's key and value."""
_unpack_lengths = _LENGTHS.unpack_from
_LEAF_HEAD_BYTES: Final = 38
"""A packed leaf's hash and lengths; the path is in front while the leaf is worked on."""
EMPTY_BUCKET: Final = ZERO_HASH + b"\x00"
"""The packed subtree of no leaves."""
BITS: Final = tuple((depth >> 3, 0x80 >> (depth & 7)) for depth in range(DEPTH_MAX))
"""For each depth the byte of a path, and the mask of its bit."""
_blake2b = hashlib.blake2b


def leaf_hash(path: bytes, value: bytes) -> bytes:
    """Return the hash (32 bytes) of a leaf by its path (32 bytes) and value."""
    return _blake2b(b"\x00" + path + _blake2b(value, digest_size=32).digest(), digest_size=32).digest()


def make_leaf(path: bytes, key: bytes, value: bytes) -> bytes:
    """Return a leaf as it is worked on: path, hash, lengths, key, value."""
    return path + leaf_hash(path, value) + _LENGTHS.pack(len(key), len(value)) + key + value


def first_right(leaves: list[bytes], depth: int, start: int, end: int) -> int:
    """Return the first place in `leaves[start:end]`, sorted and alike up to `depth`, whose path goes right."""
    byte, mask = BITS[depth]
    while start < end:
        middle = (start + end) >> 1
        if leaves[middle][byte] & mask:
            end = middle
        else:
            start = middle + 1
    return start


def subtree_hash(leaves: list[bytes], depth: int, start: int, end: int) -> bytes:
    """Return the hash of the subtree at `depth` that holds `leaves[start:end]`."""
    if end - start == 1:
        return leaves[start][32:64]
    if start == end:
        return ZERO_HASH
    middle = first_right(leaves, depth, start, end)
    left = subtree_hash(leaves, depth + 1, start, middle)
    right = subtree_hash(leaves, depth + 1, middle, end)
    return _blake2b(b"\x01" + left + right, digest_size=32).digest()


def pack_bucket(leaves: list[bytes], depth: int, start: int, end: int) -> bytes:
    """Return the packed subtree at `depth` of `leaves[start:end]`, at most 255, sorted and alike up to `depth`."""
    if start == end:
        return EMPTY_BUCKET
    packed = [leaf[HASH_BYTES:] for leaf in leaves[start:end]]
    return b"".join((subtree_hash(leaves, depth, start, end), bytes((end - start,)), *packed))


def leaves_of(bucket: bytes) -> list[bytes]:
    """Return the leaves of a packed subtree, each behind its path."""
    leaves: list[bytes] = []
    place = _FIRST_LEAF
    while place < len(bucket):
        key_bytes, value_bytes = _LENGTHS.unpack_from(bucket, place + HASH_BYTES)
        start = place + _LEAF_HEAD_BYTES
        end = start + key_bytes + value_bytes
        path = _blake2b(bucket[start : start + key_bytes], digest_size=32).digest()
        leaves.append(path + bucket[place:end])
        place = end
    return leaves


def pairs_of(bucket: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a packed subtree, in the order of paths."""
    place = _FIRST_LEAF
    while place < len(bucket):
        key_bytes, value_bytes = _LENGTHS.unpack_from(bucket, place + HASH_BYTES)
        start = place + _LEAF_HEAD_BYTES
        middle = start + key_bytes
        place = middle + value_bytes
        yield bucket[start:middle], bucket[middle:place]


def split_leaves(data: bytearray) -> Iterator[bytes]:
    """Yield the leaves that stand one behind the other in a buffer."""
    place = 0
    while place < len(data):
        key_bytes, value_bytes = _LENGTHS.unpack_from(data, place + 2 * HASH_BYTES)
        end = place + HASH_BYTES + _LEAF_HEAD_BYTES + key_bytes + value_bytes
        yield bytes(data[place:end])
        place = end


def find_value(bucket: bytes, key: bytes) -> bytes | None:
    """Return the value of a key in a packed subtree."""
    # One search says of nearly every key that is not there that it is not; where it finds something the leaves say
    # whether that is a key, or bytes that look like it.
    place, found = _FIRST_LEAF, bucket.find(key, _FIRST_LEAF + _LEAF_HEAD_BYTES)
    while found >= 0:
        key_bytes, value_bytes = _unpack_lengths(bucket, place + HASH_BYTES)
        start = place + _LEAF_HEAD_BYTES
        middle = start + key_bytes
        place = middle + value_bytes
        if found < start:  # in the leaf's hash or lengths
            found = bucket.find(key, start)
        if start == found and key_bytes == len(key):
            return bucket[middle:place]
        if found < place:
            found = bucket.find(key, place + _LEAF_HEAD_BYTES)
    return None


def path_and_value_hash(leaf: bytes) -> tuple[bytes, bytes]:
    """Return the two hashes (32 bytes each) that a leaf's hash is made of."""
    key_bytes, _ = _LENGTHS.unpack_from(leaf, 2 * HASH_BYTES)
    value = leaf[HASH_BYTES + _LEAF_HEAD_BYTES + key_bytes :]
    return leaf[:HASH_BYTES], _blake2b(value, digest_size=32).digest()
