"""The demo's shops: each merchant's store, its terms, and one listing for each product and price."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.cli.demo.people import People, Person
from p2pcommerce.commerce import Arbiter, ListingSet, StoreSet, TermsSet
from p2pcommerce.commerce import OrderLine as ChainLine
from p2pcommerce.primitives.crypto import blake2b_256, x25519_public
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.workload import OrderLine

__all__ = ["CANCEL_S", "CONFIRM_S", "Shop", "ShopError", "Shops"]

CONFIRM_S: Final = 15
"""Seconds after which a shipped order counts as confirmed."""
CANCEL_S: Final = 2
"""Seconds after which a buyer may cancel what is not shipped."""
_SHIP_S: Final = 3_600
_DISPUTE_S: Final = 60
_OFFERED_AT_ONCE: Final = 12
"""Things that one shop puts on offer at a time while whole catalogues are: its key signs them one after the other."""
_ARBITERS: Final = 4
_ARBITER_FEE_BPS: Final = 100
_STOCK: Final = 1_000_000
_TERMS: Final = 1


class ShopError(P2PError):
    """A shop or listing could not be opened."""

    code = "SHOP"


@dataclass(slots=True, eq=False)
class _Listing:
    number: int
    price_minor: int
    revision: TransactionId | None = None
    opening: trio.Lock = field(default_factory=trio.Lock)


@dataclass(slots=True, eq=False)
class Shop:
    """One merchant.

    Attributes:
        name: of the merchant.
        owner: whose store it is.
        is_limited: its stock is what it is: nobody adds to it.
    """

    name: str
    owner: Person
    is_open: bool = False
    is_limited: bool = False
    opening: trio.Lock = field(default_factory=trio.Lock)
    listings: dict[tuple[str, int], _Listing] = field(default_factory=dict)


class Shops:
    """All shops by name of the merchant."""

    def __init__(self, people: People) -> None:
        """Begin without any."""
        self._people = people
        self._shops: dict[str, Shop] = {}

    def __len__(self) -> int:
        return len(self._shops)

    @property
    def listing_count(self) -> int:
        """Products on offer."""
        return sum(len(shop.listings) for shop in self._shops.values())

    async def open(self, merchant: str) -> Shop:
        """Return a merchant's shop, opened if it was not.

        Raises:
            ShopError: it cannot be opened.
        """
        shop = self._shops.get(merchant)
        if shop is None:
            shop = self._shops[merchant] = Shop(merchant, self._people.named(f"merchant {merchant}"))
        async with shop.opening:
            if not shop.is_open:
                store = StoreSet(
                    name=f"Merchant {merchant}",
                    box_key=x25519_public(blake2b_256(b"box" + shop.owner.seed)),
                    profile_hash=hashlib.sha256(merchant.encode()).digest(),
                )
                terms = TermsSet(
                    number=_TERMS,
                    ship_s=_SHIP_S,
                    confirm_s=CONFIRM_S,
                    dispute_s=_DISPUTE_S,
                    cancel_s=CANCEL_S,
                    arbiters=(Arbiter(self.arbiter_of(shop).key, _ARBITER_FEE_BPS),),
                )
                for payload in (store, terms):
                    result = await self._people.perform(shop.owner, payload)
                    if not result.ok:
                        raise ShopError(f"shop {merchant}: {payload.TYPE}: {result.code.value}")
                shop.is_open = True
        return shop

    def arbiter_of(self, shop: Shop) -> Person:
        """Return who rules on a shop's disputes."""
        return self._people.named(f"arbiter {zlib.crc32(shop.name.encode()) % _ARBITERS}")

    async def lines(self, shop: Shop, lines: tuple[OrderLine, ...]) -> tuple[ChainLine, ...]:
        """Return the lines of an order as the ledger takes them; what is not on offer yet is put on offer.

        Raises:
            ShopError: something cannot be offered.
        """
        found: dict[int, ChainLine] = {}
        missing: list[tuple[_Listing, OrderLine]] = []
        wanted = [(self._listing(shop, line), line) for line in lines]
        missing = [(listing, line) for listing, line in wanted if listing.revision is None]
        async with trio.open_nursery() as nursery:
            for listing, line in missing:
                nursery.start_soon(self._offer, shop, listing, line)
        for listing, line in wanted:
            if listing.revision is None:
                raise ShopError(f"shop {shop.name} cannot offer {line.code}")
            found[listing.number] = ChainLine(listing.number, listing.revision, line.quantity)
        return tuple(found[number] for number in sorted(found))

    async def restock(self, shop: Shop, number: int) -> None:
        """Put more units of a listing on offer; buyers do not notice.

        Args:
            shop: an open shop.
            number: of any listing; others are taken in turn.
        """
        ready = [listing for listing in shop.listings.values() if listing.revision is not None]
        if ready:
            listing = ready[number % len(ready)]
            await self._people.perform(shop.owner, _offered(listing, 100))

    async def stock(self, merchant: str, lines: tuple[OrderLine, ...], limit: trio.CapacityLimiter) -> None:
        """Open a shop with all that it has on offer.

        Args:
            merchant: whose shop.
            lines: one of each thing.
            limit: of shops that are opened at a time.

        Raises:
            ShopError: something cannot be offered.
        """
        async with limit:
            shop = await self.open(merchant)
            for start in range(0, len(lines), _OFFERED_AT_ONCE):
                await self.lines(shop, lines[start : start + _OFFERED_AT_ONCE])

    async def limit(self, merchant: str, line: OrderLine, units: int) -> None:
        """Open a shop that has one thing on offer, and only so many units of it.

        Raises:
            ShopError: it cannot be opened.
        """
        shop = await self.open(merchant)
        shop.is_limited = True
        listing = self._listing(shop, line)
        result = await self._people.perform(shop.owner, _offered(listing, units))
        if not result.ok:
            raise ShopError(f"shop {merchant}: {result.code.value}")
        listing.revision = result.tx_id

    def owner_of(self, merchant: str) -> PublicKey:
        """Return whose store a merchant's is."""
        return self._shops[merchant].owner.key

    def any_open(self, number: int) -> Shop | None:
        """Return one of the open shops, None if there is none."""
        opened = [shop for shop in self._shops.values() if shop.is_open and not shop.is_limited]
        return opened[number % len(opened)] if opened else None

    @staticmethod
    def _listing(shop: Shop, line: OrderLine) -> _Listing:
        key = (line.code, line.unit_price_minor)
        listing = shop.listings.get(key)
        if listing is None:
            listing = shop.listings[key] = _Listing(len(shop.listings) + 1, line.unit_price_minor)
        return listing

    async def _offer(self, shop: Shop, listing: _Listing, line: OrderLine) -> None:
        async with listing.opening:
            if listing.revision is None:
                result = await self._people.perform(shop.owner, _offered(listing, max(_STOCK, 1_000 * line.quantity)))
                if result.ok:
                    listing.revision = result.tx_id


def _offered(listing: _Listing, stock_delta: int) -> ListingSet:
    return ListingSet(
        number=listing.number,
        product=None,
        price_minor=listing.price_minor,
        stock_delta=stock_delta,
        traced=False,
        terms=_TERMS,
    )
