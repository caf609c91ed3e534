"""Shipping an order: items are locked in it, and the buyer's time to confirm begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing
from p2pcommerce.commerce.errors import ForbiddenError, StateError
from p2pcommerce.commerce.item import (
    ITEM,
    ITEM_ID,
    Item,
    ItemStatus,
    item_product,
    require_item,
    require_resting,
)
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import ORDER, ORDER_ITEMS_MAX, Order, OrderStatus, started_ms
from p2pcommerce.commerce.order_machine import enter_open
from p2pcommerce.commerce.order_money import order_entry, touched
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.terms import require_terms
from p2pcommerce.primitives.codec import HASH, array
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["OrderShip"]

_SECOND_MS: Final = 1_000


@body("order.ship", order=HASH, items=array(ITEM_ID, ORDER_ITEMS_MAX))
@dataclass(frozen=True, slots=True)
class OrderShip(Body):
    """Ship an order of the sender's store, or of a store that the sender is an operator of (FULFIL).

    Attributes:
        order: its id, 32 bytes.
        items: ids of exactly the traced goods of the order, strictly increasing; at most 64.
    """

    order: TransactionId
    items: tuple[bytes, ...] = ()

    @override
    def check(self, rules: Rules) -> None:
        """Each item stands once."""
        require_increasing(self.items, "items")

    @override
    def records(self) -> int:
        """The sender's account, the order, and each item twice: now and at the order's end."""
        return 2 + 2 * len(self.items)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Lock the items and start the buyer's time; see `Body.apply`."""
        _, order = enter_open(ledger, call, self.order)
        if started_ms(ledger, order) is None:
            raise StateError("the team is not full yet")
        self._lock_items(ledger, call, order)
        terms = require_terms(ledger, order.store, order.terms)
        shipped = replace(
            order,
            status=OrderStatus.SHIPPED,
            deadline_ms=ledger.now_ms + terms.confirm_s * _SECOND_MS,
            items=self.items,
        )
        ledger.put(ORDER, self.order, shipped, bill=order.payer)
        return touched(self.order, shipped, call)

    def _lock_items(self, ledger: Ledger, call: Call, order: Order) -> None:
        missing: dict[bytes, int] = {}
        for line in order.lines:
            if line.product is not None:
                missing[line.product.key] = missing.get(line.product.key, 0) + line.quantity
        entry = order_entry(call)
        for item_id in self.items:
            item = require_item(ledger, item_id)
            _require_own(item, order.store)
            product = item_product(item_id)
            missing[product] = missing.get(product, 0) - item.quantity
            locked = item.after(
                entry, owner=item.owner, custodian=item.custodian, status=ItemStatus.IN_ORDER, within=self.order
            )
            ledger.put(ITEM, item_id, locked)
        if any(missing.values()):
            raise StateError("the items do not match the traced lines of the order exactly")


def _require_own(item: Item, store: PublicKey) -> None:
    if item.owner != store or item.custodian != store:
        raise ForbiddenError("a store ships items that it owns and holds")
    require_resting(item)
