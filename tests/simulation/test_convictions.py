"""Who breaks the rules is convicted on the chain by the others, and nobody else; a fork convicts who made it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from p2pcommerce.commerce.evidence import OFFENCE, offence_id
from p2pcommerce.finality.ffg.links import LinkVote
from p2pcommerce.finality.ffg.messages import Cast, decode_message, encode_message
from p2pcommerce.finality.ffg.voting import LINK_DOMAIN, Checkpoint
from p2pcommerce.finality.simplex.misjustified import MISJUSTIFIED_BYTES_MAX
from p2pcommerce.ledger.epochs import epoch_of
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.node.effects import OffenceFound, Transmit
from p2pcommerce.primitives.ids import BlockHash
from p2pcommerce.simulation.adversaries.links import DoubleLink
from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.outcome import Outcome, SeedTask, failure_of
from p2pcommerce.simulation.scenario import Adversary, Scenario, ScenarioError
from p2pcommerce.simulation.tally import Tally
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine

from .worlds import SECOND, run

EPOCH_BLOCKS = 5


def world_of(strategy: str, seed: int, *nodes: int, seconds: int = 40, liveness: int = 10, **more) -> World:
    return World(
        Scenario(
            seed=seed,
            nodes=5,
            stakes=(1_000_000,) * 4,
            horizon_us=seconds * SECOND,
            liveness_us=liveness * SECOND,
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
    assert found["set_changes"]
    record = core.application.query(
        "offence",
        {"validator": offender, "epoch": min(e for _, e in world.convictions.accused)},
        core.chain.state.final,
    )
    assert record["slashed_minor"] == 100_000
    assert record["reward_minor"] == 50_000
    assert bytes.fromhex(record["reporter"]) in {each.key for each in world.hosts if each.behaviour is None}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_wrong_with_a_justify_the_evidence_is_small(seed):
    """It may be 256 signatures in a set of four, or a signer alone."""
    world = world_of("false_justify", seed, 1, seconds=25)
    sizes = []
    watch = world.on_offence

    def on_offence(host, effect):
        sizes.append(len(effect.evidence))
        watch(host, effect)

    world.on_offence = on_offence
    result = run(world).result()
    assert result.is_good, result.words
    assert list(world.convictions.punished) == [world.hosts[1].key]
    assert max(sizes) <= MISJUSTIFIED_BYTES_MAX


def test_halts_of_39_days_after_the_epoch_of_an_offence_do_not_let_the_offender_go():
    """Three of 13 days: after more than 14 nodes ask their operators for a newer trust anchor."""
    world = world_of("double_vote", 1, 1, seconds=200, faults={"clock_drift": 0.001})
    found = []
    world.on_offence = lambda _host, effect: found.append(effect)  # nobody reports yet
    world.start()
    honest = [host for host in world.hosts if host.behaviour is None]
    while not found:
        assert world.step()
    epoch = found[0].offence.epoch
    for end in range(epoch, epoch + 3):
        while min(host.node.chain.epoch_start.epoch for host in honest) <= end:
            assert world.step()
        for host in world.hosts:
            host.clock.jump(world.now_us, 13 * 86_400 * SECOND)
            host.rewind()
    while min(host.node.chain.epoch_start.epoch for host in honest) <= epoch + 3:
        assert world.step()
    world.on_offence = world.convictions.on_offence
    key = OFFENCE.key(offence_id(world.hosts[1].key, epoch))

    def punished():
        return honest[0].node.chain.state.final.get(key)

    assert world.run_until(world.scenario.horizon_us - 20 * SECOND, lambda: punished() is not None)
    assert not world.oracles.violations
    assert OFFENCE.read(punished()).height > (epoch + 3) * EPOCH_BLOCKS
    age_ms = honest[0].node.chain.head.time_ms - world.genesis.time_ms
    assert age_ms > 39 * 86_400_000 > world.genesis.parameters.unbonding_s * 1_000
    assert list(world.convictions.punished) == [world.hosts[1].key]


class SurroundLink(DoubleLink):
    """Sends a link around each of its own after it, to everybody."""

    def on_started(self):
        pass

    def on_data(self, peer, data):
        return data

    def on_effects(self, effects):
        done = []
        for effect in super().on_effects(effects):
            done.append(effect)
            if isinstance(effect, Transmit) and isinstance(effect.message, Engine) and effect.message.data[:1] == b"\1":
                vote = decode_message(effect.message.data).vote
                if vote.link.source.index:
                    done.append(Transmit(effect.peer, Engine(encode_message(Cast(self._around(vote))))))
        return done

    def _around(self, vote):
        below = Checkpoint(vote.link.source.index - 1, BlockHash(bytes(32)))
        above = Checkpoint(vote.link.target.index + 1, BlockHash(b"\1" * 32))
        link = replace(vote.link, source=below, target=above)
        return LinkVote(link, vote.voter, self.host.signature(LINK_DOMAIN, link.data))


@pytest.mark.parametrize(
    ("strategy", "rule"), [("double_vote", "F1"), (SurroundLink, "F2"), ("twins", "E5")], ids=["F1", "F2", "E5"]
)
def test_with_ffg_an_offender_is_found_told_of_reported_slashed_and_jailed_and_votes_on(strategy, rule):
    name = strategy if isinstance(strategy, str) else "double_vote"
    world = world_of(name, 1, 1, seconds=80, liveness=25, engine="ffg")
    if name is not strategy:
        host = world.hosts[1]
        host.behaviour = strategy(host, world, random.Random(1))
    lines = []
    world.on_log = lambda host, level, room, message: lines.append(message)
    run(world)
    result = world.result()
    assert result.is_good, result.words
    offender = world.hosts[1].key
    assert list(world.convictions.punished) == [offender]
    assert set(world.convictions.rules) == {rule}
    assert any(line.endswith("; it goes on voting, for ffg keeps the genesis validators") for line in lines)
    # The last node is no validator: it hears no votes, and knows by its peers alone.
    (found,) = world.hosts[4].core.offences()
    assert found.peer is not None
    core = world.hosts[0].core
    view = core.chain.state.final
    record = core.application.query("offence", {"validator": offender, "epoch": 0}, view)
    assert (record["rule"], record["slashed_minor"], record["reward_minor"]) == (rule, 100_000, 50_000)
    assert bytes.fromhex(record["reporter"]) in {host.key for host in world.hosts if host.behaviour is None}
    told = core.application.query("validator", {"validator": offender}, view)
    assert (told["jailed"], told["candidate"], told["bonded_minor"]) == (True, False, 900_000)
    assert (told["in_set"], told["set_changes"]) == (True, False)
    assert core.chain.epoch_start.validators == world.genesis.validators, "the engine keeps the genesis set"
    assert world.hosts[0].height > world.convictions.punished[offender] + 8, "and goes on with it"
    assert core.application.query("supply", {}, view)["conserved"]


def test_an_honest_node_that_is_accused_is_a_violation():
    world = world_of("mute", 1, 1)
    world.convictions.on_offence(world.hosts[0], OffenceFound(Offence(world.hosts[2].key, 0, "E1"), b"", None))
    assert [violation.oracle for violation in world.oracles.violations] == ["conviction"]
    assert "node 0 accuses node 2, which is honest" in world.oracles.violations[0].words


def test_who_was_punished_and_is_not_jailed_is_a_violation():
    world = run(world_of("mute", 2, 1))
    assert epoch_of(world.hosts[0].height, EPOCH_BLOCKS) >= 2, "the world ends before anybody had to leave"
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
