"""Campaigns: a budget from which completed orders reward buyers and those who recommended them.

A store's terms name the campaign. While it runs, an order under these terms reserves its whole reward when it is
placed, or is refused: nobody completes a purchase and finds the budget gone. What is reserved is held with the order
and counted as its own; what the order does not pay out comes back. Rewards are paid by completed orders only, so that a
ring of Sybils at most discounts its own purchase.

The budget can be topped up and never taken back before the end; after the end, once no order holds any of it, anyone
returns the rest to the owner.

Source: "Trade" of the commerce specification.
Deviations: a campaign's id is that of the transaction that opened it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import (
    BudgetError,
    ForbiddenError,
    FormatError,
    NotFoundError,
    StateError,
    TooEarlyError,
    TooLateError,
)
from p2pcommerce.commerce.kind import AMOUNT, U63, Holdings, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import require_store
from p2pcommerce.primitives.codec import HASH, KEY, maybe, record_of
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["CAMPAIGN", "Campaign", "CampaignSet", "CampaignSettle", "release", "require_campaign", "reserve"]

CAMPAIGN_BYTES: Final = 112


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign; its id is that of the transaction that opened it (32 bytes).

    Attributes:
        owner: the store's account, 32 bytes; gets the rest.
        budget_minor: not reserved by any order.
        start_ms: application time from which orders are rewarded.
        end_ms: application time until which they are.
        open: orders that hold a part of it.
    """

    owner: PublicKey
    budget_minor: int
    start_ms: int
    end_ms: int
    open: int


CAMPAIGN: Final = Kind(
    "campaign",
    b"\x11",
    record_of(Campaign, owner=KEY, budget_minor=U63, start_ms=U63, end_ms=U63, open=U63),
    size=lambda _: CAMPAIGN_BYTES,
    held=lambda campaign: Holdings(campaigns_minor=campaign.budget_minor),
    tallies=lambda campaign_id, campaign: ((b"\x11" + campaign_id, -campaign.open),),
)


def require_campaign(ledger: Ledger, campaign_id: bytes) -> Campaign:
    """Return a campaign.

    Raises:
        NotFoundError: there is none of this id, or it is over and settled.
    """
    campaign = ledger.get(CAMPAIGN, campaign_id)
    if campaign is None:
        raise NotFoundError("there is no such campaign, or it was settled")
    return campaign


def reserve(ledger: Ledger, campaign_id: bytes, reward_minor: int) -> bool:
    """Take an order's whole reward out of the budget, and return whether the campaign runs now.

    Raises:
        BudgetError: it runs, and has less.
    """
    campaign = ledger.get(CAMPAIGN, campaign_id)
    if campaign is None or not campaign.start_ms <= ledger.now_ms <= campaign.end_ms:
        return False
    if campaign.budget_minor < reward_minor:
        raise BudgetError(f"the campaign has {campaign.budget_minor} minor units left, the reward is {reward_minor}")
    rest_minor = campaign.budget_minor - reward_minor
    ledger.put(CAMPAIGN, campaign_id, replace(campaign, budget_minor=rest_minor, open=campaign.open + 1))
    return True


def release(ledger: Ledger, campaign_id: bytes, rest_minor: int) -> None:
    """Put back what an order did not pay out; it holds nothing of the campaign any more."""
    campaign = ledger.get(CAMPAIGN, campaign_id)
    if campaign is None:
        raise LocalProtocolError("an open order holds a reward of a campaign that is gone")
    budget_minor = campaign.budget_minor + rest_minor
    ledger.put(CAMPAIGN, campaign_id, replace(campaign, budget_minor=budget_minor, open=campaign.open - 1))


@body("campaign.set", campaign=maybe(HASH), budget_minor=AMOUNT, start_ms=U63, end_ms=U63)
@dataclass(frozen=True, slots=True)
class CampaignSet(Body):
    """Open a campaign of the sender's store, or top one up.

    Attributes:
        campaign: the one to top up, 32 bytes; None opens one whose id is this transaction's.
        budget_minor: to add, at least 1.
        start_ms: application time from which orders are rewarded; as it is, for one that exists.
        end_ms: application time until which they are; as it is, for one that exists.
    """

    campaign: bytes | None
    budget_minor: int
    start_ms: int
    end_ms: int

    @override
    def check(self, rules: Rules) -> None:
        """It ends after it starts."""
        if self.end_ms <= self.start_ms:
            raise FormatError("a campaign ends after it starts")

    @override
    def records(self) -> int:
        """The sender's account and the campaign."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The budget, and the deposit of a new one."""
        return self.budget_minor + (CAMPAIGN_BYTES * ledger.rules.byte_price if self.campaign is None else 0)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Open it or add to it; see `Body.apply`."""
        if self.campaign is None:
            require_store(ledger, call.sender)
            identifier: bytes = call.tx_id
            campaign = Campaign(call.sender, 0, self.start_ms, self.end_ms, 0)
        else:
            identifier, campaign = self.campaign, require_campaign(ledger, self.campaign)
            if campaign.owner != call.sender:
                raise ForbiddenError("only its owner tops up a campaign")
            if (campaign.start_ms, campaign.end_ms) != (self.start_ms, self.end_ms):
                raise ForbiddenError("the time of a campaign never changes; open another one")
        if ledger.now_ms > campaign.end_ms:
            raise TooLateError("the campaign's end has passed")
        ledger.debit(call.sender, self.budget_minor)
        budget_minor = campaign.budget_minor + self.budget_minor
        ledger.put(CAMPAIGN, identifier, replace(campaign, budget_minor=budget_minor))
        return (call.sender, identifier)


@body("campaign.settle", campaign=HASH)
@dataclass(frozen=True, slots=True)
class CampaignSettle(Body):
    """Return what is left of a campaign after its end to its owner, and remove it. By anyone.

    Attributes:
        campaign: its id, 32 bytes.
    """

    campaign: bytes

    @override
    def records(self) -> int:
        """The sender's account, the owner's, and the campaign."""
        return 3

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Return the budget; see `Body.apply`."""
        campaign = require_campaign(ledger, self.campaign)
        if ledger.now_ms <= campaign.end_ms:
            raise TooEarlyError(f"the campaign ends in {campaign.end_ms - ledger.now_ms + 1} ms of application time")
        if campaign.open:
            raise StateError(f"{campaign.open} open orders hold a part of the campaign; settle them first")
        if campaign.budget_minor:
            ledger.credit(campaign.owner, campaign.budget_minor)
        ledger.remove(CAMPAIGN, self.campaign, bill=campaign.owner)
        return (call.sender, campaign.owner, self.campaign)
