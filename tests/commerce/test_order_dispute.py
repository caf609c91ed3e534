"""Disputes and arbiters: every refusal, and where each minor unit of a ruling goes."""

import dataclasses

import pytest

from p2pcommerce.commerce import (
    Arbiter,
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    PointsGrant,
    PointsOpen,
    PointsSpent,
    TermsSet,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import serial_id
from tests.commerce.world import HASH, PRICE, World, key

FEE_BPS = 300
TERMS = TermsSet(
    number=1, ship_s=100, confirm_s=200, dispute_s=100, cancel_s=50, arbiters=(Arbiter(key("judge"), FEE_BPS),)
)


@pytest.fixture
def world():
    world = World("shop", "buyer", "judge", "stranger", "friend")
    world.product = world.open_shop(traced=True, terms=TERMS)
    world.commission("1", "2", "3")
    return world


def shipped(world, arbiter="judge", **fields):
    order_id = world.do("buyer", world.order(arbiter=None if arbiter is None else key(arbiter), **fields))
    free = next(serial for serial in "123" if world.item(serial)["sold"] == 0 and world.item(serial)["order"] is None)
    world.do("shop", OrderShip(order_id, (serial_id(world.product, free),)))
    return order_id


def disputed(world, **fields):
    order_id = shipped(world, **fields)
    world.do("buyer", OrderDispute(order_id, HASH))
    return order_id


def test_an_arbiter_is_one_of_the_terms_and_no_party(world):
    for name in ("stranger", "buyer", "shop"):
        world.refused("FORBIDDEN", "buyer", world.order(arbiter=key(name)))
    world.refused("FORBIDDEN", "buyer", world.order(arbiter=key("judge")), sponsor="judge", pays=True)
    world.do("buyer", world.order(arbiter=key("judge")), sponsor="judge")


def test_a_dispute_is_the_buyers_while_shipped_and_in_time(world):
    placed = world.do("buyer", world.order(arbiter=key("judge")))
    world.refused("BAD_STATE", "buyer", OrderDispute(placed))
    world.refused("NOT_FOUND", "buyer", OrderDispute(HASH))
    order_id = shipped(world)
    for name in ("shop", "judge", "stranger"):
        world.refused("FORBIDDEN", name, OrderDispute(order_id))
    world.do("buyer", OrderDispute(order_id))
    world.refused("BAD_STATE", "buyer", OrderDispute(order_id))
    late = shipped(world)
    world.wait(201)
    world.refused("TOO_LATE", "buyer", OrderDispute(late))


def test_without_an_arbiter_there_is_no_dispute(world):
    world.refused("BAD_STATE", "buyer", OrderDispute(shipped(world, arbiter=None)))


def test_a_dispute_gives_the_arbiter_its_time(world):
    order_id = disputed(world)
    order = world.query("order", order=order_id)
    assert (order["status"], order["deadline_ms"]) == ("DISPUTED", world.now_ms() + 100_000)


def test_only_the_arbiter_resolves_and_in_time(world):
    order_id = shipped(world)
    world.refused("BAD_STATE", "judge", OrderResolve(order_id, 5_000))
    world.do("buyer", OrderDispute(order_id))
    for name in ("buyer", "shop", "stranger"):
        world.refused("FORBIDDEN", name, OrderResolve(order_id, 5_000))
    world.wait(101)
    world.refused("TOO_LATE", "judge", OrderResolve(order_id, 5_000))
    world.refused("NOT_FOUND", "judge", OrderResolve(HASH, 5_000))


def test_more_than_all_for_the_buyer_cannot_be_read():
    with pytest.raises(FormatError):
        read_body("order.resolve", OrderResolve(HASH, 10_001).to_body())


@pytest.mark.parametrize("buyer_bps", [0, 1, 3_333, 9_999, 10_000])
def test_a_ruling_pays_the_arbiter_first_then_the_buyers_part_and_finishes_the_rest(world, buyer_bps):
    order_id = disputed(world)
    before = {name: world.balance(name) for name in ("shop", "buyer", "judge")}
    burned = world.query("supply")["burned_minor"]
    world.do("judge", OrderResolve(order_id, buyer_bps), fee=10_000)
    arbiter = PRICE * FEE_BPS // 10_000
    given = (PRICE - arbiter) * buyer_bps // 10_000
    rest = PRICE - arbiter - given
    fee = rest * 50 // 10_000
    assert world.balance("judge") == before["judge"] - 10_000 + arbiter
    assert world.balance("shop") == before["shop"] + rest - fee
    assert world.query("supply")["burned_minor"] == burned + fee // 2
    deposit = world.balance("buyer") - before["buyer"] - given
    assert deposit > 0
    assert world.status(order_id) == ("DONE" if fee else None)
    holder = "shop" if buyer_bps == 10_000 else "buyer"
    item = world.item("1")
    assert (item["owner"], item["custodian"], item["status"]) == (key(holder).hex(), key(holder).hex(), "RESTING")
    assert item["sold"] == (0 if holder == "shop" else 1)


def test_a_silent_arbiter_gets_nothing_and_everything_goes_back(world):
    before, judge = world.balance("buyer"), world.balance("judge")
    order_id = disputed(world)
    fees = before - PRICE - world.balance("buyer")
    world.refused("TOO_EARLY", "stranger", OrderSettle(order_id))
    world.wait(101)
    world.do("stranger", OrderSettle(order_id))
    assert world.status(order_id) is None
    assert world.balance("judge") == judge
    assert before - world.balance("buyer") < fees
    assert world.query("supply")["escrow_minor"] == 0
    assert (world.item("1")["owner"], world.item("1")["status"]) == (key("shop").hex(), "RESTING")


def test_the_buyer_may_still_confirm_a_disputed_order_even_late(world):
    first = disputed(world)
    world.do("buyer", OrderConfirm(first))
    assert world.status(first) == "DONE"
    second = disputed(world)
    world.wait(150)
    world.do("buyer", OrderConfirm(second))


def test_the_store_may_still_refund_a_disputed_order_in_time(world):
    order_id = disputed(world)
    world.refused("BAD_STATE", "buyer", OrderCancel(order_id))
    world.do("shop", OrderRefund(order_id, PRICE - 1))
    world.do("shop", OrderRefund(order_id))
    assert world.status(order_id) is None
    late = disputed(world)
    world.wait(101)
    world.refused("TOO_LATE", "shop", OrderRefund(late))


@pytest.mark.parametrize(("unit", "count"), [(7, 1_000_000), (PRICE, 1), (3_000_000, 3)])
def test_an_arbiters_fee_comes_out_of_points_where_the_cash_is_too_little(world, unit, count):
    world.do("shop", PointsOpen(unit))
    world.do("shop", PointsGrant(key("buyer"), count))
    order_id = disputed(world, points=(PointsSpent(key("shop"), count),))
    cash = PRICE - unit * count
    judge, buyer = world.balance("judge"), world.balance("buyer")
    world.do("judge", OrderResolve(order_id, 10_000), fee=10_000)
    arbiter = PRICE * FEE_BPS // 10_000
    assert world.balance("judge") == judge - 10_000 + arbiter
    taken = -(-max(arbiter - cash, 0) // unit)
    assert world.held("buyer") == count - taken
    assert world.balance("buyer") - buyer >= cash + taken * unit - arbiter
    assert world.query("supply")["escrow_minor"] == 0


def test_a_fee_of_nothing_is_possible():
    world = World("shop", "buyer", "judge")
    free = dataclasses.replace(TERMS, arbiters=(Arbiter(key("judge"), 0),))
    world.open_shop(terms=free)
    order_id = world.do("buyer", world.order(arbiter=key("judge")))
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderDispute(order_id))
    world.do("judge", OrderResolve(order_id, 0))
    assert world.status(order_id) == "DONE"
