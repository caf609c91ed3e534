"""Team orders."""

import pytest

from p2pcommerce.commerce import (
    NEW_TEAM,
    ListingSet,
    OrderCancel,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    Team,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.order import LINE_BYTES, ORDER_BYTES
from p2pcommerce.commerce.team import TEAM, TEAM_BYTES, TeamBuy
from tests.commerce.world import HASH, PRICE, World

TEAM_PRICE = PRICE // 2


@pytest.fixture
def world():
    world = World("shop", "buyer", "second", "third", "fourth", "stranger")
    world.product = world.open_shop()
    world.do("shop", ListingSet(1, world.product, PRICE, 0, False, 1, Team(3, TEAM_PRICE, 60)))
    return world


def join(world, name, team=NEW_TEAM, **fields):
    return world.do(name, world.order(team=team, **fields))


def team(world, identifier):
    return world.query("team", team=identifier)


def test_the_first_order_opens_a_team_at_the_lower_price(world):
    before = world.balance("buyer")
    transaction = world.build("buyer", world.order(quantity=2, team=NEW_TEAM))
    spend = world.app.check(transaction, world.chain.final, 1).spend_minor
    identifier = join(world, "buyer", quantity=2)
    assert world.balance("buyer") == before - spend
    assert spend == transaction.fee + 2 * TEAM_PRICE + 10 * (ORDER_BYTES + LINE_BYTES + TEAM_BYTES)
    found = team(world, identifier)
    assert (found["size"], found["count"], found["open"], found["full_ms"]) == (3, 1, 1, None)
    assert world.query("order", order=identifier)["deadline_ms"] == found["closes_ms"] == world.now_ms() + 60_000


def test_an_order_for_itself_pays_the_full_price(world):
    order_id = world.place()
    assert world.query("order", order=order_id)["cash_minor"] == PRICE
    assert world.query("order", order=order_id)["team"] is None


def test_a_listing_without_a_price_for_teams_opens_none(world):
    world.do("shop", ListingSet(2, None, PRICE, 5, False, 1))
    world.refused("BAD_STATE", "buyer", world.order(number=2, team=NEW_TEAM))


def test_an_order_of_a_team_has_one_line():
    with pytest.raises(FormatError, match="one line"):
        OrderPlace(HASH, (OrderLine(1, HASH, 1), OrderLine(2, HASH, 1)), team=HASH).check(None)


def test_nothing_is_shipped_or_cancelled_until_the_team_is_full(world):
    first = join(world, "buyer")
    world.refused("BAD_STATE", "shop", OrderShip(first))
    world.wait(55)
    world.refused("BAD_STATE", "buyer", OrderCancel(first))
    second = join(world, "second", first)
    third = join(world, "third", first)
    full_ms = world.now_ms()
    assert team(world, first)["full_ms"] == full_ms
    for order_id in (first, second, third):
        assert world.query("order", order=order_id)["deadline_ms"] == full_ms + 100_000
    world.refused("TOO_EARLY", "buyer", OrderCancel(first))
    world.do("shop", OrderShip(first))
    world.wait(51)
    world.do("second", OrderCancel(second))
    world.wait(50)
    world.refused("TOO_LATE", "shop", OrderShip(third))
    world.do("stranger", OrderSettle(third))


def test_a_team_that_is_not_full_in_time_is_given_back_by_anyone(world):
    before = world.balance("buyer")
    first = world.do("buyer", world.order(team=NEW_TEAM), fee=20_000)
    second = join(world, "second", first)
    world.refused("TOO_EARLY", "stranger", OrderSettle(first))
    world.wait(61)
    world.refused("TOO_LATE", "third", world.order(team=first))
    world.refused("TOO_LATE", "shop", OrderRefund(first))
    world.do("stranger", OrderSettle(first))
    assert team(world, first)["open"] == 1
    world.do("stranger", OrderSettle(second))
    assert team(world, first) is None
    assert (world.balance("buyer"), world.stock()) == (before - 20_000, 10)


def test_a_full_team_takes_nobody_else(world):
    first = join(world, "buyer")
    for name in ("second", "third"):
        join(world, name, first)
    world.refused("BAD_STATE", "fourth", world.order(team=first))


def test_a_team_buys_one_listing_at_one_revision(world):
    first = join(world, "buyer")
    world.do("shop", ListingSet(2, world.product, PRICE, 5, False, 1, Team(3, TEAM_PRICE, 60)))
    world.refused("BAD_STATE", "second", world.order(number=2, team=first))
    world.do("shop", ListingSet(1, world.product, PRICE + 1, 0, False, 1, Team(3, TEAM_PRICE, 60)))
    world.refused("BAD_STATE", "second", world.order(team=first))


def test_an_unknown_team_is_not_found(world):
    world.refused("NOT_FOUND", "buyer", world.order(team=HASH))


def test_a_close_makes_room_while_the_team_is_not_full_and_none_when_it_is(world):
    first = join(world, "buyer")
    second = join(world, "second", first)
    world.do("shop", OrderRefund(second))
    assert (team(world, first)["count"], team(world, first)["open"]) == (1, 1)
    for name in ("third", "fourth"):
        last = join(world, name, first)
    world.do("shop", OrderRefund(last))
    assert (team(world, first)["count"], team(world, first)["open"]) == (3, 2)
    world.refused("BAD_STATE", "second", world.order(team=first))


def test_the_last_close_removes_the_team_and_returns_its_deposit_to_who_paid_it(world):
    before = world.balance("stranger")
    first = world.do("buyer", world.order(team=NEW_TEAM), sponsor="stranger", pays=True, fee=20_000)
    second, third = join(world, "second", first), join(world, "third", first)
    world.do("shop", OrderShip(first))
    world.do("buyer", OrderConfirm(first))
    done = 10 * 128
    assert world.balance("stranger") == before - 20_000 - TEAM_PRICE - 10 * TEAM_BYTES - done
    for order_id in (second, third):
        world.do("shop", OrderRefund(order_id))
    assert team(world, first) is None
    assert world.balance("stranger") == before - 20_000 - TEAM_PRICE - done


def test_the_largest_team_fits_its_size():
    most, most32 = 2**63 - 1, 2**32 - 1
    record = TeamBuy(HASH, most32, HASH, HASH, most32, most32, most, most, most)
    assert len(TEAM.key(HASH)) + len(TEAM.write(record)) <= TEAM_BYTES
