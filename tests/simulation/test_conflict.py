"""A node whose store is of another chain than its network's stops, with one sentence that says what to do."""

from __future__ import annotations

import pytest

from p2pcommerce.simulation.world import World

from .worlds import SECOND, scenario

TO_DO = "then begin with an empty folder"


def pass_height(world, host, height, seconds=200):
    for _ in range(seconds):
        if host.height > height:
            return
        world.run_until(world.now_us + SECOND)
    raise AssertionError(f"height {height} was not passed in {seconds} s")


def lose_disk(host):
    for name in host.disk.names():
        host.disk.remove(name)
    host.disk.sync_directory()


def listen(host):
    """Return a list to which a host's reasons for stopping are added."""
    reasons = []
    crash = host.crash
    host.crash = lambda **how: (reasons.append(how.get("reason", "")), crash(**how))
    return reasons


def wait_halted(world, host, seconds=60):
    for _ in range(seconds):
        if host.is_halted:
            break
        world.run_until(world.now_us + SECOND)
    assert world.defect is None
    assert host.is_halted


@pytest.mark.parametrize(
    ("engine", "nodes", "validators", "victim"),
    [("simplex", 4, 4, 0), ("simplex", 5, 4, 4), ("ffg", 4, 4, 0), ("ffg", 5, 4, 4), ("solo", 2, 1, 1)],
    ids=["simplex", "simplex follower", "ffg", "ffg follower", "solo follower"],
)
def test_a_store_of_another_chain_stops_the_node_with_one_sentence(engine, nodes, validators, victim):
    stakes = (1_000_000,) * validators
    world = World(scenario(5, seconds=600, nodes=nodes, stakes=stakes, engine=engine, load_tps=2))
    host = world.hosts[victim]
    pass_height(world, host, 8)
    held = host.height
    host.stays_down = True
    for each in world.hosts:
        each.crash(power_loss=False)
    # All others lose their disks at once, more than the protocol bears: they make another chain with the same keys.
    world.oracles.report = lambda *_: None
    others = [each for each in world.hosts if each is not host]
    for each in others:
        lose_disk(each)
        each.start()
    pass_height(world, others[0], held + 8)
    host.stays_down = False
    reasons = listen(host)
    host.start()
    wait_halted(world, host)
    host.is_halted = False
    host.start()
    wait_halted(world, host)
    first, second = reasons
    assert "final" in first
    assert "\n" not in first
    assert first.endswith(TO_DO), first
    assert second.endswith(TO_DO), "nor does it go on after a restart"
