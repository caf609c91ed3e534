"""Custody steps from EPCIS documents, and made up."""

from __future__ import annotations

import json
import os
import random
from itertools import islice, pairwise
from pathlib import Path

import pytest

from p2pcommerce.cli.demo.workload import CustodyKind, example_gtin14, generated_custody, read_custody
from p2pcommerce.cli.demo.workload.epcis_feed import ITEMS_MAX, STORIES_OPEN
from p2pcommerce.commerce.epcis import (
    DOCUMENT_BYTES_MAX,
    EpcisDocumentError,
    NotEpcisError,
    event_hash,
    is_gtin14,
    parse_document,
)
from p2pcommerce.workload import SkippedLines, WorkloadError

EPC = "urn:epc:id:sgtin:0614141.107346."
EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2020-03-04T11:00:30.000+01:00",
    "eventTimeZoneOffset": "+01:00",
    "epcList": [EPC + "2018", EPC + "2017"],
    "action": "OBSERVE",
    "bizStep": "shipping",
}


def write(folder: Path, *events: dict[str, object], name: str = "a.jsonld") -> Path:
    file = folder / name
    file.write_text(json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": list(events)}}))
    return file


def read(folder: Path) -> tuple[list, SkippedLines]:
    skipped = SkippedLines()
    return list(read_custody(folder, skipped)), skipped


def test_a_step_carries_its_items_hash_time_and_place(tmp_path):
    file = write(tmp_path, EVENT)
    (step,), skipped = read(tmp_path)
    assert step.kind is CustodyKind.SHIP
    assert step.items == (("10614141073464", "2017"), ("10614141073464", "2018"))
    assert step.event_hash == event_hash(parse_document(file.read_bytes()).events[0])
    assert len(step.event_hash) == 32
    assert step.event_time_ms == 1_583_316_030_000
    assert step.source == f"{file}: event 1"
    assert skipped.total == 0


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"bizStep": "shipping"}, CustodyKind.SHIP),
        ({"bizStep": "departing"}, CustodyKind.SHIP),
        ({"bizStep": "urn:epcglobal:cbv:bizstep:receiving"}, CustodyKind.RECEIVE),
        ({"bizStep": "cbv:BizStep-receiving"}, CustodyKind.RECEIVE),
        ({"bizStep": "commissioning", "action": "ADD"}, CustodyKind.COMMISSION),
        ({"bizStep": None, "action": "ADD"}, CustodyKind.COMMISSION),
        ({"bizStep": None, "disposition": "in_transit"}, CustodyKind.SHIP),
    ],
)
def test_the_business_step_says_what_happens(tmp_path, fields, kind):
    write(tmp_path, {**EVENT, **fields})
    (step,), _ = read(tmp_path)
    assert step.kind is kind


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"type": "AggregationEvent"}, {"event type AggregationEvent": 1}),
        ({"bizStep": "inspecting"}, {"business step inspecting": 1}),
        ({"bizStep": "inspecting", "action": "ADD"}, {"business step inspecting": 1}),
        ({"bizStep": None}, {"business step none": 1}),
        ({"epcList": None}, {"event without a serialised item": 1}),
        (
            {"epcList": ["urn:epc:id:sscc:4012345.0000000333", "https://x.org/01/10614141073465/21/1"]},
            {"identifier is no GTIN with a serial": 2, "event without a serialised item": 1},
        ),
    ],
)
def test_what_is_no_step_is_skipped_and_counted(tmp_path, fields, counts):
    write(tmp_path, {**EVENT, **fields})
    steps, skipped = read(tmp_path)
    assert steps == []
    assert skipped.counts == counts


def test_items_that_are_none_do_not_hide_those_that_are(tmp_path):
    write(tmp_path, {**EVENT, "epcList": ["geo:1,2", EPC + "1", EPC + "1"]})
    (step,), skipped = read(tmp_path)
    assert step.items == (("10614141073464", "1"),)
    assert skipped.counts == {"identifier is no GTIN with a serial": 1}


def test_a_step_has_at_most_64_items(tmp_path):
    write(tmp_path, {**EVENT, "epcList": [f"{EPC}{number}" for number in range(130)]})
    steps, _ = read(tmp_path)
    assert [len(step.items) for step in steps] == [ITEMS_MAX, ITEMS_MAX, 2]
    assert len({step.event_hash for step in steps}) == 1
    items = [item for step in steps for item in step.items]
    assert items == sorted(set(items))


