"""Orders without a file: an endless stream with the measured shape of real retail.

Measured on a year of real orders (Online Retail), and how each figure is met here:

| figure | measured | here |
| --- | --- | --- |
| order lines, median | 13 | lognormal around 13 with sigma 1.11 (mean 24.1 before the cut at 64 lines) |
| Zipf exponent over products | 0.65 | weights with 0.83; standing in an order only once flattens the top |
| share of cancellations | 14.8 % | exact in every season; each gives back one line of a recent order |
| customers with one order | 34 % | exact in every season |
| orders of the top 1 % of customers | 13 % | exact to rounding in every season |
| busiest hour to mean open hour | 5.4 | exact to rounding: one hour of every season has 5.4 times the mean |

A season is a closed group of customers (400 by default, about 1,700 orders in 26 shop days); at its end new customers
come. That is what keeps the figures per customer true in an endless stream: were everybody to return for ever, nobody
would order just once. A run that ends within its first season sees more customers with one order.

Source: interfaces specification, orders without a file; the figures in the README of the retail data.
Deviations: an order is cut at 64 lines, the most that the ledger takes (7 % of orders are longer in reality); it buys
from one merchant, where a real invoice is split into one order per merchant.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, count, pairwise
from typing import TYPE_CHECKING

from p2pcommerce.workload.orders import (
    MINOR_PER_TOKEN,
    ORDER_LINES_MAX,
    Cancellation,
    Order,
    OrderLine,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = [
    "Catalogue",
    "GeneratorShape",
    "customer_name",
    "generate_orders",
    "merchant_names",
    "orders_per_customer",
]

RECENT_ORDERS_MAX = 256
"""How many of the latest orders may still be given back, each once."""

_MERCHANTS_MAX = 90_000
"""Merchants are named by the first digits of their products' codes: two where 10 to 99 are enough, at most five."""
_PRODUCTS_MAX = 1_000
_WORDS_COLOUR = ("RED", "WHITE", "BLUE", "GREEN", "PINK", "IVORY", "BLACK", "SILVER", "WOODEN", "VINTAGE")
_WORDS_THING = ("LANTERN", "MUG", "CANDLE", "CUSHION", "TEAPOT", "BASKET", "CLOCK", "FRAME", "BUNTING", "LUNCH BAG")
_QUANTITIES = (1, 1, 1, 2, 2, 3, 4, 6, 6, 8, 10, 12, 12, 24)
"""Units of a line, each as likely as another; shops order by the dozen."""


@dataclass(frozen=True, kw_only=True)
class GeneratorShape:
    """The figures of the stream.

    Attributes:
        merchants: sellers, 1 to 90,000.
        products: products of all merchants together, at least twice `lines_max` and at most 1,000 per merchant.
        customers: buyers of one season, at least 100.
        lines_median: order lines at the median. Measured: 13.
        lines_max: lines of an order at most, 1 to 64.
        lines_sigma: standard deviation of the logarithm of the lines. From the measured mean of 24.1 lines:
            sqrt(2 ln(24.1 / 13)).
        zipf_draw: exponent of a product's weight by its rank; with 4,059 products of 10 merchants,
            0.83 shows as the measured 0.65 in the orders. Fewer products per merchant show a smaller exponent.
        cancelled_share: cancellations among all that is yielded. Measured: 14.8 %.
        once_share: customers that order once. Measured: 34 %.
        top_share: orders of the top 1 % of customers. Measured: 13 %.
        orders_mean: orders per customer. Measured: 4.27.
        peak_to_mean: busiest hour to mean open hour. Measured: 41 to 7.6.
        events_per_hour: orders and cancellations in the mean open hour. Measured: 7.6.
        open_hours: hours of a shop day, from `opens_at`.
        opens_at: hour of the day.
        start: first day, shop-local time.
    """

    merchants: int = 10
    products: int = 4_059
    customers: int = 400
    lines_median: float = 13.0
    lines_max: int = ORDER_LINES_MAX
    lines_sigma: float = 1.11
    zipf_draw: float = 0.83
    cancelled_share: float = 0.148
    once_share: float = 0.34
    top_share: float = 0.13
    orders_mean: float = 4.27
    peak_to_mean: float = 5.4
    events_per_hour: float = 7.6
    open_hours: int = 10
    opens_at: int = 8
    start: datetime = datetime(2011, 1, 3)

    def __post_init__(self) -> None:
        """Refuse a shape that cannot be met.

        Raises:
            ValueError: a figure is out of its range.
        """
        if not 1 <= self.merchants <= _MERCHANTS_MAX:
            raise ValueError(f"merchants must be 1 to {_MERCHANTS_MAX:,}")
        if not 1 <= self.lines_max <= ORDER_LINES_MAX:
            raise ValueError(f"lines_max must be 1 to {ORDER_LINES_MAX}")
        if not 2 * self.lines_max * self.merchants <= self.products <= _PRODUCTS_MAX * self.merchants:
            raise ValueError(f"each merchant needs {2 * self.lines_max} to {_PRODUCTS_MAX} products")
        if not 0 <= self.cancelled_share <= 0.4:
            raise ValueError("at most 0.4 of all can be cancellations: each needs an order of its own")
        if self.customers < 100:
            raise ValueError("a season needs at least 100 customers, so that there is a top 1 %")


