"""Which transactions wait in this node's pool: one index of their ids, written by the pool, read by gossip.

Beside the ids it keeps what changed since somebody last looked, so that whoever derives something from them (coded
symbols, say) brings it up to date when it is needed, and pays nothing for what came and went in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from p2pcommerce.primitives.ids import TransactionId

__all__ = ["IdIndex"]


class IdIndex:
    """The ids (32 bytes each), the oldest first; as bounded as the pool that writes them."""

    __slots__ = ("_added", "_live", "_removed")

    def __init__(self) -> None:
        """Start empty."""
        self._live: dict[TransactionId, None] = {}
        self._added: dict[TransactionId, None] = {}
        self._removed: dict[TransactionId, None] = {}

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._live

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[TransactionId]:
        return iter(self._live)

    @property
    def changes(self) -> int:
        """How many changes nobody has taken."""
        return len(self._added) + len(self._removed)

    def add(self, tx_id: TransactionId) -> None:
        """Enter an id; one that is here stays as it is."""
        if tx_id in self._live:
            return
        self._live[tx_id] = None
        if tx_id in self._removed:
            del self._removed[tx_id]
        else:
            self._added[tx_id] = None

    def discard(self, tx_id: TransactionId) -> None:
        """Take an id out, if it is here."""
        if tx_id not in self._live:
            return
        del self._live[tx_id]
        if tx_id in self._added:
            del self._added[tx_id]
        else:
            self._removed[tx_id] = None

    def take_changes(self, count_max: int) -> tuple[list[TransactionId], list[TransactionId]]:
        """Return up to so many changes that were not taken yet: ids that came, and ids that went.

        What was taken is the index as of now once `changes` is 0. There is one taker.
        """
        removed = [self._removed.popitem()[0] for _ in range(min(count_max, len(self._removed)))]
        left = min(count_max - len(removed), len(self._added))
        return [self._added.popitem()[0] for _ in range(left)], removed
