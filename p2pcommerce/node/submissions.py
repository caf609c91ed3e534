"""The submissions of this node's own users that wait for the pool's verdict.

One transaction submitted twice is judged once, and both submitters get the verdict.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.node.effects import Submitted
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["SUBMISSIONS_MAX", "Submissions"]

SUBMISSIONS_MAX: Final = 4_096
"""Submissions that wait for their verdict at one time; beyond that the caller is pushed back."""


class Submissions:
    """Requests by the transaction that they brought."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[TransactionId, list[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more may be added."""
        return self._count >= SUBMISSIONS_MAX

    def add(self, tx_id: TransactionId, request: int) -> bool:
        """Add a request; tell whether its transaction (id of 32 bytes) is the first of its kind to wait."""
        waiting = self._waiting.setdefault(tx_id, [])
        waiting.append(request)
        self._count += 1
        return len(waiting) == 1

    def take(self, tx_id: TransactionId) -> list[int]:
        """Return the requests that wait for a transaction (id of 32 bytes), oldest first, and forget them."""
        requests = self._waiting.pop(tx_id, [])
        self._count -= len(requests)
        return requests

    def answer(self, tx_id: TransactionId, code: RejectionCode, detail: str) -> list[Submitted]:
        """Return the verdict on a transaction (id of 32 bytes) for each request that waits for it."""
        return [Submitted(request, tx_id, code, detail) for request in self.take(tx_id)]