def merchant_names(count: int) -> tuple[str, ...]:
    """Return the names of so many merchants: numbers of one length."""
    first = 10
    while count > 9 * first:
        first *= 10
    return tuple(str(first + index) for index in range(count))


def customer_name(season: int, number: int) -> str:
    """Return the name of a customer of a season; both count from 1."""
    return f"customer {season}-{number}"


class Catalogue:
    """The products of the made-up merchants: code, name, price and how often each is bought."""

    def __init__(self, rng: random.Random, shape: GeneratorShape) -> None:
        """Draw prices; deal the products out to the merchants, so that each has its share of the popular."""
        self.merchants = merchant_names(shape.merchants)
        self._products: dict[str, list[OrderLine]] = {merchant: [] for merchant in self.merchants}
        weights: dict[str, list[float]] = {merchant: [] for merchant in self.merchants}
        # Shuffled ranks: neighbours on the shelf, between which systematic sampling chooses, are of any popularity.
        ranks = list(range(shape.products))
        rng.shuffle(ranks)
        for position, rank in enumerate(ranks):
            merchant = self.merchants[position % shape.merchants]
            pence = min(5_000, max(19, round(208 * math.exp(rng.gauss(0, 0.9)))))
            number = len(self._products[merchant])
            name = f"{rng.choice(_WORDS_COLOUR)} {rng.choice(_WORDS_THING)} {number}"
            price_minor = pence * (MINOR_PER_TOKEN // 100)
            self._products[merchant].append(OrderLine(f"{merchant}{number:03d}", name, 1, price_minor))
            weights[merchant].append((rank + 1) ** -shape.zipf_draw)
        self._cumulative = {merchant: list(accumulate(weights[merchant])) for merchant in self.merchants}
        self._merchant_weights = list(accumulate(self._cumulative[merchant][-1] for merchant in self.merchants))

    def products(self, merchant: str) -> tuple[OrderLine, ...]:
        """Return one line of a single unit for every product of a merchant."""
        return tuple(self._products[merchant])

    def draw_merchant(self, rng: random.Random) -> str:
        """Return a merchant, as likely as its products are popular."""
        return rng.choices(self.merchants, cum_weights=self._merchant_weights)[0]

    def draw_lines(self, rng: random.Random, merchant: str, lines: int) -> tuple[OrderLine, ...]:
        """Return `lines` different products of a merchant, each with a quantity."""
        cumulative = self._cumulative[merchant]
        # Systematic sampling: equally spaced points find each product as often as its weight says, where drawing one
        # by one without repetition would flatten the popular end. Only what is hit twice is made up for by drawing.
        step = cumulative[-1] / lines
        start = rng.random() * step
        places = {bisect(cumulative, start + step * point, hi=len(cumulative) - 1) for point in range(lines)}
        while len(places) < lines:
            places.add(bisect(cumulative, rng.random() * cumulative[-1], hi=len(cumulative) - 1))
        products = self._products[merchant]
        return tuple(replace(products[place], quantity=rng.choice(_QUANTITIES)) for place in sorted(places))


def orders_per_customer(shape: GeneratorShape) -> list[int]:
    """Return how many orders each customer of a season places, the busiest first.

    The top 1 % share their orders evenly; those who order once are as many as measured; the rest follow a geometric
    law from 2 upwards, so that the mean is the measured one.
    """
    total = round(shape.customers * shape.orders_mean)
    top, once = max(1, round(shape.customers / 100)), round(shape.customers * shape.once_share)
    top_orders = round(total * shape.top_share)
    middle = shape.customers - top - once
    middle_orders = total - top_orders - once
    counts = [top_orders // top + (index < top_orders % top) for index in range(top)]
    extra = [-math.log((index + 0.5) / middle) for index in range(middle)]
    scale = (middle_orders - 2 * middle) / sum(extra)
    # Rounding the running sum instead of each part keeps the total exact.
    bounds = [round(scale * sum_so_far) for sum_so_far in accumulate(extra, initial=0.0)]
    counts += [2 + after - before for before, after in pairwise(bounds)]
    return counts + [1] * once


def generate_orders(
    rng: random.Random, shape: GeneratorShape | None = None, catalogue: Catalogue | None = None
) -> Iterator[Order | Cancellation]:
    """Yield orders and cancellations for ever, in the order of their times.

    Args:
        rng: the same seed gives the same stream.
        shape: the figures; the measured ones by default.
        catalogue: of that shape; drawn first if there is none.
    """
    shape = shape or GeneratorShape()
    catalogue = Catalogue(rng, shape) if catalogue is None else catalogue
    invoices = count(100_001)
    first_day = shape.start
    for season in count(1):
        times = _season_times(rng, shape, first_day)
        yield from _season(rng, shape, catalogue, season, times, invoices)
        first_day += timedelta(days=(times[-1] - first_day).days + 1)


def _season(
    rng: random.Random,
    shape: GeneratorShape,
    catalogue: Catalogue,
    season: int,
    times: list[datetime],
    invoices: Iterator[int],
) -> Iterator[Order | Cancellation]:
    buyers = [
        customer_name(season, number)
        for number, orders in enumerate(orders_per_customer(shape), 1)
        for _ in range(orders)
    ]
    rng.shuffle(buyers)
    recent: deque[Order] = deque(maxlen=RECENT_ORDERS_MAX)
    for place, placed_at in enumerate(times):
        left = len(times) - place
        # Sampling without replacement: at the end exactly the measured share has been cancelled.
        is_cancellation = rng.random() * left >= len(buyers)
        if recent and is_cancellation:
            yield _give_back(rng, recent, placed_at, next(invoices))
            continue
        if not buyers:
            return
        order = _order(rng, shape, catalogue, buyers.pop(), placed_at, next(invoices))
        recent.append(order)
        yield order


def _order(
    rng: random.Random, shape: GeneratorShape, catalogue: Catalogue, buyer: str, placed_at: datetime, invoice: int
) -> Order:
    lines = round(shape.lines_median * math.exp(rng.gauss(0, shape.lines_sigma)))
    merchant = catalogue.draw_merchant(rng)
    return Order(
        invoice=str(invoice),
        part=0,
        customer=buyer,
        merchant=merchant,
        placed_at=placed_at,
        lines=catalogue.draw_lines(rng, merchant, min(shape.lines_max, max(1, lines))),
    )


def _give_back(rng: random.Random, recent: deque[Order], placed_at: datetime, invoice: int) -> Cancellation:
    place = rng.randrange(len(recent))
    order = recent[place]
    del recent[place]
    line = rng.choice(order.lines)
    return Cancellation(
        invoice=f"C{invoice}",
        customer=order.customer,
        merchant=order.merchant,
        placed_at=placed_at,
        code=line.code,
        quantity=rng.randint(1, line.quantity),
        unit_price_minor=line.unit_price_minor,
    )


def _season_times(rng: random.Random, shape: GeneratorShape, first_day: datetime) -> list[datetime]:
    """Return the time of every order and cancellation of a season: calm hours, and one with the measured peak."""
    events = round(sum(orders_per_customer(shape)) / (1 - shape.cancelled_share))
    hours = max(2 * shape.open_hours, round(events / shape.events_per_hour))
    # A day swells towards noon: between half the mean and one and a half times the mean.
    weights = [
        1 - math.cos(2 * math.pi * (hour % shape.open_hours + 0.5) / shape.open_hours) / 2 for hour in range(hours)
    ]
    peak = rng.randrange(hours)
    weights[peak] = 0.0
    calm = (events - events / hours * shape.peak_to_mean) / sum(weights)
    bounds = [0, *(round(calm * sum_so_far) for sum_so_far in accumulate(weights))]
    per_hour = [after - before for before, after in pairwise(bounds)]
    per_hour[peak] = events - sum(per_hour)
    times = []
    for hour, orders in enumerate(per_hour):
        day, hour_of_day = divmod(hour, shape.open_hours)
        begin = first_day + timedelta(days=day, hours=shape.opens_at + hour_of_day)
        times += sorted(begin + timedelta(seconds=rng.randrange(3_600)) for _ in range(orders))
    return times
