"""Which transaction of a full pool goes next: the tail of the cheapest sender, first of all one behind a missing nonce.

A tail behind a missing nonce is promised a fee that nobody may ever collect, so its price counts only among such tails,
and they come before all others. A tail that was submitted here is not entered at all.

Source: the mempool rules of the networking specification; Li, Wang, Tang: DETER (2021), for what transactions that can
never be included do to a pool that takes them at their word.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Final

from p2pcommerce.mempool.entry import Entry, SenderQueue
from p2pcommerce.mempool.lazy_heap import LazyHeap
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Eviction"]

_GAPPED: Final = 1 << 128
"""Taken off the price of what lies behind a missing nonce: more than any price."""


class Eviction:
    """Senders in the order in which their tails go."""

    __slots__ = ("_changed", "_order", "_queues", "_search_max")

    def __init__(self, queues: Mapping[PublicKey, SenderQueue], search_max: int) -> None:
        """Start empty.

        Args:
            queues: of the pool; a sender that is entered here is in it.
            search_max: senders looked at for one transaction.
        """
        self._order: LazyHeap[PublicKey] = LazyHeap()
        self._changed: dict[PublicKey, SenderQueue] = {}  # not looked at since
        self._queues = queues
        self._search_max = search_max

    def put(self, queue: SenderQueue) -> None:
        """Enter a sender, or learn that its tail has changed; it is looked at when somebody has to go."""
        self._changed[queue.sender] = queue

    def discard(self, sender: PublicKey) -> None:
        """Take a sender (32 bytes) out."""
        self._changed.pop(sender, None)
        self._order.discard(sender)

    def has_below(self, price: int, *, gapped: bool) -> bool:
        """Tell whether anything may go for a transaction of this price; `gapped`: a nonce is missing before it."""
        self._settle()
        first = self._order.first()
        return first is not None and first[0] < (price - _GAPPED if gapped else price)

    def tails(self, price: int, sender: PublicKey, payer: PublicKey, *, gapped: bool) -> Generator[Entry, None, None]:
        """Yield what may go for a transaction, in order; when the generator is closed all is as it was.

        Args:
            price: of the transaction, and of what must be had with it.
            sender: whose transactions stay, 32 bytes.
            payer: whose transactions stay, 32 bytes.
            gapped: a nonce is missing before the transaction.
        """
        self._settle()
        order, limit = self._order, price - _GAPPED if gapped else price
        visited: dict[PublicKey, int] = {}  # sender -> how many of its tails were yielded
        try:
            while (first := order.first()) is not None and first[0] < limit:
                if len(visited) >= self._search_max:
                    return
                queue = self._queues[first[1]]
                position = visited.setdefault(queue.sender, 0)
                victim = queue.entries[queue.nonces[-1 - position]]
                if queue.sender == sender or victim.payer == payer:
                    order.discard(queue.sender)
                    continue
                visited[queue.sender] = position + 1
                yield victim
                if position + 1 == len(queue.nonces):
                    order.discard(queue.sender)
                else:
                    self._put(queue, queue.nonces[-2 - position])
        finally:
            for visited_sender in visited:
                self.put(self._queues[visited_sender])

    def _settle(self) -> None:
        """Put every sender whose queue has changed in its place."""
        if self._changed:
            changed, self._changed = self._changed, {}
            for queue in changed.values():
                self._put(queue, queue.nonces[-1])

    def _put(self, queue: SenderQueue, tail_nonce: int) -> None:
        tail = queue.entries[tail_nonce]
        if tail.origin is None:
            self._order.discard(queue.sender)
        elif queue.is_gapped(tail_nonce):
            self._order.put(queue.sender, tail.price - _GAPPED, -tail.order)
        else:
            self._order.put(queue.sender, tail.bottleneck, -queue.head.order)
