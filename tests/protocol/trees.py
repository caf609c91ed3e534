"""The two trees, from docs/protocol/trees.md."""

import hashlib

from .plain import need

ZERO = bytes(32)


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def root(leaves):
    if not leaves:
        return ZERO
    level = [digest(b"\x00" + leaf) for leaf in leaves]
    while len(level) > 1:
        paired = [digest(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return digest(b"\x02" + len(leaves).to_bytes(4, "big") + level[0])


def includes(top, leaf, index, count, siblings):
    place, last = index, count - 1
    if not 0 <= index < count < 2**32:
        return False
    node = digest(b"\x00" + leaf)
    for sibling in siblings:
        if last == 0:
            return False
        if place % 2 or place == last:
            node = digest(b"\x01" + sibling + node)
            while place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            node = digest(b"\x01" + node + sibling)
        place, last = place // 2, last // 2
    return last == 0 and digest(b"\x02" + count.to_bytes(4, "big") + node) == top


def bit(path, depth):
    return path[depth // 8] >> 7 - depth % 8 & 1


def state_root(pairs):
    """Return the root over a whole state."""
    return _subtree([(digest(key), digest(value)) for key, value in pairs], 0)


def _subtree(leaves, depth):
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return digest(b"\x00" + leaves[0][0] + leaves[0][1])
    halves = [[leaf for leaf in leaves if bit(leaf[0], depth) == side] for side in (0, 1)]
    return digest(b"\x01" + _subtree(halves[0], depth + 1) + _subtree(halves[1], depth + 1))


def subtree_of(pairs, depth):
    """Return the hash of the subtree at a depth that holds these pairs."""
    return _subtree([(digest(key), digest(value)) for key, value in pairs], depth)


def proven_root(key, value, siblings, other):
    """Return the root of the state of which a proof speaks."""
    path = digest(key)
    if value is not None:
        need(other is None, "another leaf in the place of a value")
        node = digest(b"\x00" + path + digest(value))
    elif other is None:
        node = ZERO
    else:
        need(other[0] != path, "the leaf of the key that is said to be absent")
        need(all(bit(path, depth) == bit(other[0], depth) for depth in range(len(siblings))), "a leaf of elsewhere")
        node = digest(b"\x00" + other[0] + other[1])
    return climb(node, siblings, [bit(path, depth) for depth in range(len(siblings))])


def climb(node, siblings, bits):
    """Return the root over a node, given what stands beside the way, the root's child first."""
    for sibling, side in reversed(list(zip(siblings, bits, strict=True))):
        node = digest(b"\x01" + sibling + node) if side else digest(b"\x01" + node + sibling)
    return node
