"""The Merkle tree over the state: a root over keys and values, with proofs of presence and of absence.

A tree is immutable. `update` gives a new tree that shares every untouched part with the old one, so that a node keeps
the states of several undecided blocks for the price of their differences. The root depends only on the pairs that the
tree holds, never on the order in which they came.

    path  = H(key)                       its bits from the highest choose left (0) or right (1)
    leaf  = H(0x00 | path | H(value))
    inner = H(0x01 | left | right)
    a subtree that holds one leaf is that leaf; an empty subtree is 32 zero bytes

Keys and values are not kept: the state holds them, this room holds their hashes.

In memory an inner node is the tuple (hash, left, right). A subtree of at most four leaves is one bytes object: its
hash, then for each leaf in the order of paths its path, value hash and leaf hash. That packing is invisible in the
root and brings a leaf down from 411 bytes of Python objects to 230 (a tree of a million).

Source: the Jellyfish Merkle tree (Z. Gao, Y. Hu, Q. Wu, 2021), section 3: a lone leaf replaces its subtree.

Deviations: nodes are binary, not 16-ary (shorter proofs need no inner proof), and unversioned: old states stay by
sharing objects in memory. BLAKE2b-256 (RFC 7693), the network's one hash.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, Union

from p2pcommerce.primitives.codec import HASH, Shape, array, maybe, pair, record_of
from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = [
    "DEPTH_MAX",
    "LEAF_BYTES",
    "STATE_PROOF",
    "SparseMerkleTree",
    "StateProof",
    "first_right",
    "inner_hash",
    "pack_leaf",
    "state_root_of",
    "subtree_hash",
    "verify_state",
    "verify_subtree",
]

DEPTH_MAX: Final = 256
"""Bits of a path: the longest proof."""

_BUCKET_LEAVES_MAX: Final = 4
"""Leaves of a packed subtree: 1, 2, 4, 8 took 411, 295, 230, 195 bytes per leaf, and 8 updated 15 % slower than 4."""
_LEAF_BYTES: Final = 96
LEAF_BYTES: Final = _LEAF_BYTES
"""A packed leaf: its path, its value's hash and its own hash."""
_HASH_BYTES: Final = 32

_Node: TypeAlias = Union[bytes, "tuple[bytes, _Node, _Node]"]
_EMPTY: Final = ZERO_HASH
"""The packed subtree of no leaves: its hash and nothing else."""
_BITS: Final = tuple((depth >> 3, 0x80 >> (depth & 7)) for depth in range(DEPTH_MAX))
"""For each depth the byte of a path, and the mask of its bit."""

_blake2b = hashlib.blake2b


@dataclass(frozen=True, slots=True)
class StateProof:
    """What stands along the path of one key, from the root down.

    Attributes:
        siblings: hashes (32 bytes each) beside the path, the root's child first.
        other: for an absent key whose path ends in another key's leaf: that leaf's path and value hash (32 bytes each);
            None for a key that is there, or whose path ends in an empty subtree.
    """

    siblings: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None


STATE_PROOF: Final[Shape[StateProof]] = record_of(
    StateProof, siblings=array(HASH, DEPTH_MAX), other=maybe(pair(HASH, HASH))
)


def _hash(data: bytes) -> bytes:
    return _blake2b(data, digest_size=32).digest()


def _leaf(path: bytes, value: bytes) -> bytes:
    """Return a leaf as it is packed: path, value hash, leaf hash."""
    content = path + _blake2b(value, digest_size=32).digest()
    return content + _blake2b(b"\x00" + content, digest_size=32).digest()


def _split(leaves: list[bytes], depth: int, start: int, end: int) -> int:
    """Return the first place in `leaves[start:end]`, sorted and alike up to `depth`, whose path goes right."""
    byte, mask = _BITS[depth]
    while start < end:
        middle = (start + end) >> 1
        if leaves[middle][byte] & mask:
            end = middle
        else:
            start = middle + 1
    return start


def _subtree_hash(leaves: list[bytes], depth: int, start: int, end: int) -> bytes:
    """Return the hash of the subtree at `depth` that holds `leaves[start:end]`."""
    if end - start == 1:
        return leaves[start][64:]
    if start == end:
        return ZERO_HASH
    middle = _split(leaves, depth, start, end)
    left = _subtree_hash(leaves, depth + 1, start, middle)
    right = _subtree_hash(leaves, depth + 1, middle, end)
    return _blake2b(b"\x01" + left + right, digest_size=32).digest()


