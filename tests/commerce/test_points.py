"""Points: always backed, free to move, taken at any store."""

import pytest

from p2pcommerce.commerce import (
    ListingSet,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderShip,
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
    TermsSet,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.points import (
    POINT_SCHEME,
    POINT_SCHEME_BYTES,
    POINTS_HELD,
    POINTS_HELD_BYTES,
    PointScheme,
    PointsHeld,
)
from tests.commerce.world import BALANCE, HASH, PRICE, TOKEN, World, key

UNIT = 1_000_000


@pytest.fixture
def world():
    world = World("shop", "rival", "buyer", "friend", "stranger")
    world.open_shop()
    world.open_shop("rival")
    world.do("shop", PointsOpen(UNIT))
    return world


def scheme(world, issuer="shop"):
    return world.query("points", issuer=key(issuer))


def spend(world, count, issuer="shop", store="shop", quantity=1):
    lines = (OrderLine(1, world.revision(store=store), quantity),)
    return OrderPlace(key(store), lines, points=(PointsSpent(key(issuer), count),))


def test_points_are_opened_once_by_a_store(world):
    assert scheme(world) == {"unit_minor": UNIT, "outstanding": 0, "reserve_minor": 0}
    world.refused("EXISTS", "shop", PointsOpen(UNIT + 1))
    world.refused("NOT_FOUND", "buyer", PointsOpen(UNIT))


def test_granting_buys_the_reserve(world):
    before = world.balance("shop")
    transaction = world.build("shop", PointsGrant(key("buyer"), 3))
    assert world.app.check(transaction, world.chain.final, 1).spend_minor == (
        transaction.fee + 3 * UNIT + 10 * POINTS_HELD_BYTES
    )
    world.do("shop", PointsGrant(key("buyer"), 3), fee=10_000)
    assert world.balance("shop") == before - 10_000 - 3 * UNIT - 10 * POINTS_HELD_BYTES
    assert scheme(world) == {"unit_minor": UNIT, "outstanding": 3, "reserve_minor": 3 * UNIT}
    assert world.query("supply")["points_minor"] == 3 * UNIT
    assert world.held("buyer") == 3


def test_only_a_store_with_points_grants_and_only_what_it_can_pay(world):
    world.refused("NOT_FOUND", "rival", PointsGrant(key("buyer"), 1))
    world.refused("NO_FUNDS", "shop", PointsGrant(key("buyer"), BALANCE // UNIT))
    world.refused("LIMIT", "shop", PointsGrant(key("buyer"), 2**63 // UNIT + 1))


def test_points_move_freely_even_to_who_has_no_account(world):
    world.do("shop", PointsGrant(key("buyer"), 3))
    world.do("buyer", PointsTransfer(key("shop"), key("nobody"), 2))
    assert (world.held("buyer"), world.held("nobody")) == (1, 2)
    world.refused("NO_FUNDS", "buyer", PointsTransfer(key("shop"), key("friend"), 2))
    world.refused("NO_FUNDS", "stranger", PointsTransfer(key("shop"), key("friend"), 1))
    world.refused("NOT_FOUND", "buyer", PointsTransfer(key("rival"), key("friend"), 1))
    world.refused("FORBIDDEN", "buyer", PointsTransfer(key("shop"), key("buyer"), 1))


def test_the_deposit_of_a_holder_goes_with_the_last_point(world):
    world.do("shop", PointsGrant(key("buyer"), 3))
    before = world.balance("buyer")
    world.do("buyer", PointsTransfer(key("shop"), key("friend"), 3), fee=10_000)
    assert world.balance("buyer") == before - 10_000
    assert POINTS_HELD.key(key("shop") + key("buyer")) not in world.chain.values


def test_points_of_one_store_pay_another_one_at_par(world):
    world.do("shop", PointsGrant(key("buyer"), 4))
    order_id = world.do("buyer", spend(world, 4, store="rival"))
    order = world.query("order", order=order_id)
    assert (order["cash_minor"], order["escrow_minor"]) == (PRICE - 4 * UNIT, PRICE)
    assert scheme(world)["outstanding"] == 0
    assert world.query("supply")["points_minor"] == 0
    world.do("rival", OrderShip(order_id))
    rival = world.balance("rival")
    world.do("buyer", OrderConfirm(order_id))
    assert world.balance("rival") == rival + PRICE - PRICE * 50 // 10_000


def test_points_alone_may_pay_and_never_more_than_the_price(world):
    world.do("shop", PointsGrant(key("buyer"), 30))
    world.refused("LIMIT", "buyer", spend(world, 11))
    order_id = world.do("buyer", spend(world, 10))
    assert world.query("order", order=order_id)["cash_minor"] == 0


def test_points_that_one_does_not_have_or_that_do_not_exist_cannot_be_spent(world):
    world.refused("NO_FUNDS", "buyer", spend(world, 1))
    world.refused("NOT_FOUND", "buyer", spend(world, 1, issuer="rival"))


def test_admission_counts_the_value_of_points(world):
    world.do("shop", PointsGrant(key("buyer"), 10))
    with_points = world.build("buyer", spend(world, 10))
    without = world.build("buyer", world.order())
    spends = [world.app.check(each, world.chain.final, 1).spend_minor - each.fee for each in (with_points, without)]
    assert spends[0] < spends[1] - PRICE + 10 * 200


def test_issuers_are_strictly_increasing():
    points = (PointsSpent(HASH, 1), PointsSpent(HASH, 1))
    with pytest.raises(FormatError, match="strictly increasing"):
        OrderPlace(HASH, (OrderLine(1, HASH, 1),), points=points).check(None)


def test_a_full_refund_gives_points_back_as_points_and_cash_to_the_payer(world):
    world.do("shop", PointsGrant(key("buyer"), 4))
    buyer, friend = world.balance("buyer"), world.balance("friend")
    order_id = world.do("buyer", spend(world, 4), sponsor="friend", pays=True, fee=30_000)
    released = 10 * POINTS_HELD_BYTES
    assert world.balance("buyer") == buyer + released
    world.do("shop", OrderRefund(order_id))
    assert (world.held("buyer"), world.balance("friend")) == (4, friend - 30_000 - released)
    assert scheme(world)["reserve_minor"] == 4 * UNIT


def test_a_partial_refund_gives_cash_first_then_whole_points_and_keeps_the_rest(world):
    world.do("rival", PointsOpen(700_000))
    world.do("shop", PointsGrant(key("buyer"), 3))
    world.do("rival", PointsGrant(key("buyer"), 2))
    spent = sorted((PointsSpent(key("shop"), 3), PointsSpent(key("rival"), 2)), key=lambda each: each.issuer)
    order_id = world.do("buyer", world.order(points=tuple(spent)))
    cash = PRICE - 3 * UNIT - 1_400_000
    before = world.balance("buyer")
    world.do("shop", OrderRefund(order_id, cash - 5))
    assert world.balance("buyer") == before + cash - 5
    first, unit = spent[0], UNIT if spent[0].issuer == key("shop") else 700_000
    world.do("shop", OrderRefund(order_id, 5 + unit + 3))
    order = world.query("order", order=order_id)
    assert order["cash_minor"] == 0
    assert order["escrow_minor"] == PRICE - cash - unit
    assert [each["count"] for each in order["points"]] == [first.count - 1, spent[1].count]
    name = "shop" if first.issuer == key("shop") else "rival"
    assert world.held("buyer", name) == 1
    world.do("shop", OrderRefund(order_id))
    assert (world.held("buyer"), world.held("buyer", "rival")) == (3, 2)


def test_the_store_pays_the_deposit_of_points_that_come_back_with_a_partial_refund(world):
    world.do("shop", PointsGrant(key("buyer"), 10))
    order_id = world.do("buyer", spend(world, 10))
    shop = world.balance("shop")
    transaction = world.build("shop", OrderRefund(order_id, UNIT))
    assert world.app.check(transaction, world.chain.final, 1).spend_minor - transaction.fee == 10 * POINTS_HELD_BYTES
    world.do("shop", OrderRefund(order_id, UNIT), fee=10_000)
    assert (world.held("buyer"), world.balance("shop")) == (1, shop - 10_000 - 10 * POINTS_HELD_BYTES)
    world.do("shop", OrderRefund(order_id, UNIT), fee=10_000)
    assert (world.held("buyer"), world.balance("shop")) == (2, shop - 20_000 - 10 * POINTS_HELD_BYTES)


def test_points_are_earned_on_the_cash_and_bought_from_the_stores_share(world):
    terms = TermsSet(number=2, ship_s=100, confirm_s=200, dispute_s=100, cancel_s=50, points_bps=2_500)
    world.do("shop", terms)
    world.do("shop", ListingSet(2, None, PRICE, 5, False, 2))
    world.do("shop", PointsGrant(key("buyer"), 5))
    order_id = world.do("buyer", world.order(number=2, points=(PointsSpent(key("shop"), 5),)))
    world.do("shop", OrderShip(order_id))
    shop, before = world.balance("shop"), world.held("buyer")
    world.do("buyer", OrderConfirm(order_id))
    earned = 5 * TOKEN * 2_500 // 10_000 // UNIT
    assert (before, world.held("buyer"), earned) == (0, 1, 1)
    assert world.balance("shop") == shop + PRICE - PRICE * 50 // 10_000 - earned * UNIT
    assert scheme(world)["reserve_minor"] == UNIT


def test_points_in_terms_need_points_of_the_store(world):
    terms = TermsSet(number=2, ship_s=100, confirm_s=200, dispute_s=100, cancel_s=50, points_bps=1)
    world.refused("NOT_FOUND", "rival", terms)
    world.do("shop", terms)


def test_the_largest_records_fit_their_sizes():
    most = 2**63 - 1
    assert len(POINT_SCHEME.key(HASH)) + len(POINT_SCHEME.write(PointScheme(most, most))) <= POINT_SCHEME_BYTES
    assert len(POINTS_HELD.key(HASH + HASH)) + len(POINTS_HELD.write(PointsHeld(most))) <= POINTS_HELD_BYTES
