"""Orders: cash in escrow between buyer and store, and the three ways it leaves.

    PLACED --ship--> SHIPPED --confirm, or settle when late--> FINISH
    PLACED --cancel, refund, or settle when late--> UNDO
    SHIPPED --refund--> UNDO

- GIVE(r): r of the escrow back to the payer; the order stays open.
- UNDO: everything back to the payer; stock back if unshipped; items unlocked, still the store's; the order is removed.
- FINISH: the protocol's fee (half of it burned), the rest to the store; items to the buyer; the order becomes a done
  order, which waits for its review, or is removed if there was no fee.

The parts add up to the escrow exactly: parts are rounded down, the store gets the rest. A party acts while
now <= deadline, anyone settles when now > deadline: never both (but the buyer may confirm at any time). All times are
application time.

An order's deposit covers from the start the items that it may hold, so that shipping costs the store no deposit and
closing never charges anyone; it goes back to whoever paid it.

Source: "Trade" of the commerce specification. Disputes, teams, points, referral and campaigns belong to a later
version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, unique
from typing import Final

from p2pcommerce.commerce.body import Call
from p2pcommerce.commerce.errors import NotFoundError, StateError, TooLateError
from p2pcommerce.commerce.item import ITEM, ITEM_ID, HistoryEntry
from p2pcommerce.commerce.kind import AMOUNT, U63, Holdings, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import return_stock
from p2pcommerce.commerce.product import PRODUCT_ID, ProductId
from p2pcommerce.primitives.codec import KEY, U32, Shape, array, maybe, record_of, uint
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import ZERO_HASH, PublicKey, TransactionId

__all__ = [
    "DONE_ORDER",
    "LINES_MAX",
    "ORDER",
    "ORDER_ITEMS_MAX",
    "DoneOrder",
    "Order",
    "OrderStatus",
    "PlacedLine",
    "finish",
    "give",
    "order_entry",
    "require_in_time",
    "require_open_order",
    "undo",
]

LINES_MAX: Final = 64
"""Lines of an order at most. Source: the specification's table of trade."""
ORDER_ITEMS_MAX: Final = 64
"""Items of an order at most. Source: the specification's table of trade."""
ORDER_BYTES: Final = 176
LINE_BYTES: Final = 72
LOCKED_ITEM_BYTES: Final = 72
DONE_ORDER_BYTES: Final = 128
_BPS: Final = 10_000
_SECOND_MS: Final = 1_000


@unique
class OrderStatus(IntEnum):
    """Where an open order is in its life."""

    PLACED = 1
    SHIPPED = 2


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """One line of an order.

    Attributes:
        listing: number of the store's listing.
        quantity: units, at least 1.
        product: of the items to hand over; None for a line that is not traced.
    """

    listing: int
    quantity: int
    product: ProductId | None


@dataclass(frozen=True, slots=True)
class Order:
    """An open order; its id is the id of the transaction that placed it (32 bytes).

    Attributes:
        buyer: account, 32 bytes.
        store: the owner's account, 32 bytes.
        payer: who paid escrow and deposit, and gets them back; account, 32 bytes.
        status: see `OrderStatus`.
        terms: number of the store's terms.
        cash_minor: in escrow.
        placed_ms: application time of placing.
        deadline_ms: application time until which the next party may act.
        lines: what was ordered, by listing.
        items: ids of the items that are locked in it.
    """

    buyer: PublicKey
    store: PublicKey
    payer: PublicKey
    status: int
    terms: int
    cash_minor: int
    placed_ms: int
    deadline_ms: int
    lines: tuple[PlacedLine, ...]
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DoneOrder:
    """A finished order that waits for its review.

    Attributes:
        buyer: account, 32 bytes.
        store: the owner's account, 32 bytes.
        weight: the protocol fee that it paid, minor units.
        until_ms: application time until which it is kept.
    """

    buyer: PublicKey
    store: PublicKey
    weight: int
    until_ms: int


def _items_reserved(order: Order) -> int:
    """Return for how many items an order has room: each holds at least one unit."""
    units = 0
    for line in order.lines:
        if line.product is not None:
            units += line.quantity
    return min(units, ORDER_ITEMS_MAX)


