"""Builds this validator's blocks: which transactions of the pool, on which branch.

It selects by the pool's order, leaves what stands on the branch already, and has the chain execute the rest. A
transaction that the final state itself is against is dropped from the pool: kept, it would ask for one empty block
after the other.

Blocks are as large as the network carries. Execution takes time that the engine's timers do not know of: if a block is
given up, the next one of this validator is half as large, and each that becomes final lets them grow again. Without
this, a machine that is slow or busy for a while falls into full blocks that nobody executes in time, and stays there.

Source: step 5 of "How one transaction travels" in the architecture specification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from p2pcommerce.finality.engine import Build
from p2pcommerce.ledger.block import BLOCK_TRANSACTIONS_MAX, Block
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool import Dropped, Mempool
from p2pcommerce.node.chain import Chain
from p2pcommerce.primitives.ids import BlockHash, PublicKey, TransactionId

__all__ = ["TRANSACTIONS_MIN", "Proposer"]

TRANSACTIONS_MIN: Final = 128
"""Transactions that a block may always hold: their execution takes some ten milliseconds. No source."""
_GROWTH: Final = 4
"""Blocks grow by one part in so many for each that was not given up. No source."""


class Proposer:
    """The pool, seen from the end of a branch."""

    def __init__(self, chain: Chain, mempool: Mempool, parameters: ChainParameters, key: PublicKey) -> None:
        """Build on `chain` from `mempool`; `key` is this node's (32 bytes)."""
        self._chain = chain
        self._mempool = mempool
        self._parameters = parameters
        self._key = key
        self._count_max = BLOCK_TRANSACTIONS_MAX
        self._last: Block | None = None
        self.counters = {"blocks_built": 0, "blocks_given_up": 0}

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
        self._adapt(request.parent)
        built = self._chain.build(
            parent,
            proposer=self._key,
            epoch=request.epoch,
            time_ms=request.time_ms,
            seal=request.seal,
            transactions=self._select(request.parent, self._largest),
        )
        dropped: list[Dropped] = []
        for item in built.hopeless:
            dropped += self._mempool.discard(item.tx_id, item.code, item.detail)
        if built.executed is None:
            return None, dropped
        self.counters["blocks_built"] += 1
        self._last = built.executed.block
        return built.executed.block, dropped

    def _adapt(self, parent: BlockHash) -> None:
        """Let blocks shrink if the last one was given up, else grow; one without transactions says nothing."""
        last, self._last = self._last, None
        if last is None or not last.transactions:
            return
        on_branch = self._on_branch(parent)
        if any(tx_id in self._mempool and not on_branch(tx_id) for tx_id in last.transaction_ids):
            self.counters["blocks_given_up"] += 1
            self._count_max = max(TRANSACTIONS_MIN, min(self._largest, len(last.transactions) // 2))
        else:
            self._count_max = self._largest + self._largest // _GROWTH + 1

    @property
    def _largest(self) -> int:
        """How many transactions a block of this validator may hold now."""
        return min(self._count_max, self._parameters.block_transactions_max)

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
