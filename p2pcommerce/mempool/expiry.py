"""Which transactions of the pool can be included no longer, by height.

A transaction is entered by its height and never taken out one by one: most become final long before, and then their ids
are left over. When these are more than what is still in the pool, and a small constant, they are swept out, so that
each costs an append and its share of a sweep.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from p2pcommerce.mempool.entry import Entry
from p2pcommerce.primitives.ids import Height, TransactionId

__all__ = ["Expiry"]

_SLACK = 1_024


class Expiry:
    """Ids of pooled transactions by the last height at which they may be included."""

    __slots__ = ("_by_height", "_heights", "_kept", "_pooled")

    def __init__(self, pooled: Mapping[TransactionId, Entry]) -> None:
        """Start empty; `pooled` says what is still in the pool, which alone writes it."""
        self._pooled = pooled
        self._by_height: dict[int, list[TransactionId]] = {}
        self._heights: list[int] = []  # a heap of the keys above
        self._kept = 0

    def __len__(self) -> int:
        """Return the ids that are kept, left over ones included."""
        return self._kept

    def put(self, tx_id: TransactionId, expires_height: int) -> None:
        """Enter a transaction (id of 32 bytes)."""
        row = self._by_height.get(expires_height)
        if row is None:
            self._by_height[expires_height] = [tx_id]
            heapq.heappush(self._heights, expires_height)
        else:
            row.append(tx_id)
        self._kept += 1
        if self._kept > 2 * len(self._pooled) + _SLACK:
            self._sweep()

    def take(self, height: Height) -> list[Entry]:
        """Return what can no longer be included now that `height` is final, and forget it."""
        entries: dict[TransactionId, Entry] = {}
        while self._heights and self._heights[0] <= height:
            row = self._by_height.pop(heapq.heappop(self._heights))
            self._kept -= len(row)
            for tx_id in row:
                entry = self._pooled.get(tx_id)
                if entry is not None:
                    entries[tx_id] = entry  # once, also if it left the pool and came again
        return list(entries.values())

    def _sweep(self) -> None:
        """Forget what is not in the pool any more."""
        pooled = self._pooled
        rows = {
            height: list(dict.fromkeys([tx_id for tx_id in row if tx_id in pooled]))
            for height, row in self._by_height.items()
        }
        self._by_height = {height: row for height, row in rows.items() if row}
        self._heights = sorted(self._by_height)
        self._kept = sum(map(len, self._by_height.values()))
