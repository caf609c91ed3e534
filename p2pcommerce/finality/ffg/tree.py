"""The blocks above the last delivered one: which are here, which are executed, how they hang together, which is best.

A block is tracked for one of two reasons: its slot's leader signed it, or a quorum voted for it or for a descendant (it
is *vouched* for). Nothing else is believed, or a single validator could outgrow everybody else's chain with blocks of
past slots. The tree asks for bodies (`Fetch`) and has executed what can be (`Validate`).

Source: the finality specification (FFG: fork choice; rules 3 and 7 of Simplex).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from p2pcommerce.finality.engine import Effect, Fetch, PersistBlock, Validate
from p2pcommerce.finality.ffg.messages import Proposal
from p2pcommerce.finality.ffg.tracked import Execution, TrackedBlock
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import BlockHash, PeerId

__all__ = ["ForkError", "SlotTree"]


class ForkError(Exception):
    """A quorum decided for a block that does not descend from the last delivered one, or is invalid here."""


class SlotTree:
    """Blocks above the delivered head, and the head itself.

    Attributes:
        delivered: header of the last delivered block.
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
        self.delivered = delivered
        self.final_index = 0
        self.fork: str | None = None
        self.changes = 0
        self._blocks_max = blocks_max
        self._follows = follows
        self._out = out
        self._blocks: dict[BlockHash, TrackedBlock] = {}
        self._children: dict[BlockHash, list[BlockHash]] = {}
        self._root(delivered)

    def _root(self, header: Header) -> None:
        self.delivered = header
        root = self._blocks.setdefault(header.hash, TrackedBlock(header.hash, header))
        root.header, root.has_body, root.is_logged, root.execution = header, True, True, Execution.VALID

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def is_full(self) -> bool:
        """Whether no further block can be tracked."""
        return len(self._blocks) >= self._blocks_max

    def get(self, block_hash: BlockHash) -> TrackedBlock | None:
        """Return what is known of a block."""
        return self._blocks.get(block_hash)

    def header(self, block_hash: BlockHash) -> Header | None:
        """Return a block's header, if it is known."""
        block = self._blocks.get(block_hash)
        return None if block is None else block.header

    def is_valid(self, block_hash: BlockHash) -> bool:
        """Tell whether a block is executed and good."""
        block = self._blocks.get(block_hash)
        return block is not None and block.execution is Execution.VALID

    # --- blocks come in ---

    def add_proposal(self, proposal: Proposal, peers: tuple[PeerId, ...]) -> None:
        """Track a block that its leader signed, and ask for its body."""
        header = proposal.header
        block = self._blocks.setdefault(header.hash, TrackedBlock(header.hash))
        block.proposal = proposal
        if block.header is None:
            block.peers = peers
            self._place(block, header)
            self._vouch_below(block, header)
        if not block.has_body:
            self._out.append(Fetch(block.hash, header, proposal.transaction_ids, peers))
        self._advance(block)

    def add_own(self, header: Header) -> None:
        """Track a block that this node built: it is here and executed."""
        block = self._blocks.setdefault(header.hash, TrackedBlock(header.hash))
        block.has_body = True
        if block.header is None:
            self._place(block, header)
        self._judge(block, Execution.VALID)

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
                block = self._blocks[block_hash] = TrackedBlock(block_hash, peers=peers)
            if block.vouched >= index and known is None:
                return
            block.vouched = max(block.vouched, index)
            if block.header is None:
                if known is not None:
                    self._place(block, known)
                self._out.append(Fetch(block.hash, block.header, None, peers))
            known = None
            if block.header is None or self._ends_beside(block, block.header):
                return
            block_hash = block.header.parent_hash

    def _vouch_below(self, block: TrackedBlock, header: Header) -> None:
        if block.vouched >= 0 and not self._ends_beside(block, header):
            self.vouch(header.parent_hash, block.vouched, block.peers)

    def _ends_beside(self, block: TrackedBlock, header: Header) -> bool:
        """Tell whether a vouched block is not above the delivered one's child, and note if it is on another branch."""
        height = self.delivered.height
        if header.height > height + 1:
            return False
        # One further below may well be an ancestor of what catching up delivered meanwhile.
        below = header.hash if header.height == height else header.parent_hash
        if header.height >= height and below != self.delivered.hash and block.vouched > self.final_index:
            self.fork = f"a quorum voted for a branch beside the final block of height {self.delivered.height}"
        return True

    def restore(self, blocks: Iterable[tuple[Header, Proposal | None]]) -> None:
        """Track blocks whose bodies the log holds, in any order."""
        for header, proposal in sorted(blocks, key=lambda item: (item[0].height, item[0].hash)):
            if header.height > self.delivered.height:
                block = self._blocks.setdefault(header.hash, TrackedBlock(header.hash))
                block.proposal, block.has_body, block.is_logged = proposal, True, True
                if block.header is None:
                    self._place(block, header)
                self._advance(block)

    def on_block(self, header: Header) -> None:
        """A body is here."""
        block = self._blocks.get(header.hash)
        if block is None or block.has_body:
            return
        block.has_body = True
        if block.header is None:
            self._place(block, header)
            self._vouch_below(block, header)
        if header.height <= self.delivered.height:
            self._drop([header.hash])
        else:
            self._advance(block)

    def fetch_again(self) -> None:
        """Ask once more for every body that is missing."""
        for block in self._blocks.values():
            if not block.has_body:
                ids = None if block.proposal is None else block.proposal.transaction_ids
                self._out.append(Fetch(block.hash, block.header, ids, block.peers))

    def _place(self, block: TrackedBlock, header: Header) -> None:
        block.header = header
        self._children.setdefault(header.parent_hash, []).append(block.hash)

    # --- execution ---

    def _advance(self, block: TrackedBlock) -> None:
        """Have a block executed if that is possible."""
        if block.header is None or not block.has_body or block.execution is not Execution.UNKNOWN:
            return
        parent = self._blocks.get(block.header.parent_hash)
        if parent is None or parent.header is None:
            return
        if parent.execution is Execution.INVALID or not self._follows(block.header, parent.header):
            self._judge(block, Execution.INVALID)
        elif parent.execution is Execution.VALID:
            block.execution = Execution.ASKED
            self._out.append(Validate(block.hash))

    def _judge(self, block: TrackedBlock, execution: Execution) -> None:
        self.changes += 1
        judged = [(block, execution)]
        while judged:
            item, verdict = judged.pop()
            item.execution = verdict
            for child_hash in self._children.get(item.hash, ()):
                child = self._blocks[child_hash]
                if verdict is Execution.VALID:
                    self._advance(child)
                elif child.execution is not Execution.INVALID:
                    judged.append((child, Execution.INVALID))

    def on_validated(self, block_hash: BlockHash, *, valid: bool) -> None:
        """The application's verdict."""
        block = self._blocks.get(block_hash)
        if block is not None and block.execution in {Execution.UNKNOWN, Execution.ASKED}:
            self._judge(block, Execution.VALID if valid else Execution.INVALID)

    def reject(self, block_hash: BlockHash) -> None:
        """The engine itself is against a block."""
        block = self._blocks.get(block_hash)
        if block is not None:
            self._judge(block, Execution.INVALID)

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

    def ancestor(self, block_hash: BlockHash, height: int) -> BlockHash | None:
        """Return the ancestor of a block at a height, itself included; None if the way down is not known."""
        header = self.header(block_hash)
        while header is not None and header.height > height:
            header = self.header(header.parent_hash)
        return header.hash if header is not None and header.height == height else None

    def below(self, block_hash: BlockHash) -> Iterator[TrackedBlock]:
        """Yield a block and its ancestors down to, and without, the delivered one."""
        block = self._blocks.get(block_hash)
        while block is not None and block.header is not None and block.header.height > self.delivered.height:
            yield block
            block = self._blocks.get(block.header.parent_hash)

    def path(self, block_hash: BlockHash) -> list[Header] | None:
        """Return the headers from the head's child to a final block; None if a link is missing or it is below.

        Raises:
            ForkError: the block does not descend from the head, or is invalid.
        """
        headers: list[Header] = []
        while block_hash != self.delivered.hash:
            block = self._blocks.get(block_hash)
            if block is None or block.header is None or block.header.height < self.delivered.height:
                return None
            name = f"block {block.hash[:4].hex()} of height {block.header.height}"
            if block.header.height == self.delivered.height:
                raise ForkError(f"{name} is final beside the head")
            if block.execution is Execution.INVALID:
                raise ForkError(f"{name} is final but invalid here")
            headers.append(block.header)
            block_hash = block.header.parent_hash
        headers.reverse()
        return headers

    def orphans(self) -> Iterator[TrackedBlock]:
        """Yield the blocks whose parents are not known and not vouched for."""
        for block in self._blocks.values():
            header = block.header
            if header is None or header.height <= self.delivered.height + 1 or header.parent_hash in self._blocks:
                continue
            yield block

    def is_parent(self, block_hash: BlockHash) -> bool:
        """Tell whether a tracked block names this one as its parent."""
        return bool(self._children.get(block_hash))

    @property
    def lacks_bodies(self) -> bool:
        """Whether a body is missing."""
        return any(not block.has_body for block in self._blocks.values())

    @property
    def logged(self) -> list[TrackedBlock]:
        """The blocks above the head whose bodies are in the log."""
        return [block for block in self._blocks.values() if block.is_logged and block.hash != self.delivered.hash]

    # --- the head moves ---

    def log(self, block: TrackedBlock) -> bool:
        """Put a block's body into the write-ahead log, once; tell whether that was new."""
        if block.is_logged:
            return False
        block.is_logged = True
        self._out.append(PersistBlock(block.hash))
        return True

    def deliver(self, header: Header) -> None:
        """Move the head to a final block, and forget everything that is not above it."""
        self.changes += 1
        self._root(header)
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
        self._drop(dict.fromkeys(stale))
        for child_hash in self._children.get(header.hash, ()):
            self._advance(self._blocks[child_hash])

    def trim(self, height: int) -> None:
        """Forget what leads to no block at or above a height and is not vouched for."""
        kept = {self.delivered.hash: True}
        for root in list(self._blocks.values()):
            if root.vouched < 0 and (root.header is None or root.header.height < height):
                continue
            for block in self.below(root.hash):
                if block.hash in kept:
                    break
                kept[block.hash] = True
            kept[root.hash] = True
        self._drop([block_hash for block_hash in self._blocks if block_hash not in kept])

    def _drop(self, hashes: Iterable[BlockHash]) -> None:
        for block_hash in hashes:
            block = self._blocks.pop(block_hash)
            siblings = [] if block.header is None else self._children.get(block.header.parent_hash, [])
            if block_hash in siblings:
                siblings.remove(block_hash)
            if block.header is not None and not siblings:
                self._children.pop(block.header.parent_hash, None)
