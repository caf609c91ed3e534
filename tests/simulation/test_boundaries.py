"""Gaps between epochs: when they count, and as what."""

from __future__ import annotations

import pytest

from p2pcommerce.simulation.boundaries import Boundaries
from p2pcommerce.simulation.churn import CHURNS
from p2pcommerce.simulation.world import World

from .worlds import SECOND, run, scenario

BLOCKS = 3


def seen(*finals: tuple[int, int, bool]) -> Boundaries:
    boundaries = Boundaries(BLOCKS)
    for height, world_us, is_quiet in finals:
        boundaries.on_final(height, world_us, is_quiet=is_quiet)
    return boundaries


def test_a_gap_is_from_the_last_block_of_an_epoch_to_the_first_of_the_next():
    found = seen(*[(height, height * height, True) for height in range(1, 10)])
    assert found.quiet_us == [4 * 4 - 3 * 3, 7 * 7 - 6 * 6]
    assert found.struck_us == []


def test_the_first_node_that_has_a_block_counts():
    found = seen((1, 1, True), (2, 2, True), (3, 3, True), (3, 9, True), (4, 10, True), (4, 12, True))
    assert found.quiet_us == [7]


def test_a_gap_that_began_under_faults_is_none_of_the_quiet_ones():
    found = seen(
        (1, 1, False), (2, 2, False), (3, 3, False), (4, 10, True), (5, 11, True), (6, 12, True), (7, 15, True)
    )
    assert (found.struck_us, found.quiet_us) == ([7], [3])


def changing(faults: dict[str, float], **more: object) -> World:
    settings = {"nodes": 8, "epoch_blocks": BLOCKS, "churn": CHURNS[2], "load_tps": 2, "faults": faults} | more
    return run(World(scenario(1, seconds=24, liveness=10, **settings)))


def test_a_world_without_faults_has_quiet_boundaries_alone():
    world = changing({})
    result = world.result()
    assert not result.boundaries_struck_us
    assert len(result.boundaries_us) == (max(result.heights) - 1) // BLOCKS > 3
    assert max(result.boundaries_us) < 1.2 * world.scenario.base_delay_us


def test_boundaries_are_quiet_once_a_world_has_recovered():
    result = changing({"loss": 0.01, "crash": 0.1}).result()
    assert not result.violations
    assert result.boundaries_struck_us
    assert result.boundaries_us


def test_a_world_with_adversaries_has_no_quiet_boundary():
    result = changing({}, adversaries=[("mute", 1)]).result()
    assert not result.boundaries_us
    assert result.boundaries_struck_us


@pytest.mark.parametrize("kind", ["crash", "partition"])
def test_where_validators_change_faults_strike_at_the_end_of_epochs(kind):
    rare = {kind: 0.001}
    world = changing(rare, base_delay_us=SECOND // 4)
    still = changing(rare, base_delay_us=SECOND // 4, churn=CHURNS[0])
    assert world.schedule.fired()[kind] > 0
    assert still.schedule.fired()[kind] == 0
    assert not world.result().violations
    assert not world.result().stalled
