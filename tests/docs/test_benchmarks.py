"""The overview of the benchmarks is whole."""

import re
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_benchmark_is_listed_once_and_no_other():
    listed = re.findall(
        r"^\| `(bench_\w+\.py)` \| \S", (BENCHMARKS / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(path.name for path in BENCHMARKS.glob("bench_*.py"))
