"""The ends of an order: confirmed by the buyer, cancelled, refunded by the store, or settled by anyone when late.

`order_machine` says who may do which of them and when.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import LimitError
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, DoneOrder
from p2pcommerce.commerce.order_machine import Effect, enter, enter_open
from p2pcommerce.commerce.order_money import finish, give, touched, undo
from p2pcommerce.commerce.points import POINTS_HELD, POINTS_HELD_BYTES
from p2pcommerce.primitives.codec import HASH
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["OrderCancel", "OrderConfirm", "OrderRefund", "OrderSettle"]


class _OnOrder(Body):
    """What the ends of an order have in common."""

    __slots__ = ()

    order: TransactionId

    @override
    def records(self) -> int:
        """The sender's account: the order's own records were paid for when it was placed."""
        return 1


@body("order.confirm", order=HASH)
@dataclass(frozen=True, slots=True)
class OrderConfirm(_OnOrder):
    """Say that the goods came: the store is paid. By the buyer, at any time after shipping.

    Attributes:
        order: its id, 32 bytes.
    """

    order: TransactionId

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """FINISH; see `Body.apply`."""
        _, order = enter_open(ledger, call, self.order)
        finish(ledger, call, self.order, order)
        return touched(self.order, order, call)


@body("order.cancel", order=HASH)
@dataclass(frozen=True, slots=True)
class OrderCancel(_OnOrder):
    """Take back an order that the store has not shipped in `cancel_s` of its terms. By the buyer.

    Attributes:
        order: its id, 32 bytes.
    """

    order: TransactionId

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """UNDO; see `Body.apply`."""
        _, order = enter_open(ledger, call, self.order)
        undo(ledger, call, self.order, order)
        return touched(self.order, order, call)


@body("order.refund", order=HASH, amount_minor=U63)
@dataclass(frozen=True, slots=True)
class OrderRefund(_OnOrder):
    """Give a part of the escrow back, or all of it and close the order.

    By the store's owner; by an operator (FULFIL) all of it, while the order is PLACED.

    Attributes:
        order: its id, 32 bytes.
        amount_minor: less than what is in escrow; 0 for all.
    """

    order: TransactionId
    amount_minor: int = 0

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """Of a partial refund the deposit of points that come back to a buyer who holds none of them any more."""
        order = ledger.get(ORDER, self.order) if self.amount_minor else None
        if order is None:
            return 0
        new = [each for each in order.points if ledger.get(POINTS_HELD, each.issuer + order.buyer) is None]
        return len(new) * POINTS_HELD_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """GIVE or UNDO; see `Body.apply`."""
        row, order = enter_open(ledger, call, self.order, "part" if self.amount_minor else "all")
        if row.effect is Effect.UNDO:
            undo(ledger, call, self.order, order)
        elif self.amount_minor < order.escrow_minor:
            ledger.put(ORDER, self.order, give(ledger, order, self.amount_minor), bill=order.payer)
        else:
            raise LimitError(f"{order.escrow_minor} minor units are in escrow; a partial refund is less, 0 refunds all")
        return touched(self.order, order, call)


@body("order.settle", order=HASH)
@dataclass(frozen=True, slots=True)
class OrderSettle(_OnOrder):
    """Close an order whose deadline has passed, or remove a finished one whose time is over. By anyone.

    Attributes:
        order: its id, 32 bytes.
    """

    order: TransactionId

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """UNDO, FINISH or REMOVE, as the table says of where it is; see `Body.apply`."""
        row, order = enter(ledger, call, self.order)
        if isinstance(order, DoneOrder):
            ledger.remove(DONE_ORDER, self.order)
            return (self.order, order.buyer, order.store, call.sender)
        if row.effect is Effect.FINISH:
            finish(ledger, call, self.order, order)
        else:
            undo(ledger, call, self.order, order)
        return touched(self.order, order, call)
