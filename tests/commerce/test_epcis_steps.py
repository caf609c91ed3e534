"""What events ask of the ledger: whatever a document holds, it becomes a step or a refusal, and never anything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.epcis import (
    EVENT_TYPES,
    EpcisDocumentError,
    Goods,
    StepKind,
    event_lines,
    parse_document,
    read_step,
)
from p2pcommerce.commerce.epcis.structure import FIELDS as FIELDS_OF

GTIN = "09520001000010"
TAG = f"https://id.gs1.org/01/{GTIN}/21/1"
BASE = {"eventTime": "2020-03-04T11:00:30.000+01:00", "eventTimeZoneOffset": "+01:00"}
WORDS = st.sampled_from(
    [
        "ADD",
        "OBSERVE",
        "DELETE",
        "shipping",
        "receiving",
        "cbv:BizStep-departing",
        "possessing_party",
        "owning_party",
        "",
    ]
)
URIS = st.sampled_from(
    [TAG, "urn:epc:id:sscc:9520001.0000000001", f"https://id.gs1.org/01/{GTIN}/10/L", "x", "urn:x:y"]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 10**20) | st.decimals(0, 9, places=1).map(float) | WORDS | URIS
NAMES = st.sampled_from(
    ["epcClass", "quantity", "uom", "type", "source", "destination", "id", "a:b", "cbv:c", "@context"]
)
TREES = st.recursive(LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(NAMES, t, max_size=4), max_leaves=8)
OWN = {"type", "@type", "eventTime", "@context"}
FIELDS = st.dictionaries(
    st.sampled_from(sorted({name for names in FIELDS_OF.values() for name in names} - OWN)), TREES, max_size=9
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(EVENT_TYPES)), FIELDS, WORDS, st.lists(URIS, max_size=3))
def test_an_event_becomes_a_step_or_a_refusal(kind, fields, action, epcs):
    event = (
        {"epcList": epcs, "childEPCs": epcs, "inputEPCList": epcs, "action": action} | fields | BASE | {"type": kind}
    )
    data = json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": [event]}}).encode()
    try:
        (found,) = parse_document(data).events
        step = read_step(found)
    except EpcisDocumentError:
        return
    assert event_lines(data, 1) == [1]
    assert isinstance(step.kind, StepKind)
    assert step.goods
    assert all(units is None or units > 0 for units in step.goods.values())


def step_of(**fields):
    data = json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": [{"type": "ObjectEvent"} | BASE | fields]}})
    return read_step(parse_document(data.encode()).events[0])


@pytest.mark.parametrize(
    ("kind", "action", "word", "expected"),
    [
        ("ObjectEvent", "ADD", "commissioning", StepKind.COMMISSION),
        ("ObjectEvent", "ADD", None, StepKind.COMMISSION),
        ("ObjectEvent", "DELETE", "destroying", StepKind.DECOMMISSION),
        ("ObjectEvent", "OBSERVE", "shipping", StepKind.SHIP),
        ("ObjectEvent", "OBSERVE", "urn:epcglobal:cbv:bizstep:receiving", StepKind.RECEIVE),
        ("ObjectEvent", "OBSERVE", "cbv:BizStep-void_shipping", StepKind.REJECT),
        ("ObjectEvent", "OBSERVE", "departing", StepKind.OBSERVE),
        ("TransactionEvent", "ADD", "shipping", StepKind.OBSERVE),
    ],
)
def test_each_kind_of_event_has_its_step(kind, action, word, expected):
    named = {} if word is None else {"bizStep": word}
    if kind == "TransactionEvent":
        named["bizTransactionList"] = [{"type": "po", "bizTransaction": "urn:epc:id:gdti:0614141.06012.1234"}]
    step = step_of(type=kind, action=action, disposition="active", epcList=[TAG], **named)
    assert (step.kind, step.goods) == (expected, {Goods(GTIN, "1"): None})


def test_departing_with_a_destination_is_a_shipment():
    to = [{"type": "urn:epcglobal:cbv:sdt:possessing_party", "destination": "urn:epc:id:pgln:9520001.00002"}]
    step = step_of(action="OBSERVE", bizStep="departing", epcList=[TAG], destinationList=to)
    assert (step.kind, step.moves_owner) == (StepKind.SHIP, False)
    assert step.holder_after == "https://id.gs1.org/417/9520001000027"


@pytest.mark.parametrize(
    ("sources", "destinations", "after", "moves"),
    [
        ({}, {"possessing_party": "urn:b"}, "urn:b", False),
        ({}, {"owning_party": "urn:b"}, "urn:b", True),
        ({"owning_party": "urn:a"}, {"owning_party": "urn:b", "possessing_party": "urn:b"}, "urn:b", True),
        ({"owning_party": "urn:a"}, {"owning_party": "urn:a", "possessing_party": "urn:b"}, "urn:b", False),
        ({"owning_party": "urn:a"}, {"owning_party": "urn:a"}, "", False),
    ],
)
def test_ownership_moves_when_the_destination_is_another_owner(sources, destinations, after, moves):
    lists = {
        f"{name}List": [{"type": kind, name: party} for kind, party in parties.items()]
        for name, parties in (("source", sources), ("destination", destinations))
    }
    step = step_of(action="OBSERVE", bizStep="shipping", epcList=[TAG], **lists)
    assert (step.holder_after, step.moves_owner) == (after, moves)


def test_owner_and_holder_that_would_be_two_are_refused():
    to = [{"type": "owning_party", "destination": "b"}, {"type": "possessing_party", "destination": "c"}]
    with pytest.raises(EpcisDocumentError, match="two parties"):
        step_of(action="OBSERVE", bizStep="shipping", epcList=[TAG], destinationList=to)


@pytest.mark.parametrize("quantity", [True, 0, -1, 1.5, "3", 2**63])
def test_a_quantity_is_a_whole_number_of_units(quantity):
    element = {"epcClass": f"https://id.gs1.org/01/{GTIN}/10/L", "quantity": quantity}
    with pytest.raises(EpcisDocumentError, match="no whole number"):
        step_of(action="ADD", quantityList=[element])
