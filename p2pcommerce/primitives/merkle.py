"""The Merkle tree over a block's transactions: a root, and proofs that one leaf stands at one place.

The tree has the shape of RFC 6962: leaves are paired level by level, and a lone last node rises unchanged. Hashes are
BLAKE2b-256 with a tag before each kind of content, so that no leaf can pass for a node:

    leaf  = H(0x00 | leaf)             the leaf is 32 bytes, such as a transaction id
    node  = H(0x01 | left | right)
    root  = H(0x02 | count as u32, big-endian | top)
    root of no leaves = 32 zero bytes

It does not know what the leaves stand for, and keeps nothing between calls.

Source: RFC 6962 section 2.1 (shape, tags), RFC 9162 section 2.1.3.2 (verification of an inclusion proof).

Deviations: BLAKE2b-256 instead of SHA-256, the network's one hash. The number of leaves is hashed into the root: in the
RFC a log signs it beside the root; a block header does not, and a proof could then claim another index and count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import HASH, U32, Shape, array, record_of
from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = ["INCLUSION_PROOF", "LEAVES_MAX", "InclusionProof", "prove", "root", "verify_inclusion"]

LEAVES_MAX: Final = 2**32 - 1
_SIBLINGS_MAX: Final = 32
"""Levels of a tree of LEAVES_MAX leaves."""

_blake2b = hashlib.blake2b


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Proof that a leaf stands at `index` of `count` leaves.

    Attributes:
        index: place of the leaf, from 0.
        count: number of leaves of the tree.
        siblings: hashes (32 bytes each) beside the way up, the deepest first.
    """

    index: int
    count: int
    siblings: tuple[bytes, ...]


INCLUSION_PROOF: Final[Shape[InclusionProof]] = record_of(
    InclusionProof, index=U32, count=U32, siblings=array(HASH, _SIBLINGS_MAX)
)


def _leaf(leaf: bytes) -> bytes:
    return _blake2b(b"\x00" + leaf, digest_size=32).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return _blake2b(b"\x01" + left + right, digest_size=32).digest()


def _root(count: int, top: bytes) -> bytes:
    return _blake2b(b"\x02" + count.to_bytes(4, "big") + top, digest_size=32).digest()


def _parents(level: list[bytes]) -> list[bytes]:
    parents = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root (32 bytes) over `leaves` (32 bytes each), ZERO_HASH if there are none."""
    if not leaves:
        return ZERO_HASH
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return _root(len(leaves), level[0])


def prove(leaves: Sequence[bytes], index: int) -> InclusionProof:
    """Return the proof that `leaves[index]` is included.

    Args:
        leaves: 32 bytes each.
        index: from 0.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    level = [_leaf(leaf) for leaf in leaves]
    siblings = []
    place = index
    while len(level) > 1:
        if place ^ 1 < len(level):
            siblings.append(level[place ^ 1])
        level = _parents(level)
        place >>= 1
    return InclusionProof(index, len(leaves), tuple(siblings))


def verify_inclusion(root: bytes, leaf: bytes, proof: InclusionProof) -> bool:
    """Tell whether `proof` shows that `leaf` stands at its index under `root`.

    Args:
        root: 32 bytes, from a trusted header.
        leaf: 32 bytes.
        proof: untrusted.
    """
    place, last = proof.index, proof.count - 1
    if not 0 <= place <= last < LEAVES_MAX:
        return False
    node = _leaf(leaf)
    for sibling in proof.siblings:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = _node(sibling, node)
            while not place & 1:
                place >>= 1
                last >>= 1
        else:
            node = _node(node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and _root(proof.count, node) == root
