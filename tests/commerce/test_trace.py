"""Custody of items: commission, ship, receive."""

import pytest

from p2pcommerce.commerce import Lot, ProductSet, TraceCommission, TraceReceive, TraceShip, read_body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import ITEM, ITEM_BYTES, Item, lot_id, serial_id
from p2pcommerce.commerce.product import ProductId
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, World, key

OTHER_HASH = bytes(32)


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
    world.do("maker", TraceCommission(GTIN, serials, None, HASH, 5), fee=40_000)
    assert world.balance("maker") == before - 40_000 - 256 * ITEM_BYTES * 10


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
    record = Item(HASH, HASH, 1, HASH, True, bytes(96), most, 2**32 - 1, HASH, 2**32 - 1)
    assert len(ITEM.key(serial_id(PRODUCT, "x" * 20))) + len(ITEM.write(record)) <= ITEM_BYTES
