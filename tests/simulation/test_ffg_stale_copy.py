"""A validator whose disk is an older copy, and whose clock reads the same slots again, leads none of them twice."""

from __future__ import annotations

import pytest

from p2pcommerce.simulation.world import World

from .worlds import SECOND, scenario


def counters(host):
    return host.core.engine_status().counters


def stale_copy(seed, ahead_s):
    """Let a clock run ahead, put an older copy of the disk back, and set the clock right."""
    world = World(scenario(seed, seconds=120, liveness=60, nodes=4, stakes=(1,) * 4, engine="ffg", load_tps=2))
    host = world.hosts[0]
    world.run_until(3 * SECOND)
    host.disk.snapshot()
    host.clock.jump(world.now_us, ahead_s * SECOND)
    host.rewind()
    world.run_until(world.now_us + 9 * SECOND)
    assert counters(host)["proposals"] > 1, "it leads slots that are to come"
    assert not host.engine._running.state.signer.last_link, "no vote tells that the copy is old"
    host.stays_down = True
    host.crash(power_loss=False)
    assert host.disk.restore_backup()
    host.clock.heal(world.now_us)
    host.stays_down = False
    host.start()
    world.run_until(world.now_us + 20 * SECOND)
    return world, host


@pytest.mark.parametrize(("seed", "ahead_s"), [(1, 4), (2, 9), (3, 9)])
def test_a_stale_copy_leads_no_slot_again_in_which_others_hold_a_block_of_it(seed, ahead_s):
    world, host = stale_copy(seed, ahead_s)
    assert world.defect is None
    assert not world.oracles.violations
    assert host.is_halted, "others tell it of proposals that its disk does not know"
    before = [each.height for each in world.hosts[1:]]
    world.run_until(world.now_us + 40 * SECOND)
    assert [each for each in world.hosts[1:] if counters(each).get("evidence")] == [], "nobody saw it break a rule"
    assert min(each.height for each in world.hosts[1:]) > max(before), "three of four go on"
