"""What importing the library costs, beyond its three dependencies.

Method: CPU time of the import statement alone, in fresh interpreters that have imported trio, msgpack and nacl.bindings
already; the median of 15, after one that fills the cache of compiled modules. Two figures: `import p2pcommerce`, whose
public names are imported when they are first used, and `everything`, which uses each of them at once (what a program
that opens a node pays in the end). `longest` are the modules that cost most of that by themselves.

    python benchmarks/bench_import.py [--json] [--runs 15]

Required: `import p2pcommerce` at most 100 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

REQUIRED_MS = 100
DEPENDENCIES = "import trio, msgpack, nacl.bindings"
STATEMENTS = {
    "import": "import p2pcommerce",
    "everything": "import p2pcommerce as p; [getattr(p, name) for name in p.__all__]",
}
LONGEST_SHOWN = 8


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter."""
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)


def cpu_ms(before: str, statement: str) -> float:
    """Return the CPU milliseconds of a statement in a fresh interpreter, after another."""
    code = f"import time\n{before}\nbegun = time.process_time()\n{statement}\nprint(time.process_time() - begun)"
    return float(run("-c", code).stdout) * 1e3


def longest() -> dict[str, float]:
    """Return the modules that cost most by themselves, milliseconds of wall time, the dependencies left out."""
    text = run("-X", "importtime", "-c", f"{DEPENDENCIES}\nimport sys; print('---', file=sys.stderr)").stderr
    known = {line.rpartition("|")[2].strip() for line in text.splitlines()}
    costs: dict[str, float] = {}
    text = run("-X", "importtime", "-c", f"{DEPENDENCIES}\n{STATEMENTS['everything']}").stderr
    for line in text.splitlines():
        own_us, _, rest = line.removeprefix("import time:").partition("|")
        name = rest.rpartition("|")[2].strip()
        if own_us.strip().isdecimal() and name not in known:
            costs[name] = int(own_us) / 1e3
    return dict(sorted(costs.items(), key=lambda item: -item[1])[:LONGEST_SHOWN])


def figure(samples: list[float], required: int | None = None) -> dict[str, object]:
    """Return median and least of some samples."""
    told: dict[str, object] = {
        "value": round(statistics.median(samples), 1),
        "least": round(min(samples), 1),
        "unit": "ms CPU",
    }
    return told if required is None else {**told, "required": required}


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="CPU time of importing the library.")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    samples: dict[str, list[float]] = {"dependencies": [], **{name: [] for name in STATEMENTS}}
    run("-c", STATEMENTS["everything"])
    for _ in range(options.runs):
        samples["dependencies"].append(cpu_ms("", DEPENDENCIES))
        for name, statement in STATEMENTS.items():
            samples[name].append(cpu_ms(DEPENDENCIES, statement))
    result: dict[str, object] = {
        "dependencies": figure(samples["dependencies"]),
        "import": figure(samples["import"], REQUIRED_MS),
        "everything": figure(samples["everything"]),
        "longest": {name: {"value": round(cost, 1), "unit": "ms"} for name, cost in longest().items()},
    }
    if options.json:
        print(json.dumps(result))
        return 0
    for name in ("dependencies", "import", "everything"):
        shown = figure(samples[name])
        print(f"{name:>14}  {shown['value']} {shown['unit']}, median of {options.runs} (least {shown['least']})")
    for name, cost in longest().items():
        print(f"{cost:>14.1f} ms  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
