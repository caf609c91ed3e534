"""Whole markets and flash sales, as far as no process is needed; and both on a small network."""

from __future__ import annotations

import json
import random
from datetime import datetime

import pytest
import trio

from p2pcommerce.cli.demo.flash_sale import FLASH_LISTING, FLASH_MERCHANT, FlashSale, FlashSaleResult, expected_orders
from p2pcommerce.cli.demo.folder import FOUNDED_MINOR, DemoFolder, DemoFolderError
from p2pcommerce.cli.demo.people import People
from p2pcommerce.cli.demo.scene import Opening, accounts_founded, founded_people, opening_text
from p2pcommerce.cli.demo.shops import ShopError, Shops
from p2pcommerce.cli.main import main
from p2pcommerce.ledger.genesis import BALANCES_MAX
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.workload import SCALES, Cancellation, Order, OrderLine, Scale
from tests.cli.test_demo import COMMAND, run
from tests.cli.test_demo_lives import FakePeople, order

TINY = Scale(name="XS", merchants=2, products=8, accounts=120, rate_per_s=10.0)
NOW = datetime(2011, 1, 3)
MARKET_S = 240
"""Opening 2,000 listings takes its time on a busy machine."""


def test_people_of_a_scale_are_its_merchants_and_buyers_in_the_genesis():
    for name, founded in (("S", 5_000), ("M", BALANCES_MAX - 37), ("L", BALANCES_MAX - 37)):
        people = founded_people(SCALES[name])
        assert len(people) == accounts_founded(SCALES[name]) == founded
        assert sum(person.startswith("merchant ") for person in people) == SCALES[name].merchants


def test_founded_people_have_tokens_in_the_genesis(tmp_path):
    people = founded_people(TINY)
    folder = DemoFolder.open(tmp_path / "d", 1, 7, people=people)
    named = People(folder, None, people).named("customer customer 1-1")
    assert named.key == ED25519.public_key(folder.person_seed("customer customer 1-1"))
    assert folder.genesis.balances[named.key] == FOUNDED_MINOR
    assert 0 < named.spendable_minor < FOUNDED_MINOR
    assert People(folder, None, people).named("somebody else").spendable_minor == 0
    assert sum(amount == FOUNDED_MINOR for amount in folder.genesis.balances.values()) == TINY.accounts
    assert (tmp_path / "d" / "node0" / "genesis.json").read_bytes() == (tmp_path / "d" / "genesis.json").read_bytes()
    with pytest.raises(DemoFolderError, match="--workload founds its own"):
        DemoFolder.open(tmp_path / "d", None, None, people=people)


@pytest.mark.parametrize(("stores", "listings", "ok"), [(2, 8, True), (1, 8, False), (2, 7, False)])
def test_a_market_is_open_when_all_of_it_is(stores, listings, ok):
    opened = Opening(scale=TINY, accounts=100, stores=stores, listings=listings, transactions=12, seconds=1.5)
    assert opened.ok is ok
    assert "100 of 120 accounts" in "".join(opened.lines())
    assert opened.to_plain()["accounts_of_scale"] == 120


def test_what_a_scale_needs_before_its_load_is_said_before_it_begins():
    assert opening_text(SCALES["S"]) == (
        "workload S: 50 stores and 2,000 products are opened by about 2,160 transactions before the load, "
        "0.1 minutes at 500 a second"
    )
    large = opening_text(SCALES["L"])
    assert "about 520,060 transactions before the load, 17.3 minutes at 500 a second" in large
    assert large.endswith("99,963 of 1,000,000 accounts are in the genesis")


async def test_a_shop_of_a_scale_puts_all_on_offer():
    people = FakePeople()
    shops = Shops(people)
    lines = tuple(OrderLine(f"10{number:03}", "THING", 1, 1_000 + number) for number in range(30))
    await shops.stock("10", lines, trio.CapacityLimiter(1))
    assert people.types() == ["store.set", "terms.set", *["listing.set"] * 30]
    assert {payload.price_minor for _, payload in people.done[2:]} == {line.unit_price_minor for line in lines}
    assert (len(shops), shops.listing_count) == (1, 30)


async def test_nobody_adds_to_a_limited_stock():
    people = FakePeople()
    shops = Shops(people)
    await shops.limit(FLASH_MERCHANT, FLASH_LISTING, 7)
    assert people.done[-1][1].stock_delta == 7
    assert shops.owner_of(FLASH_MERCHANT) == people.named("merchant flash").key
    assert shops.any_open(0) is None
    with pytest.raises(ShopError):
        await Shops(FakePeople(failing={"listing.set"})).limit(FLASH_MERCHANT, FLASH_LISTING, 7)


