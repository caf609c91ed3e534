"""`p2pcommerce sim finality` and `sim network`: many seeds of a network of whole nodes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from p2pcommerce.cli.shared import ArgumentError, print_json
from p2pcommerce.cli.sim.failure import failure_lines, repeat_command
from p2pcommerce.cli.sim.judgement import remarks, shortfalls
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.shrinking import shrink_failure
from p2pcommerce.cli.sim.workers import terminable, workers_of
from p2pcommerce.finality import FFG, Solo
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.campaign import Campaign, run_campaign
from p2pcommerce.simulation.churn import CHURNS
from p2pcommerce.simulation.outcome import Outcome, SeedTask
from p2pcommerce.simulation.outcome_file import OutcomeFile
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.scenario import ENGINES, SCENARIO_BYTES_MAX, Scenario
from p2pcommerce.simulation.tally import Tally

__all__ = ["run"]

_NODES_MIN: Final = {"finality": 1, "network": 7}
_VALIDATORS_MAX: Final = 200
_SECONDS_MIN: Final = 0.001
_SECONDS_MAX: Final = 365 * 86_400.0
_SHARES: Final = {"p50": 5_000, "p99": 9_900, "max": 10_000}
"""Which quantiles of the time until finality resumes, and of the gaps between epochs, are told, in 1/10,000."""
_DEFAULTS: Final[Mapping[str, object]] = {
    "first_seed": 1,
    "seeds": 100,
    "nodes": None,
    "validators": 4,
    "stakes": None,
    "engine": next(iter(ENGINES)),
    "faults": "all",
    "adversaries": "none",
    "latency": "aws",
    "rate": 5,
    "horizon": 60.0,
    "liveness": 30.0,
    "epoch_blocks": Scenario(seed=0).epoch_blocks,
    "churn": CHURNS[0],
}
"""Options that decide a world; with `--scenario` a file has them instead."""
_DEFAULTS_OF: Final[Mapping[str, Mapping[str, object]]] = {
    # A block is final some 20 slots of a second after it was made, and within 50 once the faults are over.
    FFG.name: {"horizon": 105.0, "liveness": 75.0},
    Solo.name: {"validators": 1},
}
"""Defaults that differ, by engine."""


def run(args: argparse.Namespace) -> int:
    """Run the seeds; 1: a seed failed, or the whole shows less than it should (`shortfalls`)."""
    started_s = time.monotonic()
    campaign = _campaign(args)
    for line in remarks(campaign, args.adversaries):
        sys.stderr.write(line + "\n")
    with terminable():
        tally, ran = _sweep(args, campaign)
        spent_min = (time.monotonic() - started_s) / 60
        silent = tally.silent(campaign.faults)
        missed = shortfalls(campaign, tally)
        repeats = [_repeat(args, campaign, outcome) for outcome in tally.failures]
        stream = sys.stderr if args.json else sys.stdout
        for line in [*_lines(args, campaign, tally, repeats), *missed]:
            stream.write(line + "\n")
        stream.flush()
        kept = None
        if args.shrink is not None and tally.failures:
            kept = _shrink(args, campaign, tally.failures[0])
    if args.json:
        report = _report(args, campaign, tally)
        report["seeds_per_minute"] = round(ran / spent_min, 1) if ran else None
        report["repro"] = repeats[0] if repeats else None
        report["silent_faults"] = silent
        report["shortfalls"] = missed
        report["scenario"] = None if kept is None else str(kept)
        print_json(report)
    return 1 if tally.failures or missed else 0


def _shrink(args: argparse.Namespace, campaign: Campaign, failure: Outcome) -> Path:
    path: Path = args.shrink
    if path == Path():
        path = Path(f"seed-{failure.seed}.scenario.json")
    return shrink_failure(SeedTask(campaign.scenario(failure.seed), args.stack), failure, path)


# --- what to run ---


def _campaign(args: argparse.Namespace) -> Campaign:
    if args.scenario is not None:
        return _of_file(args)
    if args.seed is not None:
        if args.seeds is not None or args.first_seed is not None:
            raise ArgumentError("--seed is one world: leave --first-seed and --seeds out")
        args.first_seed, args.seeds = args.seed, 1
    defaults = {**_DEFAULTS, **_DEFAULTS_OF.get(args.engine or "", {})}
    chosen = {name: _chosen(args, name, default) for name, default in defaults.items()}
    if args.liveness is None and args.horizon is not None:
        chosen["liveness"] = min(chosen["liveness"], chosen["horizon"] / 2)
    stakes = _stakes(args, chosen)
    validators = len(stakes)
    nodes = chosen["nodes"]
    if nodes is None:
        # Where validators change, as many others wait for their turn.
        nodes = max(validators, _NODES_MIN[args.stack]) if chosen["churn"] == CHURNS[0] else 2 * validators
    if nodes < validators:
        raise ArgumentError(f"--nodes must be at least --validators, which is {validators}")
    base = Scenario(
        seed=0,
        nodes=nodes,
        stakes=stakes,
        engine=chosen["engine"],
        table=chosen["latency"],
        load_tps=chosen["rate"],
        horizon_us=_microseconds("horizon", chosen["horizon"], _SECONDS_MIN, _SECONDS_MAX),
        liveness_us=_microseconds("liveness", chosen["liveness"], 0, chosen["horizon"]),
        epoch_blocks=chosen["epoch_blocks"],
        churn=chosen["churn"],
    )
    return Campaign.of(
        base,
        args.stack,
        chosen["first_seed"],
        chosen["seeds"],
        faults=chosen["faults"],
        adversaries=chosen["adversaries"],
        above_third=args.above_third,
        draw_stakes=args.stakes is None and chosen["churn"] == CHURNS[0],
    )


def _stakes(args: argparse.Namespace, chosen: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the stakes that were named, else equal ones of as many validators as were asked for."""
    count = chosen["validators"]
    stakes = None
    if args.stakes is not None:
        words = [word.strip() for word in args.stakes.split(",")]
        if not all(word.isascii() and word.isdigit() and int(word) for word in words):
            raise ArgumentError("--stakes must be integers above 0 with commas between, one for each validator")
        stakes = tuple(map(int, words))
        if args.validators is None:
            count = len(stakes)
        elif count != len(stakes):
            raise ArgumentError(f"--stakes names {len(stakes)} validators, --validators {count}; leave one out")
    if chosen["engine"] == Solo.name and count != 1:
        raise ArgumentError(f"--engine {Solo.name} is one validator's: leave --validators out")
    if not 1 <= count <= _VALIDATORS_MAX:
        raise ArgumentError(f"--validators must be 1 to {_VALIDATORS_MAX}")
    return (1,) * count if stakes is None else stakes


