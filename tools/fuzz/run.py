"""Fuzz every decoder and every core.

    python tools/fuzz/run.py [--only NAME]... [--seconds S] [--backend auto|guided|plain] [--seed N] [--corpus DIR]
                             [--list] [--json] [--repeat FILE] [--reseed]

For each target its kept inputs run first, then changed ones, for some seconds. With atheris (the extra `fuzz`) they are
chosen by the coverage that they reach; without it the plain back end changes them at random, by structure. What breaks
something is written to build/fuzz/crashes with the command that repeats it; once it is mended, its place is the corpus
in the repository.

Exit code 0: nothing broke. 1: something did. 2: bad arguments.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz import guided
from fuzz.catalogue import targets
from fuzz.corpus import CORPUS, keep, kept
from fuzz.findings import repeat_command, write_finding
from fuzz.plain import Result, look
from fuzz.synthesis import made_inputs
from fuzz.target import Target

SECONDS = 7.0
GROWN = Path("build/fuzz")
BACKENDS = ("auto", "guided", "plain")


def choose(backend: str) -> bool:
    """Tell whether to use atheris; say so where it is missing."""
    if backend == "plain" or guided.is_here():
        return backend != "plain"
    sys.stderr.write(
        "atheris is not installed here (pip install '.[fuzz]'; it has wheels for CPython 3.11 and newer on Linux): "
        "looking without coverage\n"
    )
    return False


def fuzz(chosen: list[Target], options: argparse.Namespace) -> list[Result]:
    """Look at each target."""
    with_coverage = choose(options.backend)
    grown = Path(options.corpus)
    results: list[Result] = []
    for target in chosen:
        inputs = kept(target.name) + made_inputs(target.name) + kept(target.name, grown / "grown")
        if with_coverage:
            result = guided.guide(target.name, inputs, options.seconds, grown)
        else:
            rng = random.Random(f"{options.seed} {target.name}")
            result = look(target, inputs, rng, seconds=options.seconds)
            keep(target.name, result.fresh, grown / "grown")
        results.append(result)
        _show(result, grown)
    return results


def _show(result: Result, grown: Path) -> None:
    speed = result.runs / result.cpu_s if result.cpu_s else 0.0
    words = f"{result.runs:9,} inputs, {result.accepted:9,} accepted, {speed:8,.0f} per second of CPU"
    sys.stderr.write(f"{result.target:42} {words}  {result.backend}\n")
    for finding in result.findings:
        path = write_finding(finding, grown / "crashes")
        sys.stderr.write(f"  BROKE {finding.where}: {finding.what}\n        {repeat_command(path, finding.target)}\n")
    sys.stderr.flush()


def _conclude(results: list[Result], *, as_json: bool) -> int:
    found = sum(len(result.findings) for result in results)
    runs, cpu_s = sum(result.runs for result in results), sum(result.cpu_s for result in results)
    if as_json:
        rows = []
        for result in results:
            row = asdict(result)
            row["findings"] = [
                {**each, "data": finding.data.hex()}
                for each, finding in zip(row["findings"], result.findings, strict=True)
            ]
            row["fresh"] = len(result.fresh)
            rows.append(row)
        document = {"targets": len(results), "runs": runs, "cpu_s": round(cpu_s, 1), "findings": found, "rows": rows}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        sys.stdout.write(f"{len(results)} targets, {runs:,} inputs, {cpu_s:.0f} s of CPU, {found} broke something\n")
    return 1 if found else 0


def _reseed(chosen: list[Target]) -> int:
    """Add the first inputs of targets to the corpus in the repository."""
    from fuzz.seeds import seeds_of  # noqa: PLC0415 - it knows the product's insides, which no run needs

    for target in chosen:
        count = keep(target.name, seeds_of(target), CORPUS)
        if count:
            sys.stderr.write(f"{target.name:42} {count} new inputs\n")
    return 0


def _repeat(target: Target, path: Path) -> int:
    """Run one input, and let whatever comes of it be seen."""
    accepted = target.take(path.read_bytes())
    sys.stdout.write(f"{target.name}: {'accepted' if accepted else 'refused'}\n")
    return 0


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz every decoder and every core.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this target, or those whose names begin so")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for each target (default {SECONDS:g})")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="with coverage (atheris) or without")
    parser.add_argument("--seed", type=int, default=1, help="of the changes, without coverage")
    parser.add_argument("--corpus", default=str(GROWN), metavar="DIR", help=f"where new inputs go (default {GROWN})")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="run this input alone; wants one --only")
    parser.add_argument("--reseed", action="store_true", help="make first inputs anew, into the corpus that is kept")
    parser.add_argument("--list", action="store_true", help="name the targets and stop")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    options = parser.parse_args(arguments)
    chosen = _chosen(options.only)
    wrong = "" if chosen else "there is no such target; see --list"
    if options.repeat is not None and len(chosen) != 1:
        wrong = "--repeat wants one target: give its whole name with --only"
    if wrong or options.seconds <= 0:
        sys.stderr.write(f"{wrong or '--seconds must be above 0'}\n")
        return 2
    if options.list:
        for target in chosen:
            sys.stdout.write(f"{target.name:42} {target.form.value:8} {len(kept(target.name)):3} kept\n")
        return 0
    if options.repeat is not None:
        return _repeat(chosen[0], options.repeat)
    if options.reseed:
        return _reseed(chosen)
    return _conclude(fuzz(chosen, options), as_json=options.json)


def _chosen(only: list[str] | None) -> list[Target]:
    everything = targets()
    if not only:
        return list(everything.values())
    parts = tuple(part for part in only if part not in everything)
    return [target for name, target in everything.items() if name in only or (parts and name.startswith(parts))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
