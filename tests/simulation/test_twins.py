"""Twins: the scenarios are all there, each once; a sample of them breaks nothing; planted bugs are found."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from p2pcommerce.cli.main import main
from p2pcommerce.finality import engine as seam
from p2pcommerce.finality import pick_leader
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.line_file import OutcomeFileError
from p2pcommerce.simulation.sweep import InProcess
from p2pcommerce.simulation.twins import (
    ChunkFile,
    Round,
    Space,
    SpaceError,
    TwinsCampaign,
    TwinsNetwork,
    TwinsTally,
    read_arrangement,
    run_arrangement,
    run_twins,
    words_of,
)
from p2pcommerce.simulation.twins.chunk import ChunkError, ChunkResult

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools" / "mutants"
sys.path.insert(0, str(TOOLS))

from catalogue import MUTANTS  # noqa: E402 - the tools are no package
from plants import planted  # noqa: E402 - see above

sys.path.remove(str(TOOLS))

WHOLE = "abcdD:a abcdD:b abcdD:c abcdD:d"


# --- the scenarios ---


def renamed(each, order):
    """Return a round with instance i called order[i], its groups as sets, so that nothing depends on their numbers."""
    groups = {}
    for instance, group in enumerate(each.groups):
        groups.setdefault(group, set()).add(order[instance])
    leader = each.leader if each.leader == len(order) - 2 else order[each.leader]
    return leader, frozenset(map(frozenset, groups.values()))


def test_every_arrangement_is_a_renaming_of_exactly_one_scenario():
    space = Space(4, 2, groups_max=2)
    orders = [
        (*honest, *twins) for honest in itertools.permutations(range(3)) for twins in itertools.permutations((3, 4))
    ]
    classes = [
        {tuple(renamed(each, order) for each in space[number]) for order in orders} for number in range(len(space))
    ]
    assert sum(map(len, classes)) == space.arrangements
    assert len(set().union(*classes)) == space.arrangements


@pytest.mark.parametrize(
    ("groups_max", "leaders", "per_round", "distinct"),
    [(1, "any", 4, 51), (2, "any", 64, 1_502_936), (2, "twinned", 16, 6_936), (5, "any", 208, 160_117_923)],
)
def test_the_numbers_of_scenarios_of_four_validators_and_four_rounds(groups_max, leaders, per_round, distinct):
    space = Space(4, 4, groups_max, leaders)
    assert (space.per_round, space.arrangements, len(space)) == (per_round, per_round**4, distinct)


def test_words_of_a_scenario_are_read_back():
    space = Space()
    for number in range(0, len(space), 100_003):
        assert read_arrangement(words_of(space[number])) == space[number]
    assert read_arrangement("ab/cdD:d") == (Round(3, (0, 0, 1, 1, 1)),)


@pytest.mark.parametrize(
    "text", ["", "abcd:a", "ab/cdD", "ab/cdD:D", "ab/cdD:x", "abb/cdD:a", "abcdD:a abcdeE:a", "abcdD:a " * 9, "a:a"]
)
def test_what_is_no_scenario_is_refused(text):
    with pytest.raises(SpaceError):
        read_arrangement(text)


@pytest.mark.parametrize("size", [(3, 4, 2, "any"), (7, 4, 2, "any"), (4, 0, 2, "any"), (4, 9, 2, "any")])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(SpaceError):
        Space(*size)
    with pytest.raises(SpaceError):
        Space(4, 4, 6)
    with pytest.raises(SpaceError):
        Space(4, 4, 2, "nobody")


def test_a_scenario_beyond_the_last_is_refused():
    with pytest.raises(IndexError):
        Space(4, 1)[len(Space(4, 1))]


# --- running them ---


def test_the_first_views_are_led_as_the_scenario_says():
    for leaders in ("abcd", "dddd", "cbda"):
        network = TwinsNetwork(read_arrangement(" ".join(f"abcdD:{leader}" for leader in leaders)))
        validators = network.instances[0]._setting.validators
        seed = network.judge._setting.genesis.genesis_hash
        drawn = [pick_leader(validators, seed, view) for view in range(1, 5)]
        assert drawn == [network.instances["abcd".index(leader)].key for leader in leaders]


def test_without_partitions_each_round_of_an_honest_leader_makes_a_block_final():
    ran = run_arrangement(read_arrangement("abcdD:a abcdD:b abcdD:c abcdD:a"))
    assert (ran.oracle, ran.heights[0]) == ("", 4)


def test_a_round_that_the_twins_lead_shows_two_proposals_and_convicts_them():
    ran = run_arrangement(read_arrangement(WHOLE))
    assert (ran.oracle, ran.is_equivocal) == ("", True)
    # One accusation of an offender in an epoch is enough, and the proposals are heard before the votes.
    assert "E5" in ran.convictions


def test_without_a_quorum_nothing_is_final_until_the_network_heals():
    ran = run_arrangement(read_arrangement("ab/cdD:a ab/cdD:b ac/bdD:c ac/bdD:d"))
    assert (ran.oracle, ran.heights[0]) == ("", 0)
    assert ran.heights[1] >= 1


def test_a_scenario_run_again_gives_the_same():
    arrangement = Space()[777_777]
    assert run_arrangement(arrangement) == run_arrangement(arrangement)


def test_a_sample_of_the_scenarios_breaks_nothing():
    tally = TwinsTally()
    for result, is_new in run_twins(TwinsCampaign.of(Space(), 150, seed=4), InProcess()):
        assert is_new
        tally.add(result)
    assert (tally.scenarios, tally.failures) == (150, [])
    assert tally.equivocal > 75
    assert set(tally.convictions) == {"E1", "E3", "E4", "E5"}
    longest = tally.recovery_delays(10_000)
    assert longest is not None
    assert longest <= 30


# --- what must hold is looked at ---


def complaint(act):
    """Run a network in which something is done after the start; return the oracle that notices."""
    network = TwinsNetwork(read_arrangement(WHOLE))
    act(network)
    return network.run().oracle


def test_an_honest_instance_that_halts_or_blames_an_honest_one_is_noticed():
    assert complaint(lambda net: net.on_effect(0, seam.Halt("no reason"))) == "halt"
    assert complaint(lambda net: net.on_effect(0, seam.Blame(PeerId(net.instances[1].key), "no reason"))) == "blame"
    assert complaint(lambda net: net.on_effect(0, seam.Blame(PeerId(net.instances[3].key), "a reason"))) == ""
    assert complaint(lambda net: net.on_effect(4, seam.Halt("no reason"))) == ""


def test_evidence_that_convicts_nobody_is_noticed():
    def accuse(network):
        network.instances[0].start()
        network.on_effect(0, seam.Evidence(b"nothing"))

    assert complaint(accuse) == "conviction"


def test_a_network_that_does_not_resume_and_an_engine_that_raises_are_noticed(monkeypatch):
    monkeypatch.setattr("p2pcommerce.simulation.twins.network.HEAL_STEPS_MAX", 0)
    assert run_arrangement(read_arrangement("ab/cdD:a " * 4)).oracle == "stalled"

    def broken(network):
        network.instances[1].engine.on_message = lambda *_: 1 // 0

    assert complaint(broken) == "exception"


@pytest.mark.parametrize("name", ["quorum_low", "f_after_z"])
def test_a_planted_bug_is_found(name, tmp_path):
    mutant = next(each for each in MUTANTS if each.name == name)
    package = tmp_path / "p2pcommerce"
    shutil.copytree(ROOT / "p2pcommerce", package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, source in planted(mutant, package).items():
        (package / file).write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "p2pcommerce", "sim", "twins", "--sample", "60", "--jobs", "1", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert {"quorum_low": "fork", "f_after_z": "double_sign"}[name] in report["oracles"]
    assert report["repro"].startswith("p2pcommerce sim twins --arrangement ")


# --- sweeps and the command line ---


def test_a_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("p2pcommerce.simulation.twins.campaign.CHUNK_SCENARIOS", 3)
    campaign = TwinsCampaign.of(Space(4, 1), 9)
    path = tmp_path / "twins.jsonl"
    with ChunkFile(path, "") as file:
        file.known = {}
        whole = [result for result, _ in run_twins(campaign, InProcess(), file)]
    program = whole[0].program
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:40])
    with ChunkFile(path, program) as file:
        again = list(run_twins(campaign, InProcess(), file))
    assert [is_new for _, is_new in again] == [False, False, True]
    assert [result for result, _ in again] == whole
    with ChunkFile(path, "another program") as file:
        assert (file.known, file.other_programs) == ({}, 3)


def test_a_line_that_is_no_result_is_refused(tmp_path):
    path = tmp_path / "twins.jsonl"
    path.write_text('{"key": 1}\n')
    with pytest.raises(OutcomeFileError, match="line 1"):
        ChunkFile(path, "program")


def test_samples_without_repetition_by_the_seed():
    space = Space(4, 2)
    one, same, other = (TwinsCampaign.of(space, 100, seed).numbers for seed in (1, 1, 2))
    assert one == same != other
    assert len(set(one)) == 100
    with pytest.raises(SpaceError):
        TwinsCampaign.of(space, len(space) + 1)


def test_the_command_runs_all_scenarios_of_a_size(capsys):
    assert main(["sim", "twins", "--rounds", "1", "--jobs", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["scenarios"], report["distinct"], report["failed"]) == (len(Space(4, 1)),) * 2 + (0,)


def test_the_command_repeats_one_scenario(capsys):
    assert main(["sim", "twins", "--arrangement", WHOLE]) == 0
    assert "nothing was broken" in capsys.readouterr().out
    assert main(["sim", "twins", "--arrangement", WHOLE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["equivocal"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ["--arrangement", WHOLE, "--sample", "3"],
        ["--arrangement", "nonsense"],
        ["--seed", "3"],
        ["--sample", "0"],
        ["--validators", "3"],
    ],
)
def test_bad_arguments_are_refused(arguments, capsys):
    assert main(["sim", "twins", *arguments]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("count", ["Infinity", "[" * 20_000])
def test_a_result_that_no_program_wrote_is_refused_by_name(count):
    sound = ChunkResult(
        key="k", program="p", scenarios=1, oracles={}, failures=(), steps={1: 77}, progress={}, equivocal=0,
        convictions={}, events=1, trace_hash="t",
    )  # fmt: skip
    assert ChunkResult.from_line(sound.to_line()) == sound
    with pytest.raises(ChunkError):
        ChunkResult.from_line(sound.to_line().replace("77", count))
