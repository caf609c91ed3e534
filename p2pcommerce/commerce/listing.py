"""Listings: what a store offers, at what price, under which terms, and how many.

A listing's revision is the id of the transaction that last changed anything but its stock; a buyer names the revision,
so that nobody is sold something other than what was on the screen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import ForbiddenError, FormatError, LimitError, NotFoundError, StockError
from p2pcommerce.commerce.kind import AMOUNT, U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import PRODUCT, PRODUCT_ID, ProductId
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import Rights, acting_for, require_store
from p2pcommerce.commerce.terms import numbered, require_terms
from p2pcommerce.primitives.codec import BOOL, HASH, I64, KEY, U32, Shape, maybe, record_of
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["LISTING", "STOCK_MAX", "Listing", "ListingSet", "Team", "return_stock"]

STOCK_MAX: Final = 2**40
"""Units on offer in one listing at most; far from 2^63 even after every open order has come back."""
LISTING_BYTES: Final = 200
TEAM_SIZE_MIN: Final = 2
TEAM_SIZE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Team:
    """A lower price for several buyers together.

    Attributes:
        size: buyers, at least 2.
        price_minor: per unit, at least 1.
        window_s: seconds to gather, within the limits of the chain's terms.
    """

    size: int
    price_minor: int
    window_s: int


_TEAM: Final[Shape[Team]] = record_of(Team, size=U32, price_minor=AMOUNT, window_s=U32)


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing; its id is `numbered(store, number)`.

    Attributes:
        product: what is sold, if it is a product of the network.
        price_minor: per unit, at least 1.
        stock: units on offer.
        traced: whether items of the product are handed over with the order.
        terms: number of the store's terms.
        team: price for teams.
        revision: id of the transaction that last changed anything but the stock, 32 bytes.
    """

    product: ProductId | None
    price_minor: int
    stock: int
    traced: bool
    terms: int
    team: Team | None
    revision: TransactionId


LISTING: Final = Kind(
    "listing",
    b"\x08",
    record_of(
        Listing,
        product=maybe(PRODUCT_ID),
        price_minor=AMOUNT,
        stock=U63,
        traced=BOOL,
        terms=U32,
        team=maybe(_TEAM),
        revision=HASH,
    ),
    size=lambda _: LISTING_BYTES,
)


def return_stock(ledger: Ledger, store: PublicKey, number: int, quantity: int) -> None:
    """Put units of an unshipped order back on offer, if the listing still exists."""
    identifier = numbered(store, number)
    listing = ledger.get(LISTING, identifier)
    if listing is not None:
        ledger.put(LISTING, identifier, replace(listing, stock=listing.stock + quantity))


@body(
    "listing.set",
    number=U32,
    product=maybe(PRODUCT_ID),
    price_minor=U63,
    stock_delta=I64,
    traced=BOOL,
    terms=U32,
    team=maybe(_TEAM),
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class ListingSet(Body):
    """Offer something, change the offer or its stock, or take it away.

    Attributes:
        number: of the listing in its store.
        product: what is sold, if it is a product of the network.
        price_minor: per unit; 0 takes the listing away, whatever the other fields say.
        stock_delta: units more (or less) on offer.
        traced: hand over items of the product with each order; needs a product.
        terms: number of the store's terms.
        team: price for teams; None: there is none.
        store: for which an operator acts (CATALOG: the stock only); None: the sender itself.
    """

    number: int
    product: ProductId | None
    price_minor: int
    stock_delta: int
    traced: bool
    terms: int
    team: Team | None = None
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Traced goods are a product of the network, and a team has its limits."""
        if self.traced and self.product is None:
            raise FormatError("a traced listing needs a product")
        if self.team is not None:
            if not TEAM_SIZE_MIN <= self.team.size <= TEAM_SIZE_MAX:
                raise LimitError(f"a team has {TEAM_SIZE_MIN} to {TEAM_SIZE_MAX} buyers")
            if not rules.term_s_min <= self.team.window_s <= rules.term_s_max:
                raise LimitError(f"a team's window is from {rules.term_s_min} to {rules.term_s_max} seconds")

    @override
    def records(self) -> int:
        """The sender's account and the listing."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of a new listing."""
        exists = ledger.get(LISTING, numbered(self.store or call.sender, self.number)) is not None
        return 0 if exists or not self.price_minor else LISTING_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write or remove the listing; see `Body.apply`."""
        store = acting_for(ledger, call.sender, self.store, Rights.CATALOG)
        identifier = numbered(store, self.number)
        before = ledger.get(LISTING, identifier)
        if not self.price_minor:
            self._remove(ledger, call, before, identifier)
        else:
            after = self._changed(ledger, call, store, before)
            if store != call.sender and (before is None or after.revision != before.revision):
                raise ForbiddenError("an operator may change the stock of a listing, and nothing else of it")
            ledger.put(LISTING, identifier, after)
        return (call.sender, store, identifier)

    def _remove(self, ledger: Ledger, call: Call, before: Listing | None, identifier: bytes) -> None:
        if before is None:
            raise NotFoundError(f"the store has no listing {self.number}")
        if identifier[: len(call.sender)] != call.sender:
            raise ForbiddenError("an operator may change the stock of a listing, and nothing else of it")
        ledger.remove(LISTING, identifier)

    def _changed(self, ledger: Ledger, call: Call, store: PublicKey, before: Listing | None) -> Listing:
        require_store(ledger, store)
        require_terms(ledger, store, self.terms)
        if self.product is not None and ledger.get(PRODUCT, self.product.key) is None:
            raise NotFoundError("there is no such product; product.set of its issuer makes it")
        stock = (0 if before is None else before.stock) + self.stock_delta
        if stock < 0:
            raise StockError(f"the stock would be {stock}")
        if stock > STOCK_MAX:
            raise LimitError(f"at most {STOCK_MAX} units can be on offer in one listing")
        revision = call.tx_id
        if before is not None:
            unchanged = Listing(
                self.product, self.price_minor, before.stock, self.traced, self.terms, self.team, before.revision
            )
            if unchanged == before:
                revision = before.revision
        return Listing(self.product, self.price_minor, stock, self.traced, self.terms, self.team, revision)
