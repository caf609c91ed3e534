"""Custody of items: commission, ship, receive, reject; operators."""

import dataclasses

import pytest

from p2pcommerce.commerce import (
    BODIES,
    Lot,
    Operator,
    OrderConfirm,
    OrderRefund,
    OrderShip,
    Output,
    ProductSet,
    Rights,
    StoreSet,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceReject,
    TraceShip,
    TraceSplit,
    TraceTransform,
    TraceUnpack,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import ITEM, ITEM_BYTES, Item, lot_id, serial_id
from p2pcommerce.commerce.item_ids import unit_id
from p2pcommerce.commerce.product import ProductId
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, World, key

OTHER_HASH = bytes(32)
SSCC = "095200010000000010"


@pytest.fixture
def world():
    world = World("maker", "carrier", "shop", "stranger")
    world.do("maker", ProductSet(GTIN, HASH))
    world.do("maker", TraceCommission(GTIN, ("1", "2"), None, HASH, 5))
    return world


PRODUCT = ProductId(key("maker"), GTIN)
ONE = (serial_id(PRODUCT, "1"),)
BOTH = (*ONE, serial_id(PRODUCT, "2"))


def item(world, serial="1", **name):
    return world.query("item", issuer=key("maker"), gtin=GTIN, **(name or {"serial": serial}))


def holders(world, serial="1"):
    found = item(world, serial)
    return found["owner"], found["custodian"], found["status"], found["pending_to"]


def test_who_commissions_owns_and_holds(world):
    maker = key("maker").hex()
    assert holders(world) == (maker, maker, "RESTING", None)
    assert (item(world)["quantity"], item(world)["n"], item(world)["sold"]) == (1, 1, 0)


def test_ids_are_new_and_never_come_back(world):
    world.refused("EXISTS", "maker", TraceCommission(GTIN, ("2", "3"), None, HASH, 5))
    assert item(world, "3") is None


def test_only_the_issuer_commissions_and_the_product_must_exist(world):
    world.refused("NOT_FOUND", "stranger", TraceCommission(GTIN, ("9",), None, HASH, 5))
    world.refused("NOT_FOUND", "maker", TraceCommission(OTHER_GTIN, ("9",), None, HASH, 5))


def test_a_lot_is_one_item_of_many_units(world):
    world.do("maker", TraceCommission(GTIN, (), Lot("L-7", 500), HASH, 5))
    assert item(world, lot="L-7")["quantity"] == 500
    assert item(world, serial="L-7") is None
    assert lot_id(PRODUCT, "1") != serial_id(PRODUCT, "1")


def test_256_serials_can_be_commissioned_at_once_each_with_a_deposit(world):
    before = world.balance("maker")
    serials = tuple(f"s{i:03d}" for i in range(256))
    world.do("maker", TraceCommission(GTIN, serials, None, HASH, 5), fee=400_000)
    assert world.balance("maker") == before - 400_000 - 256 * ITEM_BYTES * 10


@pytest.mark.parametrize(
    "body",
    [
        TraceCommission("09520001000012", ("1",), None, HASH, 5),
        TraceCommission(GTIN, (), None, HASH, 5),
        TraceCommission(GTIN, ("1",), Lot("1", 1), HASH, 5),
        TraceCommission(GTIN, ("2", "1"), None, HASH, 5),
        TraceCommission(GTIN, ("1", "1"), None, HASH, 5),
        TraceCommission(GTIN, ("",), None, HASH, 5),
        TraceCommission(GTIN, ("a b",), None, HASH, 5),
        TraceCommission(GTIN, ("ä",), None, HASH, 5),
        TraceCommission(GTIN, (), Lot("", 1), HASH, 5),
        TraceCommission(GTIN, (), Lot("1", 0), HASH, 5),
        TraceShip((ONE[0], ONE[0]), HASH, HASH, 5),
        TraceShip((BOTH[1], BOTH[0]), HASH, HASH, 5),
        TraceReceive((BOTH[1], BOTH[0]), HASH, 5),
        TraceReject((BOTH[1], BOTH[0]), HASH, 5),
    ],
)
def test_a_body_of_wrong_form_is_bad_format(body):
    with pytest.raises(FormatError):
        body.check(None)


@pytest.mark.parametrize(
    "body",
    [
        TraceCommission(GTIN, tuple(str(i) for i in range(257)), None, HASH, 5),
        TraceCommission(GTIN, ("x" * 21,), None, HASH, 5),
        TraceCommission(GTIN, ("1",), None, HASH, -1),
        TraceShip((), HASH, HASH, 5),
        TraceShip(tuple(bytes([1, i]) for i in range(65)), HASH, HASH, 5),
        TraceShip((bytes(97),), HASH, HASH, 5),
        TraceReceive((), HASH, 5),
        TraceReceive(tuple(bytes([1, i]) for i in range(65)), HASH, 5),
    ],
)
def test_a_body_over_its_limits_cannot_be_read(body):
    with pytest.raises(FormatError):
        read_body(body.TYPE, body.to_body())


def test_a_hand_over_takes_both_signatures(world):
    maker, carrier = key("maker").hex(), key("carrier").hex()
    world.do("maker", TraceShip(BOTH, key("carrier"), HASH, 6))
    assert holders(world) == (maker, maker, "IN_TRANSIT", carrier)
    world.do("carrier", TraceReceive(BOTH, OTHER_HASH, 7))
    assert holders(world) == holders(world, "2") == (maker, carrier, "RESTING", None)


def test_ownership_moves_when_it_was_sent_so(world):
    shop = key("shop").hex()
    world.do("maker", TraceShip(ONE, key("shop"), HASH, 6, transfers_owner=True))
    assert item(world)["transfers_owner"] is True
    assert item(world)["owner"] == key("maker").hex()
    world.do("shop", TraceReceive(ONE, HASH, 7))
    assert holders(world) == (shop, shop, "RESTING", None)
    assert item(world)["transfers_owner"] is False


def test_only_the_custodian_sends(world):
    world.refused("FORBIDDEN", "stranger", TraceShip(ONE, key("shop"), HASH, 6))


def test_only_the_owner_transfers_ownership(world):
    world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    world.do("carrier", TraceReceive(ONE, HASH, 7))
    world.refused("FORBIDDEN", "carrier", TraceShip(ONE, key("shop"), HASH, 8, transfers_owner=True))
    world.do("carrier", TraceShip(ONE, key("shop"), HASH, 8))


def test_nobody_sends_to_oneself(world):
    world.refused("FORBIDDEN", "maker", TraceShip(ONE, key("maker"), HASH, 6))


def test_what_is_in_transit_cannot_be_sent_again(world):
    world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    world.refused("BAD_STATE", "maker", TraceShip(BOTH, key("shop"), HASH, 6))
    assert item(world, "2")["status"] == "RESTING"


def test_only_the_addressee_receives_and_only_once(world):
    world.refused("BAD_STATE", "carrier", TraceReceive(ONE, HASH, 7))
    world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    world.refused("FORBIDDEN", "stranger", TraceReceive(ONE, HASH, 7))
    world.do("carrier", TraceReceive(ONE, HASH, 7))
    world.refused("BAD_STATE", "carrier", TraceReceive(ONE, HASH, 7))


def test_unknown_items_fail_with_not_found(world):
    unknown = (serial_id(PRODUCT, "9"),)
    world.refused("NOT_FOUND", "maker", TraceShip(unknown, key("carrier"), HASH, 6))
    world.refused("NOT_FOUND", "maker", TraceReceive(unknown, HASH, 6))
    world.refused("NOT_FOUND", "maker", TraceReceive((b"\xff",), HASH, 6))


def test_the_event_names_accounts_product_and_items(world):
    outcome = world.try_("maker", TraceCommission(GTIN, ("7", "8"), None, HASH, 5))
    ids = (key("maker"), PRODUCT.key, serial_id(PRODUCT, "7"), serial_id(PRODUCT, "8"))
    assert outcome.events[0].ids == ids
    outcome = world.try_("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    assert outcome.events[0].ids == (key("maker"), key("carrier"), *ONE)
    outcome = world.try_("carrier", TraceReceive(ONE, HASH, 6))
    assert outcome.events[0].ids == (key("carrier"), key("maker"), *ONE)


def test_the_largest_item_fits_its_size():
    most = 2**63 - 1
    record = Item(HASH, HASH, 1, HASH, True, bytes(96), most, 2**32 - 1, HASH, 2**32 - 1, bytes(46), HASH, 4, 2**32 - 1)
    assert len(ITEM.key(serial_id(PRODUCT, "x" * 20))) + len(ITEM.write(record)) <= ITEM_BYTES


def test_the_addressee_turns_items_back_and_the_sender_recalls_them(world):
    maker = key("maker").hex()
    for party in ("carrier", "maker"):
        world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6, transfers_owner=True))
        world.do(party, TraceReject(ONE, HASH, 7))
        assert holders(world) == (maker, maker, "RESTING", None)
        assert item(world)["transfers_owner"] is False
    assert item(world)["n"] == 5


