"""`--shrink`: make the world of a failed seed small, and keep it in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.cli.sim.failure import repeat_command
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.simulation.outcome import Outcome, SeedTask, options_of
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.shrink import RUNS_MAX, shrink
from p2pcommerce.simulation.world import run_scenario

__all__ = ["shrink_failure"]


def shrink_failure(task: SeedTask, failure: Outcome, path: Path) -> Path:
    """Shrink the world of a failed seed, and return the file that holds what is left.

    Raises:
        ArgumentError: the file cannot be written.
    """
    options = options_of(task.stack)

    def run(scenario: Scenario) -> Result:
        return run_scenario(scenario, options)

    with Progress(sys.stderr, f"shrinking seed {failure.seed}", RUNS_MAX) as bar:
        shrunk = shrink(task.scenario, run, on_run=lambda runs, best: bar.show(runs, _size(best)))
    try:
        path.write_text(shrunk.scenario.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error
    sys.stderr.write(
        f"shrunk in {shrunk.runs} runs to {_size(shrunk.scenario)}: {shrunk.detail}\n"
        f"kept in {path}; run it: {repeat_command(task.stack, {'scenario': path})}\n"
    )
    return path


def _size(scenario: Scenario) -> str:
    seconds = scenario.horizon_us / 1_000_000
    return f"{scenario.nodes} nodes, {seconds:.3f} s, {len(scenario.faults)} kinds of faults, {scenario.load_tps} tx/s"
