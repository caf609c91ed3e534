"""The block tree of FFG: which blocks are believed, which is best.

A block is tracked for one of two reasons: its slot's leader signed it, or a quorum voted for it or for a descendant (it
is *vouched* for). Nothing else is believed, or a single validator could outgrow everybody else's chain with blocks of
past slots.

Source: the finality specification (FFG: fork choice; rules 3 and 7 of Simplex).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from p2pcommerce.finality.engine import Effect, Fetch
from p2pcommerce.finality.ffg.messages import Proposal
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS
from p2pcommerce.finality.tree import BlockTree, Execution, TrackedBlock
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import BlockHash, PeerId

__all__ = ["SlotBlock", "SlotTree"]


@dataclass(slots=True)
class SlotBlock(TrackedBlock):
    """One block.

    Attributes:
        proposal: its leader's, if it came as one.
        vouched: the highest checkpoint index by which a quorum vouches for it; -1: none.
    """

    proposal: Proposal | None = None
    vouched: int = -1

    @property
    def height_max(self) -> int:
        """Its height, or that of the checkpoint by which it is vouched for."""
        return self.vouched * CHECKPOINT_BLOCKS if self.header is None else self.header.height


class SlotTree(BlockTree[SlotBlock]):
    """Blocks above the delivered head, and the head itself.

    Attributes:
        final_index: index of the final checkpoint, for telling a fork.
        fork: why what a quorum voted for cannot be joined with what was delivered; None: it can.
        changes: grows whenever the fork choice may have changed.
    """

    def __init__(
        self, delivered: Header, blocks_max: int, follows: Callable[[Header, Header], bool], out: list[Effect]
    ) -> None:
        """Begin at a delivered block.

        Args:
            delivered: its header.
            blocks_max: blocks tracked at most; as many again if a quorum vouches for them.
            follows: whether a header may follow a parent's.
            out: where effects go.
        """
        super().__init__(delivered, SlotBlock, blocks_max, out)
        self.final_index = 0
        self.fork: str | None = None
        self.changes = 0
        self._is_follower = follows

    # --- blocks come in ---

    def add_proposal(self, proposal: Proposal, peers: tuple[PeerId, ...]) -> None:
        """Track a block that its leader signed, and ask for its body."""
        header = proposal.header
        block = self._track(header.hash)
        block.proposal, block.transaction_ids = proposal, proposal.transaction_ids
        if block.header is None:
            block.peers = peers
            self._place(block, header)
        if not block.has_body:
            self._out.append(Fetch(block.hash, header, proposal.transaction_ids, peers))
        self._advance(block)

    def vouch(self, block_hash: BlockHash, index: int, peers: tuple[PeerId, ...], header: Header | None = None) -> None:
        """A quorum voted for a block, or for a descendant: track it and what is below it, whoever signed it.

        Args:
            block_hash: 32 bytes.
            index: of the checkpoint that was voted for.
            peers: who should have it.
            header: its header, if known.
        """
        known = header
        while block_hash != self.delivered.hash:
            block = self._blocks.get(block_hash)
            if block is None:
                if len(self._blocks) >= 2 * self._blocks_max:
                    return  # what a quorum wants has room beside all that leaders may have made
                block = self._track(block_hash)
                block.peers = peers
            if block.vouched >= index and known is None:
                return
            block.vouched = max(block.vouched, index)
            if block.header is None:
                if known is not None:
                    self._attach(block, known)
                self._out.append(Fetch(block.hash, block.header, None, peers))
            known = None
            if block.header is None or self._ends_beside(block, block.header):
                return
            block_hash = block.header.parent_hash

    @override
    def _on_placed(self, block: SlotBlock, header: Header) -> None:
        """Vouch for the parent of what is vouched for."""
        if block.vouched >= 0 and not self._ends_beside(block, header):
            self.vouch(header.parent_hash, block.vouched, block.peers)

    @override
    def on_block(self, header: Header) -> None:
        """A body is here; one beside the head is noted as a fork, and of no other use."""
        super().on_block(header)
        head = self.delivered
        if header.height <= head.height and header.hash != head.hash and header.hash in self._blocks:
            self._drop([header.hash])

    def _ends_beside(self, block: SlotBlock, header: Header) -> bool:
        """Tell whether a vouched block is not above the delivered one's child, and note if it is on another branch."""
        height = self.delivered.height
        if header.height > height + 1:
            return False
        # One further below may well be an ancestor of what catching up delivered meanwhile.
        below = header.hash if header.height == height else header.parent_hash
        if header.height >= height and below != self.delivered.hash and block.vouched > self.final_index:
            self.fork = f"a quorum voted for a branch beside the final block of height {self.delivered.height}"
        return True

    # --- execution ---

    @override
    def _follows(self, header: Header, parent: Header) -> bool:
        return self._is_follower(header, parent)

    @override
    def _judge(self, block: SlotBlock, execution: Execution) -> None:
        self.changes += 1
        super()._judge(block, execution)

    # --- questions ---

    def best(self, root: BlockHash, time_ms_max: int) -> tuple[Header | None, int | None]:
        """Return the highest valid block that is `root` or descends from it; of equals the greater hash.

        Args:
            root: 32 bytes.
            time_ms_max: blocks above the root whose time is later do not count yet.

        Returns:
            The block, and the time (milliseconds) of the first one that does not count yet.
        """
        best: Header | None = None
        later: int | None = None
        waiting = [root]
        while waiting:
            block = self._blocks.get(waiting.pop())
            if block is None or block.header is None or block.execution is not Execution.VALID:
                continue
            header = block.header
            if header.time_ms > time_ms_max and header.hash != root:
                later = earliest(later, header.time_ms)
                continue
            if best is None or (header.height, header.hash) > (best.height, best.hash):
                best = header
            waiting += self._children.get(block.hash, ())
        return best, later

    def orphans(self) -> Iterator[SlotBlock]:
        """Yield the blocks whose parents are not known and not vouched for."""
        for block in self._blocks.values():
            header = block.header
            if header is None or header.height <= self.delivered.height + 1 or header.parent_hash in self._blocks:
                continue
            yield block

    def is_parent(self, block_hash: BlockHash) -> bool:
        """Tell whether a tracked block names this one as its parent."""
        return bool(self._children.get(block_hash))

    # --- the head moves ---

    @override
    def deliver(self, header: Header) -> None:
        """Move the head to a final block; see `BlockTree.deliver`."""
        self.changes += 1
        super().deliver(header)

    @override
    def _stale(self, header: Header) -> list[BlockHash]:
        """Return what is not above a final block: what is vouched for there, and whole branches beside it."""
        stale = [
            block.hash
            for block in self._blocks.values()
            if block.hash != header.hash and block.height_max <= header.height
        ]
        beside = [
            block.hash
            for block in self._blocks.values()
            if block.header is not None
            and block.header.height == header.height + 1
            and block.header.parent_hash != header.hash
        ]
        while beside:
            block_hash = beside.pop()
            stale.append(block_hash)
            beside += self._children.get(block_hash, ())
        return stale

    def trim_below(self, height: int) -> None:
        """Forget what leads to no block at or above a height and is not vouched for."""
        self.trim(
            [
                block.hash
                for block in self._blocks.values()
                if block.vouched >= 0 or (block.header is not None and block.header.height >= height)
            ]
        )
