"""Stores and their operators."""

import pytest

from p2pcommerce.commerce import (
    ListingSet,
    Operator,
    OrderRefund,
    OrderShip,
    ProductSet,
    Rights,
    StoreSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import serial_id
from p2pcommerce.commerce.rating import RATING_BYTES
from p2pcommerce.commerce.store import OPERATOR_BYTES, STORE, STORE_BYTES
from tests.commerce.world import GTIN, HASH, PRICE, World, key


@pytest.fixture
def world():
    return World("shop", "buyer", "helper", "other")


def operator(*rights, name="helper"):
    return Operator(key(name), sum(rights))


def test_a_store_is_opened_and_changed_by_its_owner(world):
    world.do("shop", StoreSet("One", HASH, HASH))
    world.do("shop", StoreSet("Zwei ß", HASH, HASH, "https://two.example"))
    assert world.query("store", store=key("shop"))["name"] == "Zwei ß"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (StoreSet("", HASH, HASH), "must have a name"),
        (StoreSet("A", HASH, HASH, "", (Operator(b"b" * 32, 1), Operator(b"a" * 32, 1))), "strictly increasing"),
        (StoreSet("A", HASH, HASH, "", (Operator(b"b" * 32, 1), Operator(b"b" * 32, 2))), "strictly increasing"),
    ],
)
def test_a_store_of_wrong_form_is_bad_format(world, body, sentence):
    with pytest.raises(FormatError, match=sentence):
        body.check(None)


@pytest.mark.parametrize(
    "body",
    [
        StoreSet("A" * 65, HASH, HASH),
        StoreSet("A", b"short", HASH),
        StoreSet("A", HASH, HASH, "u" * 129),
        StoreSet("A", HASH, HASH, "", tuple(Operator(bytes([i]) * 32, 1) for i in range(5))),
        StoreSet("A", HASH, HASH, "", (Operator(HASH, 0),)),
        StoreSet("A", HASH, HASH, "", (Operator(HASH, 8),)),
    ],
)
def test_a_store_over_its_limits_cannot_be_read(body):
    with pytest.raises(FormatError):
        read_body(body.TYPE, body.to_body())


def test_the_owner_is_no_operator(world):
    world.refused("FORBIDDEN", "shop", StoreSet("A", HASH, HASH, "", (Operator(key("shop"), 1),)))


def test_the_deposit_of_a_store_follows_its_operators(world):
    start = world.balance("shop")
    world.do("shop", StoreSet("A", HASH, HASH, "", (operator(1),)), fee=10_000)
    assert world.balance("shop") == start - 10_000 - 10 * (STORE_BYTES + RATING_BYTES + OPERATOR_BYTES)
    world.do("shop", StoreSet("A", HASH, HASH), fee=10_000)
    assert world.balance("shop") == start - 20_000 - 10 * (STORE_BYTES + RATING_BYTES)


def test_who_cannot_pay_the_deposit_fails_with_no_funds(world):
    poor = World("shop", balance=8_700)
    poor.refused("NO_FUNDS", "shop", StoreSet("A", HASH, HASH), fee=8_000)


def test_a_strangers_transaction_that_names_a_store_is_forbidden(world):
    world.open_shop()
    world.refused("FORBIDDEN", "other", ProductSet(GTIN, HASH, "", key("shop")))


def test_an_operators_transaction_needs_the_store_to_exist(world):
    world.refused("NOT_FOUND", "helper", ProductSet(GTIN, HASH, "", key("shop")))


def test_an_operator_without_the_right_is_forbidden(world):
    world.open_shop(operators=[operator(Rights.FULFIL, Rights.TRACE)])
    world.refused("FORBIDDEN", "helper", ProductSet(GTIN, HASH, "", key("shop")))


def test_catalog_may_set_products_and_stock_and_nothing_else_of_a_listing(world):
    product = world.open_shop(operators=[operator(Rights.CATALOG)])
    shop = key("shop")
    world.do("helper", ProductSet(GTIN, bytes(32), "new", shop))
    assert world.query("product", issuer=shop, gtin=GTIN)["uri"] == "new"
    world.do("helper", ListingSet(1, product, PRICE, 5, False, 1, None, shop))
    assert world.stock() == 15
    world.refused("FORBIDDEN", "helper", ListingSet(1, product, PRICE - 1, 0, False, 1, None, shop))
    world.refused("FORBIDDEN", "helper", ListingSet(2, product, PRICE, 1, False, 1, None, shop))
    world.refused("FORBIDDEN", "helper", ListingSet(1, None, 0, 0, False, 1, None, shop))


def test_fulfil_may_ship_and_refund_in_full_while_placed(world):
    world.open_shop(operators=[operator(Rights.FULFIL)])
    first, second, third = world.place(), world.place(), world.place()
    world.refused("FORBIDDEN", "helper", OrderRefund(first, 5))
    world.do("helper", OrderRefund(first))
    world.do("helper", OrderShip(second))
    world.refused("FORBIDDEN", "helper", OrderRefund(second))
    world.refused("FORBIDDEN", "other", OrderRefund(third))
    world.refused("FORBIDDEN", "other", OrderShip(third))


def test_trace_may_do_everything_but_transfer_ownership(world):
    product = world.open_shop(operators=[operator(Rights.TRACE)])
    shop, item = key("shop"), (serial_id(product, "1"),)
    world.do("helper", TraceCommission(GTIN, ("1",), None, HASH, 1, shop))
    assert world.query("item", issuer=shop, gtin=GTIN, serial="1")["owner"] == shop.hex()
    world.refused("FORBIDDEN", "helper", TraceShip(item, key("other"), HASH, 1, transfers_owner=True, store=shop))
    world.do("helper", TraceShip(item, key("other"), HASH, 1, store=shop))
    world.do("other", TraceReceive(item, HASH, 1))
    world.do("other", TraceShip(item, shop, HASH, 1))
    world.do("helper", TraceReceive(item, HASH, 1, shop))
    assert world.query("item", issuer=shop, gtin=GTIN, serial="1")["custodian"] == shop.hex()


def test_a_store_with_everything_at_its_limit_fits_its_size(world):
    store = StoreSet("é" * 32, HASH, HASH, "u" * 128, ())
    world.do("shop", store)
    key_, value = STORE.key(key("shop")), world.chain.values[STORE.key(key("shop"))]
    assert len(key_) + len(value) <= STORE_BYTES
