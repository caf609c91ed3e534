"""Orders of a file on the ledger, against an independent sum over the file."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from p2pcommerce.cli.demo.orders import reference_hash
from p2pcommerce.cli.demo.totals import LedgerSum, compare
from p2pcommerce.cli.demo.workload import read_retail
from p2pcommerce.cli.demo.workload.retail_sum import sum_retail
from p2pcommerce.commerce import ListingSet, OrderCancel, OrderLine, OrderPlace, OrderRefund, StoreSet, TermsSet
from p2pcommerce.workload import Cancellation, Order, SkippedLines
from tests.commerce.world import TOKEN, World, key

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
DAY = "2010-12-01 08:26:00"
SMALL = (
    HEADER
    + f"536365,85123A,HEART,6,{DAY},2.55,17850.0,UK\n"
    + f"536365,71053,LANTERN,6,{DAY},3.39,17850.0,UK\n"
    + f"536365,85123a,HEART,2,{DAY},2.55,17850.0,UK\n"  # the same code and price: one line
    + f"536365,85123A,HEART,1,{DAY},2.10,17850.0,UK\n"  # another price: another line
    + f"536366,22633,WARMER,6,{DAY},1.85,,UK\n"
    + f"536367,POST,POSTAGE,1,{DAY},18.00,13047,UK\n"  # no product
    + f"536368,22960,JAM,6,{DAY},0.00,13047,UK\n"  # a gift
    + "".join(f"536369,22{number:03},THING {number},1,{DAY},0.001,13047,UK\n" for number in range(70))
    + f"C536379,85123A,HEART,-3,{DAY},2.55,17850.0,UK\n"
)
SMALL_MINOR = 8 * 2_550_000 + 6 * 3_390_000 + 2_100_000 + 6 * 1_850_000 + 70 * 1_000


class MemoryMarket:
    """Places the orders of a stream on the application itself; every block is audited."""

    def __init__(self, events):
        self.events = list(events)
        merchants = {event.merchant for event in self.events}
        self.world = World(
            *(f"merchant {name}" for name in sorted(merchants)),
            *sorted({event.customer for event in self.events}),
            balance=10**8 * TOKEN,
        )
        self.sum = LedgerSum()
        self.revisions = {}
        self.open = {}
        for merchant in sorted(merchants):
            owner = f"merchant {merchant}"
            self.do(owner, StoreSet(owner, bytes(32), bytes(32)), TermsSet(1, 3_600, 3_600, 3_600, 1))

    def do(self, who, *payloads):
        nonce = self.world.nonce(who)
        built = [self.world.build(who, payload, nonce=nonce + place) for place, payload in enumerate(payloads)]
        outcomes = self.world.block(*built)
        for transaction, outcome in zip(built, outcomes, strict=True):
            assert outcome.ok, outcome.detail
            self.sum.add(transaction)
        return [transaction.id for transaction in built]

    def trade(self):
        for event in self.events:
            if isinstance(event, Order):
                self.place(event)
            else:
                self.refund(event)

    def place(self, order):
        owner = f"merchant {order.merchant}"
        codes = {(order.merchant, line.code, line.unit_price_minor): line for line in order.lines}
        new = [code for code in codes if code not in self.revisions]
        offers = [
            ListingSet(len(self.revisions) + place, None, code[2], 10**6, traced=False, terms=1)
            for place, code in enumerate(new, 1)
        ]
        ids = self.do(owner, *offers) if offers else []
        self.revisions |= {code: (offer.number, tx_id) for code, offer, tx_id in zip(new, offers, ids, strict=True)}
        lines = sorted((*self.revisions[code], line.quantity) for code, line in codes.items())
        placed = OrderPlace(
            key(owner), tuple(OrderLine(*line) for line in lines), address_hash=reference_hash(order.reference)
        )
        (order_id,) = self.do(order.customer, placed)
        for line in order.lines:
            self.open[order.customer, line.code] = [order_id, order.total_minor, owner]

    def refund(self, event):
        found = self.open.get((event.customer, event.code))
        if found is not None and found[1] > event.amount_minor:
            found[1] -= event.amount_minor
            self.do(found[2], OrderRefund(found[0], event.amount_minor))


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "day.csv"
    path.write_text(SMALL)
    return path


def market_of(path, count=None):
    market = MemoryMarket(islice(read_retail(path, SkippedLines()), count))
    market.trade()
    return market


def test_the_ledger_holds_what_the_file_says_to_the_minor_unit(small):
    market = market_of(small)
    totals = compare(market.sum, sum_retail(small), 1)
    assert totals.ok, totals
    assert totals.ledger_minor == totals.files_minor == SMALL_MINOR
    # 536365 buys from 85 and 71; the 70 things are two orders.
    assert (totals.invoices, totals.orders, totals.partial) == (4, 5, 0)
    assert totals.refunded_minor == 3 * 2_550_000
    assert "the same as" in "".join(totals.lines())


def test_the_sum_over_the_file_is_that_of_its_lines(small):
    found = sum_retail(small.parent)
    assert sum(invoice.minor for invoice in found.invoices.values()) == SMALL_MINOR
    assert found.given_back_minor == {"17850": 3 * 2_550_000}


def test_an_invoice_of_which_an_order_is_missing_is_partial(small):
    market = market_of(small, 4)
    totals = compare(market.sum, sum_retail(small), 1)
    assert totals.ok
    assert (totals.partial, totals.orders) == (1, 3)
    assert totals.ledger_minor == SMALL_MINOR - 70_000


def test_a_file_that_is_read_again_counts_again(small):
    once = list(read_retail(small, SkippedLines()))
    again = [replace(event, reading=2) if isinstance(event, Order) else event for event in once]
    market = MemoryMarket([*once, *again])
    market.trade()
    totals = compare(market.sum, sum_retail(small), 2)
    assert totals.ok
    assert totals.ledger_minor == 2 * SMALL_MINOR
    assert compare(market.sum, sum_retail(small), 1).unknown == 5


@pytest.mark.parametrize(
    ("changed", "to"),
    [("6,2010-12-01 08:26:00,3.39", "6,2010-12-01 08:26:00,3.390001"), ("LANTERN,6", "LANTERN,7"), ("71053", "71054")],
)
def test_a_file_that_says_something_else_is_told(small, changed, to):
    market = market_of(small)
    other = small.with_name("other.csv")
    other.write_text(SMALL.replace(changed, to))
    totals = compare(market.sum, sum_retail(other), 1)
    if changed == "71053":  # another code at the same price: the money is the same
        assert totals.ok
    else:
        assert not totals.ok
        assert totals.different == 1
        assert "NOT the same as" in "".join(totals.lines())


def test_an_order_that_no_file_knows_is_told(small):
    market = market_of(small)
    files = sum_retail(small)
    del files.invoices["536366", "22"]
    totals = compare(market.sum, files, 1)
    assert (totals.ok, totals.unknown) == (False, 1)


def test_more_given_back_than_asked_is_told(small):
    market = market_of(small)
    for order_id, _, owner in {tuple(found) for found in market.open.values()}:
        market.do(owner, OrderRefund(order_id, 1))
        break
    totals = compare(market.sum, sum_retail(small), 1)
    assert (totals.ok, totals.above_minor) == (False, 1)


def test_a_cancelled_order_gives_back_all_that_is_left(small):
    market = market_of(small)
    order_id, left_minor, _ = market.open["customer 17850", "85123A"]
    market.world.block(step_ms=2_000)
    before = market.sum.refunded_minor[key("customer 17850")]
    market.do("customer 17850", OrderCancel(order_id))
    assert market.sum.refunded_minor[key("customer 17850")] - before == left_minor


def test_real_days_on_the_ledger_add_up_to_their_files():
    folder = os.environ.get("P2PCOMMERCE_DATA")
    if folder is None:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    day = max((Path(folder) / "retail").glob("*.csv"))
    market = market_of(day, 400)
    totals = compare(market.sum, sum_retail(day), 1)
    assert totals.ok, totals
    assert totals.orders > 300
    assert totals.partial <= 1
    assert any(isinstance(event, Cancellation) for event in market.events)


def test_the_two_readers_of_real_days_agree():
    folder = os.environ.get("P2PCOMMERCE_DATA")
    if folder is None:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    path = Path(folder) / "retail"
    orders = [event for event in read_retail(path, SkippedLines()) if isinstance(event, Order)]
    files = sum_retail(path)
    assert sum(order.total_minor for order in orders) == sum(each.minor for each in files.invoices.values()) > 10**11
    assert len(orders) == sum(invoice.orders for invoice in files.invoices.values())
