"""The seam behind which signatures are verified, and the memory of what was.

The network's verifier does it inline: libsodium has no batch form, and any hand-over to threads was measured to cost
more than it saves (see the baselines). A busy node can put a worker process behind the same seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["InlineVerifier", "VerifiedIds", "Verifier"]


class Verifier(Protocol):
    """Checks the signatures of a slice of transactions."""

    def verify(self, transactions: Sequence[Transaction]) -> list[bool]:
        """Tell for each transaction, in order, whether all its signatures are good."""
        ...


class InlineVerifier:
    """Verifies one transaction after the other, here and now."""

    __slots__ = ("_scheme",)

    def __init__(self, scheme: SignatureScheme) -> None:
        """Verify by `scheme`."""
        self._scheme = scheme

    def verify(self, transactions: Sequence[Transaction]) -> list[bool]:
        """Tell for each transaction, in order, whether all its signatures are good."""
        scheme = self._scheme
        return [transaction.verify(scheme) for transaction in transactions]


class VerifiedIds:
    """Ids whose signatures are known to be good: the newest `count_max` at least, twice as many at most."""

    __slots__ = ("_count_max", "_old", "_young")

    def __init__(self, count_max: int) -> None:
        """Keep `count_max` ids (32 bytes each) per generation, two generations."""
        self._count_max = count_max
        self._young: dict[TransactionId, None] = {}
        self._old: dict[TransactionId, None] = {}

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._young or tx_id in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, tx_id: TransactionId) -> None:
        """Remember an id."""
        if len(self._young) >= self._count_max:
            self._old = self._young
            self._young = {}
        self._young[tx_id] = None
