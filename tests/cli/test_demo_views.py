"""What people see without a terminal: the plain lines, the summary."""

from __future__ import annotations

import io

import pytest

from p2pcommerce.cli.demo.flash_sale import FlashSaleResult
from p2pcommerce.cli.demo.monitor import NodeFigures, Snapshot, quantile_ms
from p2pcommerce.cli.demo.outage import Outage
from p2pcommerce.cli.demo.plain import PlainView
from p2pcommerce.cli.demo.report import DemoReport
from p2pcommerce.cli.demo.story import StoryLine
from p2pcommerce.cli.demo.summary import Agreement, TraceProof
from p2pcommerce.commerce import HistoryEntry

SNAPSHOT = Snapshot(
    phase="trading",
    elapsed_s=12.0,
    total_s=60.0,
    height=1_234,
    tx_per_s=49.6,
    p50_ms=131.2,
    p99_ms=640.0,
    submitted=900,
    finalized=880,
    failed=1,
    rejected=2,
    in_flight=17,
    nodes=(
        NodeFigures("validator 0", "d51fa001", "up", 1_234, 3, 5, 43.0, 300),
        NodeFigures("validator 1", "9e2b7c44", "behind", 1_200, 3, 5, None, 290),
        NodeFigures("validator 2", "77aa1b0c", "down", 1_100, 0, 0, None, 280),
    ),
    latency_history_ms=(0.0, 100.0, 200.0, 131.2),
    rate_history=(0.0, 50.0, 49.6),
    story=(
        StoryLine(1.0, "+", "customer 17850 orders 6 x [red]lantern[/] for 15.30", 0.131),
        StoryLine(2.0, "!", "validator 2 is killed", 0.0),
    ),
    news=(StoryLine(2.0, "!", "validator 2 is killed", 0.0),),
)
ENTRY = HistoryEntry(bytes(32), "trace.ship", b"\xab" * 32, b"\xcd" * 32, 1_700_000_000_000, 1_700_000_001_000)


def report(**changes):
    fields = {
        "nodes": 4,
        "submitted": 100,
        "finalized": 98,
        "failed": {"NO_STOCK": 1},
        "rejected": {"NO_FUNDS": 2},
        "lost": 0,
        "agreement": Agreement(77, ("ab" * 32,) * 4, agree=True),
        "submit_to_final_ms": {"p50": 120.0, "p95": 200.0, "p99": None},
        "tx_per_s": 49.9,
        "supply_ok": True,
        "trace_proof": TraceProof("/01/1/21/a", 1, 1_800, verified=True, reason="", history=(ENTRY,)),
        "wall_s": 61.0,
        "rss_mib_max": 43.2,
        "skipped": {"price is zero": 3},
        "orders": {"confirmed": 20},
        "mix": {"place": 21},
        "starved": 0,
        "senders": 300,
        "outage": None,
    }
    return DemoReport(**(fields | changes))


def test_plain_lines_show_the_figures_and_what_befell_the_network_once():
    stream = io.StringIO()
    view = PlainView(stream)
    view.show(SNAPSHOT)
    view.show(SNAPSHOT)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if "killed" in line] == ["  ! validator 2 is killed"]
    assert "height 1234, 50 tx/s, final in 131 ms (p99 640 ms)" in lines[1]
    assert "1234/3p/5m 1200/3p/5m down" in lines[1]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([0.1], 50, 100.0),
        ([0.1, 0.2, 0.3, 0.4], 50, 200.0),
        ([number / 1_000 for number in range(1, 101)], 99, 99.0),
        ([number / 1_000 for number in range(1, 101)], 95, 95.0),
    ],
)
def test_percentiles_are_by_nearest_rank(values, percent, expected):
    assert quantile_ms(values, percent) == expected


def test_the_json_object_has_the_names_that_others_build_on():
    plain = report().to_plain()
    assert list(plain)[:15] == [
        *["nodes", "submitted", "finalized", "failed", "rejected", "lost", "height", "state_roots", "agree"],
        *["submit_to_final_ms", "tx_per_s", "supply_ok", "trace_proof", "wall_s", "rss_mib"],
    ]
    assert plain["trace_proof"] == {"product": "/01/1/21/a", "events": 1, "bytes": 1_800, "verified": True}
    assert plain["rss_mib"] == {"max": 43.2}
    assert plain["height"] == 77


@pytest.mark.parametrize(
    "changes",
    [
        {"lost": 1},
        {"supply_ok": False},
        {"agreement": Agreement(77, ("ab" * 32, "cd" * 32), agree=False)},
        {"trace_proof": TraceProof("/01/1/21/a", 1, 0, verified=False, reason="it is cold", history=())},
        {"outage": Outage(3)},
    ],
)
def test_anything_that_does_not_agree_makes_the_run_fail(changes):
    assert report().ok
    failed = report(**changes)
    assert not failed.ok
    assert any(line.startswith("✗") for line in failed.lines())


def test_what_the_load_cost_and_how_it_was_mixed_is_told():
    told = report(cpu_ms_per_tx={"validators": 6.2, "demo": 0.8}, disk_bytes_per_tx=2_051, mix={"place": 3, "ship": 1})
    text = "\n".join(told.lines())
    assert "processor time per transaction: validators 6.2 ms, demo 0.8 ms" in text
    assert "2,051 bytes per transaction and validator" in text
    assert "place 75, ship 25, confirm 0" in text
    assert told.to_plain()["mix_percent"]["place"] == 75.0


@pytest.mark.parametrize("sold", [10, 9])
def test_a_part_of_the_summary_that_is_not_as_it_has_to_be_makes_the_run_fail(sold):
    sale = FlashSaleResult(stock=10, asked=12, sold=sold, left=10 - sold, refused={"NO_STOCK": 12 - sold})
    whole = report(sections=(sale,))
    assert whole.ok is sale.ok is (sold == 10)
    assert whole.to_plain()["flash_sale"] == sale.to_plain()
    assert any("flash sale: 10 units" in line for line in whole.lines())


def test_the_summary_is_complete():
    outage = Outage(3, down_s=1.0, catch_up_s=2.0, caught_up=True, blocks_missed=9, longest_gap_ms=600.0)
    text = "\n".join(report(outage=outage).lines())
    for part in ("all 4 nodes", "NO_STOCK 1", "NO_FUNDS 2", "0 lost", "price is zero 3", "missed 9 blocks", "ship"):
        assert part in text
    assert "signed by abababab" in text
