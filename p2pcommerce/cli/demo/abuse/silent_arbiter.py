"""A store whose arbiter is a crony: it never rules, so that the money stays where it is.

Silence is decided by the deadline: the buyer gets everything back, and the arbiter no fee.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Verdict
from p2pcommerce.commerce import OrderConfirm, OrderDispute, OrderResolve, OrderSettle, OrderShip
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["SilentArbiter"]

_PRICE_MINOR: Final = 50 * TOKEN_MINOR
_DISPUTE_S: Final = 5
_LONG_S: Final = 3_600


class SilentArbiter(Fraud):
    """Waits."""

    NAME = "silent-arbiter"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        store, crony = await self.rich("store"), await self.rich("arbiter")
        victim, stranger = await self.rich("victim"), await self.rich("stranger")
        terms_s = (_LONG_S, _LONG_S, _DISPUTE_S)
        shop = await self.open_shop(store, _PRICE_MINOR, arbiter=crony, terms_s=terms_s)
        before_minor, had_minor = await self.wealth(store, crony), await self.wealth(victim)
        forbidden = RejectionCode.FORBIDDEN
        unnamed = replace(shop.order(), arbiter=stranger.key)
        await self.attempt(victim, "names an arbiter whom the terms do not", unnamed, forbidden)
        await self.attempt(crony, "is buyer and arbiter", replace(shop.order(), arbiter=crony.key), forbidden)
        order = (await self.do(victim, replace(shop.order(), arbiter=crony.key))).tx_id
        await self.do(store, OrderShip(order))
        await self.attempt(crony, "rules without a dispute", OrderResolve(order, 0), RejectionCode.BAD_STATE)
        called = await self.do(victim, OrderDispute(order))
        await self.attempt(stranger, "rules, and is not the arbiter", OrderResolve(order, 0), forbidden)
        await self.attempt(store, "confirms in the buyer's place", OrderConfirm(order), forbidden)
        await self.attempt(store, "settles before the deadline", OrderSettle(order), RejectionCode.TOO_EARLY)
        await self.pass_time(called, _DISPUTE_S)
        await self.attempt(crony, "rules after the deadline", OrderResolve(order, 0), RejectionCode.TOO_LATE)
        await self.do(stranger, OrderSettle(order))
        lost_minor = had_minor - await self.wealth(victim)
        self.facts["the victim has everything back but its fees"] = lost_minor < TOKEN_MINOR
        gained_minor = await self.wealth(store, crony) - before_minor
        return self.verdict(gained_minor, 0, "a silent arbiter gets nothing, the buyer everything")
