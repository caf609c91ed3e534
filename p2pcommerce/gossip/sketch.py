"""This node's set of pooled transactions, as coded symbols and short ids under its own announcement key.

One sketch serves all peers that ask: short ids are under the answerer's key, so that each answer is cut from the same
symbols, which are brought up to date by what changed in the pool since the last question. That costs about 4
microseconds for a change that is still there when somebody asks, and nothing for one that is not.

The key is told to every peer, so an attacker may aim at one node, though never at all of them at once. What can be
aimed: two own transactions with the same short id (2**32 hashes) - the second is left out of the set, so that they do
not cancel each other out, and this node may fail to offer it by reconciliation alone; transactions that are in few of
the first symbols - peers that lack them need more symbols than the cap, and go on with the list of ids.

Source: the networking specification (Set reconciliation); section 6 of the paper in `coding` (incremental updates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from p2pcommerce.gossip.coding import CodedSymbols, write_symbols
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["Sketch", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The symbols of one moment.

    Attributes:
        values, counts: as in `CodedSymbols`.
        size: short ids in the set.
    """

    values: tuple[int, ...]
    counts: tuple[int, ...]
    size: int

    def cut(self, first: int, count: int) -> bytes:
        """Return the bytes of up to `count` symbols from one on."""
        end = first + count
        return write_symbols(self.values[first:end], self.counts[first:end], first, self.size)


class Sketch:
    """The set, behind the pool by what `refresh` has not taken yet.

    Attributes:
        key: this node's announcement key, 16 bytes; empty before the first connection.
        shadowed: ids that were left out so far, because another one has their short id.
    """

    __slots__ = ("_ids", "_index", "_length", "_snapshot", "_symbols", "key", "shadowed")

    def __init__(self, index: IdIndex, length: int) -> None:
        """Follow an index with so many symbols."""
        self._index = index
        self._length = length
        self._symbols: CodedSymbols | None = None
        self._ids: dict[bytes, TransactionId] = {}
        self._snapshot: Snapshot | None = None
        self.key = b""
        self.shadowed = 0

    def __len__(self) -> int:
        return len(self._ids)

    def refresh(self, changes_max: int) -> bool:
        """Take up to so many changes of the pool; tell whether the sketch is up to date now."""
        if self._index.changes:
            self._snapshot = None
            if self._symbols is None:
                self._symbols = CodedSymbols(self._length)
            added, removed = self._index.take_changes(changes_max)
            self._remove(removed, self._symbols)
            self._add(added, self._symbols)
        return not self._index.changes

    def snapshot(self) -> Snapshot:
        """Return the symbols as they are; peers that ask at the same time share it."""
        if self._snapshot is None:
            symbols = self._symbols
            if symbols is None:
                self._snapshot = Snapshot((), (), 0)
            else:
                self._snapshot = Snapshot(tuple(symbols.values), tuple(symbols.counts), len(self._ids))
        return self._snapshot

    def page(self, after: bytes, count: int) -> tuple[list[bytes], bool]:
        """Return up to `count` short ids (8 bytes each) above one, in rising order, and whether these are the last."""
        above = sorted(short for short in self._ids if short > after)
        return above[:count], len(above) <= count

    def by_short(self, short: bytes) -> TransactionId | None:
        """Return the pooled transaction that a short id (8 bytes) stands for."""
        return self._ids.get(short)

    def _add(self, tx_ids: Sequence[TransactionId], symbols: CodedSymbols) -> None:
        key, ids, fresh = self.key, self._ids, []
        for tx_id in tx_ids:
            short = short_id(key, tx_id)
            if ids.setdefault(short, tx_id) == tx_id:
                fresh.append(short)
            else:
                self.shadowed += 1
        symbols.add(fresh)

    def _remove(self, tx_ids: Sequence[TransactionId], symbols: CodedSymbols) -> None:
        key, ids, gone = self.key, self._ids, []
        for tx_id in tx_ids:
            short = short_id(key, tx_id)
            if ids.get(short) == tx_id:
                del ids[short]
                gone.append(short)
        symbols.add(gone, -1)