def _chosen(args: argparse.Namespace, name: str, default: object) -> Any:  # noqa: ANN401 - each option has its own type
    value = getattr(args, name, None)
    return default if value is None else value


def _microseconds(name: str, seconds: float, least: float, most: float) -> int:
    if not least <= seconds <= most:
        raise ArgumentError(f"--{name} must be {least:g} to {most:,.12g} seconds")
    return round(seconds * MICROSECONDS)


def _of_file(args: argparse.Namespace) -> Campaign:
    given = [name for name in (*_DEFAULTS, "seed", "above_third") if getattr(args, name, None) not in {None, False}]
    if given:
        raise ArgumentError(f"--scenario decides the whole world: leave --{given[0].replace('_', '-')} out")
    try:
        with args.scenario.open("rb") as file:
            data = file.read(SCENARIO_BYTES_MAX + 1)
    except OSError as error:
        raise ArgumentError(f"{args.scenario}: cannot be read: {error.strerror or error}") from error
    scenario = Scenario.from_json(data)
    return Campaign(
        base=scenario,
        stack=args.stack,
        first_seed=scenario.seed,
        seeds=1,
        faults=scenario.faults,
        is_drawn=False,
        cast=scenario.adversaries,
    )


# --- running ---


def _sweep(args: argparse.Namespace, campaign: Campaign) -> tuple[Tally, int]:
    """Return the sum, and how many seeds were run now."""
    tally = Tally()
    workers = workers_of(args)
    with ExitStack() as stack:
        file = None if args.out is None else stack.enter_context(OutcomeFile(args.out, program_digest()))
        old = set() if file is None else set(file.known)
        if file is not None and file.other_programs:
            sys.stderr.write(f"{args.out}: {file.other_programs} results of other sources are not used\n")
        bar = stack.enter_context(Progress(sys.stderr, args.stack, campaign.seeds))
        ran = 0
        outcomes = stack.enter_context(closing(run_campaign(campaign, workers, file)))
        for outcome in outcomes:
            tally.add(outcome)
            if outcome.key not in old:
                ran += 1
            bar.had(tally.seeds - ran)
            failed = tally.violated + tally.stalled
            bar.show(tally.seeds, f"{tally.seeds}/{campaign.seeds} seeds, {failed} failed")
    return tally, ran


