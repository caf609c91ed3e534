"""The seen-cache: which transactions this node has heard of, and when first.

Two generations of ids: lookups try both, and when the young one is full or old enough it takes the place of the other.
So the newest `seen_max` ids at least, and twice as many at most, are known. Beside them stands an index from the short
ids of announcements, filled only when a peer announces: where everybody pushes, it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommerce.primitives.crypto import keyed_hash
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.wire.messages import SHORT_ID_BYTES

__all__ = ["OWN", "REJECTED", "Seen", "short_id"]

OWN: Final = 0
"""In place of a time: known here before any peer showed it, so that no peer's lag is measured by it."""
REJECTED: Final = -1
"""In place of a time: invalid."""


def short_id(announcement_key: bytes, tx_id: TransactionId) -> bytes:
    """Return the id (8 bytes) under which a transaction is announced to the owner of a key (16 bytes)."""
    return keyed_hash(announcement_key, tx_id, SHORT_ID_BYTES)


class Seen:
    """Ids and when each was first seen, microseconds, or `OWN`, or `REJECTED`.

    Attributes:
        young: the generation that is added to; may be written to after `make_room`.
        old: the one before it.
        key: this node's announcement key (16 bytes), None before the first connection.
        now: the latest time that was handed in, microseconds.
    """

    __slots__ = (
        "_began_us",
        "_count_max",
        "_old_short",
        "_old_unindexed",
        "_young_short",
        "_young_unindexed",
        "key",
        "now",
        "old",
        "young",
    )

    def __init__(self, count_max: int) -> None:
        """Keep up to `count_max` ids in each generation."""
        self._count_max = count_max
        self._began_us = 0
        self.now = 0
        self.young: dict[TransactionId, int] = {}
        self.old: dict[TransactionId, int] = {}
        self._young_short: dict[bytes, TransactionId] = {}
        self._old_short: dict[bytes, TransactionId] = {}
        self._young_unindexed: list[TransactionId] = []
        self._old_unindexed: list[TransactionId] = []
        self.key: bytes | None = None

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self.young or tx_id in self.old

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def first_us(self, tx_id: TransactionId) -> int | None:
        """Return when an id was first seen, `OWN` or `REJECTED`, None if it is not known."""
        first = self.young.get(tx_id)
        return self.old.get(tx_id) if first is None else first

    def make_room(self, count: int, now: int) -> None:
        """Let `count` ids be added to `young` without exceeding the bound."""
        self.now = now
        if len(self.young) + count > self._count_max and self.young:
            self._rotate()

    def age(self, age_us: int, now: int) -> None:
        """End the young generation if it began `age_us` ago."""
        self.now = now
        if now - self._began_us >= age_us:
            self._rotate()

    def to_index(self, tx_ids: Iterable[TransactionId]) -> None:
        """Say that ids were written to `young`."""
        self._young_unindexed.extend(tx_ids)

    def add(self, tx_id: TransactionId, value: int) -> None:
        """Add an id that is not known."""
        self.make_room(1, self.now)
        self.young[tx_id] = value
        self._young_unindexed.append(tx_id)

    def reject(self, tx_id: TransactionId) -> None:
        """Remember that a known id is invalid."""
        if tx_id in self.young:
            self.young[tx_id] = REJECTED
        elif tx_id in self.old:
            self.old[tx_id] = REJECTED

    def forget(self, tx_id: TransactionId) -> None:
        """Let an id be new again."""
        self.young.pop(tx_id, None)
        self.old.pop(tx_id, None)

    def by_short(self, short: bytes) -> tuple[TransactionId, int] | None:
        """Return the known id that a short id (8 bytes) under this node's key stands for, and its `first_us`."""
        if self._young_unindexed or self._old_unindexed:
            self._index()
        tx_id = self._young_short.get(short) or self._old_short.get(short)
        if tx_id is None:
            return None
        first = self.young.get(tx_id)
        if first is None:
            first = self.old.get(tx_id)
        return None if first is None else (tx_id, first)

    def _index(self) -> None:
        key = self.key
        if key is None:
            return
        for tx_ids, index in (
            (self._old_unindexed, self._old_short),
            (self._young_unindexed, self._young_short),
        ):
            for tx_id in tx_ids:
                index[keyed_hash(key, tx_id, SHORT_ID_BYTES)] = tx_id
            tx_ids.clear()

    def _rotate(self) -> None:
        self.old, self.young = self.young, {}
        self._old_short, self._young_short = self._young_short, {}
        self._old_unindexed, self._young_unindexed = self._young_unindexed, []
        self._began_us = self.now
