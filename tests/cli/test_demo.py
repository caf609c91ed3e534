"""The demo for real: processes, sockets, SQLite, kill -9, Ctrl-C, and a guest's node; half a minute in all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from p2pcommerce.runtime.lock import DirectoryLock

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "p2pcommerce"]
WAIT_S = 60
ORDERS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom
536366,22633,HAND WARMER UNION JACK,6,2010-12-01 08:28:00,1.85,,United Kingdom
536367,POST,POSTAGE,1,2010-12-01 08:34:00,18.00,13047,United Kingdom
536368,22960,JAM MAKING SET WITH JARS,6,2010-12-01 08:34:00,0.00,13047,United Kingdom
C536379,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-1,2010-12-01 09:41:00,2.55,17850,United Kingdom
"""
EVENTS = {
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "EPCISDocument",
    "schemaVersion": "2.0",
    "creationDate": "2024-01-01T00:00:00Z",
    "epcisBody": {
        "eventList": [
            {
                "type": "ObjectEvent",
                "eventTime": f"2024-01-0{day}T10:00:00Z",
                "eventTimeZoneOffset": "+00:00",
                "epcList": ["urn:epc:id:sgtin:9520001.000010.7"],
                "action": "OBSERVE",
                "bizStep": step,
            }
            for day, step in enumerate(("shipping", "receiving", "inspecting", "shipping"), 1)
        ]
    },
}


def run(command, timeout_s=WAIT_S):
    return subprocess.run(command, check=False, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout_s)


def stopped(folder, nodes):
    """Whether no process holds a node's folder any more."""
    for index in range(nodes):
        DirectoryLock.acquire(folder / f"node{index}").release()
    return True


def test_a_network_survives_a_kill_and_everything_adds_up(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "epcis").mkdir()
    (tmp_path / "epcis" / "one.jsonld").write_text(json.dumps(EVENTS))
    arguments = ["--nodes", "4", "--rate", "40", "--duration", "5", "--kill-one", "--seed", "1", "--json"]
    sources = ["--orders", tmp_path / "orders.csv", "--epcis", tmp_path / "epcis", "--dir", tmp_path / "network"]
    done = run([*COMMAND, "demo", *arguments, *sources])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert len(report["state_roots"]) == report["nodes"] == 4
    assert len(set(report["state_roots"])) == 1
    assert (report["agree"], report["supply_ok"], report["lost"]) == (True, True, 0)
    assert report["submitted"] == report["finalized"] + sum(report["rejected"].values())
    assert report["failed"] == {}
    assert report["finalized"] >= 200
    assert report["kill_one"]["caught_up"]
    assert report["kill_one"]["blocks_missed"] > 0
    assert report["trace_proof"]["verified"]
    assert report["trace_proof"]["events"] >= 3
    assert report["skipped"]["business step inspecting"] == 1
    assert report["skipped"]["price is zero"] == 1
    assert report["orders"]["confirmed"] > 0
    totals = report["totals"]
    assert (totals["equal"], totals["unknown"], totals["different"]) == (True, 0, 0)
    assert totals["orders"] >= 10  # the file has three orders, and is begun again and again
    assert totals["ledger_minor"] == totals["files_minor"] > 0
    assert stopped(tmp_path / "network", 4)


@pytest.fixture
def endless(tmp_path):
    """A demo that goes on until a test stops it."""
    folder = tmp_path / "network"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--nodes", "2", "--rate", "10", "--forever", "--dir", folder],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if line.startswith("trading"):
                break
        yield process, folder
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_guest_joins_and_pays_and_ctrl_c_stops_it_all(endless):
    process, folder = endless
    paid = run([sys.executable, ROOT / "docs" / "examples" / "pay.py", folder])
    assert paid.returncode == 0, paid.stderr
    assert paid.stdout.startswith("OK at height ")
    assert "12499360" in paid.stdout
    height = int(paid.stdout.split()[3])
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=2) == 130
    assert stopped(folder, 2)
    again = run([*COMMAND, "demo", "--duration", "1", "--rate", "10", "--dir", folder, "--json"])
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout.splitlines()[-1])
    assert report["nodes"] == 2
    assert report["height"] > height
    assert report["agree"]


def test_a_second_demo_in_the_same_folder_is_refused_and_changes_nothing(tmp_path):
    first = run([*COMMAND, "demo", "--nodes", "1", "--rate", "5", "--duration", "1", "--dir", tmp_path])
    assert first.returncode == 0, first.stderr
    before = (tmp_path / "demo.json").read_bytes()
    with DirectoryLock.acquire(tmp_path):
        second = run([*COMMAND, "demo", "--duration", "1", "--dir", tmp_path])
    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert f"process {os.getpid()}" in second.stderr
    assert (tmp_path / "demo.json").read_bytes() == before


def test_the_story_is_told_and_a_stranger_verifies_its_end():
    done = run([*COMMAND, "demo", "--story", "--json"])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["ok"], report["broken"], report["agree"], report["supply_ok"]) == (True, "", True, True)
    assert len(set(report["state_roots"])) == 1
    assert len(report["state_roots"]) == 4
    steps = report["steps"]
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    sent = [step for step in steps if step["type"]]
    assert [step["type"] for step in sent][4:] == [
        "product.set",
        "trace.commission",
        *("trace.ship", "trace.receive") * 2,
        "store.set",
        "terms.set",
        "listing.set",
        "order.place",
        "order.ship",
        "order.confirm",
        "review.post",
    ]
    assert all(len(step["tx_id"]) == 64 and step["height"] and step["took_ms"] for step in sent)
    assert len({step["tx_id"] for step in sent}) == len(sent)
    assert {step["payer"] for step in sent if step["who"] == "Ben"} == {"Sam the sponsor"}
    assert 0 < report["reward_minor"] < 24_000_000 * 500 // 10_000
    assert report["proof"]["verified"]
    assert report["proof"]["forged_refused"]
    assert report["proof"]["events"] == 7
    for step in steps:
        assert step["what"] in done.stderr


def test_the_story_stops_on_an_interrupt(tmp_path):
    folder = tmp_path / "network"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--story", "--dir", folder], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    with process:
        while not process.stdout.readline().startswith("  1. "):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
    assert stopped(folder, 4)


@pytest.mark.parametrize(
    "options",
    [["--kill-one"], ["--workload", "S", "--abuse", "all"], ["--rate", "5"], ["--duration", "60"], ["--peak", "1"]],
)
def test_a_story_is_told_as_it_is(options):
    done = run([*COMMAND, "demo", "--story", *options])
    assert (done.returncode, done.stdout) == (2, "")
    named = ", ".join(each for each in options if each.startswith("--"))
    assert f"--story is told as it is: leave {named} out" in done.stderr
