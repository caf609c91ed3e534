"""The ends of an order: confirmed by the buyer, cancelled, refunded by the store, or settled by anyone when late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import (
    CommerceError,
    ForbiddenError,
    LimitError,
    StateError,
    TooEarlyError,
)
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import (
    DONE_ORDER,
    Order,
    OrderStatus,
    finish,
    give,
    require_in_time,
    require_open_order,
    undo,
)
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.commerce.terms import require_terms
from p2pcommerce.primitives.codec import HASH
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["OrderCancel", "OrderConfirm", "OrderRefund", "OrderSettle"]

_SECOND_MS: Final = 1_000


def _touched(order_id: TransactionId, order: Order, call: Call) -> tuple[bytes, ...]:
    return (order_id, order.buyer, order.store, order.payer, call.sender, *order.items)


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
        order = require_open_order(ledger, self.order)
        if call.sender != order.buyer:
            raise ForbiddenError("only the buyer confirms an order")
        if order.status != OrderStatus.SHIPPED:
            raise StateError("the order is not shipped")
        finish(ledger, call, self.order, order)
        return _touched(self.order, order, call)


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
        order = require_open_order(ledger, self.order)
        if call.sender != order.buyer:
            raise ForbiddenError("only the buyer cancels an order")
        if order.status != OrderStatus.PLACED:
            raise StateError("the order is shipped already")
        require_in_time(ledger, order)
        if ledger.now_ms <= order.placed_ms + require_terms(ledger, order.store, order.terms).cancel_s * _SECOND_MS:
            raise TooEarlyError("the terms give the store more time before the buyer may cancel")
        undo(ledger, call, self.order, order)
        return _touched(self.order, order, call)


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
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """GIVE or UNDO; see `Body.apply`."""
        order = require_open_order(ledger, self.order)
        acting_for(ledger, call.sender, order.store, Rights.FULFIL)
        if call.sender != order.store and (self.amount_minor or order.status != OrderStatus.PLACED):
            raise ForbiddenError("an operator may refund an order in full while it is placed, and nothing else")
        require_in_time(ledger, order)
        if not self.amount_minor:
            undo(ledger, call, self.order, order)
        elif self.amount_minor < order.cash_minor:
            give(ledger, self.order, order, self.amount_minor)
        else:
            raise LimitError(f"{order.cash_minor} minor units are in escrow; a partial refund is less, 0 refunds all")
        return _touched(self.order, order, call)


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
        """UNDO if it was never shipped, FINISH if it was, remove it if it is done; see `Body.apply`."""
        done = ledger.get(DONE_ORDER, self.order)
        if done is not None:
            if ledger.now_ms <= done.until_ms:
                raise _too_early(done.until_ms, ledger)
            ledger.remove(DONE_ORDER, self.order)
            return (self.order, done.buyer, done.store, call.sender)
        order = require_open_order(ledger, self.order)
        if ledger.now_ms <= order.deadline_ms:
            raise _too_early(order.deadline_ms, ledger)
        if order.status == OrderStatus.SHIPPED:
            finish(ledger, call, self.order, order)
        else:
            undo(ledger, call, self.order, order)
        return _touched(self.order, order, call)


def _too_early(deadline_ms: int, ledger: Ledger) -> CommerceError:
    return TooEarlyError(f"it can be settled in {deadline_ms - ledger.now_ms + 1} ms of application time")
