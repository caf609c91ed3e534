"""What the control port says of transactions: states, and the errors of those that will not become final.

    status = [id 32 B, state, height or nil, code, detail, replaced by 32 B or nil, receipt or nil]

Source: control.json in the interface specification.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.primitives.codec import HASH, U32, Shape, maybe, record, text
from p2pcommerce.primitives.errors import (
    CodecError,
    P2PError,
    RejectionCode,
    TransactionDroppedError,
    TransactionExpiredError,
    TransactionUnknownError,
)
from p2pcommerce.primitives.ids import Height, TransactionId
from p2pcommerce.runtime.control_frames import CODE, RECEIPT
from p2pcommerce.runtime.transaction_status import TransactionState, TransactionStatus

__all__ = ["STATUS", "loss_of"]

_DETAIL_CHARACTERS_MAX: Final = 1_024
_DROPPED: Final = "DROPPED_"


def _read_state(value: object) -> TransactionState:
    try:
        return TransactionState(value)
    except ValueError:
        raise CodecError("is no known state") from None


def _status(
    tx_id: bytes,
    state: TransactionState,
    height: int | None,
    code: RejectionCode,
    detail: str,
    replaced_by: bytes | None,
    receipt: Receipt | None,
) -> TransactionStatus:
    return TransactionStatus(
        tx_id=TransactionId(tx_id),
        state=state,
        height=None if height is None else Height(height),
        code=code,
        detail=detail,
        replaced_by=None if replaced_by is None else TransactionId(replaced_by),
        receipt=receipt,
    )


_FIELDS: Final = record(
    _status,
    tx_id=HASH,
    state=Shape(_read_state, lambda state: state.value),
    height=maybe(U32),
    code=CODE,
    detail=text(_DETAIL_CHARACTERS_MAX),
    replaced_by=maybe(HASH),
    receipt=maybe(RECEIPT),
)


def _plain(status: TransactionStatus) -> object:
    return (
        status.tx_id,
        status.state.value,
        status.height,
        status.code.value,
        status.detail[:_DETAIL_CHARACTERS_MAX],
        status.replaced_by,
        None if status.receipt is None else RECEIPT.plain(status.receipt),
    )


STATUS: Final[Shape[TransactionStatus]] = Shape(_FIELDS.read, _plain)


def loss_of(code: str, detail: str) -> P2PError | None:
    """Return the error that a node raised for a transaction that will not become final; None: it is another error."""
    if code == TransactionExpiredError.code:
        return TransactionExpiredError(detail)
    if code == TransactionUnknownError.code:
        return TransactionUnknownError(detail)
    if code.startswith(_DROPPED) and code.removeprefix(_DROPPED) in {each.value for each in RejectionCode}:
        return TransactionDroppedError(RejectionCode(code.removeprefix(_DROPPED)), detail)
    return None
