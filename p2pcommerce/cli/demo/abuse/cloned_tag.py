"""A label that was copied: a counterfeiter sells goods under the id of an item that was sold already.

A label is a string and anybody can print it again; what cannot be copied is the item's place in the ledger. Its owner
is the first buyer, so that nobody can ship it in another order, and the deceived buyer's money comes back.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Verdict
from p2pcommerce.commerce import (
    OrderConfirm,
    OrderSettle,
    OrderShip,
    ProductId,
    ProductSet,
    TraceCommission,
    item_id,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["ClonedTag"]

_GTIN: Final = "09520001000027"
_SERIAL: Final = "genuine"
_PRICE_MINOR: Final = 30 * TOKEN_MINOR
_SHIP_S: Final = 5
_LONG_S: Final = 3_600


class ClonedTag(Fraud):
    """Sells one label twice."""

    NAME = "cloned-tag"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        brand, cloner = await self.rich("brand"), await self.rich("cloner")
        buyer, victim, stranger = await self.rich("buyer"), await self.rich("victim"), await self.rich("stranger")
        await self.do(brand, ProductSet(_GTIN, bytes(32)))
        made = TraceCommission(_GTIN, (_SERIAL,), None, bytes(32), 0)
        await self.do(brand, made)
        product, item = ProductId(brand.key, _GTIN), item_id(brand.key, _GTIN, serial=_SERIAL)
        genuine = await self.open_shop(brand, _PRICE_MINOR, product=product, stock=2)
        order = (await self.do(buyer, genuine.order())).tx_id
        await self.do(brand, OrderShip(order, (item,)))
        await self.do(buyer, OrderConfirm(order))
        fake = await self.open_shop(cloner, _PRICE_MINOR, product=product, terms_s=(_SHIP_S, _LONG_S, _LONG_S))
        before_minor, had_minor = await self.wealth(cloner), await self.wealth(victim)
        placed = await self.do(victim, fake.order())
        await self.attempt(cloner, "ships the copied label", OrderShip(placed.tx_id, (item,)), RejectionCode.FORBIDDEN)
        await self.attempt(cloner, "ships without an item", OrderShip(placed.tx_id), RejectionCode.BAD_STATE)
        await self.attempt(cloner, "makes an item of the brand's product", made, RejectionCode.NOT_FOUND)
        again = await self.do(victim, genuine.order())
        await self.attempt(brand, "sells the same item again", OrderShip(again.tx_id, (item,)), RejectionCode.FORBIDDEN)
        await self.attempt(
            stranger, "settles before the time to ship is over", OrderSettle(again.tx_id), RejectionCode.TOO_EARLY
        )
        await self.pass_time(placed, _SHIP_S)
        late = OrderShip(placed.tx_id, (item,))
        await self.attempt(cloner, "ships after its time", late, RejectionCode.TOO_LATE)
        await self.do(stranger, OrderSettle(placed.tx_id))
        found = await self.ask("item", issuer=brand.key.hex(), gtin=_GTIN, serial=_SERIAL)
        self.facts["the item was sold once, to the first buyer"] = (
            found.get("sold") == 1 and found.get("owner") == buyer.key.hex()
        )
        lost_minor = had_minor - await self.wealth(victim)
        self.facts["the victim has its money, but what is in the brand's escrow"] = (
            lost_minor < _PRICE_MINOR + TOKEN_MINOR
        )
        return self.verdict(await self.wealth(cloner) - before_minor, 0, "an item is sold by its owner")
