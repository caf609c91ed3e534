"""Questions about a state."""

import json

import pytest

from p2pcommerce.commerce import (
    NEW_TEAM,
    QUERIES,
    AttestIssue,
    CampaignSet,
    ListingSet,
    OrderShip,
    PointsOpen,
    Subject,
    SubjectKind,
    SubmitEvidence,
    Team,
    TraceShip,
    attestation_id,
    item_id,
)
from p2pcommerce.ledger.application import QueryError
from p2pcommerce.ledger.validators import Offence
from tests.commerce.world import BALANCE, GTIN, HASH, PRICE, Operator, World, key


@pytest.fixture
def world():
    world = World("shop", "buyer", "helper")
    world.open_shop(traced=True, operators=[Operator(key("helper"), 5)])
    world.commission("1", "2")
    return world


def as_typed(value):
    """An argument as the command line gives it."""
    return value.hex() if isinstance(value, bytes) else str(value)


def test_every_answer_is_plain_json_and_every_argument_may_be_text(world):
    order_id = world.place()
    item = item_id(key("shop"), GTIN, serial="1")
    world.do("shop", OrderShip(order_id, (item,)))
    shop = key("shop").hex()
    world.do("shop", ListingSet(2, None, PRICE, 5, False, 1, Team(2, 5, 60)))
    team = world.do("buyer", world.order(number=2, team=NEW_TEAM))
    campaign = world.do("shop", CampaignSet(None, 5, 0, 10**9))
    world.do("shop", PointsOpen(5))
    store = Subject(SubjectKind.STORE, key("shop"))
    world.do("buyer", AttestIssue(store, "organic", HASH, 10**9))
    world.offences[b"evidence"] = Offence(key("validator"), 0, "E1")
    world.do("shop", SubmitEvidence(b"evidence"))
    asked = {
        "account": {"account": shop},
        "supply": {},
        "store": {"store": shop},
        "product": {"issuer": shop, "gtin": GTIN},
        "terms": {"store": shop, "number": 1},
        "listing": {"store": shop, "number": "1"},
        "order": {"order": order_id.hex()},
        "team": {"team": team.hex()},
        "campaign": {"campaign": campaign.hex()},
        "points": {"issuer": shop, "account": shop},
        "rating": {"store": shop},
        "attestation": {"id": attestation_id(key("buyer"), store, "organic").hex()},
        "item": {"issuer": shop, "gtin": GTIN, "serial": "1"},
        "validators": {},
        "validator": {"validator": key("validator")},
        "offence": {"validator": key("validator"), "epoch": 0},
        "stake": {"account": key("validator")},
        "time": {},
        "rules": {},
    }
    assert list(asked) == list(QUERIES)
    for name, arguments in asked.items():
        answer = world.query(name, **arguments)
        assert answer
        assert json.loads(json.dumps(answer)) == answer
        typed = {argument: as_typed(value) for argument, value in arguments.items()}
        assert world.query(name, **typed) == answer
    assert world.query("store", store=shop)["operators"] == [
        {"key": key("helper").hex(), "rights": ["CATALOG", "TRACE"]}
    ]
    assert world.query("order", order=order_id)["items"] == [item.hex()]
    assert world.query("listing", store=shop, number=1)["product"] == {"issuer": shop, "gtin": GTIN}


def test_supply_is_conserved_and_says_where_it_is(world):
    world.place()
    supply = world.query("supply")
    assert supply["conserved"] is True
    assert supply["total_minor"] == supply["genesis_minor"] == 3 * BALANCE + BALANCE
    parts = ("balances", "bonded", "rewards", "escrow", "campaigns", "points", "deposits", "fee_pot", "burned")
    assert sum(supply[f"{part}_minor"] for part in parts) == supply["total_minor"]
    assert supply["escrow_minor"] == PRICE


def test_an_item_on_its_way_says_to_whom(world):
    world.do("shop", TraceShip((item_id(key("shop"), GTIN, serial="1"),), key("buyer"), HASH, 1))
    answer = world.query("item", issuer=key("shop"), gtin=GTIN, serial="1")
    assert (answer["pending_to"], answer["order"]) == (key("buyer").hex(), None)
    assert world.query("item", id=answer["id"]) == answer


def test_what_is_not_there_is_none(world):
    nobody = key("nobody").hex()
    assert world.query("account", account=nobody) == {
        "balance_minor": 0,
        "nonce": 0,
        "exists": False,
        "active": None,
    }
    assert world.query("store", store=nobody) is None
    assert world.query("product", issuer=nobody, gtin=GTIN) is None
    assert world.query("terms", store=nobody, number=1) is None
    assert world.query("listing", store=nobody, number=1) is None
    for name in ("order", "team", "campaign"):
        assert world.query(name, **{name: nobody}) is None
    assert world.query("points", issuer=nobody) is None
    assert world.query("rating", store=nobody) is None
    assert world.query("attestation", id=nobody) is None
    assert world.query("item", issuer=nobody, gtin=GTIN, lot="1") is None


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("acount", {}, "there are: account, supply, store"),
        ("account", {}, "argument account must be 64 hexadecimal digits"),
        ("account", {"account": "xy"}, "64 hexadecimal digits"),
        ("account", {"account": 7}, "64 hexadecimal digits"),
        ("account", {"account": "00" * 31}, "64 hexadecimal digits"),
        ("account", {"acc": "00" * 32}, "its arguments: account"),
        ("supply", {"x": 1}, "its arguments: none"),
        ("listing", {"store": "00" * 32}, "number must be a whole number"),
        ("listing", {"store": "00" * 32, "number": -1}, "number must be a whole number"),
        ("listing", {"store": "00" * 32, "number": 2**32}, "number must be a whole number"),
        ("listing", {"store": "00" * 32, "number": True}, "number must be a whole number"),
        ("listing", {"store": "00" * 32, "number": "9" * 5_000}, "number must be a whole number"),
        ("product", {"issuer": "00" * 32, "gtin": 5}, "gtin must be text"),
        ("product", {"issuer": "00" * 32, "gtin": "5"}, "check digit"),
        ("item", {"issuer": "00" * 32, "gtin": GTIN}, "serial or a lot"),
        ("item", {"issuer": "00" * 32, "gtin": GTIN, "serial": "1", "lot": "1"}, "serial or a lot"),
        ("item", {"issuer": "00" * 32, "gtin": GTIN, "serial": 1}, "serial must be text"),
        ("item", {"id": "xyz"}, "id must be hexadecimal"),
        ("item", {"id": 5}, "id must be text"),
    ],
)
def test_a_wrong_question_says_what_exists(world, name, arguments, sentence):
    with pytest.raises(QueryError, match=sentence):
        world.app.query(name, arguments, world.chain.final)
