"""A run: consecutive blocks of which the last is proven final, and with it, by the chain of hashes, all of them.

Nothing in an answer is believed: sizes, then the last header and its proof, then backwards parent by parent, then each
body against its header. A run needs no other run to be verified; whether it stands on what was delivered shows when it
is handed over.

Source: catching up in the finality specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from p2pcommerce.ledger.block import Block, Header, decode_block
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, Height
from p2pcommerce.sync.parameters import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX
from p2pcommerce.wire.messages import Blocks

__all__ = [
    "AnswerTooLargeError",
    "BlockBodyError",
    "BlockHeightError",
    "BlockNetworkError",
    "BlocksError",
    "BrokenChainError",
    "FinalityProofError",
    "Run",
    "read_run",
]


class BlocksError(RemoteProtocolError):
    """An answer with blocks that are not what they claim to be."""

    code = "SYNC"


class AnswerTooLargeError(BlocksError):
    """More blocks, or more bytes of blocks, than one answer may hold."""

    code = "SYNC_TOO_LARGE"


class BlockHeightError(BlocksError):
    """A block at another height than its place in the answer says."""

    code = "SYNC_HEIGHT"


class BlockNetworkError(BlocksError):
    """A block of another network."""

    code = "SYNC_NETWORK"


class FinalityProofError(BlocksError):
    """A last block that its proof does not show to be final."""

    code = "SYNC_PROOF"


class BrokenChainError(BlocksError):
    """A block that is not the parent of the next one."""

    code = "SYNC_CHAIN"


class BlockBodyError(BlocksError):
    """Transactions that the header does not commit to."""

    code = "SYNC_BODY"


@dataclass(frozen=True, slots=True)
class Run:
    """Verified consecutive blocks.

    Attributes:
        blocks: at least one, by height.
        proof: that the last one is final.
        size: bytes of the blocks as received.
    """

    blocks: tuple[Block, ...]
    proof: bytes
    size: int

    @property
    def first(self) -> Height:
        """Height of the first block."""
        return self.blocks[0].header.height

    @property
    def last(self) -> Height:
        """Height of the last block."""
        return self.blocks[-1].header.height

    def above(self, height: int) -> tuple[Block, ...]:
        """Return the blocks above a height."""
        return self.blocks[max(height + 1 - self.first, 0) :]


def read_run(message: Blocks, genesis_hash: GenesisHash, verify: Callable[[Header, bytes], bool]) -> Run:
    """Verify an answer.

    Args:
        message: untrusted; not empty.
        genesis_hash: this network, 32 bytes.
        verify: tells whether a proof shows a header to be final.

    Raises:
        BlocksError: a subclass for each rule that is broken.
        CodecError: a block that is malformed, too large or not canonical.
    """
    count, size = len(message.blocks), sum(len(raw) for raw in message.blocks)
    if not 1 <= count <= ANSWER_BLOCKS_MAX or size > ANSWER_BYTES_MAX:
        raise AnswerTooLargeError(
            f"{count} blocks of {size} bytes, 1 to {ANSWER_BLOCKS_MAX} of {ANSWER_BYTES_MAX} together allowed"
        )
    height = message.from_height + count - 1
    block = _read_block(message.blocks[-1], height, genesis_hash)
    if not verify(block.header, message.proof):
        raise FinalityProofError(f"the proof does not show block {height} to be final")
    blocks = [block]
    for raw in reversed(message.blocks[:-1]):
        height -= 1
        parent = _read_block(raw, height, genesis_hash)
        if parent.hash != blocks[-1].header.parent_hash:
            raise BrokenChainError(f"block {height} is not the parent of the block above it")
        blocks.append(parent)
    for block in blocks:
        if not block.body_is_committed:
            raise BlockBodyError(f"the transactions of block {block.header.height} are not those of its header")
    return Run(tuple(reversed(blocks)), message.proof, size)


def _read_block(raw: bytes, height: int, genesis_hash: GenesisHash) -> Block:
    block = decode_block(raw)
    if block.header.height != height:
        raise BlockHeightError(f"a block of height {block.header.height} at the place of height {height}")
    if block.header.genesis_hash != genesis_hash:
        raise BlockNetworkError(f"block {height} is of another network")
    return block