def test_nobody_else_turns_items_back_and_only_in_transit(world):
    world.refused("BAD_STATE", "maker", TraceReject(ONE, HASH, 7))
    world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    world.refused("FORBIDDEN", "stranger", TraceReject(ONE, HASH, 7))
    world.refused("BAD_STATE", "carrier", TraceReject(BOTH, HASH, 7))
    world.refused("NOT_FOUND", "carrier", TraceReject((serial_id(PRODUCT, "9"),), HASH, 7))


def test_a_tag_that_is_sold_twice_shows():
    world = World("shop", "buyer", "second")
    world.open_shop(traced=True)
    world.commission("1")
    identifier = (serial_id(ProductId(key("shop"), GTIN), "1"),)
    for sales, buyer in enumerate(("buyer", "second"), 1):
        order = world.place(buyer)
        world.do("shop", OrderShip(order, identifier))
        world.do(buyer, OrderConfirm(order))
        assert (world.item("1")["sold"], world.item("1")["owner"]) == (sales, key(buyer).hex())
        # The clone: the shop has a second thing with the same tag, which the ledger does not let it ship.
        again = world.place("second")
        world.refused("FORBIDDEN", "shop", OrderShip(again, identifier))
        world.do("shop", OrderRefund(again))
        world.do(buyer, TraceShip(identifier, key("shop"), HASH, 2, transfers_owner=True))
        world.do("shop", TraceReceive(identifier, HASH, 3))


