"""Swarms of identities in gossip worlds: what they take, what they leave, and what is measured of it."""

import dataclasses
import random

import pytest

from p2pcommerce.simulation.gossip import STRATEGIES, GossipScenario, GossipScenarioError, World, run_gossip
from p2pcommerce.simulation.gossip.meter import Meter
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.station import OFFLINE
from p2pcommerce.simulation.gossip.topology import Topology

SWARM = GossipScenario(
    nodes=150, attack="sybil", transactions=20, rate=40, warmup_s=3, warmup_rate=10, settle_s=2, inbound_max=20
)
HONEST = 30


def swarmed(**changes):
    """Return a world in which the attack has begun a second ago."""
    world = World(dataclasses.replace(SWARM, **changes))
    while world.now_us < 5_000_000:
        world.run(1_000)
    return world


def test_a_swarm_is_away_until_it_comes():
    world = World(SWARM)
    while world.now_us < 3_500_000:
        world.run(100)
    away = [station.index for station in world.network.stations if station.since_us == OFFLINE]
    assert len(away) == SWARM.nodes - HONEST
    assert not set(away) & set(world.honest)
    assert all(peer not in away for node in world.honest for peer in world.peers(node))


def test_a_sybil_swarm_takes_free_places_up_to_the_cap_and_leaves_what_was_dialled():
    world = swarmed()
    for node in world.honest:
        neighbours = world.network._topology.neighbours[node]
        inbound = [peer for peer, dialled in neighbours.items() if not dialled]
        assert len(inbound) <= SWARM.inbound_max
        assert len(world.dialled(node)) == SWARM.outbound
        assert set(world.dialled(node)) <= set(world.honest)
    found = run_gossip(SWARM)
    assert found.swarm.attackers_per_honest_node == 4
    assert found.swarm.hostile_links > 0.35
    assert found.swarm.honest_dialled_min == SWARM.outbound
    assert found.delivered >= 0.999


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_eclipsed_victim_restarts_amid_the_swarm_and_still_hears_others(strategy):
    scenario = dataclasses.replace(SWARM, attack="eclipse", strategy=strategy)
    found = run_gossip(scenario)
    assert found.swarm.hostile_links > 0.7
    assert 1 <= found.swarm.honest_dialled_min <= SWARM.outbound
    assert found.delivered >= (0.999 if strategy == "chosen" else 0.5)


def test_the_victim_s_places_for_calls_are_all_taken_by_attackers():
    world = swarmed(attack="eclipse")
    victim = world.honest[0]
    neighbours = world.network._topology.neighbours[victim]
    inbound = [peer for peer, dialled in neighbours.items() if not dialled]
    assert len(inbound) == SWARM.inbound_max
    assert not set(inbound) & set(world.honest)


def test_a_swarm_that_holds_back_leaves_the_same_honest_network_alone():
    quiet = run_gossip(dataclasses.replace(SWARM, holds_back=True))
    assert quiet.swarm is None
    assert quiet.delivered == 1
    calm, held = (World(dataclasses.replace(SWARM, holds_back=back)) for back in (False, True))
    for world in (calm, held):
        while world.now_us < 3_500_000:
            world.run(1_000)
    assert [calm.peers(node) for node in calm.honest] == [held.peers(node) for node in held.honest]


def test_only_what_a_victim_sends_and_receives_counts():
    meter = Meter(4, only=2)
    meter.is_open = True
    for number, origin in enumerate((0, 2)):
        publication = Publication(bytes([number]) * 32, b"x", origin=origin, at_us=0, is_measured=True, nodes=4)
        meter.publish(publication, 3)
        for node in range(4):
            if node != origin and (node, origin) != (3, 2):
                publication.held[node] = 1
                meter.deliver(publication, node, 1_000 * (node + 1), expected=True)
    assert meter.pending == 1
    assert meter.delivered([(node, 0) for node in range(4)]) == 3 / 4
    assert meter.latency_ms().p99 == 3


def test_who_comes_back_dials_half_of_the_time_whom_it_reached_before():
    topology = Topology(1_000, outbound=8, inbound_max=1_000, rng=random.Random(1))
    known = topology.fill(0, lambda *_: True)
    topology.remember(0)
    again = 0
    for _ in range(200):
        for peer in topology.dialled(0):
            topology.cut(0, peer)
        again += topology.dial(0, lambda *_: True) in known
    assert 70 < again < 130


def test_a_call_needs_room_on_both_ends():
    topology = Topology(4, outbound=1, inbound_max=1, rng=random.Random(1))
    assert topology.call(0, 1)
    assert not topology.call(0, 2)
    assert not topology.call(2, 1)


def test_a_swarm_measures_after_a_minute_unless_told_otherwise():
    assert GossipScenario(attack="eclipse", nodes=500).settle == 60
    assert GossipScenario(attack="eclipse", nodes=500, settle_s=5.0).settle == 5
    assert GossipScenario(attack="mute").settle == 0
    assert GossipScenario(attack="sybil", nodes=500).near


def test_attackers_must_leave_somebody():
    with pytest.raises(GossipScenarioError, match="less than 2 others; give more nodes"):
        GossipScenario(attack="sybil", nodes=5)
    with pytest.raises(GossipScenarioError, match="settle_s"):
        GossipScenario(settle_s=-1.0)
