"""The other side of catching up: what is answered to a peer that asks for blocks.

An answer ends at a block whose proof this node holds. Not every stored block has one: blocks that came by an answer
share the proof of the last of them. So the answer ends at the last proof within what was asked, and if there is none,
at the first one after it; both within the caps, which bound such a stretch, since it came as one answer.

Source: catching up in the finality specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from p2pcommerce.sync.parameters import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX
from p2pcommerce.wire.messages import Blocks, GetBlocks

__all__ = ["Row", "answer"]


class Row(NamedTuple):
    """One final block as it is stored.

    Attributes:
        height: of the block.
        block: the encoded block, as `Block.raw`.
        proof: that it is final; empty: only a later one's is known.
    """

    height: int
    block: bytes
    proof: bytes


def answer(request: GetBlocks, rows: Iterable[Row]) -> Blocks:
    """Return the answer to a request, empty if this node has none.

    Args:
        request: from a peer; its numbers are untrusted.
        rows: what is stored from `request.from_height` on, by height, without gaps; read no further than the caps
            allow, so a cursor or a list of up to 128 rows will do.
    """
    blocks: list[bytes] = []
    ends_at, proof, size = 0, b"", 0
    for row in rows:
        size += len(row.block)
        is_next = row.height == request.from_height + len(blocks)
        if not is_next or size > ANSWER_BYTES_MAX or len(blocks) == ANSWER_BLOCKS_MAX:
            break
        blocks.append(row.block)
        if row.proof:
            ends_at, proof = len(blocks), row.proof
        if ends_at and len(blocks) >= request.count:
            break
    return Blocks(request.from_height, tuple(blocks[:ends_at]), proof)
