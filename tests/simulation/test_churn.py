"""Worlds whose validators change: who is drawn, and what the judge of epochs sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.ledger.epochs import set_key
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.codec import pack, unpack
from p2pcommerce.simulation.churn import CHURNS, Churning
from p2pcommerce.simulation.epoch_judge import EpochJudge
from p2pcommerce.simulation.scenario import Scenario, ScenarioError
from p2pcommerce.simulation.world import World

from .worlds import run, scenario

KEYS = [bytes([number]) * 32 for number in range(8)]
BLOCKS = 3


def changing(seed: int = 1, churn: str = "disjoint", **more: object) -> World:
    settings = {"nodes": 8, "epoch_blocks": BLOCKS, "churn": churn, "base_delay_us": 300_000, "load_tps": 2} | more
    return World(scenario(seed, **settings))


@pytest.mark.parametrize("churn", CHURNS[1:])
def test_the_same_seed_draws_the_same_validators(churn):
    one, other = (Churning(3, churn, keys) for keys in (KEYS, KEYS[::-1]))
    assert [one._draw(epoch) for epoch in range(9)] == [other._draw(epoch) for epoch in range(9)]
    assert [Churning(4, churn, KEYS)._draw(epoch) for epoch in range(9)] != [
        one._draw(epoch) for epoch in range(9)
    ] or (churn == "disjoint")


def test_disjoint_sets_take_turns():
    drawn = [Churning(1, "disjoint", KEYS)._draw(epoch) for epoch in range(4)]
    assert drawn[0] == drawn[2]
    assert drawn[1] == drawn[3]
    assert not set(drawn[0]) & set(drawn[1])
    assert len(drawn[0]) == len(drawn[1]) == 4


def test_overlapping_sets_have_at_least_four_members_and_reach_everybody():
    drawn = [Churning(1, "overlap", KEYS)._draw(epoch) for epoch in range(60)]
    assert {len(stakes) for stakes in drawn} == {4, 5, 6, 7, 8}
    assert {key for stakes in drawn for key in stakes} == set(KEYS)


def test_who_breaks_the_rules_stays_below_a_third():
    villains = KEYS[:3]
    for epoch in range(100):
        stakes = Churning(1, "overlap", KEYS, villains)._draw(epoch)
        bad = sum(stakes.get(key, 0) for key in villains)
        assert 3 * bad < sum(stakes.values()) or not bad


@pytest.mark.parametrize("churn", CHURNS[1:])
def test_a_world_crosses_many_epochs_without_a_violation(churn):
    world = run(changing(churn=churn, seconds=8))
    result = world.result()
    assert not result.violations
    assert not result.stalled
    assert min(result.heights) >= 4 * BLOCKS
    assert world.oracles.epochs is not None
    assert world.oracles.epochs.epochs >= 4
    assert len({host.node.chain.sets(3).hash for host in world.hosts}) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_crashes_and_cuts_at_the_boundary_hold_nothing_up(seed):
    faults = {"crash": 0.1, "torn_write": 0.5, "partition": 0.3, "loss": 0.02}
    result = run(changing(seed, CHURNS[1 + seed % 2], seconds=14, liveness=8, faults=faults)).result()
    assert not result.violations
    assert not result.stalled


def test_the_same_scenario_gives_the_same_world():
    one, other = (run(changing(5, "overlap", seconds=6, liveness=0)).result() for _ in range(2))
    assert one.trace_hash == other.trace_hash


@pytest.fixture(scope="module")
def blocks():
    """The genesis and the final blocks of a world."""
    found: list[CommittedBlock] = []
    world = changing(2, "overlap")
    world.subscribe(found.append)
    run(world)
    assert len(found) > 4 * BLOCKS
    return world, found


def judged(blocks, change=None, at=2 * BLOCKS):
    """Show a judge the blocks, one of them changed; return what it says of that one."""
    world, found = blocks
    judge = EpochJudge(world.genesis, world.scheme)
    for committed in found[: at - 1]:
        assert judge.see(committed) == ""
    return judge.see(found[at - 1] if change is None else change(found[at - 1]))


def with_header(**changes):
    return lambda each: replace(each, block=replace(each.block, header=replace(each.block.header, **changes)))


def with_proof(edit):
    def change(committed):
        certificate, headers = unpack(committed.proof, 2**22)
        return replace(committed, proof=pack(edit(list(certificate), headers)))

    return change


def test_the_judge_is_content_with_good_blocks(blocks):
    assert judged(blocks, at=4 * BLOCKS) == ""


@pytest.mark.parametrize("name", ["validators_hash", "next_validators_hash"])
def test_the_judge_sees_another_set(blocks, name):
    assert "another set" in judged(blocks, with_header(**{name: bytes(32)}))


def test_the_judge_sees_another_epoch(blocks):
    assert "says epoch" in judged(blocks, with_header(epoch=7))


def test_the_judge_sees_what_a_proof_lacks(blocks):
    assert "of something else" in judged(blocks, with_header(time_ms=1))

    def bad(certificate, headers):
        certificate[6] = bytes(64) + certificate[6][64:]
        return (tuple(certificate), headers)

    def weak(certificate, headers):
        certificate[5] = bytes([1, *bytes(len(certificate[5]) - 1)])
        signer = unpack(blocks[1][2 * BLOCKS - 1].proof, 2**22)[0]
        first = next(index for index in range(8) if signer[5][0] >> index & 1)
        certificate[5] = bytes([1 << first, *certificate[5][1:]])
        certificate[6] = certificate[6][:64]
        return (tuple(certificate), headers)

    def short(certificate, headers):
        certificate[6] = certificate[6][:-1]
        return (tuple(certificate), headers)

    assert "bad signature" in judged(blocks, with_proof(bad))
    assert "weight" in judged(blocks, with_proof(weak))
    assert "do not fit its bitmap" in judged(blocks, with_proof(short))


def test_the_judge_learns_sets_from_boundary_blocks_alone(blocks):
    found = blocks[1]
    keys = [key for each in found for key in each.changes if key[:2] == b"\x00v"]
    assert keys
    written = {each.block.header.height for each in found if any(key[:2] == b"\x00v" for key in each.changes)}
    assert all(height % BLOCKS == 0 for height in written)
    assert set_key(2) in keys


@pytest.mark.parametrize("change", [{"churn": "sometimes"}, {"epoch_blocks": 1}])
def test_a_scenario_checks_its_epochs(change):
    with pytest.raises(ScenarioError):
        Scenario(seed=1, **change)
    assert Scenario.from_json(Scenario(seed=1, churn="overlap", epoch_blocks=5).to_json()).churn == "overlap"
