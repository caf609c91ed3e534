"""A store that buys from itself through other keys, to rate itself.

The weight of a review is the protocol's fee of its purchase, and half of that is burned: weight costs at least 0.25 %
of the volume, however it is bought. Splitting one purchase into many gives no more.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Shopfront, Verdict
from p2pcommerce.cli.demo.desk import Sender
from p2pcommerce.commerce import OrderConfirm, OrderShip, ReviewPost
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["WashReviews"]

_PRICE_MINOR: Final = 20 * TOKEN_MINOR + 199
"""Half of the fee of one unit, and so its weight, is not a whole number: what is rounded is rounded down."""
_SPLIT: Final = 4
_BURNED_OF_VOLUME: Final = 400
"""0.25 %."""
_STARS: Final = 5


class WashReviews(Fraud):
    """Buys weight, once in one order, once in many."""

    NAME = "wash-reviews"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        owner, washer, other = await self.rich("owner"), await self.rich("washer"), await self.rich("other")
        shop = await self.open_shop(owner, _PRICE_MINOR)
        before_minor = await self.wealth(owner, washer, other)
        await self.attempt(owner, "orders from itself", shop.order(), RejectionCode.FORBIDDEN)
        whole = await self._wash(shop, washer, _SPLIT, other)
        split = sum([await self._wash(shop, other, 1, washer) for _ in range(_SPLIT)])
        volume_minor = 2 * _SPLIT * _PRICE_MINOR
        paid_minor = before_minor - await self.wealth(owner, washer, other)
        fee_bps = await self.number("rules", "protocol_fee_bps")
        self.facts["splitting a purchase gives no more weight"] = split <= whole
        self.facts["weight is the fee of the purchases"] = 0 < whole + split <= volume_minor * fee_bps // 10_000
        self.facts["weight costs at least 0.25 % of the volume"] = paid_minor >= volume_minor // _BURNED_OF_VOLUME
        bound = f"a weight of {whole + split:,} for a volume of {volume_minor / TOKEN_MINOR:g} tokens costs 0.25 %"
        return self.verdict(-paid_minor, -(volume_minor // _BURNED_OF_VOLUME), bound)

    async def _wash(self, shop: Shopfront, buyer: Sender, units: int, stranger: Sender) -> int:
        """Buy and review once, and return the weight that it gave."""
        before = await self.number("rating", "weight", store=shop.owner.key.hex())
        order = (await self.do(buyer, shop.order(units))).tx_id
        await self.do(shop.owner, OrderShip(order))
        review = ReviewPost(order, _STARS)
        await self.attempt(buyer, "reviews what is not finished", review, RejectionCode.BAD_STATE)
        await self.do(buyer, OrderConfirm(order))
        await self.attempt(stranger, "reviews another's purchase", review, RejectionCode.FORBIDDEN)
        await self.do(buyer, review)
        await self.attempt(buyer, "reviews a second time", review, RejectionCode.NOT_FOUND)
        return await self.number("rating", "weight", store=shop.owner.key.hex()) - before