def _build(leaves: list[bytes], depth: int, start: int, end: int) -> _Node:
    """Return the subtree at `depth` of `leaves[start:end]`, sorted."""
    if end - start <= _BUCKET_LEAVES_MAX:
        if start == end:
            return _EMPTY
        return _subtree_hash(leaves, depth, start, end) + b"".join(leaves[start:end])
    middle = _split(leaves, depth, start, end)
    return _join(_build(leaves, depth + 1, start, middle), _build(leaves, depth + 1, middle, end))


def _join(left: _Node, right: _Node) -> _Node:
    left_hash = left[0] if isinstance(left, tuple) else left[:_HASH_BYTES]
    right_hash = right[0] if isinstance(right, tuple) else right[:_HASH_BYTES]
    return (_blake2b(b"\x01" + left_hash + right_hash, digest_size=32).digest(), left, right)


def _unpack(bucket: bytes) -> list[bytes]:
    return [bucket[start : start + _LEAF_BYTES] for start in range(_HASH_BYTES, len(bucket), _LEAF_BYTES)]


def _update_bucket(bucket: bytes, depth: int, changes: list[bytes], start: int, end: int) -> _Node:
    if bucket == _EMPTY:
        leaves = [change for change in changes[start:end] if len(change) == _LEAF_BYTES]
    else:
        by_path = {leaf[:_HASH_BYTES]: leaf for leaf in _unpack(bucket)}
        for change in changes[start:end]:
            if len(change) == _LEAF_BYTES:
                by_path[change[:_HASH_BYTES]] = change
            else:
                by_path.pop(change, None)
        leaves = sorted(by_path.values())
    return _build(leaves, depth, 0, len(leaves))


def _update(node: _Node, depth: int, changes: list[bytes], start: int, end: int) -> _Node:
    """Return the subtree `node` at `depth` after `changes[start:end]`: packed leaves, or bare paths to remove."""
    if not isinstance(node, tuple):
        return _update_bucket(node, depth, changes, start, end)
    _, old_left, old_right = node
    middle = _split(changes, depth, start, end)
    left = _update(old_left, depth + 1, changes, start, middle) if start < middle else old_left
    right = _update(old_right, depth + 1, changes, middle, end) if middle < end else old_right
    if not isinstance(left, tuple) and not isinstance(right, tuple):
        # An inner node always holds more leaves than fit a packed one, so that "a lone leaf is its subtree" is decided
        # in packed subtrees alone.
        leaves_bytes = len(left) + len(right) - 2 * _HASH_BYTES
        if leaves_bytes <= _BUCKET_LEAVES_MAX * _LEAF_BYTES:
            leaves = _unpack(left) + _unpack(right)
            return _build(leaves, depth, 0, len(leaves))
    return _join(left, right)


class SparseMerkleTree:
    """An immutable map from key to value hash with a root; start from `SparseMerkleTree.EMPTY`."""

    __slots__ = ("_node",)

    EMPTY: ClassVar[SparseMerkleTree]
    _node: _Node

    def __init__(self) -> None:
        """Make an empty tree."""
        self._node = _EMPTY

    @property
    def root(self) -> bytes:
        """The root hash (32 bytes); ZERO_HASH of an empty tree."""
        node = self._node
        return node[0] if isinstance(node, tuple) else node[:_HASH_BYTES]

    def update(self, changes: Mapping[bytes, bytes | None]) -> SparseMerkleTree:
        """Return the tree after `changes`; this one stays as it is.

        Args:
            changes: key -> new value, or None to remove the key (removing an absent key changes nothing).
        """
        if not changes:
            return self
        packed = []
        for key, value in changes.items():
            path = _blake2b(key, digest_size=32).digest()
            packed.append(path if value is None else _leaf(path, value))
        packed.sort()
        tree = SparseMerkleTree()
        tree._node = _update(self._node, 0, packed, 0, len(packed))
        return tree

    def prove(self, key: bytes) -> StateProof:
        """Return the proof of what the tree holds under `key`: its value, or nothing."""
        path = _hash(key)
        siblings: list[bytes] = []
        node = self._node
        while isinstance(node, tuple):
            byte, mask = _BITS[len(siblings)]
            _, left, right = node
            node, beside = (right, left) if path[byte] & mask else (left, right)
            siblings.append(beside[0] if isinstance(beside, tuple) else beside[:_HASH_BYTES])
        leaves = _unpack(node)
        start, end = 0, len(leaves)
        while end - start > 1:
            depth = len(siblings)
            byte, mask = _BITS[depth]
            middle = _split(leaves, depth, start, end)
            if path[byte] & mask:
                siblings.append(_subtree_hash(leaves, depth + 1, start, middle))
                start = middle
            else:
                siblings.append(_subtree_hash(leaves, depth + 1, middle, end))
                end = middle
        other = None
        if start < end and not leaves[start].startswith(path):
            other = (leaves[start][:32], leaves[start][32:64])
        return StateProof(tuple(siblings), other)


