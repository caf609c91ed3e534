"""Observing items: by their holder, or with an attestation of their owner or issuer."""

import pytest

from p2pcommerce.commerce import (
    AttestIssue,
    AttestRevoke,
    ProductSet,
    Subject,
    SubjectKind,
    TraceCommission,
    TraceObserve,
    TraceReceive,
    TraceShip,
    attestation_id,
    read_body,
)
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import ITEM
from p2pcommerce.commerce.item_ids import serial_id
from p2pcommerce.commerce.product import ProductId
from tests.commerce.world import GTIN, HASH, World, key

ONE, TWO = (serial_id(ProductId(key("maker"), GTIN), serial) for serial in "12")
OBSERVER = Subject(SubjectKind.ACCOUNT, key("inspector"))


@pytest.fixture
def world():
    world = World("maker", "owner", "carrier", "inspector")
    world.do("maker", ProductSet(GTIN, HASH))
    world.do("maker", TraceCommission(GTIN, ("1", "2"), None, HASH, 5))
    world.do("maker", TraceShip((ONE,), key("owner"), HASH, 6, transfers_owner=True))
    world.do("owner", TraceReceive((ONE,), HASH, 6))
    world.do("owner", TraceShip((ONE,), key("carrier"), HASH, 6))
    world.do("carrier", TraceReceive((ONE,), HASH, 6))
    return world


def observe(*ids):
    return TraceObserve(ids or (ONE,), "inspecting", "conformant", HASH, 7)


def test_the_holder_observes_and_only_the_history_changes(world):
    before = world.get(ITEM, ONE)
    world.do("carrier", observe())
    after = world.get(ITEM, ONE)
    assert (after.n, after.head != before.head) == (before.n + 1, True)
    assert (after.owner, after.custodian, after.status) == (before.owner, before.custodian, before.status)


def test_an_item_in_transit_stays_in_transit(world):
    world.do("carrier", TraceShip((ONE,), key("owner"), HASH, 6))
    world.do("carrier", observe())
    world.do("owner", TraceReceive((ONE,), HASH, 8))


@pytest.mark.parametrize("issuer", ["owner", "maker"])
def test_owner_and_issuer_let_somebody_observe_until_they_revoke_it(world, issuer):
    world.refused("FORBIDDEN", "inspector", observe())
    world.do(issuer, AttestIssue(OBSERVER, "observe", HASH, world.now_ms() + 60_000))
    world.do("inspector", observe())
    world.do(issuer, AttestRevoke(attestation_id(key(issuer), OBSERVER, "observe")))
    world.refused("FORBIDDEN", "inspector", observe())


def test_an_attestation_that_expired_or_says_something_else_or_is_of_somebody_else_does_not_let_observe(world):
    world.do("owner", AttestIssue(OBSERVER, "inspect", HASH, world.now_ms() + 60_000))
    world.do("carrier", AttestIssue(OBSERVER, "observe", HASH, world.now_ms() + 60_000))
    world.refused("FORBIDDEN", "inspector", observe())
    world.do("owner", AttestIssue(OBSERVER, "observe", HASH, world.now_ms() + 2_000))
    world.wait(3)
    world.refused("FORBIDDEN", "inspector", observe())


def test_all_items_or_none_are_observed(world):
    world.refused("FORBIDDEN", "carrier", observe(ONE, TWO))
    world.refused("FORBIDDEN", "maker", observe(ONE, TWO))
    world.refused("NOT_FOUND", "maker", observe(serial_id(ProductId(key("maker"), GTIN), "9")))


@pytest.mark.parametrize("body", [observe(TWO, ONE), TraceObserve((ONE,), "", "", HASH, 7)])
def test_a_body_of_wrong_form_is_bad_format(body):
    with pytest.raises(FormatError):
        body.check(None)


@pytest.mark.parametrize(
    "body", [TraceObserve((ONE,), "x" * 65, "", HASH, 7), TraceObserve((ONE,), "", "x" * 65, HASH, 7)]
)
def test_a_body_over_its_limits_cannot_be_read(body):
    with pytest.raises(FormatError):
        read_body(body.TYPE, body.to_body())
