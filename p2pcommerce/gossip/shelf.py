"""What the router goes on offering: accepted transactions for new peers, its own ones for everybody.

A transaction submitted here is offered again and again until it is final or expired; any accepted one is announced to
peers that connect later. Bytes of others' transactions are not kept here: the pool has them.

Source: the networking specification (Gossip of transactions, the origin). Deviations: the announcement to a new peer
stands in for set reconciliation.
"""

from __future__ import annotations

from itertools import islice

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["Shelf"]


class Shelf:
    """Transactions that are accepted and not retired.

    Attributes:
        live: id (32 bytes) -> size in bytes and fee in minor units; the oldest first.
    """

    __slots__ = ("_own", "_parameters", "live")

    def __init__(self, parameters: GossipParameters) -> None:
        """Start empty."""
        self._parameters = parameters
        self.live: dict[TransactionId, tuple[int, int]] = {}
        self._own: dict[TransactionId, tuple[int, bytes]] = {}

    @property
    def own_count(self) -> int:
        """Own transactions that are still offered."""
        return len(self._own)

    @property
    def deadline(self) -> int | None:
        """When the next own transaction is to be offered again."""
        own = self._own
        return own[next(iter(own))][0] if own else None

    def put(self, tx_id: TransactionId, size: int, fee: int) -> None:
        """Remember an accepted transaction; the oldest goes if there are too many."""
        if len(self.live) >= self._parameters.live_max:
            del self.live[next(iter(self.live))]
        self.live[tx_id] = (size, fee)

    def put_own(self, tx_id: TransactionId, raw: bytes, now: int) -> None:
        """Offer an own transaction again in some time; the oldest is offered no more if there are too many."""
        if len(self._own) >= self._parameters.own_max:
            del self._own[next(iter(self._own))]
        self._own[tx_id] = (now + self._parameters.reoffer_us, raw)

    def retire(self, tx_id: TransactionId) -> None:
        """Offer a transaction no more."""
        self.live.pop(tx_id, None)
        self._own.pop(tx_id, None)

    def newest(self) -> list[tuple[TransactionId, int, int]]:
        """Return id, size and fee of what is announced to a new peer, the oldest first."""
        newest = list(islice(reversed(self.live.items()), self._parameters.greeting_max))
        return [(tx_id, size, fee) for tx_id, (size, fee) in reversed(newest)]

    def due(self, now: int) -> list[tuple[TransactionId, bytes, int]]:
        """Return id, bytes and fee of own transactions to be offered again now."""
        due: list[tuple[TransactionId, bytes, int]] = []
        while (deadline := self.deadline) is not None and deadline <= now:
            tx_id = next(iter(self._own))
            _, raw = self._own.pop(tx_id)
            self._own[tx_id] = (now + self._parameters.reoffer_us, raw)
            due.append((tx_id, raw, self.live.get(tx_id, (0, 0))[1]))
        return due
