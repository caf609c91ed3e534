"""Placing an order: units off the stock, cash into escrow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing, require_not_offered
from p2pcommerce.commerce.errors import ForbiddenError, LimitError, NotFoundError, StateError, StockError
from p2pcommerce.commerce.kind import AMOUNT
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import LISTING, Listing
from p2pcommerce.commerce.order import LINES_MAX, ORDER, Order, OrderStatus, PlacedLine
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import require_store
from p2pcommerce.commerce.terms import numbered, require_terms
from p2pcommerce.primitives.codec import HASH, KEY, U32, Shape, array, maybe, record_of
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["OrderLine", "OrderPlace", "PointsSpent"]

POINTS_MAX: Final = 4
_CASH_MINOR_MAX: Final = 2**63 - 1
_SECOND_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order.

    Attributes:
        listing: number of the store's listing.
        revision: of the listing, as the buyer saw it; a transaction id, 32 bytes.
        quantity: units, at least 1.
    """

    listing: int
    revision: TransactionId
    quantity: int


@dataclass(frozen=True, slots=True)
class PointsSpent:
    """Points of one issuer that a buyer pays with; no version offers it yet.

    Attributes:
        issuer: account, 32 bytes.
        count: points, at least 1.
    """

    issuer: PublicKey
    count: int


_LINE: Final[Shape[OrderLine]] = record_of(OrderLine, listing=U32, revision=HASH, quantity=AMOUNT)
_POINTS: Final[Shape[PointsSpent]] = record_of(PointsSpent, issuer=KEY, count=AMOUNT)


@body(
    "order.place",
    store=KEY,
    lines=array(_LINE, LINES_MAX, 1),
    referrer=maybe(KEY),
    team=maybe(HASH),
    points=array(_POINTS, POINTS_MAX),
    arbiter=maybe(KEY),
    address_hash=HASH,
)
@dataclass(frozen=True, slots=True)
class OrderPlace(Body):
    """Order from one store, under one of its terms; the order's id is this transaction's.

    Attributes:
        store: the owner's account, 32 bytes.
        lines: 1 to 64, by listing.
        referrer: who recommended it; None in this version.
        team: the team to join; None in this version.
        points: at most 4; none in this version.
        arbiter: who rules on a dispute; None in this version.
        address_hash: H(salt | ciphertext) of the sealed delivery address, 32 bytes; zeros for none.
    """

    store: PublicKey
    lines: tuple[OrderLine, ...]
    referrer: PublicKey | None = None
    team: bytes | None = None
    points: tuple[PointsSpent, ...] = ()
    arbiter: PublicKey | None = None
    address_hash: bytes = bytes(32)

    SPONSOR_MAY_PAY = True

    @override
    def check(self, rules: Rules) -> None:
        """Each listing stands once, and what this version lacks is empty."""
        require_increasing([line.listing for line in self.lines], "the lines' listings")
        require_increasing([points.issuer for points in self.points], "the points' issuers")
        require_not_offered("referral", self.referrer)
        require_not_offered("team orders", self.team)
        require_not_offered("points", *self.points)
        require_not_offered("arbiters", self.arbiter)

    @override
    def records(self) -> int:
        """Those of placing and of the order's end, for which a place pays in advance."""
        return 4 + 2 * len(self.lines) + 2 * len(self.points)

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """Escrow and deposit at the present prices; lines that cannot be placed now count nothing."""
        cash_minor = 0
        placed = []
        for line in self.lines:
            listing = ledger.get(LISTING, numbered(self.store, line.listing))
            if listing is None:
                continue
            cash_minor += listing.price_minor * line.quantity
            placed.append(PlacedLine(line.listing, line.quantity, listing.product if listing.traced else None))
        order = Order(call.sender, self.store, call.payer, OrderStatus.PLACED, 0, cash_minor, 0, 0, tuple(placed), ())
        return cash_minor + ORDER.size(order) * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Take stock and cash, write the order; see `Body.apply`."""
        if call.sender == self.store:
            raise ForbiddenError("a store cannot order from itself")
        require_store(ledger, self.store)
        placed = []
        cash_minor = 0
        numbers = []
        for line in self.lines:
            listing = self._take(ledger, line)
            numbers.append(listing.terms)
            cash_minor += listing.price_minor * line.quantity
            placed.append(PlacedLine(line.listing, line.quantity, listing.product if listing.traced else None))
        number = numbers[0]
        if any(other != number for other in numbers):
            raise StateError("all lines of an order must be under the same terms")
        if cash_minor > _CASH_MINOR_MAX:
            raise LimitError("the order's sum is 2^63 minor units or more")
        terms_of_order = require_terms(ledger, self.store, number)
        ledger.debit(call.payer, cash_minor)
        order = Order(
            call.sender,
            self.store,
            call.payer,
            OrderStatus.PLACED,
            number,
            cash_minor,
            ledger.now_ms,
            ledger.now_ms + terms_of_order.ship_s * _SECOND_MS,
            tuple(placed),
            (),
        )
        ledger.put(ORDER, call.tx_id, order, bill=call.payer)
        return (call.tx_id, call.sender, self.store, call.payer)

    def _take(self, ledger: Ledger, line: OrderLine) -> Listing:
        """Take a line off the stock and return its listing."""
        identifier = numbered(self.store, line.listing)
        listing = ledger.get(LISTING, identifier)
        if listing is None:
            raise NotFoundError(f"the store has no listing {line.listing}")
        if listing.revision != line.revision:
            raise StateError(f"listing {line.listing} has changed since that revision; look at it again")
        if listing.stock < line.quantity:
            raise StockError(f"listing {line.listing} has {listing.stock} on offer, {line.quantity} are wanted")
        ledger.put(LISTING, identifier, replace(listing, stock=listing.stock - line.quantity))
        return listing
