"""`p2pcommerce sim gossip`: how transactions spread among many nodes."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Final

from p2pcommerce.cli.shared import print_json
from p2pcommerce.cli.sim import nat, poison
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable, workers_of
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.simulation.gossip import (
    ATTACKS,
    ROWS,
    Comparison,
    GossipResult,
    GossipScenario,
    SwarmFigures,
    World,
    compare_rows,
    run_gossip,
)
from p2pcommerce.simulation.tables import table

__all__ = ["run"]

_DEFAULT: Final = GossipScenario()
_PROGRESS_EVENTS: Final = 2_000
_FIELDS: Final[Mapping[str, str]] = {
    "seed": "seed",
    "nodes": "nodes",
    "strategy": "strategy",
    "latency": "latency_table",
    "transactions": "transactions",
    "rate": "rate",
    "bytes": "payload_bytes",
    "warmup": "warmup_s",
    "attack": "attack",
    "attack_share": "attack_share",
    "settle": "settle_s",
    "mesh": "mesh",
    "idontwant": "idontwant",
    "private": "private",
    "nat": "nat",
}
"""Option -> field of the scenario, which has the default."""
_DELIVERIES: Final = 200_000
"""Transactions times nodes that are measured unless a person says how many; a fifth less in the warm-up."""
_TRANSACTIONS_MIN: Final = 100
_SWARM_NODES: Final = 500
_COMPARED: Final = ("spam",)
"""Attacks, beside swarms, whose goal is a ratio: the same world is run without them, too."""
_TABLE_LINE: Final = "{:<40} {:>9} {:>7} {:<8} {:>7} {:<8} {:>7} {:<7} {}"
_TABLE_HEAD: Final = (
    "The router over gossipsub (D = 8), * over itself without the attack: 99th percentile of latency, bytes; its "
    "busiest upload over the mean\n"
    + _TABLE_LINE.format("", "delivered", "p99", "goal", "bytes", "goal", "upload", "goal", "")
)
_PRIVATE_DRAIN_S: Final = 120.0
"""Private transactions have so long to come: some wait to be made public by whoever holds them."""
_CONNECTING_S: Final = 1.0
"""Nothing is published before."""


def run(args: argparse.Namespace) -> int:
    """Run one world, and print what was measured."""
    _check_used(args)
    if args.attack == "poison":
        return poison.run(args)
    scenario = _scenario(args)
    calm_collector()  # a world is millions of small objects without cycles, as a pool is
    if args.table:
        return _run_table(args, scenario)
    result = _run(scenario, "gossip")
    told, lines = result.to_json(), _lines(result)
    if result.swarm is not None or scenario.attack in _COMPARED:
        quiet = _run(replace(scenario, holds_back=True), "gossip without the attack")
        ratio = None
        if result.latency_ms.p99 is not None and quiet.latency_ms.p99:
            ratio = result.latency_ms.p99 / quiet.latency_ms.p99
        told |= {"baseline": quiet.to_json(), "p99_over_baseline": ratio}
        lines += [] if result.swarm is None else _swarm_lines(result.swarm)
        lines.append(_quiet_line(quiet, ratio))
    if scenario.nat:
        found = nat.run(scenario.seed, scenario.nodes, scenario.nat)
        told |= {"nat": {name: each.to_json() for name, each in found.items()}}
        lines += nat.lines(found)
    if args.json:
        print_json(told)
    else:
        for line in lines:
            print(line)
    return 0


def _check_used(args: argparse.Namespace) -> None:
    """Refuse what would be passed over: who gives it expects something of it.

    Raises:
        UsageError: an option of another attack, strategy or mode.
    """
    is_poison = args.attack == "poison"
    needs = {"book": "--attack poison", "restarts": "--attack poison"}
    needs |= {"jobs": "--table", "dask": "--table"}
    needs |= {} if args.table else {"mesh": "--strategy gossipsub", "idontwant": "--strategy gossipsub"}
    met = {
        "--attack poison": is_poison,
        "--strategy gossipsub": args.strategy == "gossipsub",
        "--table": args.table,
    }
    for name, need in needs.items():
        if getattr(args, name) is not None and not met[need]:
            raise UsageError(f"--{name} means nothing without {need}: leave it out, or add that")
    if args.seeds != 1 and not args.table:
        raise UsageError("--seeds means nothing without --table: leave it out, or give --seed")
    others = [name for name in _FIELDS if name not in {"seed", "nodes", "attack"} and getattr(args, name) is not None]
    if is_poison and (others or args.table):
        name = others[0].replace("_", "-") if others else "table"
        raise UsageError(f"--attack poison runs discovery alone: leave out --{name}")


def _run_table(args: argparse.Namespace, scenario: GossipScenario) -> int:
    """Measure all goals; 1 if one is missed."""
    if args.seeds < 1:
        raise UsageError(f"--seeds is {args.seeds}; give 1 or more")
    named = "strategy", "attack", "attack_share", "settle", "private"
    taken = [name for name in named if getattr(args, name) is not None]
    if taken:
        raise UsageError(f"--table runs all strategies and attacks: leave out --{taken[0].replace('_', '-')}")
    workers = workers_of(args)
    rows: list[Comparison] = []
    if not args.json:
        print(_TABLE_HEAD, flush=True)
    with ExitStack() as stack:
        stack.enter_context(terminable())
        bar = stack.enter_context(Progress(sys.stderr, "rows", len(ROWS)))
        measured = compare_rows(scenario, seeds=args.seeds, run=_run_calmly, workers=workers)
        for row in stack.enter_context(closing(measured)):
            rows.append(row)
            bar.show(len(rows), f"{len(rows)}/{len(ROWS)} rows")
            if not args.json:
                print(_table_line(row), flush=True)
    if args.json:
        print_json({"nodes": scenario.nodes, "rows": [row.to_json() for row in rows]})
    else:
        print(_verdict(rows))
    return int(any(row.misses for row in rows))


def _verdict(rows: Sequence[Comparison]) -> str:
    """Return which rows miss what, so that nobody has to look for them in the table."""
    missed = [f"{row.goal.name}: {', '.join(row.misses)}" for row in rows if row.misses]
    if not missed:
        return f"All {len(rows)} rows hold."
    return "\n  ".join((f"{len(missed)} of {len(rows)} rows miss a goal:", *missed))


def _run_calmly(world: GossipScenario) -> GossipResult:
    calm_collector()
    return run_gossip(world)


def _table_line(row: Comparison) -> str:
    goal, p99 = row.goal, row.p99_ratio
    return _TABLE_LINE.format(
        f"{goal.name} *" if goal.over_itself else goal.name,
        f"{row.delivered:.2%}",
        "never" if p99 is None else f"{p99:.3f}",
        f"<= {goal.p99_max:g}",
        f"{row.bytes_ratio:.3f}",
        "" if goal.bytes_max is None else f"<= {goal.bytes_max:g}",
        f"{row.upload:.2f}",
        "" if goal.upload_max is None else f"<= {goal.upload_max:g}",
        "misses " + ", ".join(row.misses) if row.misses else "holds",
    )


def _scenario(args: argparse.Namespace) -> GossipScenario:
    """Return what was asked for; how much is measured, unless somebody said, by the number of nodes."""
    chosen = {field: getattr(args, name) for name, field in _FIELDS.items() if getattr(args, name) is not None}
    is_swarm = chosen.get("attack") in ATTACKS and ATTACKS[chosen["attack"]].away
    nodes = chosen.setdefault("nodes", _SWARM_NODES if is_swarm else _DEFAULT.nodes)
    fewer = min(1.0, _DEFAULT.nodes / max(nodes, 1))
    measured = min(_DEFAULT.transactions, max(_TRANSACTIONS_MIN, _DELIVERIES // max(nodes, 1)))
    chosen.setdefault("transactions", measured)
    if chosen.get("private"):
        chosen["drain_s"] = _PRIVATE_DRAIN_S
    rate = min(_DEFAULT.warmup_rate * fewer, chosen.get("rate", math.inf))
    return GossipScenario(**{**chosen, "warmup_rate": rate})


def _run(scenario: GossipScenario, name: str) -> GossipResult:
    with terminable(), Progress(sys.stderr, name, scenario.transactions + _warmup(scenario)) as bar:

        def show(world: World) -> None:
            bar.show(_done(world), f"{world.now_us / MICROSECONDS:.1f} s of world time")

        return run_gossip(scenario, stopwatch=time.perf_counter, on_progress=show, progress_events=_PROGRESS_EVENTS)


def _warmup(scenario: GossipScenario) -> float:
    """Return how many transactions are published before the window."""
    return (scenario.warmup_s + scenario.settle) * min(scenario.warmup_rate, scenario.rate)


def _done(world: World) -> float:
    """Return how many transactions should have been published by now: what takes the time."""
    scenario, now_s = world.scenario, max(0.0, world.now_us / MICROSECONDS - _CONNECTING_S)
    before_s = scenario.warmup_s + scenario.settle
    warm_s = min(now_s, before_s)
    return warm_s * min(scenario.warmup_rate, scenario.rate) + max(0.0, now_s - before_s) * scenario.rate


def _lines(result: GossipResult) -> list[str]:
    latency = result.latency_ms
    rates = ""
    if result.events_per_s is not None and result.realtime_factor is not None:
        rates = f", {result.events_per_s:,.0f} per second; {result.realtime_factor:.2f} times real time"
    spies = [] if result.first_spy_precision is None else [_spies_line(result.first_spy_precision)]
    return [
        f"{result.nodes} nodes, strategy {result.strategy}, attack {result.attack}, seed {result.seed}",
        f"delays: {result.latency_table}: {table(result.latency_table).source}",
        f"delivered          {result.delivered:.4%} of {result.transactions} transactions",
        f"latency            {_ms(latency.p50)} at the median, {_ms(latency.p99)} at 99 %",
        f"bytes              {result.bytes_per_payload_byte:.2f} sent for each byte of payload delivered",
        f"duplicates         {result.duplicates_per_delivery:.2f} for each delivery",
        f"busiest node       uploads {result.max_over_mean_upload:.2f} times the mean",
        *spies,
        f"trace hash         {result.trace_hash}",
        f"events             {result.events:,}{rates}",
    ]


def _spies_line(precision: float) -> str:
    return f"spies              take the first who hands them a transaction for its origin: right for {precision:.1%}"


def _quiet_line(quiet: GossipResult, ratio: float | None) -> str:
    times = "never" if ratio is None else f"{ratio:.2f} times"
    return (
        f"without the attack {quiet.delivered:.4%} delivered, {_ms(quiet.latency_ms.p99)} at 99 %; "
        f"the attack: {times} that"
    )


def _swarm_lines(swarm: SwarmFigures) -> list[str]:
    return [
        f"swarm              {swarm.attackers_per_honest_node:g} attackers for each honest node; they hold "
        f"{swarm.hostile_links:.1%} of the connections under attack",
        f"honest links       {swarm.honest_dialled_min} at least, of those that a node under attack dialled itself",
    ]


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} ms"
