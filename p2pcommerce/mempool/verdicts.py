"""What the mempool says: its effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.errors import RejectionCode, Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId

__all__ = ["Admitted", "Dropped", "Effect", "Examined", "Origin", "Refused"]

Origin: TypeAlias = PeerId | None
"""The peer that a transaction came from; None: it was submitted here."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A submitted transaction is in the pool.

    Attributes:
        tx_id: 32 bytes.
        transaction: decoded, its signatures verified.
        origin: as it was submitted.
        weight: what its fee pays for.
    """

    tx_id: TransactionId
    transaction: Transaction
    origin: Origin
    weight: int


@dataclass(frozen=True, slots=True)
class Examined:
    """A private transaction passes everything that the pool asks of one, and is not in it.

    Attributes:
        tx_id: 32 bytes.
        raw: its bytes.
        origin: as it was submitted.
    """

    tx_id: TransactionId
    raw: bytes
    origin: Origin


@dataclass(frozen=True, slots=True)
class Refused:
    """A submitted transaction is not taken.

    Attributes:
        tx_id: 32 bytes.
        origin: as it was submitted.
        verdict: REJECT if it is invalid whatever the state, IGNORE if the state or the pool is against it.
        code: why.
        detail: a sentence for people.
        raw_len: its size in bytes.
        is_private: it was only to be examined.
    """

    tx_id: TransactionId
    origin: Origin
    verdict: Verdict
    code: RejectionCode
    detail: str
    raw_len: int
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction that was in the pool left it, and not because it became final.

    Attributes:
        tx_id: 32 bytes.
        code: why.
        detail: a sentence for people.
        replaced_by: id (32 bytes) of the transaction that took its place, if one did.
    """

    tx_id: TransactionId
    code: RejectionCode
    detail: str
    replaced_by: TransactionId | None = None


Effect: TypeAlias = Admitted | Examined | Refused | Dropped
