"""Finality messages that peers may still pull, and that they are told of again while things stand still.

Bounded by count and bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pcommerce.primitives.ids import TransactionId

__all__ = ["KeptMessages"]


class KeptMessages:
    """Two generations, of which the older one goes when something has become final.

    Attributes:
        total_bytes: of all messages.
    """

    __slots__ = ("_bytes_max", "_count_max", "_old", "_young", "total_bytes")

    def __init__(self, count_max: int, bytes_max: int) -> None:
        """Keep nothing yet, and never more than this."""
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._old: dict[TransactionId, bytes] = {}
        self._young: dict[TransactionId, bytes] = {}
        self.total_bytes = 0

    def __len__(self) -> int:
        return len(self._old) + len(self._young)

    def put(self, item_id: TransactionId, raw: bytes) -> None:
        """Keep a message (id of 32 bytes); the oldest go if there are too many."""
        if self.get(item_id) is not None:
            return
        self._young[item_id] = raw
        self.total_bytes += len(raw)
        while len(self) > self._count_max or self.total_bytes > self._bytes_max:
            shelf = self._old or self._young
            self.total_bytes -= len(shelf.pop(next(iter(shelf))))

    def get(self, item_id: TransactionId) -> bytes | None:
        """Return a kept message by its id (32 bytes)."""
        return self._young.get(item_id) or self._old.get(item_id)

    def items(self) -> Iterator[tuple[TransactionId, bytes]]:
        """Yield ids and messages, the oldest first."""
        yield from self._old.items()
        yield from self._young.items()

    def rotate(self) -> None:
        """Drop the older generation, and begin a new one."""
        self.total_bytes -= sum(map(len, self._old.values()))
        self._old, self._young = self._young, {}

    def clear(self) -> None:
        """Keep nothing."""
        self.rotate()
        self.rotate()
