"""Where a peer may lie in the address book, by keyed hashes, and drawing from what lies there.

A peer that was never reached lies in the `new` table: its source's group decides which 64 of 256 buckets may hold it,
its own group which one of these. A peer that was reached lies in the `tried` table, in one of 8 of 64 buckets that its
group decides, at the one place that its address decides. The key is the book's secret: nobody outside can aim.

Source: Bitcoin Core's `AddrInfo::GetNewBucket`, `GetTriedBucket`, `GetBucketPosition`; the hash is keyed BLAKE2b.

Deviations: who lies in `tried` is drawn by group first, not by bucket: an attacker with many addresses in few groups is
drawn as often as he has groups. In `new`, where groups are mere claims, the bucket is drawn first, as in Bitcoin.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from p2pcommerce.discovery.entry import Place
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.crypto import keyed_hash

__all__ = ["SECRET_BYTES", "Buckets", "Drawer"]

SECRET_BYTES: Final = 32
_NUMBER_BYTES: Final = 8

K = TypeVar("K", bound=Hashable)
M = TypeVar("M", bound=Hashable)


class Buckets:
    """The places that the book's secret gives to peers."""

    __slots__ = ("_parameters", "_secret")

    def __init__(self, parameters: DiscoveryParameters, secret: bytes) -> None:
        """Take the secret, 32 bytes."""
        self._parameters = parameters
        self._secret = secret

    def new(self, group: bytes, source_group: bytes, address: str) -> Place:
        """Return the place of a peer that was never reached.

        Args:
            group: of its address.
            source_group: of who told of it.
            address: the first one of its record.
        """
        limits = self._parameters
        inner = self._number(b"n", group, source_group) % limits.new_buckets_per_source
        bucket = self._number(b"N", source_group, b"%d" % inner) % limits.new_buckets
        return bucket, self._number(b"p", b"%d" % bucket, address.encode()) % limits.bucket_places

    def tried(self, group: bytes, address: str) -> Place:
        """Return the place of a peer that was reached.

        Args:
            group: of the address.
            address: where it was reached.
        """
        limits = self._parameters
        inner = self._number(b"t", address.encode()) % limits.tried_buckets_per_group
        bucket = self._number(b"T", group, b"%d" % inner) % limits.tried_buckets
        return bucket, self._number(b"P", b"%d" % bucket, address.encode()) % limits.bucket_places

    def _number(self, tag: bytes, *parts: bytes) -> int:
        data = tag + b"".join(len(part).to_bytes(2, "big") + part for part in parts)
        return int.from_bytes(keyed_hash(self._secret, data, _NUMBER_BYTES), "big")


class Drawer(Generic[K, M]):
    """Members under keys: draw a key, then one of its members, each evenly, in constant time."""

    __slots__ = ("_index", "_keys", "_members")

    def __init__(self) -> None:
        """Start empty."""
        self._keys: list[K] = []
        self._index: dict[K, int] = {}
        self._members: dict[K, dict[M, None]] = {}

    def __len__(self) -> int:
        """Return how many keys have members."""
        return len(self._keys)

    def add(self, key: K, member: M) -> None:
        """Put a member under a key."""
        if key not in self._members:
            self._index[key] = len(self._keys)
            self._keys.append(key)
            self._members[key] = {}
        self._members[key][member] = None

    def discard(self, key: K, member: M) -> None:
        """Take a member away from under a key, if it is there."""
        members = self._members.get(key)
        if members is None or member not in members:
            return
        del members[member]
        if not members:
            del self._members[key]
            index, last = self._index.pop(key), self._keys.pop()
            if last != key:
                self._keys[index] = last
                self._index[last] = index

    def draw(self, rng: random.Random) -> M | None:
        """Return one at random; None: there is none."""
        if not self._keys:
            return None
        members = list(self._members[self._keys[rng.randrange(len(self._keys))]])
        return members[rng.randrange(len(members))]
