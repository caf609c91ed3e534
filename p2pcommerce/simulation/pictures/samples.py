"""The worlds behind the pictures, and the plain data that is taken from each.

`measure` is what a worker does, in any process. Distributions are kept as evenly spaced quantiles.

Source: the pictures of the simulator specification.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.gossip import GossipScenario, run_gossip
from p2pcommerce.simulation.gossip.world import World as GossipWorld
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.pictures.recording import record
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import World

__all__ = [
    "FAULT_HORIZON_S",
    "GOSSIP_RATE",
    "QUANTILES",
    "FaultTask",
    "PictureSize",
    "RecordTask",
    "Task",
    "gossip_scenarios",
    "measure",
    "pooled",
    "strategy_of",
]

QUANTILES: Final = 200
"""Steps into which a distribution is cut."""
GOSSIP_RATE: Final = 100.0
"""Transactions per second."""
_WARMUP_RATE: Final = 4.0
"""Enough to rank peers by: 160 transactions before the window."""
FAULT_HORIZON_S: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    """How much is run for a picture.

    Attributes:
        seed: the first one.
        seeds: worlds for each point of a picture.
        nodes: of gossip worlds.
        transactions: measured in each of them.
    """

    seed: int = 1
    seeds: int = 3
    nodes: int = 100
    transactions: int = 200


@dataclass(frozen=True, slots=True)
class FaultTask:
    """A world in which one kind of fault is on all the time.

    Attributes:
        scenario: the world.
    """

    scenario: Scenario

    @classmethod
    def of(cls, seed: int, kind: str, intensity: float) -> FaultTask:
        """Return the world of a kind and an intensity; 0: without faults."""
        faults = {kind: intensity} if intensity else {}
        return cls(Scenario(seed=seed, faults=faults, horizon_us=FAULT_HORIZON_S * MICROSECONDS, liveness_us=0))


@dataclass(frozen=True, slots=True)
class RecordTask:
    """A world of which everything is recorded.

    Attributes:
        scenario: the world.
    """

    scenario: Scenario


Task: TypeAlias = GossipScenario | FaultTask | RecordTask


def gossip_scenarios(size: PictureSize, strategy: str, **changes: Any) -> list[Task]:  # noqa: ANN401 - fields differ
    """Return the worlds of a strategy, one for each seed; "gossipsub, IDONTWANT" is gossipsub with that option."""
    name, _, option = strategy.partition(", ")
    base = GossipScenario(
        nodes=size.nodes,
        transactions=size.transactions,
        strategy=name,
        idontwant=bool(option),
        rate=GOSSIP_RATE,
        warmup_rate=_WARMUP_RATE,
    )
    return [replace(base, seed=seed, **changes) for seed in range(size.seed, size.seed + size.seeds)]


def strategy_of(scenario: GossipScenario) -> str:
    """Return the name of a scenario's strategy, as pictures use it."""
    return f"{scenario.strategy}, IDONTWANT" if scenario.idontwant else scenario.strategy


def measure(task: Task) -> dict[str, Any]:
    """Run a world and return plain data of it."""
    if isinstance(task, GossipScenario):
        return _gossip(task)
    if isinstance(task, FaultTask):
        return _faults(task)
    return record(task.scenario)


def pooled(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one row of the gossip worlds of several seeds: means, medians of times, and what `p99_range` they span."""
    late = [_median([row["latency_ms"][name] for row in rows]) for name in ("p50", "p99")]
    known = [row["latency_ms"]["p99"] for row in rows if row["latency_ms"]["p99"] is not None]
    return {
        "delivered": statistics.fmean(row["delivered"] for row in rows),
        "latency_ms": {"p50": late[0], "p99": late[1]},
        "p99_range": [min(known), max(known)] if known else None,
        "bytes_per_payload_byte": round(statistics.fmean(row["bytes_per_payload_byte"] for row in rows), 3),
        "latencies_ms": _merged([row["latencies_ms"] for row in rows]),
        "trace_hashes": [row["trace_hash"] for row in rows],
    }


def _median(values_ms: Sequence[float | None]) -> float | None:
    """Return the median, where None stands for never."""
    found = statistics.median(math.inf if value is None else value for value in values_ms)
    return None if math.isinf(found) else round(found, 1)


def _merged(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the quantiles of several distributions of equal weight together."""
    values = sorted(value for curve in curves for value in curve)
    last = len(values) - 1
    return [round(values[round(step * last / QUANTILES)], 1) for step in range(QUANTILES + 1)] if values else []


def _gossip(scenario: GossipScenario) -> dict[str, Any]:
    worlds: list[GossipWorld] = []
    result = run_gossip(scenario, on_progress=worlds.append, progress_events=1_000_000)
    latencies_us = worlds[-1].meter._latencies_us  # noqa: SLF001 - a meter tells percentiles only, and a curve needs all
    return {**result.to_json(), "latencies_ms": [value / 1_000 for value in _cut(latencies_us)]}


def _faults(task: FaultTask) -> dict[str, Any]:
    world = World(task.scenario, WorldOptions(orders=False))
    world.run_until(task.scenario.horizon_us)
    result = world.result()
    return {
        "delay_us": result.delay_us,
        "finality_us": list(result.finality_us),
        "fired": dict(result.fired),
        "height": max(result.heights),
        "proposed": world.liveness.proposed,
        "undecided": world.liveness.undecided,
        "is_good": result.is_good,
    }


def _cut(values: Sequence[int]) -> list[int]:
    """Return `QUANTILES` + 1 evenly spaced quantiles, the least and the greatest included."""
    ranked = sorted(values)
    last = len(ranked) - 1
    return [ranked[round(step * last / QUANTILES)] for step in range(QUANTILES + 1)] if ranked else []
