"""A maker that hands one item over to two receivers.

The ledger knows one custodian of an item, and at most one to whom it is on its way.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.cli.demo.abuse.fraud import Fraud, Verdict
from p2pcommerce.commerce import ProductSet, TraceCommission, TraceReceive, TraceShip, item_id
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import RejectionCode

__all__ = ["DoubleCustody"]

_GTIN: Final = "09520001000010"
_SERIAL: Final = "twice"


class DoubleCustody(Fraud):
    """Ships the same item twice."""

    NAME = "double-custody"

    @override
    async def commit(self) -> Verdict:
        """See `Fraud.commit`."""
        maker, first, second = await self.rich("maker"), await self.rich("first"), await self.rich("second")
        before_minor = await self.wealth(maker)
        await self.do(maker, ProductSet(_GTIN, bytes(32)))
        made = TraceCommission(_GTIN, (_SERIAL,), None, bytes(32), 0)
        await self.do(maker, made)
        await self.attempt(maker, "makes the same item again", made, RejectionCode.EXISTS)
        ids = (item_id(maker.key, _GTIN, serial=_SERIAL),)
        to_second = TraceShip(ids, second.key, bytes(32), 0, transfers_owner=True)
        await self.do(maker, TraceShip(ids, first.key, bytes(32), 0, transfers_owner=True))
        await self.attempt(maker, "ships it to somebody else, too", to_second, RejectionCode.BAD_STATE)
        received = TraceReceive(ids, bytes(32), 0)
        await self.attempt(second, "receives what is on its way to another", received, RejectionCode.FORBIDDEN)
        await self.do(first, received)
        await self.attempt(second, "receives what another has", received, RejectionCode.BAD_STATE)
        await self.attempt(maker, "ships what it gave away", to_second, RejectionCode.FORBIDDEN)
        found = await self.ask("item", issuer=maker.key.hex(), gtin=_GTIN, serial=_SERIAL)
        self.facts["the first receiver alone has it"] = found.get("custodian") == found.get("owner") == first.key.hex()
        self.facts["its history has three events"] = found.get("n") == 3
        return self.verdict(await self.wealth(maker) - before_minor, 0, "one item has one custodian")
