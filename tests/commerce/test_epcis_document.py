"""EPCIS documents: what is read, and how each kind of malformed document is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce.epcis import (
    DOCUMENT_BYTES_MAX,
    EpcisDocumentError,
    Event,
    NotEpcisError,
    event_hash,
    parse_document,
)
from p2pcommerce.commerce.epcis.document import DEPTH_MAX, EVENTS_MAX

EVENT = {"type": "ObjectEvent", "eventTime": "2020-03-04T11:00:30.000+01:00", "eventTimeZoneOffset": "+01:00"}


def document(*events: object, **extra: object) -> bytes:
    return json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": list(events)}, **extra}).encode()


def test_each_event_keeps_its_place():
    events = parse_document(document(EVENT, EVENT, EVENT), source="a.jsonld").events
    assert [event.place for event in events] == ["event 1", "event 2", "event 3"]
    assert {event.source for event in events} == {"a.jsonld"}


def test_numbers_stay_decimal():
    data = document({**EVENT, "x:a": 0}).replace(b'"x:a": 0', b'"x:a": 200.50')
    assert parse_document(data).events[0].fields["x:a"] == Decimal("200.50")
    assert str(parse_document(data).events[0].fields["x:a"]) == "200.50"


def test_the_event_time_is_unix_milliseconds():
    assert parse_document(document(EVENT)).events[0].time_ms == 1_583_316_030_000


def test_a_single_event_is_a_document():
    assert len(parse_document(json.dumps(EVENT).encode()).events) == 1


def test_a_body_may_hold_one_event_instead_of_a_list():
    data = json.dumps({"type": "EPCISDocument", "epcisBody": {"event": EVENT}}).encode()
    assert parse_document(data).events[0].place == "event 1"


def test_the_events_of_a_query_result_are_read():
    body = {"queryResults": {"queryName": "q", "resultsBody": {"eventList": [EVENT, EVENT]}}}
    data = json.dumps({"type": "EPCISQueryDocument", "epcisBody": body}).encode()
    assert len(parse_document(data).events) == 2


def test_prefixes_of_an_event_stand_over_those_of_the_document():
    context = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"a": "http://a/", "b": {"@id": "x:"}}]
    data = document(EVENT, {**EVENT, "@context": {"a": "http://other/"}}, **{"@context": context})
    first, second = parse_document(data).events
    assert dict(first.prefixes) == {"a": "http://a/", "b": "x:"}
    assert second.prefixes["a"] == "http://other/"


def test_the_type_may_be_a_curie_or_a_uri():
    kinds = ["ObjectEvent", "epcis:ObjectEvent", "https://ref.gs1.org/epcis/ObjectEvent"]
    events = parse_document(document(*({**EVENT, "type": kind} for kind in kinds))).events
    assert {event.type for event in events} == {"ObjectEvent"}


def test_a_byte_order_mark_is_no_content():
    assert parse_document(b"\xef\xbb\xbf" + document(EVENT)).events == parse_document(document(EVENT)).events


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b"{", "line 1 column 2", "Expecting"),
        (b'{"a":\n nope}', "line 2 column 2", "Expecting"),
        (b'{"a": "\xff"}', "byte 7", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "document", "occurs twice"),
        (b'{"a": NaN}', "document", "NaN is not a number"),
        (b'{"a": 1e999999999}', "document", "beyond 10 to the power"),
        (b'{"a": ' + b"1" * 5000 + b"}", "document", "more than 64 characters"),
        (b'{"a": "\\ud800"}', "document", "half of a character pair"),
        (b"[" * (DEPTH_MAX + 2) + b"]" * (DEPTH_MAX + 2), "document", "nested deeper"),
        (b"[" * 100_000, "document", "nested deeper"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "document", "larger than 8388608 bytes"),
        (b'{"type": "EPCISDocument"}', "document", "no epcisBody"),
        (b'{"type": "EPCISDocument", "epcisBody": []}', "document", "no epcisBody"),
        (b'{"type": "EPCISDocument", "epcisBody": {}}', "document", "no eventList"),
        (document(*[0] * (EVENTS_MAX + 1)), "document", "more than 20000 events"),
        (document(EVENT, **{"@context": 5}), "document", "@context"),
        (document(EVENT, "text"), "event 2", "not a JSON object"),
        (document(EVENT, {**EVENT, "type": "SomeEvent"}), "event 2", "none of AggregationEvent"),
        (document({**EVENT, "type": None}), "event 1", "none of AggregationEvent"),
        (document({**EVENT, "eventTime": "yesterday"}), "event 1", "eventTime: not a timestamp"),
        (document({**EVENT, "eventTime": "2020-02-30T00:00:00Z"}), "event 1", "eventTime: day"),
        (document({**EVENT, "eventTime": 5}), "event 1", "eventTime must be text"),
        (document({**EVENT, "eventTime": "0001-01-01T00:00:00+10:00"}), "event 1", "outside the years"),
        (document({**EVENT, "eventTimeZoneOffset": "CET"}), "event 1", "eventTimeZoneOffset"),
    ],
)
def test_a_malformed_document_is_refused_in_one_line_with_place_and_reason(data, place, reason):
    with pytest.raises(EpcisDocumentError) as caught:
        parse_document(data, source="in.jsonld")
    assert str(caught.value).startswith(f"in.jsonld: {place}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"5", b"[]", b"{}", b'{"type": "Invoice"}', b'{"type": 5}'])
def test_json_that_is_not_epcis_has_an_error_of_its_own(data):
    with pytest.raises(NotEpcisError):
        parse_document(data)


def test_the_deepest_nesting_that_is_allowed_is_read_and_hashed():
    value: object = "x"
    for _ in range(DEPTH_MAX - 5):
        value = {"e:a": value}
    event = parse_document(document({**EVENT, "e:a": value})).events[0]
    assert len(event_hash(event)) == 32
    with pytest.raises(EpcisDocumentError, match="nested deeper"):
        parse_document(document({**EVENT, "e:a": {"e:a": value}}))


def test_an_event_made_by_a_program_passes_the_same_checks():
    assert Event.from_fields(EVENT).type == "ObjectEvent"
    with pytest.raises(EpcisDocumentError, match=r"story: event 4: eventTime"):
        Event.from_fields({**EVENT, "eventTime": ""}, source="story", place="event 4")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["epcList", "bizStep", "quantityList", "readPoint", "sensorElementList", "bizTransactionList", "ilmd", "sourceList",
     "persistentDisposition", "certificationInfo", "e:x", "disposition", "parentID"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(field_names, json_values, max_size=4))
def test_any_json_in_any_field_is_hashed_or_refused(fields):
    try:
        event = parse_document(document({**EVENT, **fields})).events[0]
        digest = event_hash(event)
    except EpcisDocumentError as error:
        message = str(error)
    else:
        message = digest.hex()
    assert message
    assert "\n" not in message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(data):
    with pytest.raises(EpcisDocumentError):
        parse_document(data)
