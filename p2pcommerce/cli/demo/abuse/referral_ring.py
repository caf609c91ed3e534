"""A ring that recommends to itself: one person's second key is the referrer of the first.

What it gains is a discount on what it buys, for rewards are paid for purchases that were completed, and never more than
the terms and the campaign's budget offer to anybody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Verdict
from p2pcommerce.commerce import OrderConfirm, OrderRefund, OrderShip
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["ReferralRing"]

_PRICE_MINOR: Final = 40 * TOKEN_MINOR
_REFERRAL_BPS: Final = 500
_CASHBACK_BPS: Final = 200
_BONUS_BPS: Final = 300
_PURCHASES: Final = 3
_ALL_BPS: Final = _REFERRAL_BPS + _CASHBACK_BPS + _BONUS_BPS


class ReferralRing(Fraud):
    """Buys for itself, as often as the campaign pays."""

    NAME = "referral-ring"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        store, buyer, second = await self.rich("store"), await self.rich("buyer"), self.person("second key")
        reward_minor = _PRICE_MINOR * (_CASHBACK_BPS + _BONUS_BPS) // 10_000
        # The budget is one purchase's reward short of what the ring wants.
        budget_minor = _PURCHASES * reward_minor + reward_minor // 2
        rates = (_REFERRAL_BPS, _CASHBACK_BPS, _BONUS_BPS)
        shop = await self.open_shop(store, _PRICE_MINOR, budget_minor=budget_minor, rates=rates)
        before_minor = await self.wealth(buyer, second)
        order = replace(shop.order(), referrer=second.key)
        refuse = RejectionCode.FORBIDDEN
        await self.attempt(buyer, "recommends to itself", replace(order, referrer=buyer.key), refuse)
        await self.attempt(buyer, "names the store as referrer", replace(order, referrer=store.key), refuse)
        placed = await self.do(buyer, order)
        await self.do(store, OrderRefund(placed.tx_id))
        self.facts["a refunded purchase rewards nobody"] = await self.wealth(second) == 0
        for _ in range(_PURCHASES):
            placed = await self.do(buyer, order)
            await self.do(store, OrderShip(placed.tx_id))
            await self.do(buyer, OrderConfirm(placed.tx_id))
        await self.attempt(buyer, "buys beyond the budget", order, RejectionCode.NO_BUDGET)
        self.facts["the ring has its discount"] = await self.wealth(second) > 0
        spent_minor = _PURCHASES * _PRICE_MINOR
        gained_minor = await self.wealth(buyer, second) - before_minor + spent_minor
        bound = f"a discount of {_ALL_BPS / 100:g} % on its purchases of {spent_minor // TOKEN_MINOR} tokens"
        return self.verdict(gained_minor, spent_minor * _ALL_BPS // 10_000, bound)
