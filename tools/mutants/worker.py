"""Run one campaign on the package that this process imports, up to the first seed that fails; print one line of JSON.

python worker.py PLAN FIRST_SEED SEEDS
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

from catalogue import MUTANTS
from plants import SECOND_US, Plan

import p2pcommerce
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.outcome import failure_of, options_of
from p2pcommerce.simulation.scenario import Adversary, Scenario
from p2pcommerce.simulation.world import run_scenario


def campaign_of(plan: Plan, first_seed: int, seeds: int) -> Campaign:
    """Return the worlds of a plan."""
    base = Scenario(
        seed=first_seed,
        nodes=plan.nodes,
        stakes=(1,) * plan.validators,
        horizon_us=plan.seconds * SECOND_US,
        liveness_us=plan.liveness * SECOND_US,
        load_tps=plan.rate,
        base_delay_us=plan.delay_ms * 1_000,
    )
    campaign = Campaign.of(base, plan.stack, first_seed, seeds, faults=plan.faults, draw_stakes=plan.draws_stakes)
    return replace(campaign, cast=tuple(Adversary(name, nodes) for name, nodes in plan.cast.items()))


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    name, first_seed, seeds = arguments[0], int(arguments[1]), int(arguments[2])
    plan = next(mutant.plan for mutant in MUTANTS if mutant.plan.name == name)
    parameters = None
    if plan.pool_count_max is not None:
        parameters = NodeParameters(mempool=replace(MempoolParameters(), count_max=plan.pool_count_max))
    options = replace(options_of(plan.stack), parameters=parameters)
    found = {"seed": 0, "oracle": "", "detail": "", "scenario": ""}
    tried = 0
    for task in campaign_of(plan, first_seed, seeds).tasks():
        tried += 1
        oracle, detail = failure_of(run_scenario(task.scenario, options))
        if oracle:
            found = {
                "seed": task.scenario.seed,
                "oracle": oracle,
                "detail": detail,
                "scenario": task.scenario.to_json(),
            }
            break
    report = {**found, "tried": tried, "cpu_s": time.process_time(), "package": str(p2pcommerce.__file__)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
