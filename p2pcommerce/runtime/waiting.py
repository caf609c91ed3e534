"""Who wants to know what becomes of which transaction.

The rule for an id that nobody has heard of: it counts as unknown while it is neither final in this node's store, nor in
an unfinal block, nor in the pool, nor in the journal of own transactions, nor among the last that were dropped. Whoever
waits for it to become final waits for a while, as it may be on its way from the node that it was submitted to, and is
then told that it is unknown.

What is told is the newest state: a slow reader may miss states between, never the last one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import trio

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.effects import Dropped, Submitted
from p2pcommerce.node.execution import Executed
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import (
    RejectionCode,
    TransactionDroppedError,
    TransactionExpiredError,
    TransactionUnknownError,
)
from p2pcommerce.primitives.ids import BlockHash, TransactionId, short
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.transaction_status import TransactionState, TransactionStatus, dropped_status, final_status

__all__ = ["DROPPED_REMEMBERED_MAX", "UNKNOWN_S", "Waiting", "Watch"]

DROPPED_REMEMBERED_MAX: Final = 4_096
"""Transactions that were dropped or refused, remembered for those who ask a little later."""
UNKNOWN_S: Final = 10.0
"""Seconds for which `wait` waits for an id that this node has not heard of: far more than gossip takes."""


class Receipts(Protocol):
    """The store, as it is needed here."""

    async def receipt(self, tx_id: TransactionId) -> Receipt | None:
        """Return the receipt of a final transaction (id of 32 bytes)."""
        ...


class Pending(Protocol):
    """The core, as it is needed here."""

    def is_pending(self, tx_id: TransactionId) -> bool:
        """Tell whether a transaction (id of 32 bytes) waits here."""
        ...

    def unfinal(self) -> dict[BlockHash, Executed]:
        """Return the executed blocks above the final head."""
        ...


class Watch(AsyncIterator[TransactionStatus]):
    """The states of one transaction, the present one first; it ends after the last, or when the node stops."""

    def __init__(self, tx_id: TransactionId, *, with_blocks: bool) -> None:
        """Built by `Waiting.watch`; `with_blocks`: unfinal blocks are told of, too."""
        self.tx_id = tx_id
        self.with_blocks = with_blocks
        self.last: TransactionStatus | None = None
        self._is_read = True
        self._closed = False
        self._changed = trio.Event()

    def put(self, status: TransactionStatus) -> None:
        """Take a new state; nothing follows the last one."""
        if status != self.last and not (self.last is not None and self.last.is_over):
            self.last = status
            self._is_read = False
            self._changed.set()

    def close(self) -> None:
        """The node stops."""
        self._closed = True
        self._changed.set()

    @override
    async def __anext__(self) -> TransactionStatus:
        """Return the next state.

        Raises:
            StopAsyncIteration: the last one was told, or the node has stopped.
        """
        await trio.lowlevel.checkpoint()
        while self._is_read or self.last is None:
            if self._closed or (self.last is not None and self.last.is_over):
                raise StopAsyncIteration
            self._changed = trio.Event()
            await self._changed.wait()
        self._is_read = True
        return self.last


class Waiting:
    """The transactions that somebody wants to know of."""

    def __init__(self, receipts: Receipts, core: Pending, wait_stored: Callable[[], Awaitable[None]]) -> None:
        """Know nothing yet.

        Args:
            receipts: of what is final and stored.
            core: knows what waits.
            wait_stored: waits until all that is final for the core is stored.
        """
        self._receipts = receipts
        self._core = core
        self._wait_stored = wait_stored
        self._watches: dict[TransactionId, dict[int, Watch]] = {}
        self._number = 0
        self._some = trio.Event()
        self._blocks: tuple[BlockHash, ...] = ()
        self._dropped: OrderedDict[TransactionId, TransactionStatus] = OrderedDict()
        self._closed = False

    # --- asking ---

    async def status(self, tx_id: TransactionId) -> TransactionStatus:
        """Return where a transaction (id of 32 bytes) stands."""
        local = self._local(tx_id)
        if local is not None:
            return local
        await self._wait_stored()
        receipt = await self._receipts.receipt(tx_id)
        if receipt is not None:
            return final_status(receipt)
        known = self._local(tx_id) or self._dropped.get(tx_id)
        return known or TransactionStatus(tx_id=tx_id, state=TransactionState.UNKNOWN)

    @asynccontextmanager
    async def watch(self, tx_id: TransactionId, *, with_blocks: bool = True) -> AsyncIterator[Watch]:
        """Follow a transaction (id of 32 bytes) while the context is open; `with_blocks`: also into unfinal ones."""
        watch = Watch(tx_id, with_blocks=with_blocks)
        self._number += 1
        number = self._number
        self._watches.setdefault(tx_id, {})[number] = watch
        self._some.set()
        try:
            status = await self.status(tx_id)
            if watch.last is None:
                watch.put(status)
            if self._closed:
                watch.close()
            yield watch
        finally:
            del self._watches[tx_id][number]
            if not self._watches[tx_id]:
                del self._watches[tx_id]

    async def wait(self, tx_id: TransactionId, unknown_s: float = UNKNOWN_S) -> Receipt:
        """Wait for a transaction (id of 32 bytes), and at most `unknown_s` seconds for the first that is heard of it.

        Raises:
            TransactionDroppedError: it left the pool, or was refused, and will not become final by this node's doing.
            TransactionExpiredError: it can no longer become final.
            TransactionUnknownError: nothing was heard of it.
            ClosedResourceError: the node has stopped.
        """
        async with self.watch(tx_id, with_blocks=False) as watch:
            is_unknown = watch.last is not None and watch.last.state is TransactionState.UNKNOWN
            with trio.move_on_after(unknown_s if is_unknown else float("inf")) as patience:
                async for status in watch:
                    if status.state is not TransactionState.UNKNOWN:
                        patience.deadline = float("inf")
                    if status.receipt is not None:
                        return status.receipt
                    if status.is_over:
                        raise _loss(status)
            if patience.cancelled_caught:
                raise TransactionUnknownError(
                    f"transaction {short(tx_id)} is unknown here: it is not in the pool, in the journal or in a block "
                    f"of this node, and did not come within {unknown_s:g} s; ask the node that it was submitted to"
                )
        raise trio.ClosedResourceError("the node has stopped")

    def _local(self, tx_id: TransactionId) -> TransactionStatus | None:
        """Return what the core knows of a transaction that is not final."""
        for executed in self._core.unfinal().values():
            if tx_id in executed.ids:
                height = executed.block.header.height
                return TransactionStatus(tx_id=tx_id, state=TransactionState.INCLUDED, height=height)
        if self._core.is_pending(tx_id):
            return TransactionStatus(tx_id=tx_id, state=TransactionState.PENDING)
        return None

    # --- what happens ---

    async def run(self, wait_tick: Callable[[], Awaitable[None]]) -> None:
        """Look after each tick of the core at what is watched, for ever."""
        while True:
            await self._some.wait()
            await wait_tick()
            self.look()
            if not self._watches:
                self._some = trio.Event()

    def look(self) -> None:
        """Tell what only the core itself shows: what came from peers, and what is in unfinal blocks."""
        blocks = tuple(self._core.unfinal())
        has_moved, self._blocks = blocks != self._blocks, blocks
        for tx_id, watches in self._watches.items():
            for watch in watches.values():
                last = watch.last
                is_unknown = last is not None and last.state is TransactionState.UNKNOWN
                if is_unknown or (has_moved and watch.with_blocks and last is not None):
                    status = self._local(tx_id)
                    if status is not None:
                        watch.put(status)

    def on_submitted(self, verdict: Submitted) -> None:
        """The pool has judged a submission."""
        if verdict.code is RejectionCode.OK:
            self._dropped.pop(verdict.tx_id, None)
            self._tell(TransactionStatus(tx_id=verdict.tx_id, state=TransactionState.PENDING))
        elif verdict.code is not RejectionCode.DUPLICATE:
            status = dropped_status(Dropped(verdict.tx_id, verdict.code, verdict.detail))
            self._remember(status)

    def on_block(self, block: FinalizedBlock) -> None:
        """A block is stored."""
        if self._watches:
            for receipt in block.receipts:
                if receipt.tx_id in self._watches:
                    self._tell(final_status(receipt))

    def on_dropped(self, dropped: Dropped) -> None:
        """A transaction left the pool."""
        self._remember(dropped_status(dropped))

    def close(self) -> None:
        """The node stops: nobody waits any longer."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches.values():
                watch.close()

    def _remember(self, status: TransactionStatus) -> None:
        self._dropped.pop(status.tx_id, None)
        self._dropped[status.tx_id] = status
        if len(self._dropped) > DROPPED_REMEMBERED_MAX:
            self._dropped.popitem(last=False)
        self._tell(status)

    def _tell(self, status: TransactionStatus) -> None:
        for watch in self._watches.get(status.tx_id, {}).values():
            watch.put(status)


def _loss(status: TransactionStatus) -> TransactionExpiredError:
    detail = f"transaction {short(status.tx_id)} will not become final: {status.detail}"
    if status.state is TransactionState.EXPIRED:
        return TransactionExpiredError(detail)
    return TransactionDroppedError(status.code, detail)
