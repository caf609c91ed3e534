"""`p2pcommerce sim gossip`: how transactions spread among many nodes."""

from __future__ import annotations

import argparse
import sys
import time

from p2pcommerce.cli.shared import print_json
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.gossip import GossipResult, GossipScenario, World, run_gossip
from p2pcommerce.simulation.tables import table

__all__ = ["add_options", "run"]

_DEFAULT = GossipScenario()
_PROGRESS_EVENTS = 2_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--nodes", type=int, default=_DEFAULT.nodes, metavar="N", help=f"default {_DEFAULT.nodes}")
    add("--transactions", type=int, default=_DEFAULT.transactions, metavar="N", help="measured (default 1000)")
    add("--rate", type=float, default=_DEFAULT.rate, metavar="TX", help="of these per second (default 200)")
    add("--bytes", type=int, default=_DEFAULT.payload_bytes, metavar="N", help="of a transaction (default 250)")
    add("--warmup", type=float, default=_DEFAULT.warmup_s, metavar="S", help="seconds of traffic before (default 40)")
    add("--strategy", default=_DEFAULT.strategy, metavar="NAME", help="chosen (the product's), gossipsub or flood")
    add("--attack", default=_DEFAULT.attack, metavar="NAME", help="an attack, churn or cold-start (default none)")
    add("--latency", default=_DEFAULT.latency_table, metavar="TABLE", help="aws (default), simblock or ethereum8")
    add("--seed", type=int, default=_DEFAULT.seed, metavar="N", help="decides everything (default 1)")


def run(args: argparse.Namespace) -> int:
    """Run one world, and print what was measured."""
    scenario = GossipScenario(
        seed=args.seed,
        nodes=args.nodes,
        strategy=args.strategy,
        latency_table=args.latency,
        transactions=args.transactions,
        rate=args.rate,
        payload_bytes=args.bytes,
        warmup_s=args.warmup,
        warmup_rate=min(_DEFAULT.warmup_rate, args.rate),
        attack=args.attack,
    )
    with terminable(), Progress(sys.stderr, "gossip", scenario.transactions + _warmup(scenario)) as bar:

        def show(world: World) -> None:
            bar.show(_done(world), f"{world.now_us / MICROSECONDS:.1f} s of world time")

        result = run_gossip(scenario, stopwatch=time.perf_counter, on_progress=show, progress_events=_PROGRESS_EVENTS)
    if args.json:
        print_json(result.to_json())
    else:
        for line in _lines(result):
            print(line)
    return 0


def _warmup(scenario: GossipScenario) -> float:
    """Return how many transactions the warm-up publishes."""
    return scenario.warmup_s * min(scenario.warmup_rate, scenario.rate)


def _done(world: World) -> float:
    """Return how many transactions should have been published by now: what takes the time."""
    scenario, now_s = world.scenario, world.now_us / MICROSECONDS
    warm_s = min(now_s, scenario.warmup_s)
    return warm_s * min(scenario.warmup_rate, scenario.rate) + max(0.0, now_s - scenario.warmup_s) * scenario.rate


def _lines(result: GossipResult) -> list[str]:
    latency = result.latency_ms
    rates = "" if result.events_per_s is None else f", {result.events_per_s:,.0f} per second"
    return [
        f"{result.nodes} nodes, strategy {result.strategy}, attack {result.attack}, seed {result.seed}",
        f"delays: {result.latency_table}: {table(result.latency_table).source}",
        f"delivered          {result.delivered:.4%} of {result.transactions} transactions",
        f"latency            {_ms(latency.p50)} at the median, {_ms(latency.p99)} at 99 %",
        f"bytes              {result.bytes_per_payload_byte:.2f} sent for each byte of payload delivered",
        f"duplicates         {result.duplicates_per_delivery:.2f} for each delivery",
        f"busiest node       uploads {result.max_over_mean_upload:.2f} times the mean",
        f"trace hash         {result.trace_hash}",
        f"events             {result.events:,}{rates}",
    ]


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} ms"
