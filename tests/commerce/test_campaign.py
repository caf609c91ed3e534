"""Campaigns, referral, cashback and bonus."""

import dataclasses

import pytest

from p2pcommerce.commerce import (
    CampaignSet,
    CampaignSettle,
    ListingSet,
    OrderConfirm,
    OrderRefund,
    OrderSettle,
    OrderShip,
    TermsSet,
)
from p2pcommerce.commerce.campaign import CAMPAIGN, CAMPAIGN_BYTES, Campaign
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.state import State
from tests.commerce.world import HASH, PRICE, TOKEN, World, key

BUDGET = 3 * TOKEN
CASHBACK, BONUS = PRICE * 500 // 10_000, PRICE * 200 // 10_000
TERMS = TermsSet(
    number=2,
    ship_s=100,
    confirm_s=200,
    dispute_s=100,
    cancel_s=50,
    referral_bps=100,
    cashback_bps=500,
    bonus_bps=200,
)


@pytest.fixture
def world():
    world = World("shop", "rival", "buyer", "friend", "stranger")
    world.open_shop()
    world.open_shop("rival")
    world.campaign = world.do("shop", CampaignSet(None, BUDGET, 0, 500_000))
    world.do("shop", dataclasses.replace(TERMS, campaign=world.campaign))
    world.do("shop", ListingSet(2, None, PRICE, 50, False, 2))
    return world


def found(world):
    return world.query("campaign", campaign=world.campaign)


def place(world, referrer="friend", buyer="buyer", **options):
    referrer = None if referrer is None else key(referrer)
    return world.do(buyer, world.order(number=2, referrer=referrer), **options)


def test_a_campaign_is_opened_and_topped_up_by_its_owner(world):
    before = world.balance("shop")
    transaction = world.build("shop", CampaignSet(None, 5, 0, 9_000_000))
    spend = world.app.check(transaction, world.chain.final, 1).spend_minor
    assert spend == transaction.fee + 5 + 10 * CAMPAIGN_BYTES
    world.do("shop", CampaignSet(world.campaign, 7, 0, 500_000), fee=10_000)
    assert world.balance("shop") == before - 10_007
    assert found(world)["budget_minor"] == BUDGET + 7
    assert world.query("supply")["campaigns_minor"] == BUDGET + 7


def test_only_a_store_opens_a_campaign_and_only_its_owner_tops_it_up(world):
    world.refused("NOT_FOUND", "buyer", CampaignSet(None, 5, 0, 9_000_000))
    world.refused("FORBIDDEN", "rival", CampaignSet(world.campaign, 7, 0, 500_000))
    world.refused("NOT_FOUND", "shop", CampaignSet(HASH, 7, 0, 500_000))
    world.refused("NO_FUNDS", "shop", CampaignSet(world.campaign, 10**15, 0, 500_000))


def test_the_time_of_a_campaign_never_changes(world):
    for start_ms, end_ms in ((1, 500_000), (0, 400_000), (0, 600_000)):
        world.refused("FORBIDDEN", "shop", CampaignSet(world.campaign, 7, start_ms, end_ms))


def test_a_campaign_ends_after_it_starts_and_after_now(world):
    with pytest.raises(FormatError, match="ends after"):
        CampaignSet(None, 5, 7, 7).check(None)
    world.wait(30)
    world.refused("TOO_LATE", "shop", CampaignSet(None, 5, 0, 1))
    world.wait(500)
    world.refused("TOO_LATE", "shop", CampaignSet(world.campaign, 7, 0, 500_000))


def test_terms_name_a_campaign_of_their_own_store(world):
    world.refused("FORBIDDEN", "rival", dataclasses.replace(TERMS, campaign=world.campaign))
    world.refused("NOT_FOUND", "rival", dataclasses.replace(TERMS, campaign=HASH))


@pytest.mark.parametrize(
    "change",
    [{"campaign": None}, {"campaign": HASH, "cashback_bps": 0, "bonus_bps": 0}, {"campaign": None, "bonus_bps": 0}],
)
def test_rewards_and_a_campaign_go_together(world, change):
    transaction = world.build("shop", dataclasses.replace(TERMS, number=3, **change))
    with pytest.raises(InvalidTransactionError, match="go together"):
        world.app.apply(transaction, State(world.chain.final), world.context())


def test_placing_reserves_the_whole_reward(world):
    order_id = place(world)
    assert world.query("order", order=order_id)["reward_minor"] == CASHBACK + BONUS
    assert (found(world)["budget_minor"], found(world)["open_orders"]) == (BUDGET - CASHBACK - BONUS, 1)
    assert world.query("supply")["campaigns_minor"] == BUDGET
    alone = place(world, None)
    assert world.query("order", order=alone)["reward_minor"] == CASHBACK