SparseMerkleTree.EMPTY = SparseMerkleTree()


def verify_state(root: bytes, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    """Tell whether `proof` shows that the state under `root` holds `value` under `key`.

    Args:
        root: 32 bytes, from a trusted header.
        key: any length.
        value: what is claimed to stand there; None: that nothing does.
        proof: untrusted.
    """
    return state_root_of(key, value, proof) == root


def state_root_of(key: bytes, value: bytes | None, proof: StateProof) -> bytes | None:
    """Return the root (32 bytes) of the one state that `proof` speaks of; None if it speaks of none.

    Args:
        key: any length.
        value: what is claimed to stand there; None: that nothing does.
        proof: untrusted; whether the root is that of a trusted header is for the caller to check.
    """
    depth = len(proof.siblings)
    if depth > DEPTH_MAX:
        return None
    path = _hash(key)
    if value is not None:
        if proof.other is not None:
            return None
        node = _leaf(path, value)[64:]
    elif proof.other is None:
        node = ZERO_HASH
    else:
        other_path, value_hash = proof.other
        if other_path == path or not _shares_prefix(path, other_path, depth):
            return None
        node = _hash(b"\x00" + other_path + value_hash)
    for level in range(depth - 1, -1, -1):
        byte, mask = _BITS[level]
        sibling = proof.siblings[level]
        node = _hash(b"\x01" + sibling + node) if path[byte] & mask else _hash(b"\x01" + node + sibling)
    return node


def pack_leaf(key: bytes, value: bytes) -> bytes:
    """Return a leaf as it is packed (96 bytes), which sorts by path."""
    return _leaf(_hash(key), value)


def inner_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over two of 32 bytes."""
    return _hash(b"\x01" + left + right)


def first_right(leaves: list[bytes], depth: int, start: int, end: int) -> int:
    """Return the first place in `leaves[start:end]`, packed, sorted and alike up to `depth`, whose path goes right."""
    return _split(leaves, depth, start, end)


def subtree_hash(leaves: list[bytes], depth: int, start: int, end: int) -> bytes:
    """Return the hash (32 bytes) of the subtree at `depth` that holds `leaves[start:end]`, packed and sorted."""
    return _subtree_hash(leaves, depth, start, end)


def verify_subtree(root: bytes, prefix: int, leaves: list[bytes], siblings: tuple[bytes, ...]) -> bool:
    """Tell whether the subtree at depth `len(siblings)` under a prefix holds these leaves and no others.

    Args:
        root: 32 bytes, from a trusted header.
        prefix: the first `len(siblings)` bits of every path in the subtree, as a number.
        leaves: packed by `pack_leaf`, in ascending order.
        siblings: hashes (32 bytes each) beside the way to the subtree, the root's child first.
    """
    depth = len(siblings)
    if depth > DEPTH_MAX or any(first[:32] >= second[:32] for first, second in itertools.pairwise(leaves)):
        return False
    for leaf in leaves[:1] + leaves[-1:]:
        if int.from_bytes(leaf[:32], "big") >> (DEPTH_MAX - depth) != prefix:
            return False
    node = _subtree_hash(leaves, depth, 0, len(leaves))
    for level in range(depth - 1, -1, -1):
        is_right = prefix >> (depth - 1 - level) & 1
        node = inner_hash(siblings[level], node) if is_right else inner_hash(node, siblings[level])
    return node == root


def _shares_prefix(path: bytes, other: bytes, bits: int) -> bool:
    difference = int.from_bytes(path, "big") ^ int.from_bytes(other, "big")
    return len(other) == _HASH_BYTES and difference >> (DEPTH_MAX - bits) == 0