def _repeat(args: argparse.Namespace, campaign: Campaign, outcome: Outcome) -> str:
    if args.scenario is not None:
        return repeat_command(args.stack, {"scenario": args.scenario})
    options: dict[str, object] = {"seed": outcome.seed, "validators": campaign.base.validators}
    for name, default in _DEFAULTS.items():
        value = getattr(args, name, None)
        if name in {"engine", "faults"}:
            options[name] = value or default
        elif name not in {"first_seed", "seeds", "validators"}:
            options[name] = value
    options["above_third"] = campaign.above_third or None
    return repeat_command(args.stack, options)


# --- what is said ---


def _report(args: argparse.Namespace, campaign: Campaign, tally: Tally) -> dict[str, object]:
    base = campaign.base
    report: dict[str, object] = {
        "first_seed": campaign.first_seed,
        "seeds": tally.seeds,
        "validators": base.validators,
        "engine": base.engine,
        "latency_table": base.table,
        "faults": {kind: tally.fired[kind] for kind in campaign.faults},
        "safety_violations": tally.violated,
        "stalled": tally.stalled,
        "finality_delays": {"p50": tally.finality_delays(5_000), "p99": tally.finality_delays(9_900)},
        "recovery_delays": _recoveries(tally, base.base_delay_us, is_silent=None),
        "recovery_delays_all_up": _recoveries(tally, base.base_delay_us, is_silent=False),
        "recovery_delays_silent": _recoveries(tally, base.base_delay_us, is_silent=True),
        "epochs": {
            "quiet": tally.boundaries.total(),
            "struck": tally.boundaries_struck.total(),
            "gap_delays": _gaps(tally, base.base_delay_us, is_struck=False),
            "gap_delays_struck": _gaps(tally, base.base_delay_us, is_struck=True),
        },
        "trace_hash": tally.trace_hash,
        "events": tally.events,
        "adversary_acts": dict(sorted(tally.adversary_acts.items())),
        "convictions": dict(sorted(tally.convictions.items())),
        "forks": tally.forks,
        "forked_seeds": tally.forked_seeds,
        "least_convicted_bps": dict(sorted(tally.least_bps.items())),
        "failures": [{"seed": each.seed, "oracle": each.oracle, "detail": each.detail} for each in tally.failures],
    }
    if args.stack == "network":
        report |= {
            "nodes": base.nodes,
            "submitted": tally.submitted,
            "finalized": tally.finalized,
            "failed": tally.failed,
            "refused": tally.refused,
            "submit_to_final_ms": {"p50": tally.settled_ms(5_000), "p99": tally.settled_ms(9_900)},
        }
    return report


