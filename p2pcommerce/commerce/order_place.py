"""Placing an order: units off the stock, points burned, cash into escrow, a reward reserved.

Source: "Trade" of the commerce specification.
Deviations: while a campaign runs, an order that it cannot reward in full is refused with NO_BUDGET, so that nobody buys
for a reward that is not there; before its start and after its end orders are placed without one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing
from p2pcommerce.commerce.campaign import reserve
from p2pcommerce.commerce.errors import (
    ForbiddenError,
    FormatError,
    LimitError,
    NotFoundError,
    StateError,
    StockError,
)
from p2pcommerce.commerce.kind import AMOUNT
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import LISTING, Listing
from p2pcommerce.commerce.order import LINES_MAX, ORDER, POINTS_MAX, HeldPoints, Order, OrderStatus, PlacedLine
from p2pcommerce.commerce.points import POINT_SCHEME, burn_points, require_scheme
from p2pcommerce.commerce.pool import BPS
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import require_store
from p2pcommerce.commerce.team import NEW_TEAM, TEAM_BYTES, join_team, open_team
from p2pcommerce.commerce.terms import Terms, numbered, require_terms
from p2pcommerce.primitives.codec import HASH, KEY, U32, Shape, array, maybe, record_of
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["OrderLine", "OrderPlace", "PointsSpent"]

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
    """Points of one issuer that a buyer pays with, at any store.

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
        referrer: who recommended it; account, 32 bytes, which need not exist.
        team: the team to join, named by the order that opened it (32 bytes); `team.NEW_TEAM` (zeros) opens one; None:
            the order is for itself.
        points: at most 4, by issuer; together worth at most the price.
        arbiter: who rules on a dispute, one of the terms' (32 bytes); None: there will be no dispute.
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
        """Each listing and issuer stands once, and a team buys one thing."""
        require_increasing([line.listing for line in self.lines], "the lines' listings")
        require_increasing([points.issuer for points in self.points], "the points' issuers")
        if self.team is not None and len(self.lines) != 1:
            raise FormatError("an order of a team has one line")

    @override
    def records(self) -> int:
        """Those of placing and of the order's end, for which a place pays in advance."""
        return 4 + 2 * len(self.lines) + 2 * len(self.points)

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """Escrow and deposits at the present prices; lines and points that cannot be used now count nothing."""
        price_minor, points_minor, held = 0, 0, []
        placed = []
        for line in self.lines:
            listing = ledger.get(LISTING, numbered(self.store, line.listing))
            if listing is None:
                continue
            price_minor += self._price_minor(listing) * line.quantity
            placed.append(_placed(line, listing))
        for points in self.points:
            scheme = ledger.get(POINT_SCHEME, points.issuer)
            if scheme is not None:
                points_minor += points.count * scheme.unit_minor
                held.append(HeldPoints(points.issuer, points.count, scheme.unit_minor))
        order = Order(
            *(call.sender, self.store, call.payer, OrderStatus.PLACED, 0, 0, 0, 0, tuple(placed), ()), tuple(held)
        )
        size = ORDER.size(order) + (TEAM_BYTES if self.team == NEW_TEAM else 0)
        return max(price_minor - points_minor, 0) + size * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Take stock, points and cash, reserve the reward, write the order; see `Body.apply`."""
        if call.sender == self.store:
            raise ForbiddenError("a store cannot order from itself")
        require_store(ledger, self.store)
        placed, price_minor, number = self._take_lines(ledger)
        terms = require_terms(ledger, self.store, number)
        self._require_parties(terms, call)
        points = tuple([_burn(ledger, call.sender, spent) for spent in self.points])
        cash_minor = price_minor - sum(held.count * held.unit_minor for held in points)
        if cash_minor < 0:
            raise LimitError(f"the points are worth more than the price of {price_minor} minor units")
        if cash_minor:
            ledger.debit(call.payer, cash_minor)
        reward_minor = self._reserve(ledger, terms, price_minor)
        order = Order(
            call.sender,
            self.store,
            call.payer,
            OrderStatus.PLACED,
            number,
            cash_minor,
            ledger.now_ms,
            ledger.now_ms + terms.ship_s * _SECOND_MS,
            placed,
            (),
            points,
            self.referrer,
            self.arbiter,
            call.tx_id if self.team == NEW_TEAM else self.team,
            terms.campaign if reward_minor else None,
            reward_minor,
        )
        order = self._enter_team(ledger, call, order)
        ledger.put(ORDER, call.tx_id, order, bill=call.payer)
        named = (self.referrer, self.arbiter, order.team, order.campaign, *[held.issuer for held in points])
        return (call.tx_id, call.sender, self.store, call.payer, *[each for each in named if each is not None])

    def _take_lines(self, ledger: Ledger) -> tuple[tuple[PlacedLine, ...], int, int]:
        """Take all lines off the stock, and return them, their price and the number of their terms."""
        placed = []
        price_minor = 0
        numbers = []
        for line in self.lines:
            listing = self._take(ledger, line)
            numbers.append(listing.terms)
            price_minor += self._price_minor(listing) * line.quantity
            placed.append(_placed(line, listing))
        number = numbers[0]
        if any(other != number for other in numbers):
            raise StateError("all lines of an order must be under the same terms")
        if price_minor > _CASH_MINOR_MAX:
            raise LimitError("the order's sum is 2^63 minor units or more")
        return tuple(placed), price_minor, number

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

    def _price_minor(self, listing: Listing) -> int:
        return listing.price_minor if self.team is None or listing.team is None else listing.team.price_minor

    def _require_parties(self, terms: Terms, call: Call) -> None:
        others = (call.sender, self.store, call.payer)
        if self.referrer in others:
            raise ForbiddenError("buyer, store and payer refer nobody to this order")
        if self.arbiter is None:
            return
        if self.arbiter in others:
            raise ForbiddenError("buyer, store and payer are no arbiters of this order")
        if terms.fee_bps_of(self.arbiter) is None:
            raise ForbiddenError("the store's terms do not name this arbiter")

    def _reserve(self, ledger: Ledger, terms: Terms, price_minor: int) -> int:
        """Reserve the whole reward of this order, and return it; 0 if there is none."""
        if terms.campaign is None:
            return 0
        reward_minor = price_minor * terms.cashback_bps // BPS
        if self.referrer is not None:
            reward_minor += price_minor * terms.bonus_bps // BPS
        return reward_minor if reward_minor and reserve(ledger, terms.campaign, reward_minor) else 0

    def _enter_team(self, ledger: Ledger, call: Call, order: Order) -> Order:
        """Open or join the team, if there is one, and return the order with its deadline."""
        if self.team is None:
            return order
        number = self.lines[0].listing
        listing = ledger.get(LISTING, numbered(self.store, number))
        if listing is None:
            raise NotFoundError(f"the store has no listing {number}")
        if self.team == NEW_TEAM:
            team = open_team(ledger, call.tx_id, self.store, number, listing, call.payer)
        else:
            team = join_team(ledger, self.team, self.store, number, listing)
        return replace(order, deadline_ms=team.closes_ms)


def _placed(line: OrderLine, listing: Listing) -> PlacedLine:
    return PlacedLine(line.listing, line.quantity, listing.product if listing.traced else None)


def _burn(ledger: Ledger, buyer: PublicKey, spent: PointsSpent) -> HeldPoints:
    unit_minor = require_scheme(ledger, spent.issuer).unit_minor
    burn_points(ledger, spent.issuer, buyer, spent.count)
    return HeldPoints(spent.issuer, spent.count, unit_minor)
