"""Who breaks the rules is convicted on the chain by the others, and nobody else; a fork convicts who made it."""

from __future__ import annotations

import pytest

from p2pcommerce.ledger.epochs import epoch_of
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.node.effects import OffenceFound
from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.outcome import Outcome, SeedTask, failure_of
from p2pcommerce.simulation.scenario import Adversary, Scenario, ScenarioError
from p2pcommerce.simulation.tally import Tally
from p2pcommerce.simulation.world import World

from .worlds import SECOND, run

EPOCH_BLOCKS = 5


def world_of(strategy: str, seed: int, *nodes: int, seconds: int = 40, **more) -> World:
    return World(
        Scenario(
            seed=seed,
            nodes=5,
            stakes=(1_000_000,) * 4,
            horizon_us=seconds * SECOND,
            liveness_us=10 * SECOND,
            load_tps=1,
            epoch_blocks=EPOCH_BLOCKS,
            adversaries=(Adversary(strategy, nodes),),
            **more,
        )
    )


@pytest.mark.parametrize(
    ("strategy", "rules"),
    [
        ("equivocate", {"E5"}),
        ("double_vote", {"E1", "E3", "E4"}),
        ("twins", {"E1", "E2", "E3", "E4", "E5"}),
        ("false_justify", {"E6"}),
    ],
)
def test_an_offender_is_found_reported_slashed_jailed_and_out_of_the_set(strategy, rules):
    world = run(world_of(strategy, 1, 1))
    result = world.result()
    assert result.is_good, result.words
    offender = world.hosts[1].key
    assert list(world.convictions.punished) == [offender]
    assert set(world.convictions.rules) <= rules
    height = world.convictions.punished[offender]
    host = world.hosts[0]
    epoch = epoch_of(height, EPOCH_BLOCKS)
    assert epoch_of(host.height, EPOCH_BLOCKS) >= epoch + 2, "the world ends before the offender is out"
    core = host.node
    assert offender not in core.chain.epoch_start.validators
    found = core.application.query("validator", {"validator": offender}, core.chain.state.final)
    assert (found["jailed"], found["candidate"], found["in_set"]) == (True, False, False)
    record = core.application.query(
        "offence",
        {"validator": offender, "epoch": min(e for _, e in world.convictions.accused)},
        core.chain.state.final,
    )
    assert record["slashed_minor"] == 100_000
    assert record["reward_minor"] == 50_000
    assert bytes.fromhex(record["reporter"]) in {each.key for each in world.hosts if each.behaviour is None}


def test_an_honest_node_that_is_accused_is_a_violation():
    world = world_of("mute", 1, 1)
    world.convictions.on_offence(world.hosts[0], OffenceFound(Offence(world.hosts[2].key, 0, "E1"), b"", None))
    assert [violation.oracle for violation in world.oracles.violations] == ["conviction"]
    assert "node 0 accuses node 2, which is honest" in world.oracles.violations[0].words


def test_who_was_punished_and_is_not_jailed_is_a_violation():
    world = run(world_of("mute", 1, 1, seconds=30))
    world.convictions.punished[world.hosts[1].key] = 1
    world.convictions.check_end(world.now_us)
    words = [violation.words for violation in world.oracles.violations]
    assert any("was punished, and is not jailed" in each for each in words)
    assert any("had to leave" in each for each in words)


def fork():
    """A world of four with two twins that forks: the first seed of a few."""
    for seed in range(1, 12):
        world = run(world_of("twins", seed, 0, 1, seconds=20, faults={"partition": 0.5}))
        if world.oracles.forks:
            return world
    raise AssertionError("no seed forks")


def test_a_fork_above_a_third_is_no_failure_and_nodes_convict_who_made_it():
    world = fork()
    result = world.result()
    assert failure_of(result) == ("", "")
    assert result.convictions["guilty_bps"] >= 3_334
    assert result.convictions["accused_bps"] >= 3_334
    tally = Tally()
    tally.add(Outcome.of(SeedTask(world.scenario, "finality"), result))
    assert tally.forked_seeds == 1
    assert tally.least_bps["accused_bps"] == result.convictions["accused_bps"]


def test_above_a_third_is_chosen_by_name_and_a_little_above():
    base = Scenario(seed=0, nodes=7, stakes=(1,) * 7)
    campaign = Campaign.of(base, "finality", 1, 3, faults="none", adversaries="twins", above_third=True)
    for seed in (1, 2, 3):
        assert len(campaign.scenario(seed).adversary_nodes) == 3
    below = Campaign.of(base, "finality", 1, 3, adversaries="twins")
    assert all(len(below.scenario(seed).adversary_nodes) <= 2 for seed in (1, 2, 3))
    for adversaries in ("none", "all", "mute"):
        with pytest.raises(ScenarioError, match="above a third"):
            Campaign.of(base, "finality", 1, 3, faults="none", adversaries=adversaries, above_third=True)
