"""The block tree of Simplex: ancestors of what a quorum voted for are wanted as well, carriers among them.

It also remembers which block of each view is final, so that a certificate for another one is known to be of a fork.

Source: rules 3 and 7 of the finality specification.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.finality.engine import Effect
from p2pcommerce.finality.simplex.messages import is_carrier, view_of
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.finality.tree import BlockTree, ForkError, TrackedBlock
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import BlockHash

__all__ = ["FINAL_VIEWS_MAX", "ViewTree"]

FINAL_VIEWS_MAX: Final = 4_096
"""Final blocks of an epoch whose views are remembered; the lowest are forgotten first."""


class ViewTree(BlockTree[TrackedBlock]):
    """Blocks above the delivered head; a block is wanted by the hash in a certificate."""

    def __init__(
        self, delivered: Header, parameters: SimplexParameters, out: list[Effect], base_height: int = 0
    ) -> None:
        """Begin at a delivered block; the epoch stands on the one of `base_height`."""
        super().__init__(delivered, TrackedBlock, parameters.blocks_max, out)
        self._fetch_heights_max = parameters.fetch_heights_max
        self._base_height = base_height
        self._final: dict[int, BlockHash] = {}
        self._known_from = 1
        """The lowest view from which on it is known which views have a final block."""
        if self.final_view:
            self._know_only(delivered)

    # --- what is final ---

    @property
    def final_view(self) -> int:
        """The view of the delivered block, 0 if that is the one the epoch stands on."""
        return 0 if self.delivered.height <= self._base_height else view_of(self.delivered)

    def is_beside(self, view: int, block_hash: bytes) -> bool:
        """Tell whether a block (32 bytes) of a view is known not to be on the final chain, which has passed the view.

        Of views above the delivered block nothing is known: after the last one of an epoch they belong to carriers.
        """
        return self._known_from <= view <= self.final_view and self._final.get(view) != block_hash

    def is_final(self, view: int, block_hash: bytes) -> bool:
        """Tell whether a block (32 bytes) of a view is known to be on the final chain."""
        return self._final.get(view) == block_hash

    def _know_only(self, header: Header) -> None:
        self._known_from = view_of(header)
        self._final = {self._known_from: header.hash}

    @override
    def deliver(self, header: Header) -> None:
        """Move the head to a final block; see `BlockTree.deliver`."""
        follows = header.parent_hash == self.delivered.hash
        super().deliver(header)
        if not follows:  # by catching up: the views of those between are not known
            self._know_only(header)
            return
        self._final[view_of(header)] = header.hash
        if len(self._final) > FINAL_VIEWS_MAX:
            lowest = next(iter(self._final))
            del self._final[lowest]
            self._known_from = lowest + 1

    @override
    def path(self, block_hash: BlockHash) -> list[Header] | None:
        """Return the headers from the head's child to a final block; see `BlockTree.path`.

        Raises:
            ForkError: the block does not descend from the head, or is invalid.
        """
        header = self.header(block_hash)
        if header is not None and header.height < self.delivered.height and view_of(header) > self.final_view:
            raise ForkError(f"block {header.hash[:4].hex()} of height {header.height} is final beside the head")
        return super().path(block_hash)

    # --- what is wanted ---

    @override
    def _on_placed(self, block: TrackedBlock, header: Header) -> None:
        """Want the parent, if it is near enough above the head."""
        gap = header.height - self.delivered.height
        if (gap > 1 or is_carrier(header)) and gap <= self._fetch_heights_max:
            self.want(header.parent_hash, block.peers)
