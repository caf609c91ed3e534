"""What a transaction weighs, and the least fee for it.

    weight = bytes + UNIT_WEIGHT x (signatures verified + records written)

The records are known from the body alone. A place pays for its own ending, so that whoever ends an order pays little.

Source: "Fees and state" of the commerce specification.
Deviations: a signature or record weighs 500 bytes, not the 100 that the specification estimates and asks to be
measured; the weight that fits a block grew with it.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.trace import IDS_MAX, SERIALS_MAX
from p2pcommerce.ledger.application import UNIT_WEIGHT
from p2pcommerce.ledger.transaction import ENVELOPE_VERSION, TRANSACTION_BYTES_MAX, Transaction
from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.ids import HASH_BYTES, SIGNATURE_BYTES

__all__ = ["RECORDS_MAX", "UNIT_WEIGHT", "WEIGHT_MAX", "fee_for", "weigh", "weigh_transaction"]


RECORDS_MAX: Final = 2 * IDS_MAX + 1 + SERIALS_MAX
"""Records that one transaction may write at most: a `trace.transform` of full lists."""
WEIGHT_MAX: Final = TRANSACTION_BYTES_MAX + UNIT_WEIGHT * (2 + RECORDS_MAX)
"""What one transaction may weigh at most; a block must be able to hold it."""


def weigh(size_bytes: int, records: int, *, sponsored: bool) -> int:
    """Return the weight of a transaction of `size_bytes` that may write `records` records."""
    return size_bytes + UNIT_WEIGHT * ((2 if sponsored else 1) + records)


def weigh_transaction(payload: Body, transaction: Transaction) -> int:
    """Return the weight of a transaction whose body has been read."""
    return weigh(len(transaction.raw), payload.records(), sponsored=transaction.sponsor is not None)


def fee_for(
    payload: Body,
    fee_floor: int,
    *,
    nonce: int,
    expires_height: int,
    sponsored: bool = False,
    sponsor_pays: bool = False,
    keyed: bool = False,
) -> int:
    """Return the least fee, in minor units, of a transaction that will carry this body.

    The fee is part of the bytes that it pays for: a larger one is a longer integer. The loop ends because lengths only
    grow, and no integer is longer than 9 bytes.

    Args:
        payload: the body.
        fee_floor: minor units per weight, a chain parameter.
        nonce: of the transaction.
        expires_height: of the transaction.
        sponsored: whether a sponsor signs too.
        sponsor_pays: whether the sponsor pays escrow and deposits.
        keyed: whether the envelope names an active key.
    """
    key, signature = bytes(HASH_BYTES), bytes(SIGNATURE_BYTES)
    fee = 0
    while True:
        fields = (
            *(ENVELOPE_VERSION, key, payload.TYPE, key, nonce, fee, expires_height, payload.to_body()),
            *(key if keyed else None, key if sponsored else None, sponsor_pays),
            *(signature, signature if sponsored else None),
        )
        least = fee_floor * weigh(len(pack(fields)), payload.records(), sponsored=sponsored)
        if least <= fee:
            return fee
        fee = least
