"""A priority queue whose items may change their key: stale heap entries are skipped when they come up.

What is put waits in a row until somebody asks what comes first: of all that a pool takes in, most is final before any
of its orders is looked at, and a row is put into a heap in one go at less than the price of one by one.

Source: the usual way to change priorities in a binary heap; it is rebuilt when more than half of it is stale, so that
it never holds more than twice its items (and a small constant).
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

__all__ = ["LazyHeap"]

K = TypeVar("K", bound=bytes)

_SLACK = 64
_FEW = 8
"""A row of less than one in so many of the heap is pushed one by one; a longer one is made a heap with it."""


class LazyHeap(Generic[K]):
    """Items (bytes) in the order of (key, tie, item), least first."""

    __slots__ = ("_entries", "_heap", "_row")

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[int, int, K]] = []
        self._row: list[tuple[int, int, K]] = []
        self._entries: dict[K, tuple[int, int, K]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def heap_length(self) -> int:
        """Entries held, stale ones included."""
        return len(self._heap) + len(self._row)

    def put(self, item: K, key: int, tie: int) -> None:
        """Add an item, or change its key."""
        entry = (key, tie, item)
        entries, row = self._entries, self._row
        if entries.get(item) == entry:
            return
        entries[item] = entry
        row.append(entry)
        if len(self._heap) + len(row) > 2 * len(entries) + _SLACK:
            self._rebuild()

    def discard(self, item: K) -> None:
        """Remove an item if it is there."""
        if self._entries.pop(item, None) is not None and self.heap_length > 2 * len(self._entries) + _SLACK:
            self._rebuild()

    def is_current(self, key: int, tie: int, item: K) -> bool:
        """Tell whether an entry of `snapshot` is what the item was last put with."""
        return self._entries.get(item) == (key, tie, item)

    def first(self) -> tuple[int, K] | None:
        """Return the key and the item that come first, None if there is none."""
        if self._row:
            self._take_row()
        heap, entries = self._heap, self._entries
        while heap:
            entry = heap[0]
            if entries.get(entry[2]) == entry:
                return entry[0], entry[2]
            heapq.heappop(heap)
        return None

    def snapshot(self) -> list[tuple[int, int, K]]:
        """Return a heap of (key, tie, item), stale entries included, that the caller may take apart."""
        if self._row:
            self._take_row()
        return self._heap.copy()

    def _take_row(self) -> None:
        """Put what waits in the row into the heap."""
        heap, row = self._heap, self._row
        if len(row) * _FEW < len(heap):
            for entry in row:
                heapq.heappush(heap, entry)
        else:
            heap += row
            heapq.heapify(heap)
        self._row = []

    def _rebuild(self) -> None:
        self._heap = list(self._entries.values())
        self._row = []
        heapq.heapify(self._heap)