def test_three_of_ten_orders_are_for_the_sale_and_nothing_else_changes():
    stream = [order(("85001", 3, 2_000_000), customer=str(number)) for number in range(5_000)]
    gone = Cancellation(
        invoice="C1", customer="1", merchant="85", placed_at=NOW, code="85001", quantity=1, unit_price_minor=1
    )
    led = list(FlashSale(3).lead(iter([*stream, gone]), random.Random(1)))
    assert led[-1] is gone
    on_sale = [event for event in led[:-1] if event.merchant == FLASH_MERCHANT]
    assert len(on_sale) == pytest.approx(1_500, rel=0.05)
    assert all(event.lines == (FLASH_LISTING,) for event in on_sale)
    assert [event.customer for event in led[:-1]] == [event.customer for event in stream]
    assert all(event.merchant == "85" for event in led[:-1] if event not in on_sale)


def test_orders_of_a_sale_are_expected_by_the_mix_and_the_peaks():
    assert expected_orders(100, 60, 1) == round(6_000 * 0.21 * 0.3)
    assert expected_orders(100, 60, 5) == round((5_000 + 5 * 1_000) * 0.21 * 0.3)


def sold(**changes):
    fields = {"stock": 10, "asked": 15, "sold": 10, "left": 0, "refused": {"NO_STOCK": 5}}
    return FlashSaleResult(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "ok"),
    [
        ({}, True),
        ({"asked": 8, "sold": 8, "left": 2, "refused": {}}, True),
        ({"sold": 11, "left": -1}, False),
        ({"sold": 9, "left": 1}, False),
        ({"left": 1}, False),
        ({"refused": {"NO_STOCK": 4, "NO_FUNDS": 1}}, False),
    ],
)
def test_a_sale_is_right_when_exactly_the_stock_was_sold(changes, ok):
    result = sold(**changes)
    assert result.ok is ok
    assert next(result.lines()).startswith("✓" if ok else "✗")
    assert result.to_plain()["ok"] is ok


def test_a_sale_counts_its_own_orders_only():
    sale = FlashSale(1)
    for merchant, code in (("flash", "OK"), ("flash", "NO_STOCK"), ("85", "NO_STOCK")):
        sale.on_placed(order(("1", 1, 1), merchant=merchant), RejectionCode[code])
    assert sale.result(0) == FlashSaleResult(stock=1, asked=2, sold=1, left=0, refused={"NO_STOCK": 1})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workload", "XXL"], "invalid choice: 'XXL'"),
        (["--workload", "S", "--orders", "x.csv"], "leave --orders out, or --workload"),
        (["--flash-sale", "--forever"], "leave --orders and --forever out"),
        (["--flash-sale", "--orders", "x.csv"], "leave --orders and --forever out"),
        (["--abuse", "theft"], "invalid choice: 'theft'"),
        (["--abuse", "all", "--forever"], "leave --forever out"),
        (["--story", "--workload", "S"], "leave --workload out"),
        (["--story", "--abuse", "all", "--flash-sale"], "leave --flash-sale, --abuse out"),
    ],
)
def test_what_does_not_fit_together_is_refused(capsys, arguments, words):
    assert main(["demo", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_small_market_with_a_sale_and_a_fraud_adds_up(tmp_path):
    arguments = ["--nodes", "1", "--rate", "60", "--duration", "6", "--seed", "3", "--json", "--dir", tmp_path / "d"]
    done = run([*COMMAND, "demo", "--workload", "S", "--flash-sale", "--abuse", "double-custody", *arguments], MARKET_S)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["agree"], report["supply_ok"], report["lost"]) == (True, True, 0)
    market, sale = report["workload"], report["flash_sale"]
    assert (market["stores"], market["listings"], market["accounts"]) == (51, 2_001, 5_000)
    assert market["opening"]["transactions"] >= 2_100
    assert (sale["ok"], sale["sold"] + sale["left"]) == (True, sale["stock"])
    assert sale["asked"] == sale["sold"] + sum(sale["refused"].values())
    assert report["abuse"]["double-custody"]["held"]
    assert [attempt["code"] for attempt in report["abuse"]["double-custody"]["attempts"]].count("BAD_STATE") == 2
    assert sum(report["mix_percent"].values()) == pytest.approx(100, abs=1)


def test_an_order_is_told_from_every_other_by_its_reference():
    orders = [
        Order(invoice=i, part=p, customer="c", merchant=m, placed_at=NOW, lines=(), reading=r)
        for i in "12"
        for p in (0, 1)
        for m in "ab"
        for r in (1, 2)
    ]
    assert len({each.reference for each in orders}) == 16


def test_two_people_with_money_are_found_and_others_for_another_number(tmp_path, monkeypatch):
    monkeypatch.setattr("p2pcommerce.cli.demo.people._PEOPLE_MAX", 20)
    people = People(DemoFolder.open(tmp_path / "d", 1, 7), None)
    assert people.funded(0) is None
    named = [people.named(f"buyer {number}") for number in range(10)]
    assert people.funded(3) is None
    for person in named[::2]:
        person.spendable_minor = 10**9
    assert {people.funded(number) for number in range(10)} == {
        (named[place], named[(place + 2) % 10]) for place in range(0, 10, 2)
    }
    for number in range(200):  # those who came first are forgotten, and looked for no longer
        people.named(f"passer-by {number}")
    assert len(people) == 20
    assert people.funded(0) is None
    assert len(people._roll) <= 2 * 20
