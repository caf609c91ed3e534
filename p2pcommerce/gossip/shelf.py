"""What was submitted here and is offered again and again until it is final or expired.

Source: the networking specification (Gossip of transactions, the origin).
"""

from __future__ import annotations

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["Shelf"]


class Shelf:
    """Own transactions that are accepted and not retired."""

    __slots__ = ("_own", "_parameters")

    def __init__(self, parameters: GossipParameters) -> None:
        """Start empty."""
        self._parameters = parameters
        self._own: dict[TransactionId, tuple[int, bytes, int]] = {}

    @property
    def own_count(self) -> int:
        """Own transactions that are still offered."""
        return len(self._own)

    @property
    def deadline(self) -> int | None:
        """When the next own transaction is to be offered again."""
        own = self._own
        return own[next(iter(own))][0] if own else None

    def put_own(self, tx_id: TransactionId, raw: bytes, fee: int, now: int) -> None:
        """Offer an own transaction again in some time; the oldest is offered no more if there are too many."""
        if len(self._own) >= self._parameters.own_max:
            del self._own[next(iter(self._own))]
        self._own[tx_id] = (now + self._parameters.reoffer_us, raw, fee)

    def retire(self, tx_id: TransactionId) -> None:
        """Offer a transaction no more."""
        self._own.pop(tx_id, None)

    def due(self, now: int) -> list[tuple[TransactionId, bytes, int]]:
        """Return id, bytes and fee of own transactions to be offered again now."""
        due: list[tuple[TransactionId, bytes, int]] = []
        while (deadline := self.deadline) is not None and deadline <= now:
            tx_id = next(iter(self._own))
            _, raw, fee = self._own.pop(tx_id)
            self._own[tx_id] = (now + self._parameters.reoffer_us, raw, fee)
            due.append((tx_id, raw, fee))
        return due
