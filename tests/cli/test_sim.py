"""`p2pcommerce sim`: the members of its JSON, exit codes, repeat commands, stopping and going on."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from p2pcommerce.cli.main import main
from p2pcommerce.cli.sim import finality
from p2pcommerce.cli.sim.failure import repeat_command
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.commerce import Commerce
from p2pcommerce.simulation import outcome as outcome_room
from p2pcommerce.simulation.faults import FAULTS
from p2pcommerce.simulation.gossip import ATTACKS, ROWS, STRATEGIES
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.outcome import Outcome
from p2pcommerce.simulation.pictures import ALBUM, spacetime
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.scenario import ADVERSARIES, ENGINES, Scenario
from p2pcommerce.simulation.tables import TABLES
from p2pcommerce.simulation.world import run_scenario

SHORT = ("--horizon", "12", "--liveness", "10", "--jobs", "1")
GOSSIP = ("sim", "gossip", "--nodes", "8", "--transactions", "20", "--warmup", "1")


def run(capsys, *argv):
    code = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def report(out):
    return json.loads(out.splitlines()[-1])


def process(*argv, **environment):
    # A program in the background of a shell ignores SIGINT, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "p2pcommerce", "sim", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


# --- gossip ---


def test_gossip_gives_the_members_of_the_interface(capsys):
    code, out, _ = run(capsys, *GOSSIP, "--json")
    found = report(out)
    assert code == 0
    assert set(found) >= {
        "seed", "nodes", "strategy", "latency_table", "transactions", "delivered", "latency_ms", "trace_hash", "events",
        "bytes_per_payload_byte", "duplicates_per_delivery", "events_per_s",
    }  # fmt: skip
    assert set(found["latency_ms"]) == {"p50", "p99"}
    assert (found["nodes"], found["transactions"], found["delivered"], found["strategy"]) == (8, 20, 1.0, "chosen")


@pytest.mark.parametrize("strategy", ["chosen", "gossipsub", "flood"])
def test_a_seed_repeats_a_gossip_world_exactly(capsys, strategy):
    hashes = [
        report(run(capsys, *GOSSIP, "--json", "--strategy", strategy, "--seed", seed)[1])["trace_hash"]
        for seed in (4, 4, 5)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_gossip_says_for_people_which_delays_it_used(capsys):
    code, out, _ = run(capsys, *GOSSIP, "--latency", "simblock", "--attack", "mute")
    assert code == 0
    assert "delays: simblock: " in out
    assert "attack mute" in out


def test_the_table_of_gossip_has_a_line_for_each_goal_and_says_which_hold(capsys):
    code, out, _ = run(capsys, *GOSSIP, "--table", "--jobs", "1")
    _, columns, *told = out.splitlines()
    lines, verdict = told[: len(ROWS)], told[len(ROWS) :]
    assert columns.split() == ["delivered", "p99", "goal", "bytes", "goal", "upload", "goal"]
    names = [f"{goal.name} *" if goal.over_itself else goal.name for goal in ROWS]
    assert [line[:40].strip() for line in lines] == names
    assert all("holds" in line or "misses" in line for line in lines)
    missed = [name for name, line in zip(names, lines, strict=True) if "misses" in line]
    assert code == int(bool(missed))
    assert len(verdict) == 1 + len(missed)
    assert verdict[0] == (
        f"{len(missed)} of {len(ROWS)} rows miss a goal:" if missed else f"All {len(ROWS)} rows hold."
    )
    assert [line.split(":")[0].strip() for line in verdict[1:]] == [
        name.removesuffix(" *").split(":")[0] for name in missed
    ]


def test_the_table_of_gossip_takes_no_single_strategy_or_attack(capsys):
    for option in (("--strategy", "chosen"), ("--attack", "mute"), ("--attack-share", "0.2"), ("--settle", "1")):
        code, _, err = run(capsys, *GOSSIP, "--table", *option)
        assert code == 2
        assert f"leave out {option[0]}" in err


# --- finality and network ---


def test_finality_gives_the_members_of_the_interface(capsys):
    code, out, _ = run(capsys, "sim", "finality", "--seeds", "2", *SHORT, "--json")
    found = report(out)
    assert code == 0
    assert set(found) >= {
        "first_seed", "seeds", "validators", "engine", "faults", "safety_violations", "stalled", "finality_delays",
        "recovery_delays", "trace_hash", "seeds_per_minute", "repro",
    }  # fmt: skip
    assert (found["first_seed"], found["seeds"], found["validators"], found["engine"]) == (1, 2, 4, "simplex")
    assert (found["safety_violations"], found["stalled"], found["repro"]) == (0, 0, None)
    assert found["finality_delays"]["p50"] > 1
    assert 0 < found["recovery_delays"]["p50"] <= found["recovery_delays"]["p99"] <= found["recovery_delays"]["max"]
    assert len(found["faults"]) > 10


def test_network_runs_the_full_stack(capsys):
    code, out, _ = run(
        capsys, "sim", "network", "--seed", "2", "--faults", "none", "--horizon", "6", "--jobs", "1", "--json"
    )
    found = report(out)
    assert code == 0
    assert (found["nodes"], found["validators"], found["faults"]) == (7, 4, {})
    assert found["submitted"] >= found["finalized"] > 0
    assert found["submit_to_final_ms"]["p50"] > 0


def test_the_hash_depends_on_worlds_only_not_on_processes_or_hash_seeds():
    arguments = ("finality", "--seeds", "4", "--horizon", "14", "--liveness", "11", "--json")
    both = [
        process(*arguments, "--jobs", "1", PYTHONHASHSEED="1"),
        process(*arguments, "--jobs", "2", PYTHONHASHSEED="2"),
    ]
    outs = [each.communicate()[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    first, second = (report(out) for out in outs)
    for member in ("trace_hash", "faults", "finality_delays", "events"):
        assert first[member] == second[member]


def test_one_seed_alone_is_the_same_world(capsys, tmp_path):
    path = tmp_path / "r.jsonl"
    run(capsys, "sim", "finality", "--first-seed", "7", "--seeds", "2", *SHORT, "--out", path)
    run(capsys, "sim", "finality", "--seed", "8", *SHORT, "--out", tmp_path / "one.jsonl")
    assert path.read_text().splitlines()[1] == (tmp_path / "one.jsonl").read_text().splitlines()[0]


def test_results_that_are_there_are_not_run_again(capsys, tmp_path):
    path = tmp_path / "r.jsonl"
    whole = report(run(capsys, "sim", "finality", "--seeds", "3", *SHORT, "--json", "--out", path)[1])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2] + lines[1][:40])
    resumed = report(run(capsys, "sim", "finality", "--seeds", "3", *SHORT, "--json", "--out", path)[1])
    assert resumed["trace_hash"] == whole["trace_hash"]
    assert sorted(path.read_text().splitlines()) == sorted(line.strip() for line in lines)
    again = report(run(capsys, "sim", "finality", "--seeds", "3", *SHORT, "--json", "--out", path)[1])
    assert (again["trace_hash"], again["seeds_per_minute"]) == (whole["trace_hash"], None)


def test_results_of_other_sources_are_named_and_run_again(capsys, tmp_path):
    path = tmp_path / "r.jsonl"
    run(capsys, "sim", "finality", "--seeds", "1", *SHORT, "--out", path)
    path.write_text(path.read_text().replace(program_digest(), "0" * 16))
    _, _, err = run(capsys, "sim", "finality", "--seeds", "1", *SHORT, "--out", path)
    assert "1 results of other sources are not used" in err
    assert len(path.read_text().splitlines()) == 2


def test_stakes_that_are_named_are_those_of_every_world(capsys, tmp_path):
    _, out, _ = run(capsys, "sim", "finality", "--stakes", "10,3,3,3,1", "--seeds", "1", *SHORT, "--json")
    found = report(out)
    assert found["validators"] == 5
    drawn = report(run(capsys, "sim", "finality", "--validators", "5", "--seeds", "1", *SHORT, "--json")[1])
    assert drawn["trace_hash"] != found["trace_hash"]


# --- failures ---


class Forgetful(Commerce):
    """An application with a defect: it cannot end its third block."""

    def end_block(self, state, context):
        if context.height >= 3:
            raise ValueError("the third block")
        return super().end_block(state, context)


@pytest.fixture
def defect(monkeypatch):
    """Plant a defect into the nodes of every world."""

    def options(_stack):
        return WorldOptions(make_application=Forgetful, orders=False)

    monkeypatch.setattr(outcome_room, "options_of", options)
    monkeypatch.setattr("p2pcommerce.cli.sim.shrinking.options_of", options)


@pytest.mark.usefixtures("defect")
def test_a_violated_oracle_says_what_happened_and_how_to_repeat_it(capsys):
    code, out, _ = run(capsys, "sim", "finality", "--first-seed", "5", "--seeds", "2", "--faults", "loss=0.2", *SHORT)
    assert code == 1
    assert "seed 5: exception at " in out
    assert "ValueError: the third block" in out
    assert "the last events before it:\n" in out
    assert re.search(r"\n  \d\.\d{6} s  node \d  \w+", out)
    assert (
        "repeat it: p2pcommerce sim finality --seed 5 --validators 4 --engine simplex --faults loss=0.2 --horizon 12"
        " --liveness 10\n" in out
    )
    assert "2 violated an oracle" in out


@pytest.mark.usefixtures("defect")
def test_the_repeat_command_repeats_the_failure(capsys):
    found = report(run(capsys, "sim", "finality", "--seeds", "1", "--faults", "all", *SHORT, "--json")[1])
    words = found["repro"].split()
    assert words[0] == "p2pcommerce"
    code, out, _ = run(capsys, *words[1:], "--jobs", "1", "--json")
    again = report(out)
    assert code == 1
    assert again["failures"] == found["failures"]
    assert again["trace_hash"] == found["trace_hash"]


@pytest.mark.usefixtures("defect")
def test_shrinking_keeps_a_small_scenario_that_runs_and_fails(capsys, tmp_path):
    path = tmp_path / "small.json"
    code, out, err = run(
        capsys, "sim", "finality", "--seed", "3", "--faults", "loss,crash", *SHORT, "--json", "--shrink", path
    )
    assert code == 1
    assert report(out)["scenario"] == str(path)
    assert f"p2pcommerce sim finality --scenario {path}" in err
    small = Scenario.from_json(path.read_bytes())
    assert (small.nodes, small.faults) == (1, {})
    assert small.load_tps <= 1
    code, out, _ = run(capsys, "sim", "finality", "--scenario", path, "--jobs", "1", "--json")
    assert code == 1
    assert report(out)["failures"][0]["oracle"] == "exception"
    assert report(out)["repro"] == f"p2pcommerce sim finality --scenario {path}"


@pytest.mark.usefixtures("defect")
def test_a_shrunk_scenario_is_named_after_its_seed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, "sim", "finality", "--seed", "3", "--faults", "none", *SHORT, "--shrink")
    assert [path.name for path in tmp_path.iterdir()] == ["seed-3.scenario.json"]


def test_nothing_is_shrunk_when_nothing_fails(capsys, tmp_path):
    code, _, _ = run(capsys, "sim", "finality", "--seed", "3", *SHORT, "--shrink", tmp_path / "s.json")
    assert code == 0
    assert not (tmp_path / "s.json").exists()


def test_a_scenario_runs_as_it_stands(capsys, tmp_path):
    scenario = Scenario(seed=9, nodes=3, stakes=(1, 1, 1), horizon_us=3_000_000, liveness_us=0, faults={"loss": 0.1})
    path = tmp_path / "s.json"
    path.write_text(scenario.to_json())
    _, out, _ = run(capsys, "sim", "finality", "--scenario", path, "--jobs", "1", "--json", "--out", tmp_path / "r")
    line = Outcome.from_line((tmp_path / "r").read_text().strip())
    assert report(out)["validators"] == 3
    assert line.trace_hash == run_scenario(scenario, WorldOptions(orders=False)).trace_hash


def test_a_fault_that_never_strikes_fails_the_run(capsys, monkeypatch):
    task = next(iter(finality.Campaign.of(Scenario(seed=0), "finality", 1, 1, faults="none").tasks()))
    good = outcome_room.run_seed(outcome_room.SeedTask(task.scenario.with_(horizon_us=1, liveness_us=0), "finality"))

    def outcomes(campaign, _workers, _file):
        for _ in range(campaign.seeds):
            yield good

    monkeypatch.setattr(finality, "run_campaign", outcomes)
    code, out, _ = run(capsys, "sim", "finality", "--seeds", "100", "--faults", "loss,crash")
    assert code == 1
    assert "struck in less than 5 % of the seeds, so nothing is shown: loss, crash" in out
    code, out, _ = run(capsys, "sim", "finality", "--seeds", "99", "--faults", "loss,crash", "--json")
    assert (code, report(out)["silent_faults"]) == (0, [])


# --- what a sweep does not look at, or shows too little of ---


def stale(monkeypatch, **changes):
    """Let every seed have one outcome, with some fields changed."""
    task = next(iter(finality.Campaign.of(Scenario(seed=0), "finality", 1, 1, faults="none").tasks()))
    good = outcome_room.run_seed(outcome_room.SeedTask(task.scenario.with_(horizon_us=1, liveness_us=0), "finality"))

    def outcomes(campaign, _workers, _file):
        for _ in range(campaign.seeds):
            yield dataclasses.replace(good, **changes)

    monkeypatch.setattr(finality, "run_campaign", outcomes)


@pytest.mark.parametrize(("silent_bps", "waited_s", "code"), [(0, 5, 0), (0, 7, 1), (2_500, 14, 0), (2_500, 16, 1)])
def test_a_sweep_that_recovers_too_slowly_fails(capsys, monkeypatch, silent_bps, waited_s, code):
    stale(monkeypatch, recovery_us=waited_s * 1_000_000, silent_bps=silent_bps, fired={"loss": 1})
    found, out, _ = run(capsys, "sim", "finality", "--seeds", "100", "--faults", "loss")
    assert found == code
    worlds = "with silent validators" if silent_bps else "without silent validators"
    assert (f"99 % of the worlds {worlds} must be live within" in out) == bool(code)
    assert run(capsys, "sim", "finality", "--seeds", "99", "--faults", "loss")[0] == 0


@pytest.mark.parametrize(("gap", "code"), [(120, 0), (121, 1)])
def test_a_sweep_whose_epochs_follow_each_other_too_slowly_fails(capsys, monkeypatch, gap, code):
    stale(monkeypatch, boundaries={50: 98, gap: 2}, boundaries_struck={900: 1})
    found, out, _ = run(capsys, "sim", "finality", "--seed", "1", "--faults", "none")
    assert found == code
    assert ("99 % of the quiet gaps between epochs must be within 1.2 base delays" in out) == bool(code)
    assert f"0.50 at the median, {gap / 100:.2f} at 99 %, {gap / 100:.2f} at most, in base delays (100 quiet)" in out
    _, out, _ = run(capsys, "sim", "finality", "--seed", "1", "--faults", "none", "--json")
    assert report(out)["epochs"]["gap_delays_struck"] == {"p50": 9.0, "p99": 9.0, "max": 9.0}


def test_an_adversary_that_never_acts_fails_the_run(capsys, monkeypatch):
    stale(monkeypatch, adversary_acts={})
    arguments = ("sim", "finality", "--faults", "none", "--adversaries")
    code, out, _ = run(capsys, *arguments, "mute", "--seeds", "20")
    assert code == 1
    assert "the adversary mute did nothing in 20 seeds" in out
    assert run(capsys, *arguments, "mute", "--seeds", "19")[0] == 0
    assert run(capsys, *arguments, "all", "--seeds", "20")[0] == 0
    stale(monkeypatch, adversary_acts={"x": 1})
    assert run(capsys, *arguments, "mute", "--seeds", "20")[0] == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--liveness", "0"), "without a liveness phase"),
        (("--horizon", "4", "--liveness", "4", "--faults", "loss"), "no fault strikes"),
        (("--adversaries", "all", "--validators", "3"), "no adversary is cast"),
        (("--liveness", "2", "--horizon", "4", "--adversaries", "mute"), ""),
    ],
)
def test_what_the_options_switch_off_is_said_in_one_line(capsys, monkeypatch, argv, said):
    stale(monkeypatch)
    _, _, err = run(capsys, "sim", "finality", "--seeds", "1", *argv)
    assert said in err
    assert err.count("\n") == bool(said)


# --- usage ---


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("gossip", "--strategy", "x"), "unknown strategy 'x'; choose one of chosen, gossipsub, flood"),
        (("gossip", "--attack", "x"), "unknown attack 'x'"),
        (("gossip", "--latency", "x"), "unknown latency table 'x'; choose one of aws, simblock, ethereum8"),
        (("gossip", "--nodes", "1"), "nodes is 1"),
        (("gossip", "--rate", "nan"), "rate is nan"),
        (("finality", "--faults", "x"), "unknown fault 'x'"),
        (("finality", "--faults", "loss=2"), "intensity 2.0"),
        (("finality", "--adversaries", "x"), "unknown adversary 'x'"),
        (("finality", "--engine", "x"), "unknown engine 'x'; choose one of simplex, ffg, solo"),
        (("finality", "--engine", "solo", "--validators", "2"), "leave --validators out"),
        (("finality", "--latency", "x"), "unknown latency table 'x'"),
        (("finality", "--seeds", "0"), "0 seeds"),
        (("gossip", "--book", "flat"), "nothing without --attack poison"),
        (("gossip", "--restarts", "4", "--attack", "mute"), "nothing without --attack poison"),
        (("gossip", "--idontwant"), "nothing without --strategy gossipsub"),
        (("gossip", "--mesh", "6", "--strategy", "flood"), "nothing without --strategy gossipsub"),
        (("gossip", "--seeds", "2"), "nothing without --table"),
        (("gossip", "--jobs", "2"), "nothing without --table"),
        (("gossip", "--dask", "tcp://127.0.0.1:1"), "nothing without --table"),
        (("gossip", "--table", "--jobs", "0"), "--jobs must be 1"),
        (("gossip", "--attack", "poison", "--attack-share", "0.2"), "leave out --attack-share"),
        (("gossip", "--attack", "poison", "--table"), "leave out --table"),
        (("finality", "--seed", "1", "--seeds", "2"), "leave --first-seed and --seeds out"),
        (("finality", "--validators", "0"), "--validators must be 1 to 200"),
        (("finality", "--stakes", "10,3,3", "--validators", "4"), "--stakes names 3 validators, --validators 4"),
        (("finality", "--stakes", "10,x"), "--stakes must be integers above 0"),
        (("finality", "--stakes", "1,0"), "--stakes must be integers above 0"),
        (("finality", "--horizon", "nan"), "--horizon must be"),
        (("finality", "--horizon", "1", "--liveness", "2"), "--liveness must be 0 to 1 seconds"),
        (("finality", "--jobs", "0"), "--jobs must be 1 to"),
        (("finality", "--jobs", "1", "--dask", "tcp://h:1"), "leave it out with --dask"),
        (("finality", "--out", "/no/such/folder/r.jsonl", "--seeds", "1"), "cannot hold results"),
        (("finality", "--scenario", "/no/such/file"), "cannot be read"),
        (("finality", "--scenario", "/no/such/file", "--seeds", "3"), "leave --seeds out"),
        (("network", "--nodes", "3", "--validators", "4"), "--nodes must be at least --validators, which is 4"),
        (("finality", "--horizon", "0"), "--horizon must be 0.001 to 31,536,000 seconds"),
        (("finality", "--liveness", "nan"), "--liveness must be 0 to 60 seconds"),
        (("finality", "--out", "/dev/zero", "--seeds", "1"), "is no file that can be resumed"),
        (("picture", "x"), "unknown picture 'x'"),
        (("picture", "latency", "--nodes", "1"), "--nodes must be 20 to"),
        ((), "required: WORLD"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(capsys, argv, said):
    code, out, err = run(capsys, "sim", *argv)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": 2, "seed": 1}', "version 2 is not 1"),
        ('{"version": 1}', "lacks 'seed'"),
        ("hello", "not readable JSON"),
        ('{"version": 1, "seed": 1, "faults": {"x": 1}}', "unknown fault 'x'"),
    ],
)
def test_a_scenario_that_cannot_be_run_is_refused_in_one_line(capsys, tmp_path, text, said):
    path = tmp_path / "s.json"
    path.write_text(text)
    code, out, err = run(capsys, "sim", "finality", "--scenario", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_dask_that_is_not_there_is_refused_in_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run(capsys, "sim", "finality", "--seeds", "1", "--dask", "tcp://127.0.0.1:1")
    assert (code, err.count("\n")) == (2, 1)
    assert "p2pcommerce[sweep]" in err


def test_every_world_has_help_with_an_example(capsys):
    for world in ("gossip", "finality", "network", "picture"):
        with pytest.raises(SystemExit) as left:
            main(["sim", world, "--help"])
        assert left.value.code == 0
        assert f"example: p2pcommerce sim {world}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("world", "names"),
    [
        ("gossip", (*STRATEGIES, *ATTACKS, *TABLES)),
        ("finality", (*ENGINES, *TABLES)),
        ("picture", tuple(ALBUM)),
    ],
)
def test_help_names_all_that_can_be_chosen(capsys, world, names):
    with pytest.raises(SystemExit):
        main(["sim", world, "--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert [name for name in names if name not in shown] == []


def test_other_commands_do_not_wait_for_the_simulator():
    code = "import sys, p2pcommerce.cli.commands; print([n for n in sys.modules if 'simulation' in n or n == 'numpy'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_repeat_command_can_be_pasted():
    assert repeat_command("finality", {"seed": 3, "scenario": "a b.json", "horizon": 60.0, "rate": None}) == (
        "p2pcommerce sim finality --seed 3 --scenario 'a b.json' --horizon 60"
    )


# --- stopping ---


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_sweep_and_keeps_what_was_done(tmp_path, number, code):
    path = tmp_path / "r.jsonl"
    running = process("finality", "--seeds", "1000", "--horizon", "6", "--jobs", "2", "--out", str(path))
    for _ in range(1_200):
        if path.exists() and path.read_text().count("\n") >= 2:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.05)
    running.send_signal(number)
    # Workers hold the pipes of their parent: that both have ended shows that no worker is left.
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (code, "")
    assert "Traceback" not in err
    kept = path.read_text().splitlines()
    assert [Outcome.from_line(line).seed for line in kept] == list(range(1, len(kept) + 1))


# --- pictures ---


def test_a_picture_is_measured_kept_and_drawn(capsys, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(spacetime, "SEEDS_TRIED", 1)
    code, out, _ = run(capsys, "sim", "picture", "spacetime", "--out", tmp_path, "--jobs", "1", "--json")
    assert code == 0
    assert report(out)["files"] == [str(tmp_path / "spacetime.png"), str(tmp_path / "spacetime.svg")]
    svg = (tmp_path / "spacetime.svg").read_bytes()
    code, _, _ = run(capsys, "sim", "picture", "spacetime", "--out", tmp_path, "--redraw")
    assert code == 0
    assert (tmp_path / "spacetime.svg").read_bytes() == svg


def test_a_picture_without_data_cannot_be_drawn_again(capsys, tmp_path):
    code, _, err = run(capsys, "sim", "picture", "latency", "--out", tmp_path, "--redraw")
    assert (code, err.count("\n")) == (2, 1)
    assert "leave --redraw out" in err


# --- progress ---


class Terminal(io.StringIO):
    def isatty(self):
        return True


def ticking(*times):
    return iter(times).__next__


def test_on_a_terminal_a_bar_is_drawn_anew_and_wiped():
    stream = Terminal()
    with Progress(stream, "finality", 100, clock=ticking(0.0, 10.0, 10.01)) as bar:
        bar.show(25, "25/100 seeds")
        bar.show(26)
    drawn = stream.getvalue()
    assert drawn.count("\r") == 2
    assert "[########......................] finality  25.0%  30 s left  25/100 seeds" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_elsewhere_there_is_a_plain_line_now_and_then():
    stream = io.StringIO()
    with Progress(stream, "finality", 100, clock=ticking(0.0, 1.0, 10.0, 15.0, 4_000.0)) as bar:
        for done in (1, 10, 15, 20):
            bar.show(done)
    assert stream.getvalue().splitlines() == [
        "finality  10.0%  1 min 30 s left",
        "finality  20.0%  4 h 26 min left",
    ]


def test_a_log_of_a_day_has_some_hundred_lines():
    stream = io.StringIO()
    with Progress(stream, "finality", 86_400, clock=itertools.count(0.0, 1.0).__next__) as bar:
        for done in range(86_400):
            bar.show(done)
    assert 50 < len(stream.getvalue().splitlines()) < 200


def test_what_was_done_before_says_nothing_of_the_speed():
    stream = io.StringIO()
    with Progress(stream, "finality", 100, clock=ticking(0.0, 10.0, 20.0)) as bar:
        bar.had(50)
        bar.show(50)
        bar.show(60)
    assert stream.getvalue().splitlines() == ["finality  50.0%  time left unknown", "finality  60.0%  1 min 20 s left"]


def test_the_page_of_the_simulator_names_all_there_is():
    page = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
    names = [*FAULTS, *ADVERSARIES, *TABLES, *STRATEGIES, *(name for name in ATTACKS if name != "none")]
    assert [name for name in names if f"`{name}`" not in page] == []
    assert [kind.name for kind in FAULTS.values() if f"| {kind.meaning} | {kind.intensity:g} |" not in page] == []


def test_ffg_runs_with_twins_and_double_voters_and_becomes_final(capsys):
    for strategy in ("double_vote", "twins"):
        arguments = ["--engine", "ffg", "--seed", "3", "--faults", "none", "--adversaries", strategy]
        code, out, _ = run(capsys, "sim", "finality", *arguments, "--horizon", "40", "--jobs", "1", "--json")
        found = report(out)
        assert code == 0
        assert (found["engine"], found["safety_violations"], found["stalled"]) == ("ffg", 0, 0)
        assert sum(found["adversary_acts"].values()) > 0


def test_a_strategy_that_speaks_simplex_alone_is_refused_for_ffg(capsys):
    arguments = ["--engine", "ffg", "--seeds", "1", "--adversaries", "equivocate", "--jobs", "1"]
    code, _, error = run(capsys, "sim", "finality", *arguments)
    assert code == 2
    assert "strategy 'equivocate' knows nothing of ffg; choose one of double_vote" in error


# --- the size of gossip worlds ---


@pytest.mark.parametrize(
    ("arguments", "nodes", "transactions", "warmup_rate"),
    [
        ((), 200, 1_000, 20),
        (("--nodes", "50"), 50, 1_000, 20),
        (("--nodes", "1000"), 1_000, 200, 4),
        (("--nodes", "10000"), 10_000, 100, 0.4),
        (("--nodes", "1000", "--transactions", "7"), 1_000, 7, 4),
        (("--attack", "sybil"), 500, 400, 8),
        (("--attack", "mute", "--attack-share", "0.4", "--settle", "30"), 200, 1_000, 20),
    ],
)
def test_how_much_is_measured_depends_on_the_number_of_nodes(monkeypatch, arguments, nodes, transactions, warmup_rate):
    from p2pcommerce.cli.sim import gossip  # noqa: PLC0415 - only here

    seen = []

    def stop(scenario, _name):
        seen.append(scenario)
        raise KeyboardInterrupt

    monkeypatch.setattr(gossip, "_run", stop)
    main(["sim", "gossip", *arguments])
    assert [(each.nodes, each.transactions, each.warmup_rate) for each in seen] == [(nodes, transactions, warmup_rate)]
    if "--settle" in arguments:
        assert (seen[0].settle, seen[0].share) == (30, 0.4)


def test_gossipsub_takes_its_options(capsys):
    told = []
    for more in ((), ("--mesh", "6"), ("--idontwant",)):
        assert main([*GOSSIP, "--strategy", "gossipsub", "--bytes", "4000", *more, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1])["trace_hash"])
    assert len(set(told)) == 3


@pytest.mark.parametrize("attack", ["sybil", "eclipse"])
def test_a_swarm_is_compared_with_the_same_network_without_it(capsys, attack):
    small = ("sim", "gossip", "--nodes", "60", "--transactions", "20", "--warmup", "2", "--settle", "1")
    assert main([*small, "--attack", attack]) == 0
    assert "4 attackers for each honest node" in capsys.readouterr().out
    assert main([*small, "--attack", attack, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["baseline"]["delivered"] == 1
    assert told["p99_over_baseline"] > 0
    assert told["swarm"]["honest_dialled_min"] >= 0
