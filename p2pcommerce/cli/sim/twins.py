"""`p2pcommerce sim twins`: every small scenario in which one validator runs twice."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any, Final

from p2pcommerce.cli.shared import ArgumentError, print_json
from p2pcommerce.cli.sim.failure import repeat_command
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable, workers_of
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.twins import (
    LEADERS,
    ChunkFile,
    Space,
    TwinsCampaign,
    TwinsTally,
    read_arrangement,
    run_arrangement,
    run_twins,
)

__all__ = ["run"]

_SHARES: Final = {"p50": 5_000, "p99": 9_900, "max": 10_000}
"""Which quantiles of the time until finality resumes are told, in 1/10,000."""
_DEFAULTS: Final[Mapping[str, object]] = {"validators": 4, "rounds": 4, "groups": 2, "leaders": LEADERS[0]}


def run(args: argparse.Namespace) -> int:
    """Run the scenarios; 1: something was broken in one of them."""
    if args.arrangement is not None:
        return _repeat(args)
    if args.seed is not None and args.sample is None:
        raise ArgumentError("--seed decides a sample: give --sample")
    space = _space(args)
    campaign = TwinsCampaign.of(space, args.sample, 1 if args.seed is None else args.seed)
    started_s = time.monotonic()
    with terminable():
        tally, ran = _sweep(args, campaign)
    spent_min = (time.monotonic() - started_s) / 60
    stream = sys.stderr if args.json else sys.stdout
    for line in _lines(campaign, tally):
        stream.write(line + "\n")
    stream.flush()
    if args.json:
        print_json(_report(campaign, tally) | {"scenarios_per_minute": round(ran / spent_min, 1) if ran else None})
    return 1 if tally.failed else 0


def _space(args: argparse.Namespace) -> Space:
    chosen: dict[str, Any] = {
        name: default if getattr(args, name) is None else getattr(args, name) for name, default in _DEFAULTS.items()
    }
    return Space(chosen["validators"], chosen["rounds"], chosen["groups"], chosen["leaders"])


def _repeat(args: argparse.Namespace) -> int:
    """Run one scenario and tell all that came of it."""
    given = [name for name in (*_DEFAULTS, "sample", "seed", "out") if getattr(args, name) is not None]
    if given:
        raise ArgumentError(f"--arrangement decides the whole scenario: leave --{given[0]} out")
    ran = run_arrangement(read_arrangement(args.arrangement))
    if args.json:
        print_json(
            {
                "scenario": args.arrangement,
                "oracle": ran.oracle or None,
                "detail": ran.detail,
                "final_blocks": {"before_healing": ran.heights[0], "at_the_end": ran.heights[1]},
                "equivocal": ran.is_equivocal,
                "convictions": ran.convictions,
                "events": ran.events,
            }
        )
    else:
        print(f"{ran.oracle}: {ran.detail}" if ran.oracle else "nothing was broken")
        print(f"final blocks       {ran.heights[0]} before healing, {ran.heights[1]} at the end")
        print(f"evidence           {_counts(ran.convictions)}")
    return 1 if ran.oracle else 0


def _sweep(args: argparse.Namespace, campaign: TwinsCampaign) -> tuple[TwinsTally, int]:
    """Return the sum, and how many scenarios were run now."""
    tally, ran, total = TwinsTally(), 0, len(campaign.numbers)
    workers = workers_of(args)
    with ExitStack() as stack:
        file = None if args.out is None else stack.enter_context(ChunkFile(args.out, program_digest()))
        if file is not None and file.other_programs:
            sys.stderr.write(f"{args.out}: {file.other_programs} results of other sources are not used\n")
        bar = stack.enter_context(Progress(sys.stderr, "twins", total))
        for result, is_new in stack.enter_context(closing(run_twins(campaign, workers, file))):
            tally.add(result)
            ran += result.scenarios if is_new else 0
            bar.had(tally.scenarios - ran)
            bar.show(tally.scenarios, f"{tally.scenarios:,}/{total:,} scenarios, {tally.failed} failed")
    return tally, ran


def _report(campaign: TwinsCampaign, tally: TwinsTally) -> dict[str, object]:
    space = campaign.space
    return {
        "validators": space.validators,
        "instances": space.validators + 1,
        "rounds": space.rounds,
        "groups_max": space.groups_max,
        "leaders": space.leaders,
        "arrangements": space.arrangements,
        "distinct": len(space),
        "scenarios": tally.scenarios,
        "failed": tally.failed,
        "oracles": dict(sorted(tally.oracles.items())),
        "equivocal": tally.equivocal,
        "convictions": dict(sorted(tally.convictions.items())),
        "final_blocks_before_healing": {str(count): many for count, many in sorted(tally.progress.items())},
        "recovery_delays": {name: tally.recovery_delays(share_bps) for name, share_bps in _SHARES.items()},
        "trace_hash": tally.trace_hash,
        "events": tally.events,
        "failures": [
            {"scenario": each.scenario, "oracle": each.oracle, "detail": each.detail} for each in tally.failures
        ],
        "repro": repeat_command("twins", {"arrangement": tally.failures[0].scenario}) if tally.failures else None,
    }


def _lines(campaign: TwinsCampaign, tally: TwinsTally) -> list[str]:
    space, lines = campaign.space, []
    for failure in tally.failures:
        lines += [
            f"scenario {failure.number}: {failure.oracle}: {failure.detail}",
            f"repeat it: {repeat_command('twins', {'arrangement': failure.scenario})}",
            "",
        ]
    median, high, longest = (tally.recovery_delays(share_bps) for share_bps in _SHARES.values())
    progress = ", ".join(f"{count} in {many:,}" for count, many in sorted(tally.progress.items()))
    return [
        *lines,
        f"{space.validators} validators, one of them twinned, {space.rounds} rounds: {space.per_round} leaders and "
        f"partitions of at most {space.groups_max} groups for each round",
        f"{space.arrangements:,} arrangements, {len(space):,} without renamings; {tally.scenarios:,} run, "
        f"{tally.failed} failed",
        f"final blocks       {progress} of the scenarios, before healing",
        f"after healing      {median} at the median, {high} at 99 %, {longest} at most, in base delays",
        f"twins              contradicted themselves in {tally.equivocal:,} scenarios; evidence: "
        f"{_counts(tally.convictions)}",
        f"trace hash         {tally.trace_hash}",
    ]


def _counts(convictions: Mapping[str, int]) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in sorted(convictions.items())) or "none"