_LINE: Final[Shape[PlacedLine]] = record_of(PlacedLine, listing=U32, quantity=AMOUNT, product=maybe(PRODUCT_ID))
ORDER: Final = Kind(
    "order",
    b"\x09",
    record_of(
        Order,
        buyer=KEY,
        store=KEY,
        payer=KEY,
        status=uint(max(OrderStatus), min(OrderStatus)),
        terms=U32,
        cash_minor=U63,
        placed_ms=U63,
        deadline_ms=U63,
        lines=array(_LINE, LINES_MAX, 1),
        items=array(ITEM_ID, ORDER_ITEMS_MAX),
    ),
    size=lambda order: ORDER_BYTES + LINE_BYTES * len(order.lines) + LOCKED_ITEM_BYTES * _items_reserved(order),
    held=lambda order: Holdings(escrow_minor=order.cash_minor),
)
DONE_ORDER: Final = Kind(
    "done order",
    b"\x0a",
    record_of(DoneOrder, buyer=KEY, store=KEY, weight=AMOUNT, until_ms=U63),
    size=lambda _: DONE_ORDER_BYTES,
)


def require_open_order(ledger: Ledger, order_id: TransactionId) -> Order:
    """Return an open order.

    Raises:
        NotFoundError: there is none, or it was removed.
        StateError: it is finished.
    """
    order = ledger.get(ORDER, order_id)
    if order is None:
        if ledger.get(DONE_ORDER, order_id) is not None:
            raise StateError("the order is finished")
        raise NotFoundError("there is no such order, or it was closed")
    return order


def require_in_time(ledger: Ledger, order: Order) -> None:
    """Demand that an order's deadline has not passed.

    Raises:
        TooLateError: it has; anyone may settle the order.
    """
    if ledger.now_ms > order.deadline_ms:
        raise TooLateError("the order's deadline has passed; order.settle closes it")


def order_entry(call: Call) -> HistoryEntry:
    """Return the entry that an order's transaction leaves in the history of its items."""
    return HistoryEntry(call.tx_id, call.transaction.type, call.sender, ZERO_HASH, call.time_ms, call.time_ms)


def give(ledger: Ledger, order_id: TransactionId, order: Order, amount_minor: int) -> None:
    """Give a part of the escrow back to the payer; the order stays open."""
    ledger.credit(order.payer, amount_minor)
    reduced = replace(order, cash_minor=order.cash_minor - amount_minor)
    ledger.put(ORDER, order_id, reduced, bill=order.payer)


def undo(ledger: Ledger, call: Call, order_id: TransactionId, order: Order) -> None:
    """Give everything back and remove the order."""
    ledger.credit(order.payer, order.cash_minor)
    if order.status == OrderStatus.PLACED:
        for line in order.lines:
            return_stock(ledger, order.store, line.listing, line.quantity)
    _release_items(ledger, call, order, order.store, sold=0)
    ledger.remove(ORDER, order_id, bill=order.payer)


def finish(ledger: Ledger, call: Call, order_id: TransactionId, order: Order) -> None:
    """Pay the store, hand the items over, and keep the order for its review."""
    fee_minor = order.cash_minor * ledger.rules.protocol_fee_bps // _BPS
    burned_minor = fee_minor // 2
    ledger.burned_minor += burned_minor
    ledger.fee_pot_minor += fee_minor - burned_minor
    ledger.credit(order.store, order.cash_minor - fee_minor)
    _release_items(ledger, call, order, order.buyer, sold=1)
    ledger.remove(ORDER, order_id, bill=order.payer)
    if fee_minor:
        until_ms = ledger.now_ms + ledger.rules.done_order_s * _SECOND_MS
        ledger.put(DONE_ORDER, order_id, DoneOrder(order.buyer, order.store, fee_minor, until_ms), bill=order.payer)


def _release_items(ledger: Ledger, call: Call, order: Order, holder: PublicKey, *, sold: int) -> None:
    entry = order_entry(call)
    for item_id in order.items:
        item = ledger.get(ITEM, item_id)
        if item is None:
            raise LocalProtocolError("an open order holds an item that is gone")
        ledger.put(ITEM, item_id, item.after(entry, owner=holder, custodian=holder, sold=sold))
