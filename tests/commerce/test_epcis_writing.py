"""Events written as documents, and the lines at which the events of a document stand."""

import json
from decimal import Decimal

import pytest

from p2pcommerce.commerce.epcis import event_hash, event_hash_id, event_lines, parse_document, write_document
from p2pcommerce.commerce.epcis.writing import CONTEXT

BASE = {"type": "ObjectEvent", "eventTime": "2020-03-04T11:00:30.000+01:00", "eventTimeZoneOffset": "+01:00"}
NUMBERS = '{"a": 200.50, "b": 12345678901234567890.123456789, "c": 1e3, "d": -0.5, "e": 7}'


def parsed(text):
    return parse_document(text.encode()).events


def test_what_is_written_hashes_as_what_was_read():
    event = BASE | {
        "eventID": "old",
        "x:n": json.loads(NUMBERS),
        "x:l": ["ä", True, None, {}, []],
        "epcList": ["b", "a"],
    }
    text = json.dumps(
        {"type": "EPCISDocument", "@context": [{"x": "urn:x:"}], "epcisBody": {"eventList": [event, BASE]}}
    )
    text = text.replace(json.dumps(json.loads(NUMBERS)), NUMBERS)
    events = parsed(text)
    assert events[0].fields["x:n"]["b"] == Decimal("12345678901234567890.123456789")
    written = write_document(events, "2020-03-04T11:00:30Z")
    again = parsed(written.decode())
    assert [event_hash(each) for each in again] == [event_hash(each) for each in events]
    assert [each.text("eventID") for each in again] == [event_hash_id(each) for each in events]
    assert "12345678901234567890.123456789" in written.decode()
    assert write_document(again, "2020-03-04T11:00:30Z") == written


def test_events_of_documents_with_clashing_prefixes_stand_side_by_side():
    events = []
    for namespace in ("urn:one:", "urn:two:"):
        body = {
            "type": "EPCISDocument",
            "@context": [{"x": namespace}],
            "epcisBody": {"eventList": [BASE | {"x:a": 1}]},
        }
        events += parsed(json.dumps(body))
    again = parsed(write_document(events, "2020-03-04T11:00:30Z").decode())
    assert [event_hash(each) for each in again] == [event_hash(each) for each in events]
    assert event_hash(events[0]) != event_hash(events[1])


def test_a_document_has_what_the_standard_demands():
    root = json.loads(write_document(parsed(json.dumps(BASE)), "2020-03-04T11:00:30Z"))
    assert (root["type"], root["schemaVersion"], root["creationDate"]) == (
        "EPCISDocument",
        "2.0",
        "2020-03-04T11:00:30Z",
    )
    assert root["@context"] == [CONTEXT]
    (event,) = root["epcisBody"]["eventList"]
    assert event.keys() >= {"eventID", "type", "eventTime", "eventTimeZoneOffset"}


def document(*events):
    return (
        '{"type": "EPCISDocument",\n "x:list": [[{"eventList": 1}]],\n "epcisBody":\n {"eventList": ['
        + ",".join(events)
        + "]}}"
    )


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (json.dumps(BASE), [1]),
        ("\n\n" + json.dumps(BASE, indent=1), [3]),
        (document(json.dumps(BASE), "\n" + json.dumps(BASE), json.dumps(BASE)), [4, 5, 5]),
        (document("\n\n" + json.dumps(BASE | {"x:a": [{"b": '}]{\\"\\n'}]}, indent=1), json.dumps(BASE)), [6, 15]),
        (json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": []}}), []),
        (document(json.dumps(BASE | {"x:a": {"epcisBody": {"eventList": [{}, {}]}}})), [4]),
        (document(json.dumps(BASE)).replace("eventList", "\\u0065ventList"), [4]),
        (json.dumps({"type": "EPCISDocument", "epcisBody": {"event": BASE}}, indent=1), [4]),
    ],
)
def test_each_event_has_its_line(text, lines):
    assert event_lines(text.encode(), len(parsed(text))) == lines
