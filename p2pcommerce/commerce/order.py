"""Orders: a sale with its money in escrow between buyer and store.

What may happen to an order, by whom and when, is one table: `order_machine`. What that does is in `order_money`. This
room has the records.

An order's escrow E is its cash and the value of the points that were burned for it. An order's deposit covers from the
start the items that it may hold, the points that may come back, and the done order that it leaves, so that shipping
costs the store no deposit and closing never charges anyone; it goes back to whoever paid it. All times are application
time.

Source: "Trade" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from p2pcommerce.commerce.campaign import CAMPAIGN
from p2pcommerce.commerce.item import ITEM_ID, LOCKS
from p2pcommerce.commerce.kind import AMOUNT, U63, Holdings, Kind, Tallies
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.points import POINTS_HELD_BYTES
from p2pcommerce.commerce.product import PRODUCT_ID, ProductId
from p2pcommerce.commerce.team import TEAM, team_of
from p2pcommerce.commerce.terms import require_terms
from p2pcommerce.primitives.codec import HASH, KEY, U32, Shape, array, maybe, record_of, uint
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "DONE_ORDER",
    "LINES_MAX",
    "ORDER",
    "ORDER_ITEMS_MAX",
    "POINTS_MAX",
    "DoneOrder",
    "HeldPoints",
    "Order",
    "OrderStatus",
    "PlacedLine",
    "due_ms",
    "started_ms",
]

LINES_MAX: Final = 64
"""Lines of an order at most. Source: the specification's table of trade."""
ORDER_ITEMS_MAX: Final = 64
"""Items of an order at most. Source: the specification's table of trade."""
POINTS_MAX: Final = 4
"""Issuers of points in an order at most. Source: the specification's table of trade."""
ORDER_BYTES: Final = 344
LINE_BYTES: Final = 72
LOCKED_ITEM_BYTES: Final = 72
HELD_POINTS_BYTES: Final = 56 + POINTS_HELD_BYTES
"""A line of points, and room for what its buyer holds once they come back."""
DONE_ORDER_BYTES: Final = 128
_SECOND_MS: Final = 1_000


@unique
class OrderStatus(IntEnum):
    """Where an order is in its life; one that is closed for good has no record."""

    PLACED = 1
    """Paid, and waiting for the store (or for its team)."""
    SHIPPED = 2
    """Sent off, and waiting for the buyer."""
    DISPUTED = 3
    """Waiting for the arbiter."""
    DONE = 4
    """Finished, and waiting for its review."""


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
class HeldPoints:
    """Points that were burned for an order; they come back to the buyer if it is given back.

    Attributes:
        issuer: the store whose points they were; account, 32 bytes.
        count: points, at least 1.
        unit_minor: value of one.
    """

    issuer: PublicKey
    count: int
    unit_minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """An open order; its id is the id of the transaction that placed it (32 bytes).

    Attributes:
        buyer: account, 32 bytes.
        store: the owner's account, 32 bytes.
        payer: who paid cash and deposit, and gets them back; account, 32 bytes.
        status: see `OrderStatus`.
        terms: number of the store's terms.
        cash_minor: in escrow.
        placed_ms: application time of placing.
        deadline_ms: application time until which the next party may act; see `due_ms`.
        lines: what was ordered, by listing.
        items: ids of the items that are locked in it.
        points: in escrow, by issuer.
        referrer: who recommended it; account, 32 bytes.
        arbiter: who rules on a dispute; account, 32 bytes.
        team: id of its team, 32 bytes.
        campaign: id of the campaign that holds a reward for it, 32 bytes.
        reward_minor: what that is.
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
    points: tuple[HeldPoints, ...] = ()
    referrer: PublicKey | None = None
    arbiter: PublicKey | None = None
    team: bytes | None = None
    campaign: bytes | None = None
    reward_minor: int = 0

    @property
    def escrow_minor(self) -> int:
        """E: cash and the value of the points."""
        escrow_minor = self.cash_minor
        for points in self.points:
            escrow_minor += points.count * points.unit_minor
        return escrow_minor


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


def _tallies(order_id: bytes, order: Order) -> Tallies:
    tallies = [(LOCKS + order_id + item, 1) for item in order.items]
    if order.team is not None:
        tallies.append((TEAM.tag + order.team, 1))
    if order.campaign is not None:
        tallies.append((CAMPAIGN.tag + order.campaign, 1))
    return tuple(tallies)


def _items_reserved(order: Order) -> int:
    """Return for how many items an order has room: each holds at least one unit."""
    units = 0
    for line in order.lines:
        if line.product is not None:
            units += line.quantity
    return min(units, ORDER_ITEMS_MAX)


_LINE: Final[Shape[PlacedLine]] = record_of(PlacedLine, listing=U32, quantity=AMOUNT, product=maybe(PRODUCT_ID))
_POINTS: Final[Shape[HeldPoints]] = record_of(HeldPoints, issuer=KEY, count=AMOUNT, unit_minor=AMOUNT)
ORDER: Final = Kind(
    "order",
    b"\x09",
    record_of(
        Order,
        buyer=KEY,
        store=KEY,
        payer=KEY,
        status=uint(OrderStatus.DISPUTED, OrderStatus.PLACED),
        terms=U32,
        cash_minor=U63,
        placed_ms=U63,
        deadline_ms=U63,
        lines=array(_LINE, LINES_MAX, 1),
        items=array(ITEM_ID, ORDER_ITEMS_MAX),
        points=array(_POINTS, POINTS_MAX),
        referrer=maybe(KEY),
        arbiter=maybe(KEY),
        team=maybe(HASH),
        campaign=maybe(HASH),
        reward_minor=U63,
    ),
    size=lambda order: (
        ORDER_BYTES
        + LINE_BYTES * len(order.lines)
        + LOCKED_ITEM_BYTES * _items_reserved(order)
        + HELD_POINTS_BYTES * len(order.points)
    ),
    held=lambda order: Holdings(escrow_minor=order.escrow_minor, campaigns_minor=order.reward_minor),
    tallies=_tallies,
)
DONE_ORDER: Final = Kind(
    "done order",
    b"\x0a",
    record_of(DoneOrder, buyer=KEY, store=KEY, weight=AMOUNT, until_ms=U63),
    size=lambda _: DONE_ORDER_BYTES,
)


def due_ms(ledger: Ledger, order: Order) -> int:
    """Return the application time until which the next party may act on an order; settling comes after it.

    Of a placed order of a team that is the end of the team's window or, once it is full, the time to ship since then.
    """
    if order.team is None or order.status != OrderStatus.PLACED:
        return order.deadline_ms
    team = team_of(ledger, order.team)
    if not team.full_ms:
        return team.closes_ms
    return team.full_ms + require_terms(ledger, order.store, order.terms).ship_s * _SECOND_MS


def started_ms(ledger: Ledger, order: Order) -> int | None:
    """Return the application time since when the store could ship: of placing, or of the team's last buyer.

    None: it cannot yet.
    """
    if order.team is None:
        return order.placed_ms
    return team_of(ledger, order.team).full_ms or None
