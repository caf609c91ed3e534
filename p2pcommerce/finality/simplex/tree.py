"""The block tree of Simplex: ancestors of what a quorum voted for are wanted as well, carriers among them.

Source: rules 3 and 7 of the finality specification.
"""

from __future__ import annotations

from p2pcommerce.finality.engine import Effect
from p2pcommerce.finality.simplex.messages import is_carrier
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.tree import BlockTree, TrackedBlock
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.compat import override

__all__ = ["ViewTree"]


class ViewTree(BlockTree[TrackedBlock]):
    """Blocks above the delivered head; a block is wanted by the hash in a certificate."""

    def __init__(self, delivered: Header, parameters: SimplexParameters, out: list[Effect]) -> None:
        """Begin at a delivered block."""
        super().__init__(delivered, TrackedBlock, parameters.blocks_max, out)
        self._fetch_heights_max = parameters.fetch_heights_max

    @override
    def _on_placed(self, block: TrackedBlock, header: Header) -> None:
        """Want the parent, if it is near enough above the head."""
        gap = header.height - self.delivered.height
        if (gap > 1 or is_carrier(header)) and gap <= self._fetch_heights_max:
            self.want(header.parent_hash, block.peers)
