import json
import math
import multiprocessing
import operator
import os
from contextlib import closing
from dataclasses import replace

import pytest

from p2pcommerce.simulation import campaign as campaign_room
from p2pcommerce.simulation.adversaries import STRATEGIES, Casting
from p2pcommerce.simulation.campaign import Campaign, OtherProgramError, run_campaign
from p2pcommerce.simulation.faults import FAULTS, FaultIntensityError, UnknownFaultError
from p2pcommerce.simulation.gates import GATE, GATE_BOUNDARY, GATE_FFG, GATE_SILENT, recovery_gates
from p2pcommerce.simulation.outcome import STALLED, Outcome, OutcomeError, SeedTask, run_seed
from p2pcommerce.simulation.outcome_file import OutcomeFile, OutcomeFileError
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.scenario import ADVERSARIES, Adversary, Scenario, ScenarioError, UnknownAdversaryError
from p2pcommerce.simulation.schedule import BREAKS_PROMISES, victims_of
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.sweep import (
    AHEAD_EACH,
    InProcess,
    ProcessPool,
    WorkerLostError,
    default_jobs,
)
from p2pcommerce.simulation.tally import FAILURES_KEPT, GAPS_JUDGED_MIN, SEEDS_JUDGED_MIN, Tally, quantile_of

BASE = Scenario(seed=0, horizon_us=4_000_000, liveness_us=2_000_000, load_tps=1)


def chosen(faults="all", adversaries="none", seeds=3, base=BASE, first_seed=1, stack="finality"):
    return Campaign.of(base, stack, first_seed, seeds, faults=faults, adversaries=adversaries)


def outcome(seed, **changes):
    fields = {
        "key": f"{seed:016x}",
        "program": program_digest(),
        "seed": seed,
        "trace_hash": f"{seed:064x}",
        "events": 10,
        "oracle": "",
        "detail": "",
        "fired": {"loss": 2, "crash": 0},
        "delays": {60: 3, 80: 1},
        "settled": {50: 2},
        "recovery_us": 100,
        "height": seed,
        "submitted": 4,
        "finalized": 3,
        "failed": 1,
        "refused": 0,
        "forks": 0,
        "adversary_acts": {"twins": 1},
        "tail": (),
    }
    return Outcome(**{**fields, **changes})


# --- who works ---


def test_results_come_in_the_order_of_the_tasks_whoever_works():
    tasks = list(range(60))
    expected = [-task for task in tasks]
    assert list(InProcess().map(operator.neg, tasks)) == expected
    assert list(ProcessPool(2).map(operator.neg, tasks)) == expected


def test_a_pool_works_in_other_processes():
    found = list(ProcessPool(2).map(operator.call, [os.getpid] * 4))
    assert os.getpid() not in found


def test_a_pool_leaves_no_process_behind_when_it_is_done():
    before = set(multiprocessing.active_children())
    list(ProcessPool(2).map(operator.neg, range(4)))
    assert set(multiprocessing.active_children()) == before


def test_closing_stops_workers_in_the_middle_of_their_task():
    before = set(multiprocessing.active_children())
    hours = 10**9
    with closing(ProcessPool(2).map(math.factorial, [3, *[hours] * (2 * AHEAD_EACH)])) as results:
        assert next(results) == 6
        assert set(multiprocessing.active_children()) != before
    assert set(multiprocessing.active_children()) == before


def test_a_pool_takes_only_some_tasks_ahead():
    taken = []

    def tasks():
        for task in range(100):
            taken.append(task)
            yield task

    with closing(ProcessPool(1).map(operator.neg, tasks())) as results:
        next(results)
        assert len(taken) == AHEAD_EACH


def test_a_worker_that_dies_is_reported():
    with pytest.raises(WorkerLostError, match="died"):
        list(ProcessPool(1).map(os._exit, [7]))


def test_there_is_a_job_for_each_core():
    assert default_jobs() == len(os.sched_getaffinity(0))


