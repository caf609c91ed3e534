"""Logistic units: packing, unpacking, levels, and who holds what is packed."""

import pytest

from p2pcommerce.commerce import (
    Lot,
    ProductSet,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceShip,
    TraceSplit,
    TraceTransform,
    TraceUnpack,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.gtin import check_digit
from p2pcommerce.commerce.item import ITEM, LEVEL_MAX
from p2pcommerce.commerce.item_ids import lot_id, serial_id, unit_id
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.commerce.trace_transform import Output
from tests.commerce.world import GTIN, HASH, World, key

PRODUCT = ProductId(key("maker"), GTIN)
ONE, TWO, THREE = (serial_id(PRODUCT, serial) for serial in "123")
LOT = lot_id(PRODUCT, "L")


def unit(number, packer="maker"):
    body = f"0952000100000{number:04d}"
    return unit_id(key(packer), body + check_digit(body))


@pytest.fixture
def world():
    world = World("maker", "carrier", "shop", "stranger")
    world.do("maker", ProductSet(GTIN, HASH))
    world.do("maker", TraceCommission(GTIN, ("1", "2", "3"), None, HASH, 5))
    world.do("maker", TraceCommission(GTIN, (), Lot("L", 9), HASH, 5))
    return world


def pack(parent, *children, level=1):
    return TracePack(parent, level, tuple(sorted(children)), HASH, 6)


def unpack(parent, *children):
    return TraceUnpack(parent, tuple(sorted(children)), HASH, 7)


def seen(world, identifier):
    return world.query("item", id=identifier.hex())


def hand_over(world, name, to, *ids, owner=False):
    world.do(name, TraceShip(tuple(sorted(ids)), key(to), HASH, 8, transfers_owner=owner))
    world.do(to, TraceReceive(tuple(sorted(ids)), HASH, 9))


def test_a_unit_comes_to_be_when_something_is_packed_in_it(world):
    world.do("maker", pack(unit(1), ONE, LOT))
    found = seen(world, unit(1))
    assert (found["owner"], found["level"], found["children"]) == (key("maker").hex(), 1, 2)
    assert found["product"] is None
    child = seen(world, ONE)
    assert (child["status"], child["parent"], child["order"], child["n"]) == ("PACKED", unit(1).hex(), None, 2)
    assert world.query("item", issuer=key("maker"), sscc=unit(1)[33:].decode()) == found


def test_who_holds_a_packed_item_holds_its_topmost_unit(world):
    world.do("maker", pack(unit(1), ONE))
    world.do("maker", pack(unit(2), unit(1), level=2))
    world.do("maker", pack(unit(3), unit(2), level=4))
    before = world.get(ITEM, ONE)
    hand_over(world, "maker", "carrier", unit(3), owner=True)
    assert world.get(ITEM, ONE) == before
    carrier = key("carrier").hex()
    assert (seen(world, ONE)["owner"], seen(world, ONE)["custodian"]) == (carrier, carrier)


def test_unpacking_gives_what_comes_out_the_unit_s_owner_and_custodian(world):
    world.do("maker", pack(unit(1), ONE))
    world.do("maker", pack(unit(2), unit(1), level=2))
    hand_over(world, "maker", "carrier", unit(2))
    world.do("carrier", unpack(unit(2), unit(1)))
    world.do("carrier", unpack(unit(1), ONE))
    found = world.get(ITEM, ONE)
    assert (found.owner, found.custodian, found.status, found.within) == (key("maker"), key("carrier"), 0, None)
    assert seen(world, unit(1))["children"] == seen(world, unit(2))["children"] == 0


def test_only_the_custodian_of_all_packs_and_unpacks(world):
    world.refused("FORBIDDEN", "stranger", pack(unit(1, "stranger"), ONE))
    world.do("maker", pack(unit(1), ONE))
    world.refused("FORBIDDEN", "stranger", unpack(unit(1), ONE))
    hand_over(world, "maker", "carrier", TWO)
    world.refused("FORBIDDEN", "carrier", pack(unit(1), TWO))
    world.refused("FORBIDDEN", "maker", pack(unit(1), TWO))


def test_a_new_unit_is_of_who_packs_it_first(world):
    world.refused("NOT_FOUND", "maker", pack(unit(1, "carrier"), ONE))


def test_what_is_packed_together_has_one_owner(world):
    hand_over(world, "maker", "carrier", TWO, owner=True)
    hand_over(world, "maker", "carrier", ONE)
    world.refused("FORBIDDEN", "carrier", pack(unit(1, "carrier"), ONE, TWO))
    world.do("carrier", pack(unit(1, "carrier"), ONE))
    world.refused("FORBIDDEN", "carrier", pack(unit(1, "carrier"), TWO))
    world.do("carrier", unpack(unit(1, "carrier"), ONE))
    assert world.get(ITEM, ONE).owner == key("maker")


def test_a_child_has_a_lower_level_and_a_unit_keeps_its_own(world):
    world.do("maker", pack(unit(1), ONE, level=2))
    world.refused("LIMIT", "maker", pack(unit(2), unit(1), level=2))
    world.refused("LIMIT", "maker", pack(unit(2), unit(1), level=1))
    world.refused("LIMIT", "maker", pack(unit(1), TWO, level=3))
    world.do("maker", pack(unit(2), unit(1), level=LEVEL_MAX))
    world.refused("BAD_STATE", "maker", pack(unit(1), TWO, level=2))


def test_a_packed_item_changes_only_by_unpack_and_observe(world):
    world.do("maker", pack(unit(1), ONE, LOT))
    for refused in (
        TraceShip((ONE,), key("carrier"), HASH, 8),
        TraceDecommission((ONE,), "destroying", HASH, 8),
        TraceSplit(LOT, (1,), HASH, 8),
        TraceTransform((ONE,), (Output(GTIN, ("9",)),), HASH, 8),
        pack(unit(2), ONE),
    ):
        world.refused("BAD_STATE", "maker", refused)
    world.do("maker", TraceObserve((ONE,), "inspecting", "", HASH, 8))
    assert seen(world, ONE)["parent"] == unit(1).hex()
    world.do("maker", unpack(unit(1), ONE, LOT))


def test_only_what_is_in_a_unit_comes_out_of_it(world):
    world.do("maker", pack(unit(1), ONE))
    world.do("maker", pack(unit(2), TWO))
    world.refused("BAD_STATE", "maker", unpack(unit(1), TWO))
    world.refused("BAD_STATE", "maker", unpack(unit(1), THREE))
    world.refused("NOT_FOUND", "maker", unpack(unit(3), ONE))


def test_a_unit_in_transit_or_with_something_in_it_is_let_alone(world):
    world.do("maker", pack(unit(1), ONE))
    world.refused("BAD_STATE", "maker", TraceDecommission((unit(1),), "destroying", HASH, 8))
    world.do("maker", TraceShip((unit(1),), key("carrier"), HASH, 8))
    world.refused("BAD_STATE", "maker", unpack(unit(1), ONE))
    world.refused("BAD_STATE", "maker", pack(unit(1), TWO))
    world.do("carrier", TraceReceive((unit(1),), HASH, 9))
    world.do("carrier", unpack(unit(1), ONE))
    hand_over(world, "carrier", "maker", unit(1))
    world.do("maker", TraceDecommission((unit(1),), "destroying", HASH, 8))
    world.refused("BAD_STATE", "maker", pack(unit(1), TWO))


def test_64_children_are_packed_at_once_and_each_pays_no_deposit(world):
    serials = tuple(f"s{number:02d}" for number in range(64))
    world.do("maker", TraceCommission(GTIN, serials, None, HASH, 5))
    children = [serial_id(PRODUCT, serial) for serial in serials]
    world.do("maker", pack(unit(1), *children))
    assert seen(world, unit(1))["children"] == 64
    world.do("maker", unpack(unit(1), *children))


@pytest.mark.parametrize(
    "body",
    [
        pack(unit(1)[:-1], ONE),
        pack(unit(1)[:-1] + b"x", ONE),
        pack(b"\x03" + key("maker") + b"095200010000000018", ONE),
        pack(ONE, TWO),
        pack(unit(1), unit(1), level=2),
        TracePack(unit(1), 1, (TWO, ONE), HASH, 6),
        TraceUnpack(unit(1), (ONE, ONE), HASH, 6),
        TraceUnpack(ONE, (TWO,), HASH, 6),
    ],
)
def test_a_body_of_wrong_form_is_bad_format(body):
    with pytest.raises(FormatError):
        body.check(None)
