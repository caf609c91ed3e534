"""The blocks above the last delivered one: which are here, which are executed, how they hang together.

It asks for what is missing (`Fetch`) and has executed what can be (`Validate`): a block whose body is here and whose
parent is valid. An invalid block takes its descendants with it. When the head moves, everything that is not above it is
forgotten. Why a block is wanted, and which of the blocks is to be built on, is the engine's business: an engine with
more to say of a block has a tree of its own on top of this one.

Source: rules 3 and 7 of the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Generic, TypeVar

from p2pcommerce.finality.engine import Effect, Fetch, PersistBlock, Validate
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash, PeerId, TransactionId

__all__ = ["BlockTree", "Execution", "ForkError", "TrackedBlock"]


class ForkError(Exception):
    """A block that a quorum decided for does not descend from the last delivered one, or is invalid here."""


@unique
class Execution(Enum):
    """What is known of a block's validity."""

    UNKNOWN = "unknown"
    ASKED = "asked"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(slots=True)
class TrackedBlock:
    """One block.

    Attributes:
        hash: 32 bytes.
        header: None while only the hash is known.
        transaction_ids: in order, if known.
        peers: who should have it.
        has_body: whether the node holds all of it.
        is_logged: whether its body is in the write-ahead log.
        execution: what is known of its validity.
    """

    hash: BlockHash
    header: Header | None = None
    transaction_ids: tuple[TransactionId, ...] | None = None
    peers: tuple[PeerId, ...] = ()
    has_body: bool = False
    is_logged: bool = False
    execution: Execution = Execution.UNKNOWN


B = TypeVar("B", bound=TrackedBlock)