# --- which worlds ---


def test_faults_that_are_named_are_on_in_every_world():
    campaign = chosen("loss=0.3,crash")
    for task in campaign.tasks():
        assert task.scenario.faults == {"loss": 0.3, "crash": FAULTS["crash"].intensity}


def test_with_all_each_seed_draws_its_own_faults():
    worlds = [task.scenario.faults for task in chosen(seeds=50).tasks()]
    assert len({tuple(faults) for faults in worlds}) > 40
    assert {kind for faults in worlds for kind in faults} == set(FAULTS)


def test_a_seed_is_the_same_world_in_every_campaign():
    assert chosen(seeds=9).scenario(5) == chosen(first_seed=5, seeds=1).scenario(5)


def test_named_adversaries_are_in_every_world_below_a_third_of_the_stake():
    base = BASE.with_(nodes=10, stakes=(1,) * 10)
    seen = set()
    for task in chosen("none", "twins,withhold", 60, base).tasks():
        (entry,) = task.scenario.adversaries
        seen.add((entry.strategy, len(entry.nodes)))
        assert 3 * len(entry.nodes) < 10
    assert seen == {(strategy, count) for strategy in ("twins", "withhold") for count in (1, 2, 3)}


def test_stakes_are_those_of_the_base_unless_they_are_to_be_drawn():
    assert {task.scenario.stakes for task in chosen(seeds=20).tasks()} == {BASE.stakes}


def test_drawn_stakes_are_equal_in_a_good_share_of_the_worlds_and_of_many_kinds_in_the_others():
    campaign = Campaign.of(BASE, "finality", 1, 300, adversaries="all", draw_stakes=True)
    stakes = [task.scenario.stakes for task in campaign.tasks()]
    equal = sum(len(set(each)) == 1 for each in stakes)
    assert 60 < equal < 160
    assert len(set(stakes)) > 150
    assert any(3 * max(each) > sum(each) for each in stakes)
    assert chosen(seeds=1).scenario(7).faults == campaign.scenario(7).faults


def test_adversaries_and_spoilt_nodes_stay_below_a_third_of_unequal_stakes():
    base = BASE.with_(nodes=7, stakes=(1,) * 7)
    campaign = Campaign.of(base, "finality", 1, 300, faults="all", adversaries="all", draw_stakes=True)
    counts = set()
    for task in campaign.tasks():
        spec = task.scenario
        faulty = {*spec.adversary_nodes, *victims_of(spec, spec.stakes, Streams(spec.seed))}
        assert 3 * sum(spec.stakes[node] for node in faulty) < sum(spec.stakes)
        counts.add(len(spec.adversary_nodes))
    assert counts >= {0, 1, 2, 3}


def test_a_validator_with_most_of_the_stake_is_never_an_adversary():
    base = BASE.with_(stakes=(10, 3, 3, 3))
    cast = [task.scenario.adversary_nodes for task in chosen("none", "twins", 40, base).tasks()]
    assert all(cast)
    assert all(0 not in nodes for nodes in cast)


def test_adversaries_that_need_no_stake_do_not_validate_if_others_are_there():
    base = BASE.with_(nodes=7)
    for task in chosen("none", "mute", 20, base).tasks():
        assert min(task.scenario.adversary_nodes) >= 4


def test_with_all_half_of_the_worlds_have_no_adversary():
    worlds = [task.scenario for task in chosen("none", "all", 400).tasks()]
    quiet = sum(not world.adversaries for world in worlds)
    assert 150 < quiet < 250
    assert {entry.strategy for world in worlds for entry in world.adversaries} == set(STRATEGIES) <= set(ADVERSARIES)


def test_every_world_of_a_campaign_with_all_can_be_built():
    for task in chosen("none", "all", 60).tasks():
        Casting(task.scenario)


