"""Choosing the transactions of a block: by fee per weight over the senders' heads, each sender's in order of nonce.

The block stands on unfinal ancestors, whose transactions are still in the pool (they leave it when they become final):
each sender starts at its next nonce on that branch.

Deviations: a sender takes part at the price of its first pooled transaction until its turn comes, and from then on at
that of its next one on the branch; to know the latter for everybody first would cost a look at each sender of a full
pool (50,000) for each block, against those that the block has room for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.entry import Entry
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Selection"]


class Selection:
    """One search through the pool."""

    __slots__ = ("_base_nonces", "_cursors", "_excluded", "_heap", "_pool")

    def __init__(
        self,
        pool: Pool,
        excluded: Callable[[TransactionId], bool],
        base_nonces: Callable[[PublicKey], int | None],
    ) -> None:
        """Start a search for a block on one branch.

        Args:
            pool: not changed by the search; must not change while it lasts.
            excluded: whether a transaction (id of 32 bytes) is on the branch already.
            base_nonces: a sender's (32 bytes) next nonce on the branch; None: the branch has nothing of it.
        """
        self._pool = pool
        self._excluded = excluded
        self._base_nonces = base_nonces
        self._heap = pool.heads.snapshot()
        self._cursors: dict[PublicKey, Entry | None] = {}

    def take(self, bytes_max: int, weight_max: int, count_max: int, misfits_max: int) -> list[Transaction]:
        """Return what to include, in order.

        Args:
            bytes_max: bytes of transactions at most.
            weight_max: sum of weights at most.
            count_max: transactions at most.
            misfits_max: give up after so many that do not fit what is left.
        """
        chosen: list[Transaction] = []
        misfits = 0
        while self._heap and len(chosen) < count_max and misfits < misfits_max:
            key, order, sender = heapq.heappop(self._heap)
            entry = self._at_turn(key, order, sender)
            if entry is None:
                continue
            transaction = entry.transaction
            size = len(transaction.raw)
            if size > bytes_max or entry.weight > weight_max:
                misfits += 1
                self._cursors[sender] = None
                continue
            bytes_max -= size
            weight_max -= entry.weight
            chosen.append(transaction)
            self._put(sender, transaction.nonce + 1)
        return chosen

    def _at_turn(self, key: int, order: int, sender: PublicKey) -> Entry | None:
        """Return the entry that a heap entry stands for, None if it is stale or not the sender's next on the branch."""
        if sender in self._cursors:
            entry = self._cursors[sender]
            return entry if entry is not None and entry.order == order else None
        if not self._pool.heads.is_current(key, order, sender):
            return None
        queue, nonce = self._pool.queue(sender), self._base_nonces(sender)
        if queue is not None:
            self._put(sender, queue.state_nonce if nonce is None else nonce)
        return None

    def _put(self, sender: PublicKey, nonce: int) -> None:
        """Let a sender take part with its first transaction from `nonce` on that is not on the branch."""
        queue = self._pool.queue(sender)
        entry = None if queue is None else queue.entries.get(nonce)
        while queue is not None and entry is not None and self._excluded(entry.transaction.id):
            nonce += 1
            entry = queue.entries.get(nonce)
        self._cursors[sender] = entry
        if entry is not None:
            heapq.heappush(self._heap, (-entry.price, entry.order, sender))