def test_a_budget_that_does_not_cover_the_reward_refuses_the_order(world):
    for _ in range(4):
        place(world)
    world.refused("NO_BUDGET", "buyer", world.order(number=2, referrer=key("friend")))
    world.do("shop", CampaignSet(world.campaign, TOKEN, 0, 500_000))
    place(world)


def test_finishing_pays_referral_bonus_and_cashback(world):
    order_id = place(world)
    world.do("shop", OrderShip(order_id))
    names = ("shop", "buyer", "friend")
    before = {name: world.balance(name) for name in names}
    world.do("buyer", OrderConfirm(order_id), fee=10_000)
    referral, fee = PRICE * 100 // 10_000, PRICE * 50 // 10_000
    after = {name: world.balance(name) - before[name] for name in names}
    assert after["shop"] == PRICE - fee - referral
    assert after["friend"] == referral + BONUS
    released = after["buyer"] - CASHBACK + 10_000
    assert 0 < released < 10 * 500
    assert (found(world)["budget_minor"], found(world)["open_orders"]) == (BUDGET - CASHBACK - BONUS, 0)


def test_a_refund_is_not_rewarded(world):
    order_id = place(world)
    friend = world.balance("friend")
    world.do("shop", OrderRefund(order_id))
    assert (world.balance("friend"), found(world)["budget_minor"], found(world)["open_orders"]) == (friend, BUDGET, 0)


def test_a_partial_refund_shrinks_the_reward_and_the_remainder_goes_back(world):
    order_id = place(world)
    world.do("shop", OrderRefund(order_id, PRICE // 2))
    world.do("shop", OrderShip(order_id))
    friend = world.balance("friend")
    world.do("buyer", OrderConfirm(order_id))
    assert world.balance("friend") == friend + PRICE // 2 * 300 // 10_000
    assert found(world)["budget_minor"] == BUDGET - PRICE // 2 * 700 // 10_000


def test_before_the_start_and_after_the_end_orders_have_no_reward(world):
    world.wait(500)
    order_id = place(world)
    assert world.query("order", order=order_id)["reward_minor"] == 0
    later = world.do("shop", CampaignSet(None, BUDGET, world.now_ms() + 9_000, world.now_ms() + 10_000))
    world.do("shop", dataclasses.replace(TERMS, number=3, campaign=later))
    world.do("shop", ListingSet(3, None, PRICE, 5, False, 3))
    assert world.query("order", order=world.place(number=3))["campaign"] is None


def test_an_order_keeps_its_reward_when_the_campaign_ends(world):
    world.wait(480)
    order_id = place(world)
    world.wait(60)
    world.do("shop", OrderShip(order_id))
    friend = world.balance("friend")
    world.do("buyer", OrderConfirm(order_id))
    assert world.balance("friend") > friend


def test_a_campaign_is_settled_by_anyone_after_its_end_when_no_order_holds_any(world):
    world.refused("TOO_EARLY", "stranger", CampaignSettle(world.campaign))
    world.wait(480)
    order_id = place(world)
    world.wait(60)
    world.refused("BAD_STATE", "stranger", CampaignSettle(world.campaign))
    world.wait(60)
    world.do("stranger", OrderSettle(order_id))
    before = world.balance("shop")
    world.do("stranger", CampaignSettle(world.campaign))
    assert world.balance("shop") == before + BUDGET + 10 * CAMPAIGN_BYTES
    assert found(world) is None
    world.refused("NOT_FOUND", "stranger", CampaignSettle(world.campaign))
    place(world)


def test_buyer_store_and_payer_refer_nobody(world):
    for name in ("buyer", "shop"):
        world.refused("FORBIDDEN", "buyer", world.order(number=2, referrer=key(name)))
    world.refused("FORBIDDEN", "buyer", world.order(number=2, referrer=key("friend")), sponsor="friend", pays=True)


def test_a_referrer_needs_no_account_and_gets_one_from_its_first_reward(world):
    order_id = place(world, "sharer")
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id))
    assert world.balance("sharer") == PRICE * 300 // 10_000 - 640


def test_a_reward_below_the_deposit_of_an_account_stays_with_store_and_campaign(world):
    world.do("shop", ListingSet(2, None, 20_000, 0, False, 2))
    order_id = place(world, "sharer")
    world.do("shop", OrderShip(order_id))
    shop = world.balance("shop")
    world.do("buyer", OrderConfirm(order_id))
    assert world.query("account", account=key("sharer"))["exists"] is False
    assert world.balance("shop") == shop + 20_000 - 100
    assert found(world)["budget_minor"] == BUDGET - 1_000


def test_the_largest_campaign_fits_its_size():
    most = 2**63 - 1
    assert len(CAMPAIGN.key(HASH)) + len(CAMPAIGN.write(Campaign(HASH, most, most, most, most))) <= CAMPAIGN_BYTES
