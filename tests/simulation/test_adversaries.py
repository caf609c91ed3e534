"""Adversaries: each strategy acts, and below a third of the stake it breaks nothing."""

from __future__ import annotations

import pytest

from p2pcommerce.finality.simplex.messages import Proposal, decode_message, decode_seal
from p2pcommerce.simulation.adversaries import STRATEGIES, Casting
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.scenario import ADVERSARIES, ScenarioError
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine, Status

from .worlds import run, scenario


def sends(world_scenario):
    heard = []

    def watch(kind, _at, node, what):
        if kind == "send":
            heard.append((node, what[0], what[2]))

    world = run(World(world_scenario, WorldOptions(watcher=watch)))
    return world, heard


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", [21, 22])
def test_below_a_third_a_strategy_acts_and_breaks_nothing(strategy, seed):
    world = run(World(scenario(seed, seconds=30, liveness=15, adversaries=[(strategy, seed % 4)])))
    result = world.result()
    assert result.is_good, result.words
    assert sum(result.adversary_acts.values()) > 0
    assert not [
        host for host in world.hosts if host.behaviour is None and host.key in world.oracles.judge.contradictions
    ]


@pytest.mark.parametrize("strategy", ["equivocate", "double_vote", "twins", "invalid_block"])
def test_a_strategy_holds_together_with_faults(strategy):
    faults = {"loss": 0.05, "crash": 0.03, "partition": 0.2, "torn_write": 0.5}
    result = run(World(scenario(31, seconds=30, liveness=14, faults=faults, adversaries=[(strategy, 1)]))).result()
    assert result.is_good, result.words


def test_an_equivocating_leader_shows_different_blocks_to_different_peers():
    _, heard = sends(scenario(21, seconds=20, adversaries=[("equivocate", 1)]))
    blocks = {}
    for node, target, message in heard:
        if node == 1 and isinstance(message, Engine):
            said = decode_message(message.data)
            if isinstance(said, Proposal):
                blocks.setdefault(decode_seal(said.header).view, {}).setdefault(said.header.hash, set()).add(target)
    assert any(len(told) == 2 for told in blocks.values())


def test_double_votes_and_equivocation_are_seen_by_the_judge():
    for strategy, rules in (("double_vote", {"E1", "E3"}), ("equivocate", {"E5"}), ("twins", {"E1", "E4", "E5", "E2"})):
        world = run(World(scenario(23, seconds=20, adversaries=[(strategy, 0)])))
        found = world.oracles.judge.contradictions
        assert list(found) == [world.hosts[0].key], strategy
        assert found[world.hosts[0].key].rule in rules


def test_a_double_voter_forgets_what_it_signed():
    result = run(World(scenario(24, seconds=30, adversaries=[("double_vote", 2)]))).result()
    assert result.adversary_acts["restarted without memory"] >= 1


def test_a_lying_peer_claims_heights_that_nobody_has_and_nobody_believes_them():
    world, heard = sends(scenario(25, seconds=12, adversaries=[("lying_sync", 3)]))
    claimed = max(message.height for node, _, message in heard if node == 3 and isinstance(message, Status))
    assert claimed > max(host.height for host in world.hosts)
    assert world.result().is_good


def test_a_mute_peer_says_nothing():
    _, heard = sends(scenario(26, seconds=6, liveness=3, adversaries=[("mute", 0)]))
    assert not [node for node, *_ in heard if node == 0]


def test_a_withholding_leader_gives_no_bodies_and_few_proposals():
    result = run(World(scenario(27, seconds=20, adversaries=[("withhold", 0)]))).result()
    assert result.adversary_acts["proposals withheld"] > 0
    assert result.views_nullified > 0


def test_twins_are_two_hosts_with_one_key():
    world = World(scenario(28, adversaries=[("twins", 1)]))
    assert len(world.hosts) == 5
    assert world.hosts[4].key == world.hosts[1].key
    assert world.hosts[4].address != world.hosts[1].address
    assert not world.oracles.is_honest(world.hosts[4])


def test_a_strategy_for_worlds_of_gossip_is_refused_by_name():
    for strategy in set(ADVERSARIES) - set(STRATEGIES):
        with pytest.raises(ScenarioError, match=strategy):
            Casting(scenario(adversaries=[(strategy, 0)]))


def test_a_node_follows_one_strategy():
    with pytest.raises(ScenarioError, match="two strategies"):
        Casting(scenario(adversaries=[("mute", 0), ("twins", 0)]))
