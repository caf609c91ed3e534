"""The mutation gate: plant deliberate bugs, one at a time, and show that the simulator finds each.

    python tools/mutants/run.py [--only NAME]... [--seeds 1000] [--baseline 20] [--list] [--json]

For each bug the package is copied into a temporary folder, the bug is planted there, and the campaign that the
catalogue names runs on the copy, up to the first seed that fails. Before that the same campaigns run on an unplanted
copy, and afterwards the very seeds that found something: a campaign that fails on sound sources would prove nothing.

Exit code 0: every bug was found. 1: one was not, or a campaign fails on sound sources. 2: bad arguments, or the
catalogue does not fit the sources.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from catalogue import MUTANTS
from plants import Mutant, Plan, StaleError, planted

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "p2pcommerce"
SEEDS_MAX = 1_000
BASELINE_SEEDS = 20
WORKER_S_MAX = 1_200


class WorkerError(Exception):
    """A campaign that could not be run."""


@dataclass(frozen=True)
class Found:
    """What a campaign found.

    Attributes:
        mutant: the bug's name.
        breaks: the rule that it breaks.
        campaign: which worlds.
        seed: the first that failed; 0: none did.
        oracle: what failed there.
        detail: one line about it.
        tried: seeds run.
        cpu_s: processor time, seconds.
    """

    mutant: str
    breaks: str
    campaign: str
    seed: int
    oracle: str
    detail: str
    tried: int
    cpu_s: float


class Copy:
    """A copy of the package in a temporary folder, in which bugs are planted."""

    def __init__(self, folder: Path) -> None:
        """Copy the package."""
        self._root = folder
        self._package = folder / PACKAGE.name
        shutil.copytree(PACKAGE, self._package, ignore=shutil.ignore_patterns("__pycache__"))

    def plant(self, mutant: Mutant) -> dict[str, str]:
        """Put a bug in; return the sound sources."""
        changed = planted(mutant, self._package)
        sound = {name: (self._package / name).read_text(encoding="utf-8") for name in changed}
        self.write(changed)
        return sound

    def write(self, sources: dict[str, str]) -> None:
        """Write sources."""
        for name, source in sources.items():
            (self._package / name).write_text(source, encoding="utf-8")

    def run(self, plan: Plan, first_seed: int, seeds: int) -> dict[str, object]:
        """Run a campaign on what the copy holds now.

        Raises:
            WorkerError: the process failed, or ran another package.
        """
        command = [sys.executable, "-B", str(HERE / "worker.py"), plan.name, str(first_seed), str(seeds)]
        environment = {**os.environ, "PYTHONPATH": str(self._root)}
        try:
            done = subprocess.run(  # noqa: S603 - this very interpreter, with arguments of the catalogue
                command, env=environment, capture_output=True, text=True, timeout=WORKER_S_MAX, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise WorkerError(f"campaign {plan.name!r} took more than {WORKER_S_MAX} s") from error
        if done.returncode:
            raise WorkerError(f"campaign {plan.name!r} could not be run:\n{done.stderr.strip()}")
        report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        if Path(str(report["package"])).parent != self._package:
            raise WorkerError(f"campaign {plan.name!r} ran {report['package']}, not the copy in {self._package}")
        return report


def look(copy: Copy, mutant: Mutant, seeds: int) -> Found:
    """Plant one bug and look for it."""
    sound = copy.plant(mutant)
    try:
        report = copy.run(mutant.plan, 1, seeds)
    finally:
        copy.write(sound)
    return _found(mutant.name, mutant.breaks, mutant.plan, report)


def _found(name: str, breaks: str, plan: Plan, report: dict[str, object]) -> Found:
    return Found(
        mutant=name,
        breaks=breaks,
        campaign=plan.name,
        seed=int(str(report["seed"])),
        oracle=str(report["oracle"]),
        detail=str(report["detail"]),
        tried=int(str(report["tried"])),
        cpu_s=round(float(str(report["cpu_s"])), 1),
    )


def gate(mutants: tuple[Mutant, ...], seeds: int, baseline: int, *, as_json: bool) -> int:
    """Run the gate and return the exit code."""
    for mutant in mutants:
        planted(mutant, PACKAGE)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder))
        rows: list[Found] = []
        plans = {mutant.plan.name: mutant.plan for mutant in mutants} if baseline else {}
        for plan in plans.values():
            row = _found("(none)", "nothing", plan, copy.run(plan, 1, baseline))
            rows.append(row)
            _show(row)
        for mutant in mutants:
            row = look(copy, mutant, seeds)
            rows.append(row)
            _show(row)
            if row.seed > baseline:
                again = _found("(none)", "nothing", mutant.plan, copy.run(mutant.plan, row.seed, 1))
                rows.append(again)
                if again.seed:
                    _show(again)
    return _conclude(rows, as_json=as_json)


def _show(row: Found) -> None:
    what = f"seed {row.seed}: {row.oracle}" if row.seed else f"{row.tried} seeds, nothing found"
    sys.stderr.write(f"{row.mutant:24} {row.campaign:18} {what:34} {row.cpu_s:7.1f} s CPU  {row.breaks}\n")
    sys.stderr.flush()


def _conclude(rows: list[Found], *, as_json: bool) -> int:
    spoilt = [row for row in rows if row.mutant == "(none)" and row.seed]
    looked = [row for row in rows if row.mutant != "(none)"]
    alive = [row for row in looked if not row.seed]
    for row in spoilt:
        sys.stderr.write(f"campaign {row.campaign!r} fails on sound sources, seed {row.seed}: {row.detail}\n")
    for row in alive:
        sys.stderr.write(f"{row.mutant} was not found in {row.tried} seeds of {row.campaign!r}: {row.breaks}\n")
    seconds = sum(row.cpu_s for row in rows)
    if as_json:
        document = {"found": len(looked) - len(alive), "mutants": len(looked), "cpu_s": round(seconds, 1)}
        sys.stdout.write(json.dumps({**document, "rows": [asdict(row) for row in rows]}) + "\n")
    else:
        sys.stdout.write(f"{len(looked) - len(alive)} of {len(looked)} bugs found, {seconds:.0f} s of CPU\n")
    return 1 if spoilt or alive else 0


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="mutants", description="Plant bugs, and show that the simulator finds them.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this bug only; may be given again")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help=f"worlds for each at most (default {SEEDS_MAX})")
    parser.add_argument("--baseline", type=int, default=BASELINE_SEEDS, help="worlds without a bug, per campaign")
    parser.add_argument("--list", action="store_true", help="name the bugs and stop")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.only or () if name not in {mutant.name for mutant in MUTANTS}]
    if unknown or options.seeds < 1 or options.baseline < 0:
        wrong = f"there is no bug {unknown[0]!r}; see --list" if unknown else "--seeds and --baseline count worlds"
        sys.stderr.write(f"{wrong}\n")
        return 2
    chosen = tuple(mutant for mutant in MUTANTS if not options.only or mutant.name in options.only)
    if options.list:
        for mutant in chosen:
            sys.stdout.write(f"{mutant.name:24} {mutant.plan.name:18} {mutant.breaks}\n")
        return 0
    try:
        return gate(chosen, options.seeds, options.baseline, as_json=options.json)
    except StaleError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except WorkerError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
