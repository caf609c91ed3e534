"""Final blocks as they reach the embedding application.

Events come after the block is stored, never before. A subscriber is bounded: one that reads too slowly is told so and
ends; consensus never waits for it. With `since_height` it first gets what the store holds, then what is new, without a
gap and without repetition.
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
from p2pcommerce.primitives.errors import P2PError
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
    """Final blocks, one after the other."""

    def __init__(self, kinds: tuple[str, ...], next_height: int, capacity: int, load: Load) -> None:
        """Built by `Events.subscribe`."""
        self._kinds = kinds
        self._next_height = next_height
        self._capacity = capacity
        self._load = load
        self._blocks: deque[FinalizedBlock] = deque()
        self._replay: deque[FinalizedBlock] = deque()
        self._lagged = False
        self._wake = trio.Event()
        self.live_from = next_height

    def put(self, block: FinalizedBlock) -> None:
        """Take a new block; a full subscription is marked as lagging and takes no more."""
        if self._lagged:
            return
        if len(self._blocks) >= self._capacity:
            self._lagged = True
        else:
            self._blocks.append(block)
        self._wake.set()

    @override
    async def __anext__(self) -> FinalizedBlock:
        """Return the next block.

        Raises:
            SubscriberLaggedError: some were missed.
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
        while self._next_height < self.live_from:
            if not self._replay:
                count = min(_REPLAY_BLOCKS, self.live_from - self._next_height)
                self._replay.extend(await self._load(self._next_height, count))
                if not self._replay:
                    break
            return self._replay.popleft()
        while not self._blocks:
            if self._lagged:
                raise SubscriberLaggedError(
                    f"{self._capacity} blocks were not read in time; subscribe again with "
                    f"since_height={self._next_height - 1}"
                )
            self._wake = trio.Event()
            await self._wake.wait()
        return self._blocks.popleft()


class Events:
    """Everyone who listens to final blocks."""

    def __init__(self, load: Load) -> None:
        """Read stored blocks with `load`."""
        self._load = load
        self._subscriptions: dict[int, Subscription] = {}
        self._number = 0

    def publish(self, block: FinalizedBlock) -> None:
        """Tell everyone of a stored block."""
        for subscription in self._subscriptions.values():
            subscription.put(block)

    @asynccontextmanager
    async def subscribe(
        self, kinds: tuple[str, ...], since_height: int | None, stored_height: int, capacity: int
    ) -> AsyncIterator[Subscription]:
        """Listen while the context is open.

        Args:
            kinds: names of events; blocks without one of them are left out; empty: every block.
            since_height: begin with the block above this height; None: with the next one.
            stored_height: height of the last stored block.
            capacity: blocks that may wait.
        """
        first = stored_height + 1 if since_height is None else max(since_height + 1, 1)
        subscription = Subscription(kinds, min(first, stored_height + 1), capacity, self._load)
        subscription.live_from = stored_height + 1
        self._number += 1
        number = self._number
        self._subscriptions[number] = subscription
        try:
            yield subscription
        finally:
            del self._subscriptions[number]