def test_a_lone_node_has_no_links_that_could_suffer():
    alone = BASE.with_(nodes=1, stakes=(1,), engine="solo")
    kinds = set(chosen(base=alone).faults)
    assert kinds
    assert not {kind for kind in kinds if FAULTS[kind].part == "link"}


def test_faults_that_spoil_a_node_are_left_out_of_all_where_no_node_may_be_spoilt():
    three = BASE.with_(nodes=3, stakes=(1, 1, 1))
    assert not set(chosen(base=three).faults) & set(BREAKS_PROMISES)
    assert not set(chosen(adversaries="twins").faults) & set(BREAKS_PROMISES)
    assert set(chosen(adversaries="all").faults) == set(FAULTS)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"faults": "earthquake"}, UnknownFaultError),
        ({"faults": "loss=7"}, FaultIntensityError),
        ({"faults": "loss", "adversaries": "ghost"}, UnknownAdversaryError),
        ({"faults": "bit_rot", "base": BASE.with_(nodes=3, stakes=(1, 1, 1))}, ScenarioError),
        ({"faults": "bit_rot", "adversaries": "twins"}, ScenarioError),
        ({"adversaries": "twins", "base": BASE.with_(nodes=3, stakes=(1, 1, 1))}, ScenarioError),
        ({"faults": "none", "adversaries": "sybil"}, ScenarioError),
        ({"faults": "loss", "base": BASE.with_(nodes=1, stakes=(1,))}, ScenarioError),
        ({"seeds": 0}, ScenarioError),
    ],
)
def test_a_campaign_that_cannot_be_is_refused(arguments, error):
    with pytest.raises(error):
        chosen(**arguments)


def test_a_cast_is_the_same_in_every_world():
    cast = (Adversary("mute", (2,)),)
    campaign = Campaign(base=BASE, seeds=2, cast=cast)
    assert [task.scenario.adversaries for task in campaign.tasks()] == [cast, cast]


# --- outcomes, their file, their sum ---


def test_a_seed_has_the_same_outcome_in_another_process():
    tasks = list(chosen(seeds=2).tasks())
    assert list(ProcessPool(2).map(run_seed, tasks)) == [run_seed(task) for task in tasks]


@pytest.mark.parametrize("stack", ["finality", "network"])
def test_a_world_leaves_an_outcome(stack):
    task = SeedTask(BASE.with_(seed=3, load_tps=4), stack)
    found = run_seed(task)
    assert found.oracle == ""
    assert found.key == task.key
    assert found.height > 2
    assert sum(found.delays.values()) > 2
    assert found.tail == ()
    assert Outcome.from_line(found.to_line()) == found


def test_the_key_of_a_task_stands_for_world_and_stack():
    keys = {
        SeedTask(BASE, "finality").key,
        SeedTask(BASE, "network").key,
        SeedTask(BASE.with_(seed=1), "finality").key,
        SeedTask(BASE.with_(load_tps=2), "finality").key,
    }
    assert len(keys) == 4


@pytest.mark.parametrize("line", ["", "7", "[]", "{}", '{"seed": 1}', "not json"])
def test_a_line_that_is_no_outcome_is_refused(line):
    with pytest.raises(OutcomeError):
        Outcome.from_line(line)


