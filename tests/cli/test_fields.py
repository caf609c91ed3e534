"""name=value arguments become payloads, by the types of their fields."""

from __future__ import annotations

import pytest

from p2pcommerce.cli.fields import describe_types, read_payload
from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.commerce import (
    BODIES,
    Bond,
    ListingSet,
    Lot,
    OrderLine,
    OrderPlace,
    ProductId,
    RegisterValidator,
    StoreSet,
    SubmitEvidence,
    TraceCommission,
    TraceShip,
    Transfer,
    Unbond,
    Withdraw,
)

KEY = "ab" * 32
RAW = bytes.fromhex(KEY)


def test_bytes_and_numbers():
    assert read_payload("token.transfer", [f"to={KEY}", "amount_minor=5"]) == Transfer(RAW, 5)


def test_defaults_need_not_be_given():
    payload = read_payload("store.set", ["name=Corner shop", f"box_key={KEY}", f"profile_hash={KEY}"])
    assert payload == StoreSet("Corner shop", RAW, RAW)


def test_stake_is_bonded_and_unbonded():
    assert read_payload("validator.register", ["commission_bps=500"]) == RegisterValidator(500, 0)
    assert read_payload("validator.register", ["commission_bps=0", "bond_minor=7"]) == RegisterValidator(0, 7)
    assert read_payload("stake.bond", [f"validator={KEY}", "amount_minor=7"]) == Bond(RAW, 7)
    assert read_payload("stake.unbond", [f"validator={KEY}"]) == Unbond(RAW, 0)
    assert read_payload("stake.withdraw", [f"validator={KEY}"]) == Withdraw(RAW, 0)
    assert read_payload("evidence.submit", ["evidence=0a0b"]) == SubmitEvidence(b"\n\x0b")


def test_what_may_be_none_need_not_be_given():
    given = ["number=1", "price_minor=5", "stock_delta=-3", "traced=false", "terms=1"]
    assert read_payload("listing.set", given) == ListingSet(1, None, 5, -3, traced=False, terms=1)
    assert read_payload("listing.set", [*given, "product=none"]) == ListingSet(1, None, 5, -3, traced=False, terms=1)


def test_a_record_has_colons():
    given = ["number=1", "price_minor=5", "stock_delta=0", "traced=true", "terms=1", f"product={KEY}:09520001000003"]
    expected = ListingSet(1, ProductId(RAW, "09520001000003"), 5, 0, traced=True, terms=1)
    assert read_payload("listing.set", given) == expected


@pytest.mark.parametrize("lines", [f"1:{KEY}:3,2:{KEY}:1", f'[[1, "{KEY}", 3], [2, "{KEY}", 1]]'])
def test_a_list_of_records(lines):
    expected = OrderPlace(RAW, (OrderLine(1, RAW, 3), OrderLine(2, RAW, 1)))
    assert read_payload("order.place", [f"store={KEY}", f"lines={lines}"]) == expected


def test_lists_of_text_and_of_bytes():
    common = [f"event_hash={KEY}", "event_time_ms=7"]
    assert read_payload("trace.commission", ["gtin14=09520001000003", "serials=a1,a2", *common]) == TraceCommission(
        "09520001000003", ("a1", "a2"), None, RAW, 7
    )
    assert read_payload(
        "trace.commission", ["gtin14=09520001000003", "serials=", "lot=L7:20", *common]
    ) == TraceCommission("09520001000003", (), Lot("L7", 20), RAW, 7)
    assert read_payload("trace.ship", ["ids=01ff,02ee", f"to={KEY}", *common]) == TraceShip(
        (b"\x01\xff", b"\x02\xee"), RAW, RAW, 7
    )


@pytest.mark.parametrize(
    ("type_name", "given", "says"),
    [
        ("token.mint", [], "token.transfer"),
        ("token.transfer", [], "needs to, amount_minor"),
        ("token.transfer", [f"to={KEY}"], "needs amount_minor"),
        ("token.transfer", [f"to={KEY}", "amount_minor=5", "colour=red"], 'no field "colour"'),
        ("token.transfer", ["to=xyz", "amount_minor=5"], "to must be hexadecimal"),
        ("token.transfer", ["to=ab", "amount_minor=5"], "to must be 32 bytes"),
        ("token.transfer", [f"to={KEY}", "amount_minor=0"], "amount_minor"),
        ("token.transfer", [f"to={KEY}", "amount_minor=five"], "whole number"),
        ("token.transfer", [f"to={KEY}", "amount_minor=1e6"], "whole number"),
        ("token.transfer", [f"to={KEY}", f"amount_minor={'9' * 30}"], "has 30 digits"),
        ("order.place", [f"store={KEY}", "lines="], "lines"),
        ("order.place", [f"store={KEY}", "lines=1:2"], "listing:revision:quantity"),
        ("order.place", [f"store={KEY}", "lines=[1"], "JSON"),
        ("order.place", [f"store={KEY}", "lines=[[1, 2, 3]]"], "lines.revision must be text"),
        ("order.place", [f"store={KEY}", 'lines=[{"a": 1}]'], "must be a list"),
        ("order.place", [f"store={KEY}", f'lines=[["x", "{KEY}", 3]]'], "lines.listing"),
        ("order.place", [f"store={KEY}", "lines=" + "[" * 5_000], "JSON"),
        (
            "listing.set",
            ["number=1", "price_minor=5", "stock_delta=0", "traced=maybe", "terms=1"],
            "true or false",
        ),
        ("listing.set", ["number=-1", "price_minor=5", "stock_delta=0", "traced=no", "terms=1"], "number"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(type_name, given, says):
    with pytest.raises(ArgumentError) as caught:
        read_payload(type_name, given)
    assert says in str(caught.value)


def test_every_type_is_described():
    described = describe_types().splitlines()
    assert [line.split()[0] for line in described] == sorted(BODIES)
    assert "to= amount_minor=" in describe_types()
