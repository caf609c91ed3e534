"""Running gossip worlds, one or several to compare.

Source: the interfaces specification (`sim gossip`).
Deviations: a core reads no clock, so whoever wants to know the speed brings a stopwatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.gossip.result import GossipResult
from p2pcommerce.simulation.gossip.scenario import GossipScenario
from p2pcommerce.simulation.gossip.strategies import STRATEGIES
from p2pcommerce.simulation.gossip.world import World

__all__ = ["compare", "run_gossip"]


def run_gossip(
    scenario: GossipScenario,
    *,
    stopwatch: Callable[[], float] | None = None,
    on_progress: Callable[[World], None] | None = None,
    progress_events: int = 50_000,
) -> GossipResult:
    """Run a scenario to its end.

    Args:
        scenario: what to run; the same one gives the same result, but for `events_per_s` and `realtime_factor`.
        stopwatch: returns seconds of any clock; None: nobody asks for speed.
        on_progress: called after each `progress_events` events.
        progress_events: how often.
    """
    started_s = 0.0 if stopwatch is None else stopwatch()
    world = World(scenario)
    if on_progress is None:
        world.run()
    else:
        while not world.is_over:
            world.run(progress_events)
            on_progress(world)
    meter = world.meter
    events = world.trace.count
    world_s = world.now_us / MICROSECONDS
    took_s = None if stopwatch is None else max(stopwatch() - started_s, 1e-9)
    return GossipResult(
        seed=scenario.seed,
        nodes=scenario.nodes,
        strategy=scenario.strategy,
        latency_table=scenario.latency_table,
        attack=scenario.attack,
        transactions=len(meter.measured),
        delivered=meter.delivered(world.receivers()),
        latency_ms=meter.latency_ms(),
        bytes_per_payload_byte=meter.bytes_per_payload_byte(scenario.payload_bytes),
        duplicates_per_delivery=meter.duplicates_per_delivery(),
        max_over_mean_upload=meter.max_over_mean_upload(world.honest),
        trace_hash=world.trace.hash,
        events=events,
        world_s=world_s,
        events_per_s=None if took_s is None else events / took_s,
        realtime_factor=None if took_s is None else world_s / took_s,
        private=scenario.private,
        first_spy_precision=None if world.spying is None else world.spying.precision(meter.measured),
        swarm=world.swarm,
    )


def compare(
    scenario: GossipScenario,
    strategies: Iterable[str] = tuple(STRATEGIES),
    *,
    stopwatch: Callable[[], float] | None = None,
) -> dict[str, GossipResult]:
    """Run one scenario under several strategies: the same nodes, places, traffic and links; return them by name."""
    return {strategy: run_gossip(replace(scenario, strategy=strategy), stopwatch=stopwatch) for strategy in strategies}
