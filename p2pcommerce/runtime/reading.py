"""Reads from the store, in its thread, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from p2pcommerce.commerce import HistoryEntry, entry_from
from p2pcommerce.ledger.block import decode_block
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.node.node import Node
from p2pcommerce.node.proof import Proof, make_proof, subject_of
from p2pcommerce.primitives.ids import Height, TransactionId
from p2pcommerce.runtime.events import FinalizedBlock
from p2pcommerce.runtime.store import Store
from p2pcommerce.sync import ANSWER_BYTES_MAX

__all__ = ["Reading"]


class Reading:
    """What a running node reads from its store."""

    def __init__(self, store: Store, limiter: trio.CapacityLimiter) -> None:
        """Read from `store`; `limiter` keeps reads and commits apart."""
        self._store = store
        self._limiter = limiter

    async def receipt(self, tx_id: TransactionId) -> Receipt | None:
        """Return the receipt of a final transaction (id of 32 bytes), None if it is not final here."""
        return await trio.to_thread.run_sync(self._store.receipt, tx_id, limiter=self._limiter)

    async def rows(self, from_height: int, count: int) -> list[tuple[bytes, bytes]]:
        """Return the bytes and proofs of consecutive blocks, for a peer."""
        rows = await trio.to_thread.run_sync(
            self._store.blocks, from_height, count, ANSWER_BYTES_MAX, limiter=self._limiter
        )
        return [(block, proof) for _, block, proof in rows]

    async def blocks(self, from_height: int, count: int) -> Sequence[FinalizedBlock]:
        """Return stored blocks as events, for a subscriber that begins in the past."""
        return await trio.to_thread.run_sync(self._blocks, from_height, count, limiter=self._limiter)

    def _blocks(self, from_height: int, count: int) -> list[FinalizedBlock]:
        found: list[FinalizedBlock] = []
        for _, raw, _ in self._store.blocks(from_height, count, ANSWER_BYTES_MAX):
            header = decode_block(raw).header
            receipts = [item for item in self._store.events_since(header.height - 1, 1) if item.height == header.height]
            found.append(FinalizedBlock(header.height, header.hash, header.time_ms, tuple(receipts)))
        return found

    async def prove(self, core: Node, engine: str, name: str, arguments: Mapping[str, object]) -> Proof:
        """Make a proof of one fact of the last final state.

        Raises:
            UsageError: no such subject, or wrong arguments.
        """
        subject = subject_of(name, arguments)
        chain = core.chain
        head, finality, version = chain.head, chain.proof, chain.state.final
        value, state = version.get(subject.key), version.tree.prove(subject.key)
        history: list[HistoryEntry] = []
        if subject.history_id is not None and value is not None:
            history = await trio.to_thread.run_sync(
                self._history, subject.history_id, head.height, limiter=self._limiter
            )
        return make_proof(engine, head, finality, subject.key, value, state, history)

    def _history(self, identifier: bytes, up_to: Height) -> list[HistoryEntry]:
        """Return what happened to an item up to a height, first event first."""
        entries: list[HistoryEntry] = []
        since = 0
        while places := self._store.touched(identifier, since):
            for height, index in places:
                if height > up_to:
                    return entries
                block = decode_block(self._store.blocks(height, 1, 0)[0][1])
                entries.append(entry_from(decode_transaction(block.transactions[index]), block.header.time_ms))
            since = places[-1][0]
        return entries
