"""Builds this validator's blocks: which transactions of the pool, on which branch.

It selects by the pool's order, leaves what stands on the branch already, and has the chain execute the rest. A
transaction that the final state itself is against is dropped from the pool: kept, it would ask for one empty block
after the other.

Source: step 5 of "How one transaction travels" in the architecture specification.
"""

from __future__ import annotations

from collections.abc import Callable

from p2pcommerce.finality.engine import Build
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool import Dropped, Mempool
from p2pcommerce.node.chain import Chain
from p2pcommerce.primitives.ids import BlockHash, PublicKey, TransactionId

__all__ = ["Proposer"]


class Proposer:
    """The pool, seen from the end of a branch."""

    def __init__(self, chain: Chain, mempool: Mempool, parameters: ChainParameters, key: PublicKey) -> None:
        """Build on `chain` from `mempool`; `key` is this node's (32 bytes)."""
        self._chain = chain
        self._mempool = mempool
        self._parameters = parameters
        self._key = key
        self.counters = {"blocks_built": 0}

    def has_pending(self, block_hash: BlockHash) -> bool:
        """Tell whether a transaction is ready that a block on top of this one (hash: 32 bytes) could hold."""
        in_branch = sum(
            1 for executed in self._chain.branch(block_hash) for tx_id in executed.ids if tx_id in self._mempool
        )
        # The counts alone may be wrong: one that replaced a proposed one is in the pool, but has no place after it.
        return self._mempool.ready_count > in_branch and bool(self._select(block_hash, 1))

    def build(self, request: Build) -> tuple[Block | None, list[Dropped]]:
        """Return the block, None if it cannot be built, and what left the pool because no block can hold it."""
        parent = self._chain.header(request.parent)
        if parent is None or not self._chain.is_executed(request.parent):
            return None, []
        if request.empty:
            carried = self._chain.carry(parent, proposer=self._key, time_ms=request.time_ms, seal=request.seal)
            return (None if carried is None else carried.block), []
        built = self._chain.build(
            parent,
            proposer=self._key,
            epoch=request.epoch,
            time_ms=request.time_ms,
            seal=request.seal,
            transactions=self._select(request.parent, self._parameters.block_transactions_max),
        )
        dropped: list[Dropped] = []
        for item in built.hopeless:
            dropped += self._mempool.discard(item.tx_id, item.code, item.detail)
        if built.executed is None:
            return None, dropped
        self.counters["blocks_built"] += 1
        return built.executed.block, dropped

    def _select(self, parent: BlockHash, count_max: int) -> list[Transaction]:
        return self._mempool.select(
            excluded=self._on_branch(parent),
            base_nonces=self._nonces_of(parent),
            bytes_max=self._parameters.block_bytes_max,
            weight_max=self._parameters.block_weight_max,
            count_max=count_max,
        )

    def _on_branch(self, block_hash: BlockHash) -> Callable[[TransactionId], bool]:
        ids = [executed.ids for executed in self._chain.branch(block_hash)]
        return lambda tx_id: any(tx_id in block_ids for block_ids in ids)

    def _nonces_of(self, block_hash: BlockHash) -> Callable[[PublicKey], int | None]:
        senders = [executed.senders for executed in self._chain.branch(block_hash)]

        def next_nonce(sender: PublicKey) -> int | None:
            return next((nonces[sender] for nonces in senders if sender in nonces), None)

        return next_nonce
