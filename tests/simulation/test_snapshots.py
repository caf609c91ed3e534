"""Worlds in which a node that is behind restores a state from a snapshot, while peers lie, stall and crash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.world import World
from p2pcommerce.sync import RestoreMode, RestoreParameters

from .worlds import SECOND, scenario

BLOCKS = 6
CHAIN = replace(ChainParameters.local(), unbonding_s=86_400, heartbeat_ms=400, epoch_blocks=BLOCKS)
SNAPSHOT = NodeParameters(restore=RestoreParameters(mode=RestoreMode.SNAPSHOT))


def joining(seed=1, *, liars=(), nodes=8, churn="none", parameters=SNAPSHOT, **more):
    """A world whose last node is down from the start, and which has gone on without it for many epochs."""
    settings = {"nodes": nodes, "epoch_blocks": BLOCKS, "churn": churn, "base_delay_us": 100_000, "load_tps": 4}
    adversaries = [("lying_sync", node) for node in liars]
    chosen = scenario(seed, seconds=200, liveness=0, adversaries=adversaries, **(settings | more))
    world = World(chosen, WorldOptions(chain=CHAIN, parameters=parameters))
    world.hosts[-1].stays_down = True
    world.start()
    assert world.run_until(200 * SECOND, lambda: world.hosts[1].height >= 8 * BLOCKS)
    return world


def join(world, within_s=60):
    """Start the last node, and let it come to where the others are."""
    host = world.hosts[-1]
    host.stays_down = False
    host.start()
    target = world.hosts[1].height
    assert world.run_until(world.now_us + within_s * SECOND, lambda: host.height >= target + 3)
    assert not world.oracles.violations, world.oracles.violations[0].words
    return host


def counters(host):
    return host.node.statistics()["sync"]


def test_a_new_node_restores_a_snapshot_and_goes_on_by_blocks():
    world = joining()
    host = join(world)
    assert counters(host)["restores_done"] == 1
    assert counters(host).get("fetched_blocks", 0) < 3 * BLOCKS
    first = host.storage.blocks[0].block.header
    assert first.height % BLOCKS == 0
    assert first.height >= 6 * BLOCKS
    assert host.node.chain.state.final.root == host.node.chain.head.state_root


@pytest.mark.parametrize("liars", [1, 7])
def test_a_state_within_an_epoch_is_refused_though_it_is_final(liars):
    """No engine can begin there: who offers it would bring the node down."""
    world = joining()
    for host in world.hosts[:liars]:
        within = [item for item in host.storage.blocks if item.proof and item.block.header.height % BLOCKS == 3][-1]
        host._offers.take(within.block.header, within.proof)
        host._offers.take = lambda _header, _proof: None
    host = join(world)
    assert counters(host)["restores_done"] == (liars == 1)


@pytest.mark.parametrize("seed", range(4))
def test_it_does_so_while_most_of_its_peers_lie(seed):
    world = joining(seed, liars=(0, 4, 5, 6))
    host = join(world, within_s=90)
    assert counters(host)["restores_done"] + counters(host)["restores_given_up"] >= 1


def test_it_follows_validators_that_change_at_every_epoch():
    world = joining(2, churn="disjoint")
    host = join(world)
    assert counters(host)["restores_done"] == 1
    assert len(host._offers._links) >= 6


def test_a_restored_state_outlives_a_loss_of_power_and_is_offered_again():
    world = joining(7)
    host = join(world)
    assert counters(host)["restores_done"] == 1
    height = host.height
    host.crash(power_loss=True)
    host.start()
    assert host.height >= height - BLOCKS
    assert host.storage.blocks[0].block.header.height % BLOCKS == 0
    target = world.hosts[1].height + 2 * BLOCKS
    assert world.run_until(world.now_us + 60 * SECOND, lambda: host.height >= target)
    assert host._offers._snapshot is not None
    assert not world.oracles.violations


@pytest.mark.parametrize("steps", range(1, 40, 3))
def test_a_crash_anywhere_within_leaves_a_node_that_begins_again_or_goes_on(steps):
    world = joining(4, nodes=6)
    host = world.hosts[-1]
    host.stays_down = False
    host.start()
    world.run_until(world.now_us + 30 * SECOND, lambda: not host.is_up or host.node.height > 0 or _has_offer(host))
    host.arm_crash(steps)
    world.run_until(world.now_us + 3 * SECOND, lambda: not host.is_up)
    host.arm_crash(None)
    host.start()
    join(world)


def _has_offer(host):
    return host.node._board.restoring.is_active


def test_without_a_snapshot_blocks_are_fetched():
    world = joining(5, parameters=NodeParameters(restore=RestoreParameters(mode=RestoreMode.FULL)))
    host = join(world)
    assert counters(host)["restores_begun"] == 0
    assert host.storage.blocks[0].block.header.height == 1


def test_a_small_gap_is_no_reason_to_lose_the_history():
    world = joining(6, parameters=NodeParameters())
    host = join(world)
    assert counters(host)["restores_begun"] == 0
    assert host.storage.blocks[0].block.header.height == 1


def test_a_genesis_too_old_to_be_trusted_needs_a_checkpoint():
    chain = replace(CHAIN, unbonding_s=15)
    words = []
    world = joining(7, nodes=6)
    anchor = TrustAnchor.of(world.genesis)
    settings = {"nodes": 6, "epoch_blocks": BLOCKS, "base_delay_us": 100_000, "load_tps": 4}
    world = World(scenario(7, seconds=200, liveness=0, **settings), WorldOptions(chain=chain, parameters=SNAPSHOT))
    world.hosts[-1].stays_down = True
    world.on_log = lambda host, level, room, message: words.append(message)
    world.start()
    world.run_until(30 * SECOND)
    host = join(world)
    assert counters(host)["restores_done"] == 0
    assert any("get a newer trust anchor" in message and "checkpoint" in message for message in words)
    # With a checkpoint of an operator it restores.
    chain_of = world.hosts[1].node.chain
    begun = chain_of.epoch_start
    anchor = TrustAnchor(world.genesis.hash, begun.validators, begun.epoch, chain_of.head.time_ms)
    world.parameters = replace(SNAPSHOT, checkpoint=anchor)
    host.crash()
    host.stays_down = True
    host.disk.remove("chain")
    host.disk.sync_directory()
    goal = world.hosts[1].height + 3 * BLOCKS
    world.run_until(world.now_us + 60 * SECOND, lambda: world.hosts[1].height >= goal)
    world._heights.pop(host.number, None)
    again = join(world)
    assert counters(again)["restores_done"] == 1
