"""The load of the ledger benchmark is the mix of the specification, and all of it succeeds."""

import importlib
import sys
from collections import Counter
from pathlib import Path

import pytest


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("bench_ledger")
    for name in ("bench_ledger", "ledger_load"):
        sys.modules.pop(name, None)


def test_every_transaction_of_the_load_succeeds(bench):
    found = bench.execute(2_000, None)
    assert found["transactions"] == 2_000
    assert found["tps"] > 0


def test_the_load_is_the_mix_of_the_specification(bench):
    load = bench.Load(stores=20, buyers=100)
    chain = bench.Chain(load.genesis, load.proposer)
    chain.block(load.opening())
    counts = Counter()
    for _ in range(12):
        drawn = load.draw(500)
        chain.block(drawn)
        counts.update(transaction.type for transaction in drawn)
    assert not chain.refused
    share = {name: count / counts.total() for name, count in counts.items()}
    for name, wanted in {"order.place": 0.21, "order.ship": 0.20, "order.confirm": 0.16, "review.post": 0.08}.items():
        assert abs(share[name] - wanted) < 0.02
    trace = sum(part for name, part in share.items() if name.startswith("trace."))
    assert abs(trace - 0.22) < 0.03


def test_a_large_state_is_read_back(bench, tmp_path):
    path = tmp_path / "state.sqlite"
    bench.write_state(path, 1_000)
    assert bench.read_state(path)["records"] > 1_000
