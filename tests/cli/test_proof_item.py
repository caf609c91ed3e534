"""What `proof verify` says of an item: who has it, where it is, and whether its number may have been copied."""

import dataclasses

from p2pcommerce.cli.proof_item import item_lines, plain_item
from p2pcommerce.commerce import HistoryEntry, ItemStatus
from p2pcommerce.commerce.item import new_item
from p2pcommerce.commerce.item_ids import unit_id
from p2pcommerce.primitives.ids import PublicKey

OWNER, OTHER = PublicKey(b"o" * 32), PublicKey(b"x" * 32)
ITEM = new_item(OWNER, 1, HistoryEntry(bytes(32), "trace.commission", OWNER, bytes(32), 1, 1))
UNIT = unit_id(OWNER, "095200010000000010")


def told(**changes):
    changed = dataclasses.replace(ITEM, **changes)
    return "\n".join(item_lines(changed)), plain_item(changed)


def test_an_item_at_rest_is_held_and_owned():
    text, plain = told()
    assert text == f"held by {OWNER.hex()[:16]}..., owned by {OWNER.hex()[:16]}..."
    assert (plain["owner"], plain["custodian"], plain["status"], plain["sold"]) == (
        OWNER.hex(),
        OWNER.hex(),
        "RESTING",
        0,
    )


def test_a_packed_item_is_held_by_who_has_the_unit_and_not_by_who_packed_it():
    text, plain = told(status=ItemStatus.PACKED, within=UNIT)
    assert OWNER.hex()[:16] + "..." not in text
    assert f"prove that, too: item id={UNIT.hex()}" in text
    assert (plain["owner"], plain["custodian"], plain["unit"], plain["order"]) == (None, None, UNIT.hex(), None)


def test_an_ended_item_is_said_to_be():
    text, plain = told(status=ItemStatus.ENDED)
    assert "ended" in text
    assert plain["status"] == "ENDED"


def test_an_item_on_its_way_says_to_whom():
    text, plain = told(status=ItemStatus.IN_TRANSIT, pending_to=OTHER)
    assert f"on its way to {OTHER.hex()[:16]}" in text
    assert plain["pending_to"] == OTHER.hex()


def test_an_item_in_an_order_says_in_which():
    text, plain = told(status=ItemStatus.IN_ORDER, within=bytes(range(32)))
    assert bytes(range(32)).hex() in text
    assert (plain["order"], plain["unit"]) == (bytes(range(32)).hex(), None)


def test_a_tag_that_was_sold_twice_shows():
    assert "sold" not in told(sold=1)[0]
    assert "sold 2 times" in told(sold=2)[0]
    assert told(sold=2)[1]["sold"] == 2
