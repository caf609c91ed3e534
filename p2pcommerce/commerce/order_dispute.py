"""Disputes: the buyer calls the arbiter that the order names, and the arbiter divides the escrow.

The arbiter's fee comes first, whatever the ruling, so that no side pays it for a favour; a silent arbiter gets nothing,
and the order is given back.

Source: "Trade" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import StateError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import ORDER, OrderStatus
from p2pcommerce.commerce.order_machine import enter_open
from p2pcommerce.commerce.order_money import finish, give, take, touched
from p2pcommerce.commerce.pool import BPS
from p2pcommerce.commerce.terms import require_terms
from p2pcommerce.primitives.codec import HASH, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["OrderDispute", "OrderResolve"]

_SECOND_MS: Final = 1_000


@body("order.dispute", order=HASH, evidence_hash=HASH)
@dataclass(frozen=True, slots=True)
class OrderDispute(Body):
    """Call the arbiter of a shipped order. By the buyer.

    Attributes:
        order: its id, 32 bytes.
        evidence_hash: SHA-256 of what the buyer shows the arbiter, 32 bytes; zeros for nothing.
    """

    order: TransactionId
    evidence_hash: bytes = bytes(32)

    @override
    def records(self) -> int:
        """The sender's account and the order."""
        return 2

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Start the arbiter's time; see `Body.apply`."""
        _, order = enter_open(ledger, call, self.order)
        if order.arbiter is None:
            raise StateError("the order names no arbiter, and without one there is no dispute")
        terms = require_terms(ledger, order.store, order.terms)
        deadline_ms = ledger.now_ms + terms.dispute_s * _SECOND_MS
        disputed = replace(order, status=OrderStatus.DISPUTED, deadline_ms=deadline_ms)
        ledger.put(ORDER, self.order, disputed, bill=order.payer)
        return touched(self.order, order, call)


@body("order.resolve", order=HASH, buyer_bps=uint(BPS))
@dataclass(frozen=True, slots=True)
class OrderResolve(Body):
    """Rule on a dispute. By the arbiter, in time.

    Attributes:
        order: its id, 32 bytes.
        buyer_bps: basis points of what the fee leaves for the buyer; with all of it the items go back to the store.
    """

    order: TransactionId
    buyer_bps: int

    @override
    def records(self) -> int:
        """The sender's account: the order's own records were paid for when it was placed."""
        return 1

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Fee, GIVE, FINISH; see `Body.apply`."""
        _, order = enter_open(ledger, call, self.order)
        terms, escrow_minor = require_terms(ledger, order.store, order.terms), order.escrow_minor
        fee_minor = escrow_minor * (terms.fee_bps_of(call.sender) or 0) // BPS
        if fee_minor:
            ledger.credit(call.sender, fee_minor)
        given_minor = (escrow_minor - fee_minor) * self.buyer_bps // BPS
        rest = give(ledger, take(order, fee_minor), given_minor, order.payer)
        finish(ledger, call, self.order, rest, holder=order.store if self.buyer_bps == BPS else None)
        return touched(self.order, order, call)
