"""The three sizes."""

from __future__ import annotations

import random
from itertools import islice
from statistics import median

import pytest

from p2pcommerce.workload import SCALES, Cancellation, Catalogue, Order, generate_orders
from p2pcommerce.workload.generator import customer_name, merchant_names


def test_the_scales_are_those_of_the_specification():
    found = {
        name: (scale.merchants, scale.products, scale.accounts, scale.rate_per_s, scale.peak)
        for name, scale in SCALES.items()
    }
    assert found == {
        "S": (50, 2_000, 5_000, 20, 1),
        "M": (1_000, 50_000, 100_000, 200, 5),
        "L": (10_000, 500_000, 1_000_000, 1_000, 1),
    }


@pytest.mark.parametrize(("name", "lines_max"), [("S", 20), ("M", 25)])
def test_orders_of_a_scale_buy_what_its_merchants_have_from_those_who_are_there(name, lines_max):
    scale = SCALES[name]
    shape = scale.shape(scale.accounts)
    catalogue = Catalogue(random.Random(1), shape)
    assert len(catalogue.merchants) == scale.merchants
    assert sum(len(catalogue.products(merchant)) for merchant in catalogue.merchants) == scale.products
    customers = {customer_name(1, number) for number in range(1, scale.accounts - scale.merchants + 1)}
    events = list(islice(generate_orders(random.Random(2), shape, catalogue), 2_000))
    orders = [event for event in events if isinstance(event, Order)]
    assert {event.customer for event in events} <= customers
    assert max(len(order.lines) for order in orders) == lines_max
    assert median(len(order.lines) for order in orders) == pytest.approx(13, abs=1)
    codes = {merchant: {line.code for line in catalogue.products(merchant)} for merchant in catalogue.merchants}
    assert all({line.code for line in order.lines} <= codes[order.merchant] for order in orders)
    given_back = [event for event in events if isinstance(event, Cancellation)]
    assert given_back
    assert all(event.code in codes[event.merchant] for event in given_back)


@pytest.mark.parametrize(("count", "first", "last"), [(1, "10", "10"), (90, "10", "99"), (91, "100", "190")])
def test_merchants_are_named_by_numbers_of_one_length(count, first, last):
    names = merchant_names(count)
    assert (len(set(names)), names[0], names[-1]) == (count, first, last)
    assert len({len(name) for name in names}) == 1
