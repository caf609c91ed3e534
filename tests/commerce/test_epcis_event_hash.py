"""The EPCIS Event Hash ID: the published reference hashes, and each rule on a small event of its own."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from p2pcommerce.commerce.epcis import (
    EpcisDocumentError,
    event_hash,
    event_hash_id,
    parse_document,
    prehash_string,
)

EVENT = {"type": "ObjectEvent", "eventTime": "2020-03-04T11:00:30.000+01:00", "eventTimeZoneOffset": "+01:00"}
PINNED = "ni:///sha-256;f229bf936eb77dba55dd73baecbad539182fae289900cbadc0fee3e4f64e5ea0?ver=CBV2.0"
HEAD = "eventType=ObjectEventeventTime=2020-03-04T10:00:30.000ZeventTimeZoneOffset=+01:00"
CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"e": "https://e.example/", "f": "urn:f:"}]


def event_of(**fields: object):
    data = {"type": "EPCISDocument", "@context": CONTEXT, "epcisBody": {"eventList": [{**EVENT, **fields}]}}
    return parse_document(json.dumps(data).encode()).events[0]


def prehash(**fields: object) -> str:
    """The pre-hash string behind the three fields that every event has."""
    text = prehash_string(event_of(**fields))
    assert text.startswith(HEAD)
    return text[len(HEAD) :]


def _data_folder() -> Path:
    folder = os.environ.get("P2PCOMMERCE_DATA")
    if not folder:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    return Path(folder) / "epcis"


def test_every_published_pre_hash_string_and_hash_is_reproduced():
    folder = _data_folder()
    expected = json.loads((folder / "expected_event_hash_ids.json").read_text())
    assert {path.name for path in folder.glob("*.jsonld")} == set(expected)
    for name, wanted in expected.items():
        events = parse_document((folder / name).read_bytes(), source=name).events
        assert [prehash_string(event) for event in events] == wanted["prehash_strings"], name
        assert [event_hash_id(event) for event in events] == wanted["event_hash_ids"], name


def test_the_id_carries_the_sha256_of_the_pre_hash_string():
    event = event_of(epcList=["urn:epc:id:sgtin:0614141.107346.2017"])
    assert event_hash(event) == hashlib.sha256(prehash_string(event).encode()).digest()
    assert event_hash_id(event) == f"ni:///sha-256;{event_hash(event).hex()}?ver=CBV2.0"


def test_a_pinned_event_keeps_its_hash():
    event = event_of(epcList=["urn:epc:id:sgtin:0614141.107346.2017"], action="OBSERVE", bizStep="shipping")
    assert event_hash_id(event) == PINNED


def test_the_order_and_the_layout_of_the_json_do_not_matter():
    fields = {"epcList": ["b", "a"], "action": "OBSERVE", "bizStep": "shipping", "e:x": "1", "disposition": "active"}
    backwards = dict(reversed(fields.items()))
    backwards["epcList"] = ["a", "b"]
    assert prehash(**fields) == prehash(**backwards)


@pytest.mark.parametrize(
    "word",
    [
        "receiving",
        " receiving ",
        "urn:epcglobal:cbv:bizstep:receiving",
        "cbv:BizStep-receiving",
        "https://ref.gs1.org/cbv/BizStep-receiving",
    ],
)
def test_all_forms_of_a_word_hash_alike(word):
    assert prehash(bizStep=word) == "bizStep=https://ref.gs1.org/cbv/BizStep-receiving"


@pytest.mark.parametrize(
    "epc",
    [
        "urn:epc:id:sgtin:0614141.107346.20%2F17",
        "https://id.gs1.org/01/10614141073464/21/20%2F17",
        "https://shop.example/p/gtin/10614141073464/ser/20%2f17?utm=1",
    ],
)
def test_all_forms_of_an_identifier_hash_alike(epc):
    assert prehash(epcList=[epc]) == "epcListepc=https://id.gs1.org/01/10614141073464/21/20%2F17"


@pytest.mark.parametrize("name", ["eventID", "recordTime", "captureID", "errorDeclaration", "rdfs:comment"])
def test_what_is_added_later_is_not_hashed(name):
    assert prehash(**{name: "anything"}) == ""


def test_another_event_has_another_hash():
    assert event_hash(event_of(**{"e:x": "1"})) != event_hash(event_of(**{"e:x": "2"}))
    assert event_hash(event_of(**{"e:x": "1"})) != event_hash(event_of())


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            "AggregationEvent",
            {"parentID": "urn:epc:id:sscc:4012345.0000000333", "childEPCs": ["z"], "action": "ADD"},
            "parentID=https://id.gs1.org/00/040123450000003338childEPCsepc=zaction=ADD",
        ),
        (
            "TransactionEvent",
            {"bizTransactionList": [{"type": "po", "bizTransaction": "p"}], "epcList": ["a"], "parentID": "q"},
            "epcListepc=aparentID=qbizTransactionListtype=https://ref.gs1.org/cbv/BTT-pobizTransaction=p",
        ),
        (
            "TransformationEvent",
            {
                "outputQuantityList": [{"epcClass": "d", "quantity": 2}],
                "outputEPCList": ["c"],
                "inputEPCList": ["a"],
                "inputQuantityList": [{"epcClass": "b"}],
                "transformationID": "t",
            },
            "inputEPCListepc=ainputQuantityListquantityElementepcClass=boutputEPCListepc=c"
            "outputQuantityListquantityElementepcClass=dquantity=2transformationID=t",
        ),
        (
            "AssociationEvent",
            {"childQuantityList": [{"epcClass": "b", "quantity": 1, "uom": "KGM"}], "parentID": "p"},
            "parentID=pchildQuantityListquantityElementepcClass=bquantity=1uom=KGM",
        ),
        ("https://e.example/MyEvent", {}, ""),
    ],
)
def test_every_event_type_has_its_fields_in_canonical_order(kind, fields, expected):
    text = prehash_string(event_of(type=kind, **fields))
    assert text == HEAD.replace("ObjectEvent", kind) + expected


@pytest.mark.parametrize(
    ("number", "text"),
    [("200.50", "200.5"), ("1.0", "1"), ("0.0", "0"), ("-0", "0"), ("1E3", "1000"), ("1e-7", "0.0000001"),
     ("12345678901234567890.10", "12345678901234567890.1"), ("100", "100"), ("-1.50", "-1.5")],
)  # fmt: skip
def test_a_quantity_is_hashed_as_text_without_trailing_zeros(number, text):
    data = json.dumps({**EVENT, "quantityList": [{"epcClass": "c", "quantity": "@"}]}).replace('"@"', number)
    event = parse_document(data.encode()).events[0]
    assert prehash_string(event) == f"{HEAD}quantityListquantityElementepcClass=cquantity={text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [("23.0", "23"), ("007", "7"), ("1.2.3", "1.2.3"), ("2014-12-10", "2014-12-10"), (" a  b\n", "a  b"),
     ("1e999", "1e999"), (True, "true"), (False, "false"), ("1" * 70, "1" * 70),
     ("gs1:Temperature", "https://gs1.org/voc/Temperature"), ("e:word", "https://e.example/word"),
     ("unknown:word", "unknown:word"), ("e: word", "e: word"), ("receiving", "receiving"),
     ("urn:epc:id:giai:4012345.ABC", "https://id.gs1.org/8004/4012345ABC")],
)  # fmt: skip
def test_a_value_of_an_extension_is_normalised(value, text):
    assert prehash(**{"e:x": value}) == f"{{https://e.example/}}x={text}"


def test_extensions_stand_at_the_end_sorted_and_nested():
    fields = {
        "e:b": {"e:z": "2", "e:y": {"f:x": "1"}},
        "f:a": ["3", "1", {"e:k": "v"}],
        "e:a": "0",
        "e:none": None,
        "e:empty": "",
        "e:object": {},
        "e:list": [],
        "g:unknown": "1",
        "e:value": {"@value": "5", "@type": "xsd:integer"},
        "action": "ADD",
    }
    e, f = "{https://e.example/}", "{urn:f:}"
    assert prehash(**fields) == (
        f"action=ADDg:unknown=1{e}a=0{e}b{e}y{f}x=1{e}z=2{e}empty{e}object{e}value=5{f}a=1{f}a=3{f}a{e}k=v"
    )


def test_extensions_of_a_location_stand_behind_its_id():
    fields = {"readPoint": {"e:x": "1", "id": "geo:1,2"}, "bizLocation": {"id": "geo:3,4"}}
    assert prehash(**fields) == "readPointid=geo:1,2{https://e.example/}x=1bizLocationid=geo:3,4"


def test_master_data_is_written_like_extensions():
    assert prehash(ilmd={"e:b": "2", "cbvmda:lotNumber": "L", "@context": {}}) == (
        "ilmd{https://e.example/}b=2{urn:epcglobal:cbv:mda:}lotNumber=L"
    )


def test_lists_are_sorted_and_named_once():
    fields = {
        "epcList": ["b", "a", "B"],
        "certificationInfo": ["https://b.example/", "https://a.example/"],
        "persistentDisposition": {"unset": ["x_y"], "set": ["b_c", "urn:epcglobal:cbv:disp:a_b"]},
        "quantityList": [],
    }
    assert prehash(**fields) == (
        "certificationInfo=https://a.example/certificationInfo=https://b.example/epcListepc=Bepc=aepc=b"
        "persistentDispositionset=https://ref.gs1.org/cbv/Disp-a_bset=https://ref.gs1.org/cbv/Disp-b_c"
        "unset=https://ref.gs1.org/cbv/Disp-x_y"
    )


def test_sources_and_destinations_carry_their_types_in_any_form():
    fields = {
        "sourceList": [{"source": "s", "type": "owning_party"}],
        "destinationList": [{"type": "urn:epcglobal:cbv:sdt:location", "destination": "d"}],
        "bizTransactionList": [{"bizTransaction": "untyped"}],
    }
    assert prehash(**fields) == (
        "bizTransactionListbizTransaction=untyped"
        "destinationListtype=https://ref.gs1.org/cbv/SDT-locationdestination=d"
        "sourceListtype=https://ref.gs1.org/cbv/SDT-owning_partysource=s"
    )


def test_sensor_elements_have_metadata_then_sorted_reports_then_extensions():
    element = {
        "e:x": "9",
        "sensorReport": [
            {"uom": "CEL", "value": 26.0, "type": "Temperature", "component": "x", "e:r": "1"},
            {"type": "gs1:Humidity", "exception": "ALARM_CONDITION", "booleanValue": True},
        ],
        "sensorMetadata": {"bizRules": "r", "time": "2019-04-02T14:05:00+01:00", "e:m": "2"},
    }
    assert prehash(sensorElementList=[element]) == (
        "sensorElementListsensorElementsensorMetadatatime=2019-04-02T13:05:00.000ZbizRules=r{https://e.example/}m=2"
        "sensorReporttype=https://gs1.org/voc/Humidityexception=https://gs1.org/voc/ALARM_CONDITIONbooleanValue=true"
        "sensorReporttype=https://gs1.org/voc/Temperaturevalue=26component=https://ref.gs1.org/cbv/Comp-xuom=CEL"
        "{https://e.example/}r=1{https://e.example/}x=9"
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"epcList": "a"}, "epcList must be a list"),
        ({"epcList": [{}]}, "'epcList' must be a text or a number"),
        ({"quantityList": ["a"]}, "quantityList must hold objects"),
        ({"bizStep": 5}, "bizStep must be a word"),
        ({"readPoint": "geo:1,2"}, "readPoint must hold objects"),
        ({"sensorElementList": [{"sensorMetadata": {"time": "noon"}}]}, "time: not a timestamp"),
        ({"sensorElementList": [{"sensorMetadata": {"time": 5}}]}, "time must be a timestamp"),
    ],
)
def test_a_field_of_the_wrong_shape_is_refused_with_place_and_reason(fields, reason):
    with pytest.raises(EpcisDocumentError) as caught:
        event_hash(event_of(**fields))
    assert str(caught.value).startswith("document: event 1: ")
    assert reason in str(caught.value)
