"""Senders by the price of their first transaction, dearest first: where a block begins to choose.

Which sender's head has changed is noted, and looked at when a block is built: most of what enters a node's pool is
final before that, and most nodes build none.
"""

from __future__ import annotations

from p2pcommerce.mempool.entry import SenderQueue
from p2pcommerce.mempool.lazy_heap import LazyHeap
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Heads"]


class Heads:
    """The order of senders, as of when somebody asks for it."""

    __slots__ = ("_changed", "_order")

    def __init__(self) -> None:
        """Start empty."""
        self._order: LazyHeap[PublicKey] = LazyHeap()
        self._changed: dict[PublicKey, SenderQueue] = {}

    def put(self, queue: SenderQueue) -> None:
        """Enter a sender, or learn that its head may have changed."""
        self._changed[queue.sender] = queue

    def discard(self, sender: PublicKey) -> None:
        """Take a sender (32 bytes) out."""
        self._changed.pop(sender, None)
        self._order.discard(sender)

    def order(self) -> LazyHeap[PublicKey]:
        """Return the senders, least first by the negative price of their heads, then by the heads' admission."""
        if self._changed:
            changed, self._changed = self._changed, {}
            for sender, queue in changed.items():
                head = queue.head
                self._order.put(sender, -head.price, head.order)
        return self._order
