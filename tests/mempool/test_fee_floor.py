"""Rules of the fee floor."""

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.mempool.fee_floor import PRICE_SCALE, FeeFloor, price_of


def test_it_starts_at_the_chains_own():
    assert FeeFloor(3, 1_000).minor(0) == 3


def test_a_raised_floor_halves_in_its_half_life_and_ends_at_the_least():
    floor = FeeFloor(1, 1_000)
    floor.raise_above(800 * PRICE_SCALE, 5_000)
    assert floor.minor(5_000) == 801
    assert floor.price(6_000) == (800 * PRICE_SCALE + 1) >> 1
    assert floor.minor(5_000 + 200_000) == 1


def test_a_lower_price_does_not_move_it():
    floor = FeeFloor(1, 1_000)
    floor.raise_above(800 * PRICE_SCALE, 0)
    floor.raise_above(400 * PRICE_SCALE, 100)
    assert floor.price(0) == 800 * PRICE_SCALE + 1


@settings(max_examples=100, deadline=None)
@given(price=st.integers(0, 2**80), times=st.lists(st.integers(0, 10**9), min_size=2, max_size=20))
def test_it_only_falls_by_itself(price, times):
    floor = FeeFloor(1, 60_000_000)
    floor.raise_above(price, 0)
    prices = [floor.price(time) for time in sorted(times)]
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] >= PRICE_SCALE


def test_prices_of_small_differences_differ():
    assert price_of(1_000_001, 1_000) > price_of(1_000_000, 1_000)
    assert price_of(5, 0) == 5 * PRICE_SCALE
