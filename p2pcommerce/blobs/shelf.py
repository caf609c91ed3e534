"""Which blobs this node keeps, within quotas: the catalogue, not the bytes.

An application's own blobs stay until they expire or are dropped, and a put beyond the quota is refused. Fetched ones
are a cache: the one that was used longest ago makes room for the next. What is being written counts already.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.primitives.core import earliest

__all__ = ["Kept", "Shelf"]


@dataclass(frozen=True, slots=True)
class Kept:
    """One blob.

    Attributes:
        blob_hash: SHA-256, 32 bytes.
        size: bytes.
        is_own: the application put it.
        expires_us: microseconds of Unix time; 0: never.
    """

    blob_hash: bytes
    size: int
    is_own: bool
    expires_us: int


class Shelf:
    """The catalogue of kept blobs."""

    def __init__(self, parameters: BlobParameters) -> None:
        """Begin with nothing."""
        self._parameters = parameters
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()  # the one used longest ago first
        self._counts = {True: 0, False: 0}
        self._bytes = {True: 0, False: 0}
        self._next_expiry: int | None = None

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def get(self, blob_hash: bytes) -> Kept | None:
        """Return what is kept under a hash (32 bytes)."""
        return self._kept.get(blob_hash)

    def fill(self, found: Iterable[Kept]) -> list[bytes]:
        """Take what the disk holds, the one used longest ago first; return the hashes of what has no room."""
        dropped: list[bytes] = []
        for kept in found:
            if kept.is_own:
                self._put(kept)
            else:
                dropped += self._make_room(kept.size)
                self._put(kept)
        return dropped

    def has_room(self, size: int, *, is_own: bool, instead_of: Kept | None = None) -> bool:
        """Tell whether an own blob fits its quota, or whether a fetched one could after others went.

        Args:
            size: bytes.
            is_own: the application put it.
            instead_of: what it takes the place of.
        """
        parameters = self._parameters
        if not is_own:
            return size <= parameters.fetched_bytes_max and parameters.fetched_count_max > 0
        counts = instead_of is None or not instead_of.is_own
        held = self._bytes[True] - (0 if counts or instead_of is None else instead_of.size)
        return self._counts[True] + counts <= parameters.own_count_max and held + size <= parameters.own_bytes_max

    def add(self, kept: Kept) -> list[bytes]:
        """Add one for which there is room, in place of an older entry; return the hashes of those driven out."""
        self.remove(kept.blob_hash)
        dropped = [] if kept.is_own else self._make_room(kept.size)
        self._put(kept)
        return dropped

    def touch(self, blob_hash: bytes) -> None:
        """Note that one was used."""
        if blob_hash in self._kept:
            self._kept.move_to_end(blob_hash)

    def remove(self, blob_hash: bytes) -> bool:
        """Remove one; tell whether it was there."""
        kept = self._kept.pop(blob_hash, None)
        if kept is None:
            return False
        self._counts[kept.is_own] -= 1
        self._bytes[kept.is_own] -= kept.size
        return True

    @property
    def deadline(self) -> int | None:
        """When the next one may expire, microseconds."""
        return self._next_expiry

    def expire(self, now: int) -> list[bytes]:
        """Remove what has expired and return its hashes."""
        expired = [kept.blob_hash for kept in self._kept.values() if 0 < kept.expires_us <= now]
        for blob_hash in expired:
            self.remove(blob_hash)
        self._next_expiry = earliest(*[kept.expires_us for kept in self._kept.values() if kept.expires_us])
        return expired

    def statistics(self) -> dict[str, int]:
        """Return what is kept."""
        return {
            "own": self._counts[True],
            "own_bytes": self._bytes[True],
            "fetched": self._counts[False],
            "fetched_bytes": self._bytes[False],
        }

    def _put(self, kept: Kept) -> None:
        self._kept[kept.blob_hash] = kept
        self._counts[kept.is_own] += 1
        self._bytes[kept.is_own] += kept.size
        if kept.expires_us:
            self._next_expiry = earliest(self._next_expiry, kept.expires_us)

    def _make_room(self, size: int) -> list[bytes]:
        """Remove fetched blobs until one of `size` bytes fits; return their hashes."""
        parameters = self._parameters
        dropped: list[bytes] = []
        while self._counts[False] and (
            self._counts[False] >= parameters.fetched_count_max
            or self._bytes[False] + size > parameters.fetched_bytes_max
        ):
            oldest = next(kept.blob_hash for kept in self._kept.values() if not kept.is_own)
            self.remove(oldest)
            dropped.append(oldest)
        return dropped
