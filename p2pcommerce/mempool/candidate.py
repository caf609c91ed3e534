"""What passed everything but the signatures, and what it will do to the pool before the rest of its slice is added."""

from __future__ import annotations

from p2pcommerce.ledger.application import Admission
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.intake import Waiting
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Ahead", "Candidate"]


class Candidate:
    """A transaction of a slice that passed everything but the signatures."""

    __slots__ = ("admission", "transaction", "waiting")

    def __init__(self, waiting: Waiting, transaction: Transaction, admission: Admission) -> None:
        """Keep what is known of it."""
        self.waiting = waiting
        self.transaction = transaction
        self.admission = admission


class Ahead:
    """What the candidates of a slice will do to the pool, roughly, before the next of the slice is added.

    Attributes:
        ids: of the candidates, 32 bytes each.
        counts: sender -> how many of them are its.
        spends_minor: payer -> what those that it pays for may spend.
    """

    __slots__ = ("counts", "ids", "spends_minor")

    def __init__(self) -> None:
        """Start with none."""
        self.ids: dict[TransactionId, None] = {}
        self.counts: dict[PublicKey, int] = {}
        self.spends_minor: dict[PublicKey, int] = {}

    def add(self, transaction: Transaction, admission: Admission) -> None:
        """Count one more candidate."""
        self.ids[transaction.id] = None
        self.counts[transaction.sender] = self.counts.get(transaction.sender, 0) + 1
        self.spends_minor[admission.payer] = self.spends_minor.get(admission.payer, 0) + admission.spend_minor