@pytest.mark.parametrize("type_name", sorted(name for name in BODIES if name.startswith("trace.")))
def test_an_operator_may_do_all_but_transfer_ownership_and_decommission(type_name):
    assert ("store" in {field.name for field in dataclasses.fields(BODIES[type_name])}) == (
        type_name != "trace.decommission"
    )


def test_an_operator_acts_for_its_store_and_not_without_the_right():
    world = World("maker", "helper", "clerk", "carrier")
    operators = sorted(
        (Operator(key("helper"), Rights.TRACE), Operator(key("clerk"), Rights.CATALOG)), key=lambda o: o.key
    )
    world.do("maker", StoreSet("Maker", HASH, HASH, "", tuple(operators)))
    world.do("maker", ProductSet(GTIN, HASH))
    store = key("maker")
    unit = (unit_id(store, SSCC), serial_id(PRODUCT, "1"))
    deeds = [
        TraceCommission(GTIN, ("1", "2"), None, HASH, 5, store),
        TraceCommission(GTIN, (), Lot("L", 5), HASH, 5, store),
        TraceObserve(ONE, "inspecting", "", HASH, 5, store),
        TracePack(unit[0], 1, unit[1:], HASH, 5, store),
        TraceShip(unit[:1], key("carrier"), HASH, 5, store=store),
        TraceReject(unit[:1], HASH, 5, store),
        TraceUnpack(unit[0], unit[1:], HASH, 5, store),
        TraceSplit(lot_id(PRODUCT, "L"), (2,), HASH, 5, store),
        TraceTransform((serial_id(PRODUCT, "2"),), (Output(GTIN, ("3",)),), HASH, 5, store),
    ]
    for deed in deeds:
        world.refused("FORBIDDEN", "clerk", deed)
        world.refused("FORBIDDEN", "carrier", deed)
        world.do("helper", deed)
    world.refused("FORBIDDEN", "helper", TraceShip(ONE, key("carrier"), HASH, 6, transfers_owner=True, store=store))
    world.refused("FORBIDDEN", "helper", TraceDecommission(ONE, "destroying", HASH, 6))
    world.do("maker", TraceShip(ONE, key("carrier"), HASH, 6))
    world.do("carrier", TraceReceive(ONE, HASH, 6))
    world.do("carrier", TraceShip(ONE, store, HASH, 6))
    world.refused("FORBIDDEN", "clerk", TraceReceive(ONE, HASH, 6, store))
    world.do("helper", TraceReceive(ONE, HASH, 6, store))
