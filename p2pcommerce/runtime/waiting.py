"""Who waits for which transaction to become final."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.effects import Dropped
from p2pcommerce.primitives.errors import TransactionExpiredError
from p2pcommerce.primitives.ids import TransactionId, short
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.reading import Reading

__all__ = ["DROPPED_REMEMBERED_MAX", "Waiting"]

DROPPED_REMEMBERED_MAX: Final = 4_096
"""Transactions that left the pool, remembered for those who ask a little later."""


@dataclass(slots=True, eq=False)
class _Wait:
    """One transaction that somebody waits for."""

    done: trio.Event = field(default_factory=trio.Event)
    waiters: int = 0
    receipt: Receipt | None = None
    dropped: Dropped | None = None


class Waiting:
    """The transactions that are waited for."""

    def __init__(self, reading: Reading) -> None:
        """Look up in the store what became final before anybody waited."""
        self._reading = reading
        self._waits: dict[TransactionId, _Wait] = {}
        self._dropped: OrderedDict[TransactionId, Dropped] = OrderedDict()

    async def wait(self, tx_id: TransactionId) -> Receipt:
        """Wait for a transaction (id of 32 bytes).

        Raises:
            TransactionExpiredError: it left the pool and can no longer become final.
            ClosedResourceError: the node has stopped.
        """
        wait = self._waits.setdefault(tx_id, _Wait())
        wait.waiters += 1
        try:
            stored = await self._reading.receipt(tx_id)
            if stored is not None:
                return stored
            if tx_id not in self._dropped:
                await wait.done.wait()
        finally:
            wait.waiters -= 1
            if not wait.waiters and self._waits.get(tx_id) is wait:
                del self._waits[tx_id]
        if wait.receipt is not None:
            return wait.receipt
        dropped = wait.dropped or self._dropped.get(tx_id)
        if dropped is None:
            raise trio.ClosedResourceError("the node has stopped")
        raise TransactionExpiredError(f"transaction {short(tx_id)} will not become final: {dropped.detail}")

    def on_submitted(self, tx_id: TransactionId) -> None:
        """A transaction is in the pool, perhaps again."""
        self._dropped.pop(tx_id, None)

    def on_block(self, block: FinalizedBlock) -> None:
        """A block is stored."""
        if not self._waits:
            return
        for receipt in block.receipts:
            wait = self._waits.get(receipt.tx_id)
            if wait is not None:
                wait.receipt = receipt
                wait.done.set()

    def on_dropped(self, dropped: Dropped) -> None:
        """A transaction left the pool."""
        self._dropped[dropped.tx_id] = dropped
        if len(self._dropped) > DROPPED_REMEMBERED_MAX:
            self._dropped.popitem(last=False)
        wait = self._waits.get(dropped.tx_id)
        if wait is not None:
            wait.dropped = dropped
            wait.done.set()

    def close(self) -> None:
        """The node stops: nobody waits any longer."""
        for wait in self._waits.values():
            wait.done.set()
