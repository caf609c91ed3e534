import pytest

from p2pcommerce.commerce import Commerce
from p2pcommerce.simulation.faults import FAULTS
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.oracles import Violation
from p2pcommerce.simulation.outcome import STALLED
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Adversary, Scenario
from p2pcommerce.simulation.shrink import NothingToShrinkError, shrink
from p2pcommerce.simulation.world import run_scenario

BIG = Scenario(
    seed=5,
    nodes=7,
    stakes=(1,) * 7,
    faults={name: kind.intensity for name, kind in FAULTS.items()},
    adversaries=(Adversary("twins", (1, 2)), Adversary("mute", (3,))),
    load_tps=9,
)
GOOD = {
    "trace_hash": "00" * 32,
    "events": 1,
    "fired": {},
    "delay_us": 1,
    "finality_us": (),
    "recovery_us": None,
    "heights": (),
    "state_roots": (),
    "submitted": 0,
    "finalized": 0,
    "failed": 0,
    "refused": 0,
    "submit_to_final_us": (),
    "views": 0,
    "views_nullified": 0,
    "forks": 0,
    "refused_to_sign": 0,
    "adversary_acts": {},
    "tail": (),
}


def result(scenario, oracle="", world_us=0):
    violations = () if oracle in {"", STALLED} else (Violation(oracle, world_us, "it broke"),)
    stalled = "no new block" if oracle == STALLED else ""
    return Result(scenario=scenario, violations=violations, stalled=stalled, **GOOD)


def failing(condition, oracle="fork", world_us=7_000_000):
    """Return what runs worlds that fail where a condition holds, at a moment."""

    def run(scenario):
        is_long_enough = oracle == STALLED or scenario.horizon_us > world_us
        return result(scenario, oracle if is_long_enough and condition(scenario) else "", world_us)

    return run


def test_only_what_the_failure_needs_is_left():
    found = shrink(BIG, failing(lambda each: {"loss", "crash"} <= set(each.faults) and each.nodes >= 4)).scenario
    assert set(found.faults) == {"loss", "crash"}
    assert (found.nodes, found.validators, found.load_tps, found.adversaries) == (4, 4, 0, ())


def test_what_must_stay_is_made_weaker():
    found = shrink(BIG, failing(lambda each: each.faults.get("loss", 0) >= 0.01)).scenario
    assert list(found.faults) == ["loss"]
    assert 0.01 <= found.faults["loss"] < 0.02


def test_time_after_the_violation_is_cut_and_time_before_it_stays_as_it_was():
    found = shrink(BIG, failing(lambda _: True, world_us=7_000_000)).scenario
    assert (found.horizon_us, found.liveness_us, found.healed_us) == (7_000_001, 0, 7_000_001)


def test_a_violation_after_the_faults_keeps_the_moment_of_healing():
    found = shrink(BIG, failing(lambda _: True, world_us=40_000_000)).scenario
    assert (found.horizon_us, found.healed_us) == (40_000_001, 30_000_000)


def test_a_stall_shrinks_to_less_time_under_faults():
    found = shrink(BIG, failing(lambda each: each.healed_us >= 5_000_000, STALLED)).scenario
    assert 5_000_000 <= found.healed_us < 10_000_000
    assert found.liveness_us == BIG.liveness_us


def test_another_oracle_is_another_failure():
    def run(scenario):
        return result(scenario, "fork" if "loss" in scenario.faults else "supply", 7_000_000)

    found = shrink(BIG, run)
    assert found.oracle == "fork"
    assert list(found.scenario.faults) == ["loss"]


def test_adversaries_lose_nodes_one_by_one():
    def needs_node_1(scenario):
        return any(entry.strategy == "twins" and 1 in entry.nodes for entry in scenario.adversaries)

    found = shrink(BIG, failing(needs_node_1)).scenario
    assert found.adversaries == (Adversary("twins", (1,)),)
    assert found.nodes == 2


def test_shrinking_is_deterministic():
    run = failing(lambda each: "crash" in each.faults and each.nodes >= 3 and each.seed % 2)
    assert shrink(BIG, run) == shrink(BIG, run)


def test_runs_are_bounded():
    heard = []
    found = shrink(BIG, failing(lambda _: True), runs_max=5, on_run=lambda runs, _best: heard.append(runs))
    assert found.runs == 5
    assert heard == [2, 3, 4, 5]


def test_no_world_is_run_twice():
    seen = []

    def run(scenario):
        seen.append(scenario.to_json())
        return result(scenario, "fork" if scenario.nodes >= 3 else "", 7_000_000)

    shrink(BIG, run)
    assert len(seen) == len(set(seen))


def test_a_world_that_does_not_fail_is_refused():
    with pytest.raises(NothingToShrinkError, match="seed 5"):
        shrink(BIG, failing(lambda _: False))


class Forgetful(Commerce):
    """An application with a defect: it cannot end its fourth block."""

    def end_block(self, state, context):
        if context.height >= 4:
            raise ValueError("the fourth block")
        return super().end_block(state, context)


def test_a_real_failure_shrinks_to_a_small_world_that_fails_in_the_same_way():
    options = WorldOptions(make_application=Forgetful, orders=False)

    def run(scenario):
        return run_scenario(scenario, options)

    big = Scenario(
        seed=3, faults={"loss": 0.05, "crash": 0.02, "clock_drift": 0.1}, horizon_us=20_000_000, liveness_us=5_000_000
    )
    found = shrink(big, run)
    assert found.oracle == "exception"
    assert (found.scenario.nodes, found.scenario.faults) == (1, {})
    assert found.scenario.horizon_us < 5_000_000
    again = run(Scenario.from_json(found.scenario.to_json()))
    assert again.violations[0].words == found.detail
