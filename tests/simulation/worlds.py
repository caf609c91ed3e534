"""Small worlds for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.scenario import Adversary, Scenario
from p2pcommerce.simulation.world import World

SECOND = 1_000_000


def scenario(
    seed: int = 1,
    *,
    seconds: int = 12,
    liveness: int = 6,
    faults: Mapping[str, float] | None = None,
    adversaries: Sequence[tuple[str, int]] = (),
    **more,
) -> Scenario:
    return Scenario(
        seed=seed,
        horizon_us=seconds * SECOND,
        liveness_us=min(liveness, seconds) * SECOND,
        faults=dict(faults or {}),
        adversaries=tuple(Adversary(name, (node,)) for name, node in adversaries),
        **more,
    )


def run(world: World) -> World:
    world.run_until(world.scenario.horizon_us)
    assert world.defect is None, world.defect
    return world


def started(seed: int = 1, seconds: float = 3, **options) -> World:
    """A world of four quiet nodes that has run for a while."""
    world = World(scenario(seed, load_tps=0), WorldOptions(**options))
    world.run_until(round(seconds * SECOND))
    return world
