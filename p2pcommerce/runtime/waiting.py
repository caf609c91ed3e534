"""Who waits for which transaction to become final."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.effects import Dropped
from p2pcommerce.primitives.errors import TransactionExpiredError
from p2pcommerce.primitives.ids import TransactionId, short
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.reading import Reading

__all__ = ["Waiting"]


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

    async def wait(self, tx_id: TransactionId) -> Receipt:
        """Wait for a transaction (id of 32 bytes).

        Raises:
            TransactionExpiredError: it left the pool and can no longer become final.
        """
        wait = self._waits.setdefault(tx_id, _Wait())
        wait.waiters += 1
        try:
            stored = await self._reading.receipt(tx_id)
            if stored is not None:
                return stored
            await wait.done.wait()
        finally:
            wait.waiters -= 1
            if not wait.waiters and self._waits.get(tx_id) is wait:
                del self._waits[tx_id]
        if wait.receipt is None:
            detail = "" if wait.dropped is None else wait.dropped.detail
            raise TransactionExpiredError(f"transaction {short(tx_id)} will not become final: {detail}")
        return wait.receipt

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
        wait = self._waits.get(dropped.tx_id)
        if wait is not None:
            wait.dropped = dropped
            wait.done.set()