def _lines(args: argparse.Namespace, campaign: Campaign, tally: Tally, repeats: list[str]) -> list[str]:
    lines: list[str] = []
    for outcome, repeat in zip(tally.failures, repeats, strict=True):
        lines += [*failure_lines(outcome, repeat), ""]
    seeds = "1 seed" if tally.seeds == 1 else f"{tally.seeds:,} seeds"
    lines += [
        f"{seeds}, {tally.events:,} events: {tally.violated} violated an oracle, {tally.stalled} stalled",
        f"finality           {_delays(tally.finality_delays(5_000))} at the median, "
        f"{_delays(tally.finality_delays(9_900))} at 99 %, in message delays",
    ]
    base_delay_us = campaign.base.base_delay_us
    waits = _recoveries(tally, base_delay_us, is_silent=None)
    lines.append(f"after the faults   {_told(waits)}, in base delays")
    if tally.recoveries_silent_us:
        lines += [
            f"  all are up       {_told(_recoveries(tally, base_delay_us, is_silent=False))}",
            f"  some are silent  {_told(_recoveries(tally, base_delay_us, is_silent=True))} "
            f"({len(tally.recoveries_silent_us)} seeds)",
        ]
    lines += _epoch_lines(tally, base_delay_us)
    if args.stack == "network":
        lines.append(
            f"transactions       {tally.submitted} submitted, {tally.finalized} final ({tally.failed} of them failed), "
            f"{tally.refused} refused; {tally.settled_ms(5_000)} ms at the median, {tally.settled_ms(9_900)} ms at 99 %"
        )
    lines += _conviction_lines(tally)
    struck = ", ".join(f"{kind} {times}" for kind, times in sorted(tally.fired.items()))
    lines += [f"faults             {struck or 'none'}", f"trace hash         {tally.trace_hash}"]
    return lines


def _recoveries(tally: Tally, base_delay_us: int, *, is_silent: bool | None) -> dict[str, float | None]:
    return {
        name: tally.recovery_delays(share_bps, base_delay_us, is_silent=is_silent)
        for name, share_bps in _SHARES.items()
    }


def _gaps(tally: Tally, base_delay_us: int, *, is_struck: bool) -> dict[str, float | None]:
    return {
        name: tally.boundary_delays(share_bps, base_delay_us, is_struck=is_struck)
        for name, share_bps in _SHARES.items()
    }


def _epoch_lines(tally: Tally, base_delay_us: int) -> list[str]:
    lines = []
    for is_struck, counted in ((False, tally.boundaries.total()), (True, tally.boundaries_struck.total())):
        if counted:
            words = "under faults" if is_struck else "quiet"
            gaps = _told(_gaps(tally, base_delay_us, is_struck=is_struck))
            lines.append(f"between epochs     {gaps}, in base delays ({counted:,} {words})")
    return lines


def _told(waits: Mapping[str, float | None]) -> str:
    median, high, longest = map(_delays, waits.values())
    return f"{median} at the median, {high} at 99 %, {longest} at most"


def _conviction_lines(tally: Tally) -> list[str]:
    lines = []
    if tally.convictions:
        rules = sorted(rule for rule in tally.convictions if rule.startswith("E"))
        found = ", ".join(f"{rule} {tally.convictions[rule]}" for rule in rules)
        lines.append(
            f"convictions        {tally.convictions['accused']} validators accused, {tally.convictions['punished']} "
            f"punished on the chain; rules broken, as nodes found: {found}"
        )
    if tally.forks:
        least = {name: f"{share / 100:.1f} %" for name, share in tally.least_bps.items()}
        lines.append(
            f"forks              {tally.forked_seeds} seeds; at least {least['guilty_bps']} of the stake contradicted "
            f"itself, and nodes accused at least {least['accused_bps']}"
        )
    return lines


def _delays(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