class BlockTree(Generic[B]):
    """Blocks above the delivered head, and the head itself.

    Attributes:
        delivered: header of the last delivered block.
    """

    def __init__(self, delivered: Header, make: Callable[[BlockHash], B], blocks_max: int, out: list[Effect]) -> None:
        """Begin at a delivered block.

        Args:
            delivered: its header.
            make: hash (32 bytes) -> what is kept of a block.
            blocks_max: blocks that are tracked before no other is wanted.
            out: where effects go.
        """
        self.delivered = delivered
        self._make = make
        self._blocks_max = blocks_max
        self._out = out
        self._blocks: dict[BlockHash, B] = {}
        self._children: dict[BlockHash, list[BlockHash]] = {}
        self._root(delivered)

    def _root(self, header: Header) -> None:
        self.delivered = header
        root = self._track(header.hash)
        root.header, root.has_body, root.is_logged, root.execution = header, True, True, Execution.VALID

    def _track(self, block_hash: BlockHash) -> B:
        block = self._blocks.get(block_hash)
        if block is None:
            block = self._blocks[block_hash] = self._make(block_hash)
        return block

    def __len__(self) -> int:
        return len(self._blocks)

    # --- questions ---

    @property
    def is_full(self) -> bool:
        """Whether no further block is wanted."""
        return len(self._blocks) >= self._blocks_max

    @property
    def lacks_bodies(self) -> bool:
        """Whether a body is missing."""
        return any(not block.has_body for block in self._blocks.values())

    @property
    def logged(self) -> list[B]:
        """The blocks above the head whose bodies are in the log."""
        return [block for block in self._blocks.values() if block.is_logged and block.hash != self.delivered.hash]

    def get(self, block_hash: BlockHash) -> B | None:
        """Return what is known of a block."""
        return self._blocks.get(block_hash)

    def header(self, block_hash: BlockHash) -> Header | None:
        """Return a block's header, if it is known."""
        block = self._blocks.get(block_hash)
        return None if block is None else block.header

    def execution(self, block_hash: BlockHash) -> Execution:
        """Return what is known of a block's validity."""
        block = self._blocks.get(block_hash)
        return Execution.UNKNOWN if block is None else block.execution

    def is_valid(self, block_hash: BlockHash) -> bool:
        """Tell whether a block is executed and good."""
        return self.execution(block_hash) is Execution.VALID

    def ancestor(self, block_hash: BlockHash, height: int) -> BlockHash | None:
        """Return the ancestor of a block at a height, itself included; None if the way down is not known."""
        header = self.header(block_hash)
        while header is not None and header.height > height:
            header = self.header(header.parent_hash)
        return header.hash if header is not None and header.height == height else None

    def below(self, block_hash: BlockHash) -> Iterator[B]:
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

    # --- blocks come in ---

    def want(
        self,
        block_hash: BlockHash,
        peers: tuple[PeerId, ...],
        header: Header | None = None,
        transaction_ids: tuple[TransactionId, ...] | None = None,
    ) -> None:
        """Track a block and ask for its body, unless it is here or was asked for as precisely.

        Args:
            block_hash: 32 bytes.
            peers: who should have it, most likely first.
            header: its header, if known.
            transaction_ids: the ids of its transactions, if known.
        """
        block = self._blocks.get(block_hash)
        if block is None:
            if self.is_full:
                return
            block = self._track(block_hash)
        elif block.has_body or block.header is not None or header is None:
            return
        block.peers, block.transaction_ids = peers, transaction_ids
        self._out.append(Fetch(block_hash, header, transaction_ids, peers))
        if header is not None:
            self._place(block, header)

    def fetch_again(self) -> None:
        """Ask once more for every body that is missing."""
        self._out.extend(
            Fetch(block.hash, block.header, block.transaction_ids, block.peers)
            for block in self._blocks.values()
            if not block.has_body
        )

    def add_own(self, header: Header) -> None:
        """Track a block that this node built: it is here and executed."""
        block = self._track(header.hash)
        block.has_body = True
        if block.header is None:
            self._place(block, header)
        self._judge(block, Execution.VALID)

    def restore(self, headers: Sequence[Header]) -> None:
        """Track blocks whose bodies the log holds, in any order."""
        for header in sorted(headers, key=lambda item: (item.height, item.hash)):
            if header.height > self.delivered.height:
                block = self._track(header.hash)
                block.has_body = block.is_logged = True
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
        self._advance(block)

    def _place(self, block: B, header: Header) -> None:
        """Give a block its header."""
        self._attach(block, header)
        self._on_placed(block, header)

    def _attach(self, block: B, header: Header) -> None:
        block.header = header
        self._children.setdefault(header.parent_hash, []).append(block.hash)

    def _on_placed(self, block: B, header: Header) -> None:
        """A block's parent is known now; an engine may want it, too."""

    # --- execution ---

    def _follows(self, header: Header, parent: Header) -> bool:
        """Tell whether a header may follow its parent's, as far as the tree is to judge that."""
        return True

    def _advance(self, block: B) -> None:
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

    def _judge(self, block: B, execution: Execution) -> None:
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

    # --- the head moves ---

    def log(self, block_hash: BlockHash) -> bool:
        """Put a tracked block's body into the write-ahead log, once; tell whether that was new."""
        block = self._blocks[block_hash]
        if block.is_logged:
            return False
        block.is_logged = True
        self._out.append(PersistBlock(block_hash))
        return True

    def deliver(self, header: Header) -> None:
        """Move the head to a final block, and forget everything that is not above it."""
        self._root(header)
        self._drop(dict.fromkeys(self._stale(header)))
        for child_hash in self._children.get(header.hash, ()):
            self._advance(self._blocks[child_hash])

    def _stale(self, header: Header) -> list[BlockHash]:
        """Return what is of no use above this final block."""
        return [
            block.hash
            for block in self._blocks.values()
            if block.header is not None and block.header.height <= header.height and block.hash != header.hash
        ]

    def trim(self, roots: Iterable[BlockHash]) -> None:
        """Forget every block that is neither a root nor an ancestor of one."""
        kept = {self.delivered.hash: True}
        for root in roots:
            block = self._blocks.get(root)
            while block is not None and block.hash not in kept:
                kept[block.hash] = True
                block = None if block.header is None else self._blocks.get(block.header.parent_hash)
        self._drop([block_hash for block_hash in self._blocks if block_hash not in kept])

    def _drop(self, hashes: Iterable[BlockHash]) -> None:
        for block_hash in hashes:
            block = self._blocks.pop(block_hash)
            # The first head was never placed below its parent.
            siblings = [] if block.header is None else self._children.get(block.header.parent_hash, [])
            if block_hash in siblings:
                siblings.remove(block_hash)
            if block.header is not None and not siblings:
                self._children.pop(block.header.parent_hash, None)
