"""A validator whose clock was ahead for a while proposes again as soon as it is right."""

from __future__ import annotations

import pytest

from p2pcommerce.simulation.world import World

from .worlds import SECOND, scenario


def proposals(host):
    return host.core.engine_status().counters.get("proposals", 0)


@pytest.mark.parametrize("ahead_s", [20, 100, 1_000])
def test_ffg_proposes_at_once_when_a_clock_that_was_ahead_comes_back(ahead_s):
    world = World(scenario(6, seconds=300, liveness=200, nodes=4, stakes=(1,) * 4, engine="ffg", load_tps=2))
    host = world.hosts[0]
    world.run_until(10 * SECOND)
    host.clock.jump(world.now_us, ahead_s * SECOND)
    host.rewind()
    world.run_until(world.now_us + 30 * SECOND)
    assert proposals(host) > 3, "it proposes in slots that are to come"
    host.clock.heal(world.now_us)
    host.crash(power_loss=False)
    host.start()
    before = host.height
    world.run_until(world.now_us + 60 * SECOND)
    assert world.defect is None
    assert not world.oracles.violations
    assert host.height > before
    assert proposals(host) > 5, "a quarter of 60 slots are its own"
