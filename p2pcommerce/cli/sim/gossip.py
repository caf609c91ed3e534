"""`p2pcommerce sim gossip`: how transactions spread among many nodes."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping
from typing import Final

from p2pcommerce.cli.shared import print_json
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.simulation.gossip import GossipResult, GossipScenario, World, run_gossip
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
}
"""Option -> field of the scenario, which has the default."""


def run(args: argparse.Namespace) -> int:
    """Run one world, and print what was measured."""
    chosen = {field: getattr(args, name) for name, field in _FIELDS.items() if getattr(args, name) is not None}
    scenario = GossipScenario(**{**chosen, "warmup_rate": min(_DEFAULT.warmup_rate, chosen.get("rate", math.inf))})
    calm_collector()  # a world is millions of small objects without cycles, as a pool is
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
    rates = ""
    if result.events_per_s is not None and result.realtime_factor is not None:
        rates = f", {result.events_per_s:,.0f} per second; {result.realtime_factor:.2f} times real time"
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
