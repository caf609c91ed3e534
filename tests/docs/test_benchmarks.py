"""The overview of the benchmarks is whole, and each of them still runs: what they measure is nobody's test."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

# One small run of each; of bench_finality.py, whose full parts take a minute, the parts that are short.
SMALL = {
    "bench_blobs.py": ["--blobs 1 --bytes 65536 --runs 1"],
    "bench_connections.py": ["--connections 8 --transactions 500"],
    "bench_delivery.py": ["--transactions 100 --turns 1"],
    "bench_finality.py": [
        "--part processes --rates 20 --seconds 2 --search 0",
        "--part idle",
        "--part certificates",
    ],
    "bench_finality_spread.py": ["--part validators --validators 6 --direct-max 4 --seconds 4"],
    "bench_gossip.py": ["--nodes 3 --transactions 20", "--nodes 3 --transactions 20 --sections"],
    "bench_idle.py": ["--peers 1 --seconds 1 --settle 0.5"],
    "bench_import.py": ["--runs 1"],
    "bench_ledger.py": ["--transactions 500 --records 1000 --runs 1"],
    "bench_light.py": ["--epochs 3 --validators 4 --signatures 4 --runs 1"],
    "bench_mempool.py": ["--junk 500 --count-max 1000"],
    "bench_proofs.py": ["--runs 1"],
    "bench_reconcile.py": ["--sizes 100 --differences 5 --runs 1"],
    "bench_simulator.py": ["--seeds 1 --nodes 20 --load 1"],
    "bench_sync.py": ["--transactions 200 --accounts 500"],
}
RUN_S_MAX = 300  # a machine that is busy with other things


def test_every_benchmark_is_listed_once_and_no_other():
    listed = re.findall(
        r"^\| `(bench_\w+\.py)` \| \S", (BENCHMARKS / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(path.name for path in BENCHMARKS.glob("bench_*.py"))


def test_every_benchmark_has_a_small_run_here():
    assert sorted(SMALL) == sorted(path.name for path in BENCHMARKS.glob("bench_*.py"))


@pytest.mark.parametrize(("name", "options"), [(name, run) for name, runs in SMALL.items() for run in runs])
def test_every_benchmark_runs_and_ends_with_one_json_object(name: str, options: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *options.split(), "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert isinstance(json.loads(done.stdout.splitlines()[-1]), dict)
    assert not list(tmp_path.iterdir()), "a benchmark leaves nothing behind"
