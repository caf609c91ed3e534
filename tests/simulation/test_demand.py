"""What simulated users buy follows the generator that the demo trades with."""

import random
from collections import Counter

import pytest

from p2pcommerce.simulation.demand import Demand

STORES = ("plain", "traced", "hasty")


def test_orders_go_to_all_stores_and_take_some_units():
    demand = Demand(random.Random(1))
    orders = [demand.next_order(STORES) for _ in range(3_000)]
    # Stores are as popular as the merchants that fell to them: not equally, but nobody goes without.
    assert all(count > 300 for count in Counter(store for store, _ in orders).values())
    assert {store for store, _ in orders} == set(STORES)
    assert min(units for _, units in orders) == 1
    assert max(units for _, units in orders) == 24


def test_every_third_order_is_given_back():
    demand = Demand(random.Random(2))
    given_back = 0
    for _ in range(3_000):
        demand.next_order(STORES)
        given_back += demand.give_back()
    assert given_back == pytest.approx(1_000, rel=0.05)
    while demand.give_back():
        given_back += 1
    assert given_back == pytest.approx(1_000, rel=0.05)


def test_the_same_seed_gives_the_same_orders():
    def drawn(seed):
        demand = Demand(random.Random(seed))
        return [demand.next_order(STORES) for _ in range(50)]

    assert drawn(3) == drawn(3) != drawn(4)
