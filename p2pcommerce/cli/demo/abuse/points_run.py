"""A run on a store's points: everybody spends them at once, at another store, and some spend more than they have.

Every point is backed by its value in the reserve from the moment it is issued, so that the last one in the run is paid
at par like the first; issuing is not possible without paying.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Verdict
from p2pcommerce.cli.demo.desk import Sender
from p2pcommerce.commerce import (
    OrderConfirm,
    OrderShip,
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["PointsRun"]

_UNIT_MINOR: Final = TOKEN_MINOR // 10
_EACH: Final = 100
_HOLDERS: Final = 4
_PRICE_MINOR: Final = _EACH * _UNIT_MINOR
_TOO_MANY: Final = 2**40


class PointsRun(Fraud):
    """Redeems all that was issued, and tries to redeem more."""

    NAME = "points-run"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        issuer, shopkeeper = await self.rich("issuer"), await self.rich("shopkeeper")
        await self.open_shop(issuer, _PRICE_MINOR)
        shop = await self.open_shop(shopkeeper, _PRICE_MINOR)
        await self.do(issuer, PointsOpen(_UNIT_MINOR))
        refuse = RejectionCode.NO_FUNDS
        await self.attempt(issuer, "opens its points anew", PointsOpen(1), RejectionCode.EXISTS)
        holders = [await self.rich(f"holder {number}") for number in range(_HOLDERS)]
        before_minor = await self.wealth(issuer, *holders)
        for holder in holders:
            await self.do(issuer, PointsGrant(holder.key, _EACH))
        first = holders[0]
        await self.attempt(issuer, "grants what it cannot back", PointsGrant(first.key, _TOO_MANY), refuse)
        more = PointsTransfer(issuer.key, issuer.key, _EACH + 1)
        await self.attempt(first, "gives away more points than it has", more, refuse)
        self.facts["the reserve is outstanding points times their value"] = await self._is_backed(
            issuer, _HOLDERS * _EACH
        )
        spent = replace(shop.order(), points=(PointsSpent(issuer.key, _EACH),))
        too_much = replace(shop.order(2), points=(PointsSpent(issuer.key, 2 * _EACH),))
        await self.attempt(first, "spends more points than it has", too_much, refuse)
        paid_before_minor = await self.wealth(shopkeeper)
        for holder in holders:
            order = (await self.do(holder, spent)).tx_id
            await self.attempt(holder, "spends its points twice", spent, refuse)
            await self.do(shopkeeper, OrderShip(order))
            await self.do(holder, OrderConfirm(order))
        self.facts["nothing is left outstanding or in reserve"] = await self._is_backed(issuer, 0)
        proceeds_minor, value_minor = await self.wealth(shopkeeper) - paid_before_minor, _HOLDERS * _PRICE_MINOR
        fee_bps = await self.number("rules", "protocol_fee_bps")
        par_minor = value_minor - value_minor * fee_bps // 10_000
        self.facts["the other store is paid at par"] = par_minor - TOKEN_MINOR < proceeds_minor <= value_minor
        gained_minor = await self.wealth(issuer, *holders) - before_minor + value_minor
        return self.verdict(gained_minor, 0, "every point was paid for when it was issued")

    async def _is_backed(self, issuer: Sender, outstanding: int) -> bool:
        found = await self.ask("points", issuer=issuer.key.hex())
        return found.get("outstanding") == outstanding and found.get("reserve_minor") == outstanding * _UNIT_MINOR
