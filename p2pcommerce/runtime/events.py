"""Final blocks as they reach the embedding application.

Events come after the block is stored, never before. A subscriber is bounded: one that reads too slowly is told so and
ends; consensus never waits for it. With `since_height` it first gets what the store holds, then what is new, without a
gap and without repetition. While it reads from the store nothing is kept for it in memory, and it cannot lag: what
becomes final meanwhile it finds in the store, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import LocalProtocolError, P2PError, UsageError
from p2pcommerce.primitives.ids import BlockHash, Height

__all__ = ["CAPACITY", "Events", "FinalizedBlock", "SubscriberLaggedError", "Subscription", "finalized_block"]

CAPACITY: Final = 1_024
"""Blocks that wait for a subscriber, unless it asks for another number."""
_REPLAY_BLOCKS: Final = 64


class SubscriberLaggedError(P2PError):
    """A subscriber read more slowly than blocks became final; subscribe again with `since_height`."""

    code = "SUBSCRIBER_LAGGED"


@dataclass(frozen=True, slots=True)
class FinalizedBlock:
    """A block that is final and stored.

    Attributes:
        height: its height.
        hash: 32 bytes.
        time_ms: its time, Unix milliseconds.
        receipts: one for each of its transactions, in order.
    """

    height: Height
    hash: BlockHash
    time_ms: int
    receipts: tuple[Receipt, ...]


Load = Callable[[int, int], Awaitable[Sequence[FinalizedBlock]]]
"""(from height, count) -> stored blocks."""


def finalized_block(committed: CommittedBlock) -> FinalizedBlock:
    """Return the event of a stored block."""
    block, header = committed.block, committed.block.header
    receipts = [
        Receipt(header.height, index, block.hash, tx_id, outcome.code, outcome.events, outcome.detail)
        for index, (tx_id, outcome) in enumerate(zip(block.transaction_ids, committed.outcomes, strict=True))
    ]
    return FinalizedBlock(header.height, block.hash, header.time_ms, tuple(receipts))


class Subscription(AsyncIterator[FinalizedBlock]):
    """Final blocks, one after the other; it ends when the node stops."""

    def __init__(self, kinds: tuple[str, ...], next_height: int, stored_height: int, capacity: int, load: Load) -> None:
        """Built by `Events.subscribe`."""
        self._kinds = kinds
        self._next_height = next_height
        self._stored_height = stored_height  # up to here the store is read; beyond, blocks are kept in memory
        self._capacity = capacity
        self._load = load
        self._blocks: deque[FinalizedBlock] = deque()
        self._replay: deque[FinalizedBlock] = deque()
        self._lagged = False
        self._closed = False
        self._wake = trio.Event()

    def put(self, block: FinalizedBlock) -> None:
        """Take a new block; a full subscription is marked as lagging and takes no more."""
        if self._next_height <= self._stored_height:
            self._stored_height = block.height
        elif self._lagged or block.height < self._next_height:
            return
        elif len(self._blocks) >= self._capacity:
            self._lagged = True
        else:
            self._blocks.append(block)
        self._wake.set()

    def close(self) -> None:
        """The node stops: what was put is still told, then the iteration ends."""
        self._closed = True
        self._wake.set()

    @override
    async def __anext__(self) -> FinalizedBlock:
        """Return the next block.

        Raises:
            SubscriberLaggedError: some were missed.
            StopAsyncIteration: the node has stopped.
        """
        await trio.lowlevel.checkpoint()
        while True:
            block = await self._next_block()
            self._next_height = block.height + 1
            if not self._kinds:
                return block
            receipts = [receipt for receipt in block.receipts if any(e.name in self._kinds for e in receipt.events)]
            if receipts:
                return FinalizedBlock(block.height, block.hash, block.time_ms, tuple(receipts))

    async def _next_block(self) -> FinalizedBlock:
        if self._next_height <= self._stored_height:
            return await self._next_stored()
        while not self._blocks:
            if self._closed:
                raise StopAsyncIteration
            if self._lagged:
                raise SubscriberLaggedError(
                    f"{self._capacity} blocks were not read in time; subscribe again with "
                    f"since_height={self._next_height - 1}"
                )
            self._wake = trio.Event()
            await self._wake.wait()
        return self._blocks.popleft()

    async def _next_stored(self) -> FinalizedBlock:
        if not self._replay:
            if self._closed:
                raise StopAsyncIteration
            count = min(_REPLAY_BLOCKS, self._stored_height - self._next_height + 1)
            self._replay.extend(await self._load(self._next_height, count))
        if not self._replay or self._replay[0].height != self._next_height:
            raise LocalProtocolError(
                f"the store lacks block {self._next_height}: this node restored a snapshot above it; begin later, or "
                'ask a node that has the whole history (sync = "full")'
            )
        return self._replay.popleft()


class Events:
    """Everyone who listens to final blocks."""

    def __init__(self, load: Load, stored_height: int) -> None:
        """Read stored blocks with `load`; the last of them is `stored_height`."""
        self._load = load
        self._stored_height = stored_height
        self._subscriptions: dict[int, Subscription] = {}
        self._number = 0

    def publish(self, block: FinalizedBlock) -> None:
        """Tell everyone of a block that has just been stored."""
        self._stored_height = block.height
        for subscription in self._subscriptions.values():
            subscription.put(block)

    def close(self) -> None:
        """The node stops: every subscription ends."""
        for subscription in self._subscriptions.values():
            subscription.close()

    @asynccontextmanager
    async def subscribe(
        self, kinds: tuple[str, ...], since_height: int | None, capacity: int
    ) -> AsyncIterator[Subscription]:
        """Listen while the context is open.

        Args:
            kinds: names of events; blocks without one of them are left out; empty: every block.
            since_height: begin with the block above this height; None: with the next one.
            capacity: blocks that may wait.

        Raises:
            UsageError: there must be room for one block at least.
        """
        if capacity < 1:
            raise UsageError(f"a subscription with room for {capacity} blocks: give it a capacity of at least 1")
        stored_height = self._stored_height
        first = stored_height + 1 if since_height is None else max(since_height + 1, 1)
        subscription = Subscription(kinds, first, stored_height, capacity, self._load)
        self._number += 1
        number = self._number
        self._subscriptions[number] = subscription
        try:
            yield subscription
        finally:
            del self._subscriptions[number]
