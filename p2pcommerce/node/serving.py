"""Answers what other nodes ask for: bodies of recent blocks, and ranges of final ones.

Unfinal blocks are with the chain, the last final ones are kept here, older ones are read from the store. What one peer
may ask at one time is bounded; what is beyond that is not answered, and counted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.ledger.block import Block
from p2pcommerce.node.chain import Chain
from p2pcommerce.node.effects import Effect, LoadBlocks, Transmit
from p2pcommerce.primitives.ids import BlockHash, Height, PeerId, TransactionId
from p2pcommerce.sync import ANSWER_BLOCKS_MAX, Row, answer
from p2pcommerce.wire.messages import BlockBody, BlockTransactions, GetBlock, GetBlocks, GetTransactions, NoBlock

__all__ = ["LOADS_PER_PEER_MAX", "RECENT_BLOCKS_MAX", "RECENT_BYTES_MAX", "Serving"]

RECENT_BLOCKS_MAX: Final = 64
"""Final blocks that are kept in memory for peers a little behind."""
RECENT_BYTES_MAX: Final = 16 * 2**20
LOADS_PER_PEER_MAX: Final = 4
"""Reads from the store under way for one peer; those of a connection that has ended count until they are done."""
ANSWER_BYTES_MAX: Final = 1_000_000
"""Bytes of transactions in one answer: a whole block's, and with their framing less than a message may hold."""


@dataclass(slots=True)
class _Load:
    """A read from the store under way."""

    peer: PeerId
    message: GetBlocks
    is_wanted: bool = True


class Serving:
    """What this node gives to others."""

    def __init__(self, chain: Chain, lookup: Callable[[TransactionId], bytes | None]) -> None:
        """Serve from `chain`, and single transactions from `lookup` too."""
        self._chain = chain
        self._lookup = lookup
        self._recent: OrderedDict[BlockHash, Block] = OrderedDict()
        self._recent_bytes = 0
        self._loads: dict[int, _Load] = {}
        self._per_peer: Counter[PeerId] = Counter()
        self._next_request = 1
        self.counters = {"blocks_served": 0, "requests_refused": 0}

    def on_final(self, block: Block) -> None:
        """Keep a block that has just become final."""
        self._recent[block.hash] = block
        self._recent_bytes += len(block.raw)
        while len(self._recent) > RECENT_BLOCKS_MAX or self._recent_bytes > RECENT_BYTES_MAX:
            _, dropped = self._recent.popitem(last=False)
            self._recent_bytes -= len(dropped.raw)

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer is gone: what it asked for is answered to nobody."""
        for load in self._loads.values():
            if load.peer == peer:
                load.is_wanted = False

    def on_get_transactions(self, peer: PeerId, message: GetTransactions) -> list[Effect]:
        """Answer with the transactions that are here, as many as one message holds."""
        block = self._block(BlockHash(message.block_hash))
        held = {} if block is None else dict(zip(block.transaction_ids, block.transactions, strict=True))
        found: list[bytes] = []
        room = ANSWER_BYTES_MAX
        for tx_id in dict.fromkeys(map(TransactionId, message.ids)):
            item = held.get(tx_id) or self._lookup(tx_id)
            if item is None:
                continue
            room -= len(item)
            if room < 0:
                break
            found.append(item)
        if not found:
            return [Transmit(peer, NoBlock(message.block_hash))]
        return [Transmit(peer, BlockTransactions(message.block_hash, tuple(found)))]

    def on_get_block(self, peer: PeerId, message: GetBlock) -> list[Effect]:
        """Answer with a recent block."""
        block = self._block(BlockHash(message.block_hash))
        if block is None:
            return [Transmit(peer, NoBlock(message.block_hash))]
        self.counters["blocks_served"] += 1
        return [Transmit(peer, BlockBody(block.raw))]

    def on_get_blocks(self, peer: PeerId, message: GetBlocks) -> list[Effect]:
        """Read a range from the store; the answer follows when it has been read."""
        if self._per_peer[peer] >= LOADS_PER_PEER_MAX:
            self.counters["requests_refused"] += 1
            return []
        request, self._next_request = self._next_request, self._next_request + 1
        self._loads[request] = _Load(peer, message)
        self._per_peer[peer] += 1
        return [LoadBlocks(request, Height(message.from_height), ANSWER_BLOCKS_MAX)]

    def on_loaded(self, request: int, rows: Sequence[tuple[bytes, bytes]]) -> list[Effect]:
        """Answer with what was read, without gaps: for each block its bytes and its proof."""
        load = self._loads.pop(request, None)
        if load is None:
            return []
        peer, message = load.peer, load.message
        self._per_peer[peer] -= 1
        if not self._per_peer[peer]:
            del self._per_peer[peer]
        if not load.is_wanted:
            return []
        rows = rows or self._newest(message.from_height)
        reply = answer(
            message, [Row(message.from_height + index, block, proof) for index, (block, proof) in enumerate(rows)]
        )
        self.counters["blocks_served"] += len(reply.blocks)
        return [Transmit(peer, reply)]

    def _newest(self, from_height: int) -> list[tuple[bytes, bytes]]:
        """Return the final blocks from a height to the head if none is stored yet: the store is a little behind."""
        blocks = [block for block in self._recent.values() if block.header.height >= from_height]
        head = self._chain.head
        if not blocks or blocks[-1].hash != head.hash or len(blocks) != head.height - from_height + 1:
            return []
        return [*[(block.raw, b"") for block in blocks[:-1]], (blocks[-1].raw, self._chain.proof)]

    def _block(self, block_hash: BlockHash) -> Block | None:
        return self._chain.block(block_hash) or self._recent.get(block_hash)
