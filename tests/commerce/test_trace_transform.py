"""What becomes of items: split, transformed, decommissioned; and where they come from."""

import pytest

from p2pcommerce.commerce import (
    Lot,
    ProductSet,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TraceReceive,
    TraceShip,
    TraceSplit,
    TraceTransform,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import ITEM, item_product
from p2pcommerce.commerce.item_ids import ITEM_ID_BYTES_MAX, lot_id, part_id, serial_id, unit_id
from p2pcommerce.commerce.item_origin import LINK_BYTES, LINKS_MAX, ORIGIN, ORIGIN_BYTES, Link, Origin
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.commerce.trace_transform import Output
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, World, key

PRODUCT, OTHER = ProductId(key("maker"), GTIN), ProductId(key("maker"), OTHER_GTIN)
ONE, TWO = (serial_id(PRODUCT, serial) for serial in "12")
LOT = lot_id(PRODUCT, "L")
UNIT = unit_id(key("maker"), "095200010000000010")


@pytest.fixture
def world():
    world = World("maker", "carrier", "stranger")
    for gtin in (GTIN, OTHER_GTIN):
        world.do("maker", ProductSet(gtin, HASH))
    world.do("maker", TraceCommission(GTIN, ("1", "2"), None, HASH, 5))
    world.do("maker", TraceCommission(GTIN, (), Lot("L", 10), HASH, 5))
    return world


def split(*quantities, lot=LOT):
    return TraceSplit(lot, quantities, HASH, 6)


NINE = (Output(OTHER_GTIN, ("9",)),)


def transform(*inputs, outputs=NINE):
    return TraceTransform(tuple(sorted(inputs)), outputs, HASH, 6)


def end(*ids):
    return TraceDecommission(tuple(sorted(ids)), "destroying", HASH, 7)


def lend(world, to, *ids):
    world.do("maker", TraceShip(tuple(sorted(ids)), key(to), HASH, 8))
    world.do(to, TraceReceive(tuple(sorted(ids)), HASH, 9))


def test_parts_are_items_of_the_lot_s_owner_and_the_rest_stays(world):
    lend(world, "carrier", LOT)
    tx_id = world.do("carrier", split(3, 2))
    assert world.get(ITEM, LOT).quantity == 5
    for index, quantity in enumerate((3, 2)):
        part = world.get(ITEM, part_id(tx_id, index))
        assert (part.owner, part.custodian, part.quantity) == (key("maker"), key("carrier"), quantity)
        assert item_product(part_id(tx_id, index), part) == PRODUCT.key
    assert world.get(ORIGIN, tx_id).sources == (Link(LOT, world.get(ITEM, LOT).head),)
    answer = world.query("origin", origin=tx_id)
    assert answer == {"sources": [{"item": LOT.hex(), "head": world.get(ITEM, LOT).head.hex()}]}
    assert world.query("item", id=part_id(tx_id, 0).hex())["origin"] == tx_id.hex()


def test_a_part_is_split_again(world):
    part = part_id(world.do("maker", split(4)), 0)
    smaller = part_id(world.do("maker", split(1, lot=part)), 0)
    assert [world.get(ITEM, each).quantity for each in (LOT, part, smaller)] == [6, 3, 1]
    world.refused("LIMIT", "maker", split(1, lot=smaller))


def test_at_least_one_unit_stays_in_the_lot(world):
    world.refused("LIMIT", "maker", split(10))
    world.refused("LIMIT", "maker", split(4, 6))
    world.refused("LIMIT", "maker", split(2**63 - 1, 2**63 - 1))
    world.do("maker", split(4, 5))


def test_only_the_custodian_splits(world):
    world.refused("FORBIDDEN", "stranger", split(1))
    world.refused("NOT_FOUND", "maker", split(1, lot=lot_id(PRODUCT, "X")))


def test_inputs_end_and_outputs_lead_back_to_them(world):
    outputs = (Output(GTIN, (), Lot("N", 4)), Output(OTHER_GTIN, ("8", "9")))
    tx_id = world.do("maker", transform(ONE, LOT, outputs=outputs))
    assert {world.query("item", id=each.hex())["status"] for each in (ONE, LOT)} == {"ENDED"}
    heads = {each: world.get(ITEM, each).head for each in (ONE, LOT)}
    assert world.get(ORIGIN, tx_id).sources == tuple(Link(each, heads[each]) for each in sorted((ONE, LOT)))
    for each in (lot_id(PRODUCT, "N"), serial_id(OTHER, "8"), serial_id(OTHER, "9")):
        made = world.get(ITEM, each)
        assert (made.owner, made.custodian, made.origin, made.n) == (key("maker"), key("maker"), tx_id, 1)
    assert world.get(ITEM, lot_id(PRODUCT, "N")).quantity == 4


def test_only_who_holds_and_owns_the_inputs_transforms_them(world):
    world.refused("FORBIDDEN", "stranger", transform(ONE))
    lend(world, "carrier", ONE)
    world.refused("FORBIDDEN", "carrier", transform(ONE))
    world.refused("FORBIDDEN", "maker", transform(ONE))


def test_outputs_are_new_and_of_a_product_of_the_maker(world):
    world.refused("EXISTS", "maker", transform(ONE, outputs=(Output(GTIN, ("2",)),)))
    world.refused("EXISTS", "maker", transform(ONE, outputs=(Output(GTIN, ("1",)),)))
    world.refused("NOT_FOUND", "maker", transform(ONE, outputs=(Output("09520001000034", ("1",)),)))


def test_what_is_in_transit_is_neither_split_nor_transformed_nor_ended(world):
    world.do("maker", TraceShip((ONE,), key("carrier"), HASH, 8))
    world.do("maker", TraceShip((LOT,), key("carrier"), HASH, 8))
    for deed in (split(1), transform(ONE), end(ONE), end(LOT)):
        world.refused("BAD_STATE", "maker", deed)


def test_ended_ids_never_come_back(world):
    world.do("maker", end(ONE, LOT))
    found = world.query("item", id=ONE.hex())
    assert (found["status"], found["n"]) == ("ENDED", 2)
    world.refused("EXISTS", "maker", TraceCommission(GTIN, ("1",), None, HASH, 5))
    world.refused("EXISTS", "maker", TraceCommission(GTIN, (), Lot("L", 1), HASH, 5))
    for deed in (
        end(ONE),
        split(1),
        transform(ONE),
        TraceShip((ONE,), key("carrier"), HASH, 8),
        TraceObserve((ONE,), "inspecting", "", HASH, 8),
    ):
        world.refused("BAD_STATE", "maker", deed)


def test_only_who_owns_and_holds_an_item_ends_it(world):
    world.refused("FORBIDDEN", "stranger", end(ONE))
    lend(world, "carrier", ONE)
    world.refused("FORBIDDEN", "carrier", end(ONE))
    world.refused("FORBIDDEN", "maker", end(ONE))


def test_a_transformation_of_the_most_inputs_fits_its_deposit(world):
    serials = tuple(f"s{number:02d}" for number in range(LINKS_MAX))
    world.do("maker", TraceCommission(GTIN, serials, None, HASH, 5))
    tx_id = world.do("maker", transform(*[serial_id(PRODUCT, serial) for serial in serials]))
    assert len(world.get(ORIGIN, tx_id).sources) == LINKS_MAX


def test_the_largest_origin_fits_its_size():
    origin = Origin((Link(bytes(ITEM_ID_BYTES_MAX), HASH),) * LINKS_MAX)
    assert 33 + len(ORIGIN.write(origin)) <= ORIGIN.size(origin) == ORIGIN_BYTES + LINKS_MAX * LINK_BYTES


def test_256_items_are_made_at_once(world):
    serials = tuple(f"s{number:03d}" for number in range(256))
    body = transform(ONE, outputs=(Output(OTHER_GTIN, serials),))
    world.do("maker", body, fee=400_000)
    assert len(world.last.raw) < 16_384
    with pytest.raises(FormatError):
        transform(ONE, outputs=(Output(GTIN, ("1",)), Output(OTHER_GTIN, serials))).check(None)


@pytest.mark.parametrize(
    "body",
    [
        split(1, lot=ONE),
        split(1, lot=UNIT),
        transform(UNIT),
        TraceTransform((TWO, ONE), (Output(GTIN, ("9",)),), HASH, 6),
        transform(ONE, outputs=(Output(GTIN, ("9",)), Output(GTIN, ("8",)))),
        transform(ONE, outputs=(Output(OTHER_GTIN, ("9",)), Output(GTIN, ("9",)))),
        transform(ONE, outputs=(Output("09520001000012", ("9",)),)),
        transform(ONE, outputs=(Output(GTIN),)),
        transform(ONE, outputs=(Output(GTIN, ("9",), Lot("1", 1)),)),
        TraceDecommission((ONE,), "", HASH, 6),
        TraceDecommission((TWO, ONE), "destroying", HASH, 6),
    ],
)
def test_a_body_of_wrong_form_is_bad_format(body):
    with pytest.raises(FormatError):
        body.check(None)


@pytest.mark.parametrize(
    "body",
    [
        split(),
        split(0),
        split(*[1] * 65),
        transform(),
        transform(ONE, outputs=()),
        end(),
        TraceDecommission((ONE,), "x" * 65, HASH, 6),
    ],
)
def test_a_body_over_its_limits_cannot_be_read(body):
    with pytest.raises(FormatError):
        read_body(body.TYPE, body.to_body())
