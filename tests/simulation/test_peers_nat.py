"""Networks in which many nodes cannot be dialled: discovery alone, and gossip over what it leaves."""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import pytest

from p2pcommerce.cli.main import main
from p2pcommerce.cli.sim import nat
from p2pcommerce.discovery.guests import Guests
from p2pcommerce.simulation.gossip import GossipScenario, GossipScenarioError, World, run_gossip
from p2pcommerce.simulation.peers import NatScenario, NatScenarioError, run_nat

SMALL = NatScenario(nodes=60, wanted=4, run_s=120)
GOSSIP = GossipScenario(nodes=60, transactions=40, rate=40, warmup_s=3, warmup_rate=10)


@pytest.mark.parametrize("hidden", [0.3, 0.6])
def test_hidden_nodes_get_connections_that_others_want_only_by_reverse_dialling(hidden):
    scenario = dataclasses.replace(SMALL, hidden=hidden)
    found, without = run_nat(scenario), run_nat(dataclasses.replace(scenario, asks=False))
    assert (found.hidden, found.pairs) == (without.hidden, without.pairs)
    assert found.hidden == int(60 * hidden)
    assert found.outbound_min >= 4  # of 24 that can be dialled, without those that called before they were
    assert found.outbound_mean >= 7.5
    assert found.pairs_met == 1
    assert without.pairs_met <= 0.7
    assert (without.unplanned_mean, without.called, without.asked) == (0, 0, 0)
    assert found.unplanned_share >= 0.5
    assert found.called_max <= 8 + SMALL.run_s / 5


def test_where_all_can_be_dialled_hardly_anybody_is_asked_for():
    found = run_nat(dataclasses.replace(SMALL, hidden=0.0, run_s=60))
    assert (found.hidden, found.pairs, found.called) == (0, 0, 0)
    assert found.outbound_min >= 7


def test_full_bootstrap_nodes_let_a_newcomer_find_others(monkeypatch):
    """The nodes that others begin with take two callers each; without guests most of the network stays alone."""
    scenario = dataclasses.replace(SMALL, wanted=0, hidden=0.6, inbound_max=2)
    assert run_nat(scenario).outbound_mean >= 7
    monkeypatch.setattr(Guests, "receive", lambda *_: [])
    assert run_nat(scenario).outbound_mean <= 4


def test_a_network_is_decided_by_its_seed():
    tiny = dataclasses.replace(SMALL, nodes=14, run_s=40)
    found = run_nat(tiny)
    assert run_nat(tiny) == found
    assert run_nat(dataclasses.replace(tiny, seed=2)).trace_hash != found.trace_hash


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_gossip_reaches_everybody_though_nobody_calls_a_hidden_node(share):
    scenario = dataclasses.replace(GOSSIP, nat=share)
    world = World(scenario)
    while world.now_us < 2_000_000:
        world.run(500)
    hidden = list(world.network._hidden)
    assert len(hidden) == int(GOSSIP.nodes * share)
    assert all(sorted(world.peers(node)) == sorted(world.dialled(node)) for node in hidden)
    assert all(len(world.dialled(node)) == GOSSIP.outbound for node in range(GOSSIP.nodes))
    assert run_gossip(scenario).delivered == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"nodes": 11}, "nodes is 11"), ({"hidden": 0.9}, "hidden is 0.9"), ({"nodes": 12, "wanted": 12}, "of 12 nodes")],
)
def test_a_scenario_that_cannot_be_run_says_why(changes, words):
    with pytest.raises(NatScenarioError, match=words):
        NatScenario(**changes)
    with pytest.raises(GossipScenarioError, match="nat is"):
        GossipScenario(nat=0.9)


def test_the_command_prints_who_finds_whom(capsys, monkeypatch):
    monkeypatch.setattr(nat, "NatScenario", partial(NatScenario, run_s=40))
    words = ["sim", "gossip", "--nodes", "12", "--transactions", "5", "--warmup", "1", "--nat", "0.5"]
    assert main(words) == 0
    assert "without reverse dialling: 12 nodes, of which nobody can dial 6" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["delivered"] == 1
    assert (told["nat"]["with"]["hidden"], told["nat"]["without"]["called"]) == (6, 0)
