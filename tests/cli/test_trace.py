"""`trace hash`, `trace import` and `trace export` as a person types them, against a running node."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from p2pcommerce.cli.main import main
from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.cli.trace_archive import EventArchive
from p2pcommerce.cli.trace_export import _write, chain_event, export_events
from p2pcommerce.cli.trace_import import _report
from p2pcommerce.cli.trace_plan import Plan, Planned, Refusal
from p2pcommerce.commerce import HistoryEntry, KeySet, ProductSet
from p2pcommerce.commerce.epcis import Goods, event_hash, event_hash_id, parse_document, write_document
from p2pcommerce.runtime.identity import KeyFileCost
from tests.commerce.test_epcis_structure import check_document
from tests.runtime.nodes import config_of, genesis_of, identity, open_memory

GTIN = "09520001000010"
TAG = f"https://id.gs1.org/01/{GTIN}/21/1"
CHEAP = KeyFileCost(passes=1, memory_kib=8)
EVENT = {"eventTime": "2023-01-02T03:04:05.000Z", "eventTimeZoneOffset": "+00:00", "type": "ObjectEvent"}
COMMISSION = EVENT | {"action": "ADD", "bizStep": "commissioning", "epcList": [TAG], "ex:weight": 200.50}
OBSERVE = EVENT | {"action": "OBSERVE", "bizStep": "inspecting", "epcList": [TAG], "eventTime": "2023-01-02T03:05:05Z"}
WRONG = OBSERVE | {"epcList": ["https://id.gs1.org/01/09520001000012/21/1"]}


def document(*events):
    context = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://ex.example/"}]
    body = {"type": "EPCISDocument", "schemaVersion": "2.0", "@context": context, "epcisBody": {"eventList": events}}
    return json.dumps(body, indent=1)


async def command(*arguments):
    """Run the command line as a process of its own; return exit code, the JSON of its last line, and its errors."""
    done = await trio.run_process(
        [sys.executable, "-m", "p2pcommerce", *map(str, arguments)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    lines = done.stdout.decode().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else None, done.stderr.decode()


def node_folder(tmp_path):
    """Make the folder of a node; return its configuration, and the options with which commands find it."""
    config = config_of(tmp_path, genesis=genesis_of(), control=True)
    config.data_dir.mkdir()
    config.genesis.save(config.data_dir / "genesis.json")
    identity(0).save(config.data_dir / "node.key", "open sesame", cost=CHEAP)
    (tmp_path / "passphrase").write_text("open sesame\n")
    return config, ("--dir", config.data_dir, "--passphrase-file", tmp_path / "passphrase", "--json")


async def test_a_document_goes_in_and_comes_out_with_the_same_hashes(tmp_path):
    config, options = node_folder(tmp_path)
    folder = config.data_dir
    good, bad = tmp_path / "good.jsonld", tmp_path / "bad.jsonld"
    good.write_text(document(COMMISSION, OBSERVE))
    bad.write_text(document(COMMISSION, WRONG, OBSERVE))
    async with open_memory(config) as node:
        await node.wait_finalized(await node.submit(ProductSet(GTIN, bytes(32))))
        code, answer, errors = await command("trace", "import", bad, *options)
        assert (code, answer["imported"], answer["importable"], len(answer["refused"])) == (1, 0, 2, 1)
        (refused,) = answer["refused"]
        assert (refused["event"], refused["code"]) == (2, "BAD_EPCIS")
        assert f"{bad}:{refused['line']}: event 2 refused" in errors
        assert "must end in 0" in errors
        code, answer, _ = await command("trace", "import", good, "--dry-run", *options)
        assert (code, answer["importable"], answer["imported"], answer["transactions"]) == (0, 2, 0, 2)
        assert (await node.query("item", issuer=config.identity.public_key.hex(), gtin=GTIN, serial="1")).value is None
        code, answer, _ = await command("trace", "import", bad, "--partial", *options)
        assert (code, answer["imported"], len(answer["refused"])) == (3, 2, 1)
        code, answer, _ = await command("trace", "import", good, *options)
        assert (code, answer["imported"], answer["on_chain_already"], answer["transactions"]) == (0, 0, 2, 0)
        out = tmp_path / "out.jsonld"
        code, answer, errors = await command("trace", "export", TAG, "--dir", folder, "--out", out, "--json")
        assert (code, answer["events"], errors) == (0, 2, "")
        code, answer, errors = await command("trace", "export", TAG + "9", "--dir", folder, "--json")
        assert (code, "is not on the ledger" in errors) == (2, True)
    original, written = (parse_document(path.read_bytes()).events for path in (good, out))
    assert [event_hash(event) for event in written] == [event_hash(event) for event in original]
    assert [event.text("eventID") for event in written] == [event_hash_id(event) for event in original]
    check_document(out.read_bytes())


async def test_an_active_key_signs_what_its_account_imports(tmp_path):
    config, options = node_folder(tmp_path)
    identity(1).save(tmp_path / "active.key", "open sesame", cost=CHEAP)
    file = tmp_path / "a.jsonld"
    file.write_text(document(COMMISSION))
    async with open_memory(config) as node:
        for payload in (ProductSet(GTIN, bytes(32)), KeySet(identity(1).public_key)):
            await node.wait_finalized(await node.submit(payload))
        code, answer, errors = await command("trace", "import", file, *options)
        assert (code, [each["code"] for each in answer["refused"]]) == (1, ["BAD_SIGNATURE"])
        assert f"signs with its active key {identity(1).public_key.hex()[:16]}, which was not given (--key)" in errors
        active = ("--key", tmp_path / "active.key", "--account", config.identity.public_key.hex())
        code, answer, errors = await command("trace", "import", file, *active, *options)
        assert (code, answer["imported"], errors) == (0, 1, "")


@pytest.mark.parametrize("is_partial", [False, True])
@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize("good", [0, 1])
@pytest.mark.parametrize("bad", [0, 2])
def test_an_import_counts_on_its_last_line_and_says_by_its_code_what_was_left_out(
    capsys, good, bad, is_dry, is_partial
):
    made = [Planned(place, None, None, b"", 0, 5) for place in range(1, 1 + good)]
    refused = [Refusal(place, 7, "BAD_EPCIS", "it is wrong") for place in range(8, 8 + bad)]
    plan = Plan(transactions=made, refused=refused, skipped=[99], events=[None] * (good + 1))
    if not good:
        plan.skipped, plan.events = [], []
    args = argparse.Namespace(file="a.jsonld", json=False, dry_run=is_dry, partial=is_partial)
    is_sent = not is_dry and (is_partial or not bad)
    code = _report(args, plan, is_sent=is_sent)
    told, complaints = capsys.readouterr()
    verb = "imported" if is_sent else "can be imported"
    assert told.splitlines()[-1] == (
        f"{good} events {verb} in {good} transactions, {good} are on the chain already, {bad} refused"
    )
    assert ("nothing was sent; --partial" in told) == (bad > 0 and not is_partial and not is_dry)
    assert complaints.count("a.jsonld:7: event") == bad
    assert code == (0 if not bad else 3 if is_partial and good else 1)


def test_an_export_says_by_its_code_that_events_were_left_out(tmp_path, capsys):
    entry = HistoryEntry(bytes(32), "trace.ship", bytes(32), bytes(32), 0, 5)

    def write(missing, **options):
        args = argparse.Namespace(**{"partial": True, "out": None, "json": False} | options)
        return _write(args, [], missing, [entry]), capsys.readouterr().out

    assert write([])[0] == 0
    assert write([entry])[0] == 3
    assert write([entry], out=tmp_path / "a") == (3, f"{tmp_path / 'a'}: 0 events, 1 left out\n")
    code, told = write([entry], out=tmp_path / "b", json=True)
    assert (code, json.loads(told)["missing"]) == (3, 1)
    with pytest.raises(ArgumentError, match="leave them out"):
        write([entry], partial=False)


def run(capsys, *argv):
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_hash_prints_one_id_per_event(tmp_path, capsys):
    file = tmp_path / "a.jsonld"
    file.write_text(document(COMMISSION, OBSERVE))
    ids = [event_hash_id(event) for event in parse_document(file.read_bytes()).events]
    assert run(capsys, "trace", "hash", file) == (0, "\n".join(ids) + "\n", "")
    code, out, _ = run(capsys, "trace", "hash", file, "--json")
    told = json.loads(out)
    listed = told["events"]
    assert told["event_hash_ids"] == ids
    assert (code, [each["event_hash_id"] for each in listed], [each["event"] for each in listed]) == (0, ids, [1, 2])
    lines = file.read_text().splitlines()
    assert all(lines[each["line"] - 1].strip() == "{" for each in listed)


def test_hash_reproduces_every_published_hash(capsys):
    data = os.environ.get("P2PCOMMERCE_DATA")
    if not data:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    folder = Path(data) / "epcis"
    for name, wanted in json.loads((folder / "expected_event_hash_ids.json").read_text()).items():
        _, out, _ = run(capsys, "trace", "hash", folder / name, "--json")
        assert json.loads(out)["event_hash_ids"] == wanted["event_hash_ids"], name


@pytest.mark.parametrize("content", [None, "{", "[]", '{"type": "EPCISDocument"}', "\xff"])
def test_a_file_that_is_no_document_is_one_line(tmp_path, capsys, content):
    file = tmp_path / "a.jsonld"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    code, out, err = run(capsys, "trace", "hash", file)
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("export", "https://id.gs1.org/01/09520001000010"), "a product has no history"),
        (("export", "https://id.gs1.org/AQnYUc1gmiCNV4JG"), "compressed"),
        (("export", "https://id.gs1.org/01/09520001000012/21/1"), "must end in 0"),
        (("import", "missing.jsonld"), "cannot be read"),
        ((), "required"),
    ],
)
def test_what_cannot_be_done_is_one_line(capsys, argv, reason):
    code, out, err = run(capsys, "trace", *argv)
    assert (code, out) == (2, "")
    assert reason in err


def entry(kind, digest=bytes(32)):
    return HistoryEntry(bytes([7]) * 32, kind, bytes([8]) * 32, digest, 5, 1_672_628_645_000)


def test_an_event_that_is_not_here_is_missing_and_one_that_was_changed_is_not_given_out(tmp_path):
    (event,) = parse_document(document(COMMISSION).encode()).events
    archive = EventArchive(tmp_path)
    history = [entry("trace.commission", event_hash(event)), entry("trace.observe", bytes([9]) * 32)]
    assert export_events(Goods(GTIN, "1"), history, archive) == ([], history)
    archive.keep([event])
    events, missing = export_events(Goods(GTIN, "1"), history, archive)
    assert ([event_hash(each) for each in events], missing) == ([event_hash(event)], history[1:])
    (file,) = (tmp_path / "epcis").iterdir()
    file.write_text(file.read_text().replace("commissioning", "encoding"))
    assert archive.find(event_hash(event)) is None
    file.write_text("{")
    assert archive.find(event_hash(event)) is None


def test_documents_that_are_given_hold_events_too(tmp_path):
    file = tmp_path / "a.jsonld"
    file.write_text(document(COMMISSION, OBSERVE))
    events = parse_document(file.read_bytes()).events
    archive = EventArchive(tmp_path, [file])
    assert [event_hash(archive.find(event_hash(event))) for event in events] == [event_hash(event) for event in events]


@pytest.mark.parametrize(
    ("kind", "step"), [("order.ship", "shipping"), ("order.confirm", "retail_selling"), ("order.settle", "other")]
)
@pytest.mark.parametrize("goods", [Goods(GTIN, "1"), Goods(GTIN, lot="L")])
def test_what_an_order_did_is_written_as_an_event_of_its_own(kind, step, goods):
    event = chain_event(goods, entry(kind), 7)
    assert event.text("bizStep") == step
    assert event.time_ms == 1_672_628_645_000
    assert ("quantityList" in event.fields) == bool(goods.lot)
    written = write_document([event], "2023-01-02T03:04:05Z")
    check_document(written)
    assert event_hash(parse_document(written).events[0]) == event_hash(event)


def test_the_command_is_listed():
    done = subprocess.run([sys.executable, "-m", "p2pcommerce", "trace", "--help"], capture_output=True, check=True)
    assert all(word in done.stdout for word in (b"hash", b"import", b"export"))