def test_documents_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("b.json", "a.jsonld", "c.JSON"):
        write(tmp_path, EVENT, name=name)
    (tmp_path / "README.md").write_text("no document")
    steps, _ = read(tmp_path)
    assert [Path(step.source.partition(": ")[0]).name for step in steps] == ["a.jsonld", "b.json", "c.JSON"]


def test_a_json_file_of_another_kind_is_skipped_and_a_jsonld_file_is_refused(tmp_path):
    write(tmp_path, EVENT)
    (tmp_path / "hashes.json").write_text('{"a.jsonld": []}')
    steps, skipped = read(tmp_path)
    assert len(steps) == 1
    assert skipped.counts == {"file is no EPCIS document": 1}
    (tmp_path / "hashes.jsonld").write_text('{"a.jsonld": []}')
    with pytest.raises(NotEpcisError, match=r"hashes\.jsonld"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff", b" " * (DOCUMENT_BYTES_MAX + 1)])
def test_a_malformed_document_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(EpcisDocumentError, match=r"a\.json: "):
        read(tmp_path)


def test_a_folder_without_documents_is_refused_at_once(tmp_path):
    with pytest.raises(WorkloadError, match=r"holds no \*\.json"):
        read_custody(tmp_path, SkippedLines())
    with pytest.raises(WorkloadError, match="give a folder of EPCIS documents"):
        read_custody(tmp_path / "nowhere", SkippedLines())


def test_a_document_that_vanishes_is_refused_by_name(tmp_path):
    file = write(tmp_path, EVENT)
    stream = read_custody(tmp_path, SkippedLines())
    file.unlink()
    with pytest.raises(WorkloadError, match=r"a\.jsonld: No such file"):
        list(stream)


def test_real_documents_give_steps():
    folder = os.environ.get("P2PCOMMERCE_DATA")
    if not folder:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    steps, skipped = read(Path(folder) / "epcis")
    expected = json.loads((Path(folder) / "epcis" / "expected_event_hash_ids.json").read_text())
    known = {text[len("ni:///sha-256;") :][:64] for entry in expected.values() for text in entry["event_hash_ids"]}
    assert {step.event_hash.hex() for step in steps} <= known
    assert {step.kind for step in steps} == {CustodyKind.SHIP, CustodyKind.RECEIVE}
    assert skipped.counts["event type TransformationEvent"] == 3
    assert skipped.counts["file is no EPCIS document"] == 1


def test_made_up_stories_commission_first_and_hand_over_in_pairs():
    stories: dict[str, list] = {}
    for step in islice(generated_custody(random.Random(5)), 3_000):
        stories.setdefault(step.source.partition(":")[0], []).append(step)
    finished = [steps for steps in stories.values() if len(steps) in {3, 5}]
    assert len(finished) > 500
    commission, ship, receive = CustodyKind.COMMISSION, CustodyKind.SHIP, CustodyKind.RECEIVE
    for steps in stories.values():
        assert [step.kind for step in steps] == [commission, ship, receive, ship, receive][: len(steps)]
        assert len({step.items for step in steps}) == 1
        assert len({step.event_hash for step in steps}) == len(steps)
        times = [step.event_time_ms for step in steps]
        assert times == sorted(set(times))


def test_made_up_items_are_new_sorted_and_of_the_given_goods():
    goods = [example_gtin14(7)]
    commissioned = [
        item
        for step in islice(generated_custody(random.Random(5), goods), 500)
        if step.kind is CustodyKind.COMMISSION
        for item in step.items
    ]
    assert len(set(commissioned)) == len(commissioned)
    assert {item.gtin14 for item in commissioned} == set(goods)
    assert is_gtin14(goods[0])
    step = next(generated_custody(random.Random(5)))
    assert list(step.items) == sorted(step.items)


def test_the_steps_of_a_story_stand_apart():
    sources = [step.source.partition(":")[0] for step in islice(generated_custody(random.Random(5)), 400)]
    open_at_once = set(sources[:100])
    assert len(open_at_once) > STORIES_OPEN
    neighbours = sum(before == after for before, after in pairwise(sources))
    assert neighbours < 80


def test_the_same_seed_gives_the_same_custody():
    streams = [list(islice(generated_custody(random.Random(seed)), 100)) for seed in (1, 1, 2)]
    assert streams[0] == streams[1] != streams[2]
