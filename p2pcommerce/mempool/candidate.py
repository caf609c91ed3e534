"""What passed everything but the signatures, and what it will do to the pool before the rest of its slice is added."""

from __future__ import annotations

from p2pcommerce.ledger.application import Admission
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.intake import Waiting
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Ahead", "Candidate"]


class Candidate:
    """A transaction of a slice that passed everything but the signatures.

    Attributes:
        waiting: as it came.
        transaction: decoded.
        admission: what the application said of it.
        is_first: of the slice none before it has its sender or its payer.
    """

    __slots__ = ("admission", "is_first", "transaction", "waiting")

    def __init__(self, waiting: Waiting, transaction: Transaction, admission: Admission, *, is_first: bool) -> None:
        """Keep what is known of it."""
        self.waiting = waiting
        self.transaction = transaction
        self.admission = admission
        self.is_first = is_first


class Ahead:
    """What the candidates of a slice will do to the pool, roughly, before the next of the slice is added.

    Attributes:
        floor_price: the pool's fee floor, fixed point.
        has_room: the pool takes the whole slice without driving anything out.
        ids: of the candidates, 32 bytes each.
        counts: sender -> how many of them are its.
        spends_minor: payer -> what those that it pays for may spend.
    """

    __slots__ = ("counts", "floor_price", "has_room", "ids", "spends_minor")

    def __init__(self, floor_price: int, *, has_room: bool) -> None:
        """Start with none."""
        self.floor_price = floor_price
        self.has_room = has_room
        self.ids: dict[TransactionId, None] = {}
        self.counts: dict[PublicKey, int] = {}
        self.spends_minor: dict[PublicKey, int] = {}

    def add(self, transaction: Transaction, admission: Admission) -> bool:
        """Count one more candidate; tell whether it is the first of its sender and of its payer."""
        sender, payer, counts, spends_minor = transaction.sender, admission.payer, self.counts, self.spends_minor
        self.ids[transaction.id] = None
        count, spend_minor = counts.get(sender), spends_minor.get(payer)
        counts[sender] = 1 if count is None else count + 1
        spends_minor[payer] = admission.spend_minor if spend_minor is None else spend_minor + admission.spend_minor
        return count is None and spend_minor is None
