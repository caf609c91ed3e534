"""Made-up orders have the measured shape; each figure over a fixed seed, with its tolerance."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import datetime
from itertools import islice, pairwise
from statistics import mean, median

import pytest

from p2pcommerce.workload import (
    ORDER_LINES_MAX,
    Cancellation,
    Catalogue,
    GeneratorShape,
    Order,
    generate_orders,
)
from p2pcommerce.workload.generator import orders_per_customer

EVENTS = 12_000
"""Six seasons."""


@pytest.fixture(scope="module")
def events() -> list[Order | Cancellation]:
    return list(islice(generate_orders(random.Random(1)), EVENTS))


@pytest.fixture(scope="module")
def orders(events) -> list[Order]:
    return [event for event in events if isinstance(event, Order)]


def zipf_exponent(counts: list[int]) -> float:
    """The maximum-likelihood exponent of a finite Zipf law over sorted counts."""
    logs = [math.log(rank) for rank in range(1, len(counts) + 1)]
    wanted = sum(number * log for number, log in zip(counts, logs, strict=True)) / sum(counts)
    low, high = 0.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        weights = [math.exp(-middle * log) for log in logs]
        is_too_flat = sum(weight * log for weight, log in zip(weights, logs, strict=True)) / sum(weights) > wanted
        low, high = (middle, high) if is_too_flat else (low, middle)
    return (low + high) / 2


def test_an_order_has_13_lines_at_the_median(orders):
    assert median(len(order.lines) for order in orders) == pytest.approx(13, abs=1)
    assert max(len(order.lines) for order in orders) == ORDER_LINES_MAX


def test_products_follow_a_zipf_law_with_exponent_0_65(orders):
    bought = Counter(line.code for order in orders for line in order.lines)
    counts = sorted(bought.values(), reverse=True)
    assert zipf_exponent(counts) == pytest.approx(0.65, abs=0.03)


def test_14_8_percent_are_cancellations(events):
    share = sum(isinstance(event, Cancellation) for event in events) / len(events)
    assert share == pytest.approx(0.148, abs=0.003)


def test_34_percent_of_customers_order_once_and_the_top_percent_places_13_percent(orders):
    counts = sorted(Counter(order.customer for order in orders).values(), reverse=True)
    assert counts.count(1) / len(counts) == pytest.approx(0.34, abs=0.02)
    assert sum(counts[: round(len(counts) / 100)]) / sum(counts) == pytest.approx(0.13, abs=0.01)
    assert mean(counts) == pytest.approx(4.27, abs=0.15)


def test_the_peak_hour_is_5_4_times_the_mean(events):
    per_hour = Counter(event.placed_at.replace(minute=0, second=0) for event in events)
    assert max(per_hour.values()) / mean(per_hour.values()) == pytest.approx(5.4, abs=0.2)


@pytest.mark.parametrize("customers", [100, 150, 400, 4_339])
def test_a_season_has_the_measured_customers_exactly(customers):
    counts = orders_per_customer(GeneratorShape(customers=customers))
    assert len(counts) == customers
    assert sum(counts) == round(customers * 4.27)
    assert counts.count(1) == round(customers * 0.34)
    assert sum(counts[: round(customers / 100)]) == round(sum(counts) * 0.13)
    assert min(counts) == 1


def test_the_same_seed_gives_the_same_stream():
    streams = [list(islice(generate_orders(random.Random(seed)), 300)) for seed in (7, 7, 8)]
    assert streams[0] == streams[1] != streams[2]


def test_time_never_runs_backwards_and_stays_in_opening_hours(events):
    assert all(before.placed_at <= after.placed_at for before, after in pairwise(events))
    assert {event.placed_at.hour for event in events} <= set(range(8, 18))
    assert events[0].placed_at >= datetime(2011, 1, 3)


def test_a_cancellation_gives_back_a_line_of_an_earlier_order_of_that_customer(events):
    bought: dict[tuple[str, str, int], int] = {}
    for event in events:
        if isinstance(event, Order):
            for line in event.lines:
                key = (event.customer, line.code, line.unit_price_minor)
                bought[key] = bought.get(key, 0) + line.quantity
        else:
            key = (event.customer, event.code, event.unit_price_minor)
            bought[key] -= event.quantity
            assert bought[key] >= 0
            assert event.quantity >= 1


def test_an_order_buys_different_products_of_one_merchant_at_their_price(orders):
    catalogue = Catalogue(random.Random(1), GeneratorShape())
    prices = {line.code: line.unit_price_minor for name in catalogue.merchants for line in catalogue.products(name)}
    assert len(prices) == 4_059
    for order in orders:
        codes = [line.code for line in order.lines]
        assert len(set(codes)) == len(codes)
        assert {code[:2] for code in codes} == {order.merchant}
        assert all(prices[line.code] == line.unit_price_minor > 0 for line in order.lines)
    assert len({order.merchant for order in orders}) == 10


def test_every_invoice_number_is_new(events):
    assert len({event.invoice for event in events}) == len(events)


def test_a_small_shape_runs_into_its_next_seasons():
    shape = GeneratorShape(merchants=1, products=128, customers=100, cancelled_share=0.4)
    events = list(islice(generate_orders(random.Random(3), shape), 2_000))
    assert len(events) == 2_000
    assert len({event.customer.partition("-")[0] for event in events}) >= 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"merchants": 0}, "merchants must be 1 to 90,000"),
        ({"merchants": 90_001}, "merchants must be 1 to 90,000"),
        ({"lines_max": 65}, "lines_max must be 1 to 64"),
        ({"products": 1_000}, "each merchant needs 128 to 1000 products"),
        ({"products": 10_001}, "each merchant needs 128 to 1000 products"),
        ({"customers": 99}, "at least 100 customers"),
        ({"cancelled_share": 0.5}, "at most 0.4"),
    ],
)
def test_a_shape_that_cannot_be_met_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        GeneratorShape(**fields)
