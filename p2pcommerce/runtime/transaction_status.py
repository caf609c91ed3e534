"""Where a transaction stands, as one node knows it.

    unknown -> pending <-> included -> final
                  |
                  +--> refused, replaced, evicted or expired

Source: the networking specification (every rejection has a code and a sentence).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.effects import Dropped
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import Height, TransactionId

__all__ = ["TransactionState", "TransactionStatus", "dropped_status", "final_status"]


@unique
class TransactionState(Enum):
    """The states; the last five do not change any more."""

    UNKNOWN = "unknown"
    """This node has not seen it; it may be on its way."""
    PENDING = "pending"
    """It waits for a block."""
    INCLUDED = "included"
    """It is in a block that is not final yet; if another block takes that one's place, it is pending again."""
    FINAL = "final"
    """It is in a final block, with a receipt: its code says whether it did what it should."""
    REFUSED = "refused"
    """The pool did not take it, or found out later that it cannot be included."""
    REPLACED = "replaced"
    """Its sender put another one with the same nonce and a higher fee in its place."""
    EVICTED = "evicted"
    """The pool was full, and it was driven out by others that pay more."""
    EXPIRED = "expired"
    """Its expiry height has passed, or it has waited for three hours."""


_OVER: Final = frozenset(
    {
        TransactionState.FINAL,
        TransactionState.REFUSED,
        TransactionState.REPLACED,
        TransactionState.EVICTED,
        TransactionState.EXPIRED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStatus:
    """One state of one transaction.

    Attributes:
        tx_id: 32 bytes.
        state: see `TransactionState`.
        height: of the block that holds it; None: none does.
        code: OK, or why it was dropped or failed.
        detail: a sentence for people; empty if there is nothing to say.
        receipt: of a final transaction.
        replaced_by: id (32 bytes) of the transaction that took its place.
    """

    tx_id: TransactionId
    state: TransactionState
    height: Height | None = None
    code: RejectionCode = RejectionCode.OK
    detail: str = ""
    receipt: Receipt | None = None
    replaced_by: TransactionId | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said of it."""
        return self.state in _OVER


def final_status(receipt: Receipt) -> TransactionStatus:
    """Return the status of a final transaction."""
    return TransactionStatus(
        tx_id=receipt.tx_id,
        state=TransactionState.FINAL,
        height=receipt.height,
        code=receipt.code,
        detail=receipt.detail,
        receipt=receipt,
    )


def dropped_status(dropped: Dropped) -> TransactionStatus:
    """Return the status of a transaction that left the pool, or never came into it."""
    if dropped.replaced_by is not None:
        state = TransactionState.REPLACED
    elif dropped.code is RejectionCode.EXPIRED:
        state = TransactionState.EXPIRED
    elif dropped.code is RejectionCode.POOL_FULL:
        state = TransactionState.EVICTED
    else:
        state = TransactionState.REFUSED
    return TransactionStatus(
        tx_id=dropped.tx_id,
        state=state,
        code=dropped.code,
        detail=dropped.detail,
        replaced_by=dropped.replaced_by,
    )
