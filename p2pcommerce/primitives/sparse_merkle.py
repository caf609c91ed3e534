"""The state as a Merkle tree: keys and values, a root over them, and proofs of presence and of absence.

A tree is immutable. `update` gives a new tree that shares every untouched part with the old one, so that a node keeps
the states of several undecided blocks for the price of their differences. The root depends only on the pairs that the
tree holds, never on the order in which they came.

    path  = H(key)                       its bits from the highest choose left (0) or right (1)
    leaf  = H(0x00 | path | H(value))
    inner = H(0x01 | left | right)
    a subtree that holds one leaf is that leaf; an empty subtree is 32 zero bytes

In memory an inner node is the tuple (hash, left, right). A subtree of at most four leaves is one bytes object: its
hash, the number of its leaves, and for each leaf in the order of paths its hash, its lengths, its key and its value.
That packing is invisible in the root. The tree is the only place where a node holds its state: a million accounts and a
million items, in a dictionary beside a tree of their hashes, took twice as much memory.

Source: the Jellyfish Merkle tree (Z. Gao, Y. Hu, Q. Wu, 2021), section 3: a lone leaf replaces its subtree.

Deviations: nodes are binary, not 16-ary (shorter proofs need no inner proof), and unversioned: old states stay by
sharing objects in memory. BLAKE2b-256 (RFC 7693), the network's one hash.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, Union

from p2pcommerce.primitives.codec import HASH, Shape, array, maybe, pair, record_of
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.primitives.merkle_leaves import (
    BITS,
    COUNT_PLACE,
    DEPTH_MAX,
    EMPTY_BUCKET,
    HASH_BYTES,
    find_value,
    first_right,
    leaf_hash,
    leaves_of,
    make_leaf,
    pack_bucket,
    pairs_of,
    path_and_value_hash,
    split_leaves,
    subtree_hash,
)

__all__ = [
    "DEPTH_MAX",
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

_BUCKET_LEAVES_MAX: Final = 4
"""Leaves of a packed subtree."""
_PARTS: Final = 256
"""Into so many subtrees, of 8 bits of depth, a whole state is divided while its tree is built."""

_Node: TypeAlias = Union[bytes, "tuple[bytes, _Node, _Node]"]
_TURNS: Final = tuple(tuple(2 if byte & mask else 1 for _, mask in BITS[:8]) for byte in range(256))
"""For each byte of a path where its bits lead: to the left (1) or the right (2) child of an inner node."""

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


def _build(leaves: list[bytes], depth: int, start: int, end: int) -> _Node:
    """Return the subtree at `depth` of `leaves[start:end]`, sorted."""
    if end - start <= _BUCKET_LEAVES_MAX:
        return pack_bucket(leaves, depth, start, end)
    middle = first_right(leaves, depth, start, end)
    return _join(_build(leaves, depth + 1, start, middle), _build(leaves, depth + 1, middle, end))


def _join(left: _Node, right: _Node) -> _Node:
    left_hash = left[0] if isinstance(left, tuple) else left[:HASH_BYTES]
    right_hash = right[0] if isinstance(right, tuple) else right[:HASH_BYTES]
    return (_blake2b(b"\x01" + left_hash + right_hash, digest_size=32).digest(), left, right)


def _combine(left: _Node, right: _Node, depth: int) -> _Node:
    """Return the subtree at `depth` over two: packed, if its leaves are few enough."""
    # An inner node always holds more leaves than fit a packed one, so that "a lone leaf is its subtree" is decided in
    # packed subtrees alone.
    if (
        not isinstance(left, tuple)
        and not isinstance(right, tuple)
        and left[COUNT_PLACE] + right[COUNT_PLACE] <= _BUCKET_LEAVES_MAX
    ):
        leaves = leaves_of(left) + leaves_of(right)
        return _build(leaves, depth, 0, len(leaves))
    return _join(left, right)


def _update_bucket(bucket: bytes, depth: int, changes: list[bytes], start: int, end: int) -> _Node:
    by_path = {leaf[:HASH_BYTES]: leaf for leaf in leaves_of(bucket)}
    for change in changes[start:end]:
        if len(change) > HASH_BYTES:
            by_path[change[:HASH_BYTES]] = change
        else:
            by_path.pop(change, None)
    leaves = sorted(by_path.values())
    return _build(leaves, depth, 0, len(leaves))


def _update(node: _Node, depth: int, changes: list[bytes], start: int, end: int) -> _Node:
    """Return the subtree `node` at `depth` after `changes[start:end]`: leaves, or bare paths to remove."""
    if not isinstance(node, tuple):
        return _update_bucket(node, depth, changes, start, end)
    _, old_left, old_right = node
    middle = first_right(changes, depth, start, end)
    left = _update(old_left, depth + 1, changes, start, middle) if start < middle else old_left
    right = _update(old_right, depth + 1, changes, middle, end) if middle < end else old_right
    return _combine(left, right, depth)


def _part(data: bytearray) -> _Node:
    """Return the subtree of the leaves, one behind the other, whose paths have the first byte in common."""
    by_path = {leaf[:HASH_BYTES]: leaf for leaf in split_leaves(data)}
    leaves = sorted(by_path.values())
    return _build(leaves, 8, 0, len(leaves))


class SparseMerkleTree:
    """An immutable map from key to value with a root; start from `SparseMerkleTree.EMPTY`, or from `of`."""

    __slots__ = ("_node",)

    EMPTY: ClassVar[SparseMerkleTree]
    _node: _Node

    def __init__(self) -> None:
        """Make an empty tree."""
        self._node = EMPTY_BUCKET

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> SparseMerkleTree:
        """Return the tree of a whole state, given as keys and values in any order; of two values of a key the last.

        Takes little memory beside the tree: the pairs wait in a few large buffers, which are given back one by one.
        """
        parts = [bytearray() for _ in range(_PARTS)]
        for key, value in pairs:
            path = _blake2b(key, digest_size=32).digest()
            parts[path[0]] += make_leaf(path, key, value)
        nodes: list[_Node] = []
        for number, part in enumerate(parts):
            parts[number] = bytearray()
            nodes.append(_part(part))
        for depth in range(7, -1, -1):
            nodes = [_combine(nodes[place], nodes[place + 1], depth) for place in range(0, len(nodes), 2)]
        tree = cls()
        tree._node = nodes[0]
        return tree

    @property
    def root(self) -> bytes:
        """The root hash (32 bytes); ZERO_HASH of an empty tree."""
        node = self._node
        return node[0] if isinstance(node, tuple) else node[:HASH_BYTES]

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
            packed.append(path if value is None else make_leaf(path, key, value))
        packed.sort()
        tree = SparseMerkleTree()
        tree._node = _update(self._node, 0, packed, 0, len(packed))
        return tree

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value, in the order of the keys' hashes."""
        waiting: list[_Node] = [self._node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, tuple):
                waiting += (node[2], node[1])
                continue
            yield from pairs_of(node)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none."""
        node = self._node
        for byte in _blake2b(key, digest_size=32).digest():
            for turn in _TURNS[byte]:
                if isinstance(node, bytes):
                    return find_value(node, key)
                node = node[turn]
        return find_value(node, key) if isinstance(node, bytes) else None

    def prove(self, key: bytes) -> StateProof:
        """Return the proof of what the tree holds under `key`: its value, or nothing."""
        path = _hash(key)
        siblings: list[bytes] = []
        node = self._node
        while isinstance(node, tuple):
            byte, mask = BITS[len(siblings)]
            _, left, right = node
            node, beside = (right, left) if path[byte] & mask else (left, right)
            siblings.append(beside[0] if isinstance(beside, tuple) else beside[:HASH_BYTES])
        leaves = leaves_of(node)
        start, end = 0, len(leaves)
        while end - start > 1:
            depth = len(siblings)
            byte, mask = BITS[depth]
            middle = first_right(leaves, depth, start, end)
            if path[byte] & mask:
                siblings.append(subtree_hash(leaves, depth + 1, start, middle))
                start = middle
            else:
                siblings.append(subtree_hash(leaves, depth + 1, middle, end))
                end = middle
        other = None
        if start < end and not leaves[start].startswith(path):
            other = path_and_value_hash(leaves[start])
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
        node = leaf_hash(path, value)
    elif proof.other is None:
        node = ZERO_HASH
    else:
        other_path, value_hash = proof.other
        if other_path == path or not _shares_prefix(path, other_path, depth):
            return None
        node = _hash(b"\x00" + other_path + value_hash)
    for level in range(depth - 1, -1, -1):
        byte, mask = BITS[level]
        sibling = proof.siblings[level]
        node = _hash(b"\x01" + sibling + node) if path[byte] & mask else _hash(b"\x01" + node + sibling)
    return node


def pack_leaf(key: bytes, value: bytes) -> bytes:
    """Return the path and the hash of a leaf (64 bytes), which sort by path."""
    path = _hash(key)
    return path + leaf_hash(path, value)


def inner_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over two of 32 bytes."""
    return _hash(b"\x01" + left + right)


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
    node = subtree_hash(leaves, depth, 0, len(leaves))
    for level in range(depth - 1, -1, -1):
        is_right = prefix >> (depth - 1 - level) & 1
        node = inner_hash(siblings[level], node) if is_right else inner_hash(node, siblings[level])
    return node == root


def _shares_prefix(path: bytes, other: bytes, bits: int) -> bool:
    difference = int.from_bytes(path, "big") ^ int.from_bytes(other, "big")
    return len(other) == HASH_BYTES and difference >> (DEPTH_MAX - bits) == 0
