"""Poisoned records and restarts, in worlds of discovery alone."""

from __future__ import annotations

import dataclasses
import json

import pytest

from p2pcommerce.cli.main import main
from p2pcommerce.simulation.peers import PoisonScenario, PoisonScenarioError, run_poison

SMALL = PoisonScenario(honest=24, restarts=8, warm_s=400, attack_s=120, groups=16)


@pytest.fixture(scope="module")
def found():
    return run_poison(SMALL)


def test_a_poisoned_node_has_two_honest_peers_after_each_restart(found):
    assert found.ok_share == 1
    assert found.honest_outbound_min >= 2
    assert found.honest_outbound_low >= 1
    assert len(found.honest_outbound) == SMALL.restarts


def test_the_same_attack_wins_against_a_flat_book():
    flat = run_poison(dataclasses.replace(SMALL, book="flat", restarts=20))
    assert flat.ok_share <= 0.6
    assert flat.honest_outbound_low == 0


def test_a_world_is_decided_by_its_seed():
    tiny = dataclasses.replace(SMALL, honest=8, restarts=2, warm_s=100, attack_s=60)
    found = run_poison(tiny)
    assert run_poison(tiny) == found
    assert run_poison(dataclasses.replace(tiny, seed=2)).trace_hash != found.trace_hash


def test_without_poison_all_peers_are_honest():
    calm = run_poison(dataclasses.replace(SMALL, poison=0, restarts=2, warm_s=200))
    assert calm.honest_outbound == (8, 8)
    assert calm.honest_in_tried == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"book": "red"}, "unknown book"), ({"honest": 1}, "honest is 1"), ({"life_s": 10.0}, "life_s is 10")],
)
def test_a_scenario_that_cannot_be_run_says_why(changes, words):
    with pytest.raises(PoisonScenarioError, match=words):
        PoisonScenario(**changes)


def test_the_command_prints_what_the_restarts_led_to(capsys):
    words = ["sim", "gossip", "--attack", "poison", "--nodes", "12", "--restarts", "2", "--seed", "3"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["honest"], told["restarts"], told["book"], told["seed"]) == (12, 2, "buckets", 3)
    assert main(words) == 0
    assert "of one node; after" in capsys.readouterr().out
