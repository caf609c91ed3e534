"""A priority queue whose items may change their key: stale heap entries are skipped when they come up.

Source: the usual way to change priorities in a binary heap; it is rebuilt when more than half of it is stale, so that
it never holds more than twice its items (and a small constant).
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

__all__ = ["LazyHeap"]

K = TypeVar("K", bound=bytes)

_SLACK = 64


class LazyHeap(Generic[K]):
    """Items (bytes) in the order of (key, tie, item), least first."""

    __slots__ = ("_heap", "_keys")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[int, int, K]] = []
        self._keys: dict[K, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def heap_length(self) -> int:
        """Entries held, stale ones included."""
        return len(self._heap)

    def put(self, item: K, key: int, tie: int) -> None:
        """Add an item, or change its key."""
        mark = (key, tie)
        if self._keys.get(item) == mark:
            return
        self._keys[item] = mark
        heapq.heappush(self._heap, (key, tie, item))
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._rebuild()

    def discard(self, item: K) -> None:
        """Remove an item if it is there."""
        if self._keys.pop(item, None) is not None and len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._rebuild()

    def is_current(self, key: int, tie: int, item: K) -> bool:
        """Tell whether an entry of `snapshot` is what the item was last put with."""
        return self._keys.get(item) == (key, tie)

    def first(self) -> tuple[int, K] | None:
        """Return the key and the item that come first, None if there is none."""
        heap = self._heap
        while heap:
            key, tie, item = heap[0]
            if self.is_current(key, tie, item):
                return key, item
            heapq.heappop(heap)
        return None

    def snapshot(self) -> list[tuple[int, int, K]]:
        """Return a heap of (key, tie, item), stale entries included, that the caller may take apart."""
        return self._heap.copy()

    def _rebuild(self) -> None:
        self._heap = [(key, tie, item) for item, (key, tie) in self._keys.items()]
        heapq.heapify(self._heap)