def test_what_is_in_the_file_is_not_run_again(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    with OutcomeFile(path, program_digest()) as file:
        first = list(run_campaign(chosen(seeds=2), InProcess(), file))
    ran = []

    def counted(task):
        ran.append(task.scenario.seed)
        return run_seed(task)

    monkeypatch.setattr(campaign_room, "run_seed", counted)
    with OutcomeFile(path, program_digest()) as file:
        again = list(run_campaign(chosen(seeds=3), InProcess(), file))
    assert ran == [3]
    assert again[:2] == first
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_other_parameters_in_the_file_are_left_alone_and_run(tmp_path):
    path = tmp_path / "r.jsonl"
    with OutcomeFile(path, program_digest()) as file:
        list(run_campaign(chosen("none", seeds=1), InProcess(), file))
    with OutcomeFile(path, program_digest()) as file:
        list(run_campaign(chosen("none", seeds=1, base=BASE.with_(load_tps=0)), InProcess(), file))
    assert len(path.read_text().splitlines()) == 2


def test_a_torn_last_line_is_cut(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(outcome(1).to_line() + "\n" + outcome(2).to_line()[:50])
    with OutcomeFile(path, program_digest()) as file:
        assert list(file.known) == [outcome(1).key]
        file.add(outcome(2))
    assert path.read_text() == outcome(1).to_line() + "\n" + outcome(2).to_line() + "\n"


def test_a_file_that_is_torn_in_its_first_line_is_empty(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("{")
    with OutcomeFile(path, program_digest()) as file:
        assert file.known == {}
    assert path.read_text() == ""


def test_results_of_other_sources_do_not_count(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(replace(outcome(1), program="0" * 16).to_line() + "\n")
    with OutcomeFile(path, program_digest()) as file:
        assert file.known == {}
        assert file.other_programs == 1


@pytest.mark.parametrize("text", ["hello\n", '{"a": 1}\n'])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(OutcomeFileError, match="line 1"):
        OutcomeFile(path, program_digest())
    assert path.read_text() == text


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\xff\n")
    with pytest.raises(OutcomeFileError, match="line 1 is no result"):
        OutcomeFile(path, program_digest())


def test_a_file_that_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(OutcomeFileError, match="No such file"):
        OutcomeFile(tmp_path / "no" / "r.jsonl", program_digest())


def test_a_worker_with_other_sources_is_refused():
    class Strange:
        def map(self, _work, tasks):
            for task in tasks:
                yield replace(outcome(task.scenario.seed), program="0" * 16)

    with pytest.raises(OtherProgramError):
        list(run_campaign(chosen(), Strange()))


def test_the_program_digest_stands_for_sources():
    assert len(program_digest()) == 16
    assert program_digest() == program_digest()


def test_a_tally_sums_up_in_the_order_of_seeds():
    tally, other = Tally(), Tally()
    for seed in (1, 2, 3):
        tally.add(outcome(seed))
    for seed in (1, 3, 2):
        other.add(outcome(seed))
    assert (tally.seeds, tally.events, tally.fired["loss"], tally.fired_seeds["loss"]) == (3, 30, 6, 3)
    assert (tally.submitted, tally.finalized, tally.failed, tally.height) == (12, 9, 3, 3)
    assert tally.trace_hash != other.trace_hash
    assert tally.finality_delays(5_000) == 3.0
    assert tally.finality_delays(9_900) == 4.0
    assert tally.settled_ms(9_900) == 500


def test_a_tally_gives_the_time_until_finality_resumed_in_base_delays():
    tally = Tally()
    for seed in range(1, 101):
        tally.add(outcome(seed, recovery_us=seed * 100_000))
    tally.add(outcome(101, recovery_us=None))
    assert [tally.recovery_delays(share_bps, 500_000) for share_bps in (5_000, 9_900, 10_000)] == [10.0, 19.8, 20.0]
    assert Tally().recovery_delays(5_000, 500_000) is None


def test_a_tally_tells_violations_from_stalls_and_keeps_some():
    tally = Tally()
    for seed in range(FAILURES_KEPT + 5):
        tally.add(outcome(seed, oracle="fork"))
    tally.add(outcome(99, oracle=STALLED))
    assert (tally.violated, tally.stalled, len(tally.failures)) == (FAILURES_KEPT + 5, 1, FAILURES_KEPT)


@pytest.mark.parametrize(("struck", "silent"), [(4, ["crash"]), (5, [])])
def test_a_fault_must_strike_in_five_percent_of_the_seeds(struck, silent):
    tally = Tally()
    for seed in range(100):
        tally.add(outcome(seed, fired={"loss": 1, "crash": 3 * (seed < struck)}))
    assert tally.silent(["loss", "crash"]) == silent


def test_too_few_seeds_tell_nothing_of_faults():
    tally = Tally()
    for seed in range(SEEDS_JUDGED_MIN - 1):
        tally.add(outcome(seed, fired={}))
    assert tally.silent(["loss"]) == []


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ({}, 5_000, None),
        ({4: 1}, 5_000, 4),
        ({1: 50, 2: 50}, 5_000, 1),
        ({1: 50, 2: 50}, 5_001, 2),
        ({1: 99, 9: 1}, 10_000, 9),
    ],
)
def test_quantiles_are_nearest_ranks(counts, share, value):
    assert quantile_of(counts, share) == value


def test_ninety_nine_worlds_in_a_hundred_must_be_within_the_gate():
    tally = Tally()
    for seed in range(SEEDS_JUDGED_MIN):
        tally.add(outcome(seed, recovery_us=7_000_000 if seed < 1 else 5_000_000))
    assert not tally.is_late(GATE, 1_000_000)
    tally.add(outcome(SEEDS_JUDGED_MIN, recovery_us=7_000_000))
    tally.add(outcome(SEEDS_JUDGED_MIN + 1, recovery_us=7_000_000))
    assert tally.is_late(GATE, 1_000_000)
    assert not tally.is_late(GATE_SILENT, 1_000_000)


def test_worlds_with_silent_validators_are_judged_apart():
    tally = Tally()
    for seed in range(2 * SEEDS_JUDGED_MIN):
        is_silent = seed % 2
        tally.add(outcome(seed, recovery_us=10_000_000 if is_silent else 5_000_000, silent_bps=2_500 * is_silent))
    assert tally.recovery_delays(5_000, 1_000_000, is_silent=False) == 5.0
    assert tally.recovery_delays(5_000, 1_000_000, is_silent=True) == 10.0
    assert tally.is_late(GATE, 1_000_000)
    assert not tally.is_late(GATE, 1_000_000, is_silent=False)
    assert tally.is_late(GATE, 1_000_000, is_silent=True)
    assert not tally.is_late(GATE_SILENT, 1_000_000, is_silent=True)


def test_too_few_worlds_of_a_kind_tell_nothing():
    tally = Tally()
    for seed in range(SEEDS_JUDGED_MIN):
        tally.add(outcome(seed, recovery_us=99_000_000 if seed else 1, silent_bps=0 if seed else 1))
    assert tally.is_late(GATE, 1_000_000)
    assert not tally.is_late(GATE, 1_000_000, is_silent=False)
    assert Tally().recovery_delays(5_000, 1, is_silent=True) is None


@pytest.mark.parametrize(
    ("engine", "gates"),
    [("simplex", {False: GATE, True: GATE_SILENT, None: GATE_SILENT}), ("ffg", {None: GATE_FFG})],
)
def test_the_gate_is_that_of_the_engine_and_of_who_is_silent(engine, gates):
    assert recovery_gates(engine) == gates


def test_gaps_between_epochs_are_summed_in_base_delays_and_judged_from_a_hundred_on():
    tally = Tally()
    tally.add(outcome(1, boundaries={60: GAPS_JUDGED_MIN - 3, 70: 2}, boundaries_struck={500: 1}))
    assert tally.boundary_delays(5_000, 500_000) == 1.2
    assert tally.boundary_delays(10_000, 500_000) == 1.4
    assert tally.boundary_delays(5_000, 500_000, is_struck=True) == 10.0
    assert not tally.has_gaps(GATE_BOUNDARY, 500_000)
    tally.add(outcome(2, boundaries={60: 1}))
    assert tally.has_gaps(GATE_BOUNDARY, 500_000)
    assert not tally.has_gaps(GATE_BOUNDARY, 1_000_000)
    assert Tally().boundary_delays(5_000, 1) is None
