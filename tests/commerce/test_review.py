"""Reviews and ratings."""

import pytest

from p2pcommerce.commerce import OrderConfirm, OrderSettle, OrderShip, ReviewPost, read_body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.order import DONE_ORDER_BYTES
from p2pcommerce.commerce.rating import PRIOR_WEIGHT_MINOR, RATING, RATING_BYTES, Rating
from tests.commerce.world import HASH, PRICE, World, key

WEIGHT = PRICE * 50 // 10_000


@pytest.fixture
def world():
    world = World("shop", "buyer", "stranger")
    world.open_shop()
    return world


def done(world, quantity=1):
    order_id = world.place(quantity=quantity)
    world.do("shop", OrderShip(order_id))
    world.do("buyer", OrderConfirm(order_id))
    return order_id


def rating(world):
    return world.query("rating", store=key("shop"))


def test_a_store_begins_with_the_prior(world):
    assert rating(world) == {"mean_millistars": 3_000, "weight": 0, "weighted_stars": 0, "count": 0}


def test_a_review_weighs_what_its_order_paid_to_the_network(world):
    for quantity, stars in ((1, 5), (3, 2)):
        world.do("buyer", ReviewPost(done(world, quantity), stars))
    weight, stars = 4 * WEIGHT, WEIGHT * 5 + 3 * WEIGHT * 2
    mean = (PRIOR_WEIGHT_MINOR * 3_000 + 1_000 * stars) // (PRIOR_WEIGHT_MINOR + weight)
    assert rating(world) == {"mean_millistars": mean, "weight": weight, "weighted_stars": stars, "count": 2}


def test_splitting_an_order_gains_no_weight(world):
    for _ in range(3):
        world.do("buyer", ReviewPost(done(world), 4))
    split = rating(world)
    world.do("buyer", ReviewPost(done(world, 3), 4))
    assert rating(world)["weight"] == 2 * split["weight"]


def test_a_review_is_the_buyers_once_and_in_time(world):
    order_id = world.place()
    world.refused("BAD_STATE", "buyer", ReviewPost(order_id, 5))
    world.do("shop", OrderShip(order_id))
    world.refused("BAD_STATE", "buyer", ReviewPost(order_id, 5))
    world.do("buyer", OrderConfirm(order_id))
    for name in ("shop", "stranger"):
        world.refused("FORBIDDEN", name, ReviewPost(order_id, 5))
    world.do("buyer", ReviewPost(order_id, 5))
    world.refused("NOT_FOUND", "buyer", ReviewPost(order_id, 5))
    late = done(world)
    world.wait(11)
    world.refused("TOO_LATE", "buyer", ReviewPost(late, 5))
    world.do("stranger", OrderSettle(late))


def test_a_review_returns_the_deposit_of_the_order_to_its_sender(world):
    order_id, before = done(world), world.balance("buyer")
    world.do("buyer", ReviewPost(order_id, 5), fee=10_000)
    assert world.balance("buyer") == before - 10_000 + 10 * DONE_ORDER_BYTES


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_stars_are_one_to_five(stars):
    with pytest.raises(FormatError):
        read_body("review.post", ReviewPost(HASH, stars).to_body())


def test_a_rating_that_is_full_takes_no_more(world):
    order_id = done(world)
    full = {RATING.key(key("shop")): RATING.write(Rating(0, 2**63 - 1, 0))}
    world.chain.finalize(world.chain.final.child(full))
    world.refused("LIMIT", "buyer", ReviewPost(order_id, 1))


def test_the_largest_rating_fits_its_size():
    most = 2**63 - 1
    assert len(RATING.key(HASH)) + len(RATING.write(Rating(most, most, most))) <= RATING_BYTES
