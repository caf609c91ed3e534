"""The mutation gate: its catalogue fits the sources, and it finds what it plants."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools" / "mutants"
PACKAGE = ROOT / "p2pcommerce"
sys.path.insert(0, str(TOOLS))

import run as gate  # noqa: E402 - the tools are no package
from campaigns import QUIET  # noqa: E402 - see above
from catalogue import MUTANTS  # noqa: E402 - see above
from plants import Edit, Mutant, StaleError, planted  # noqa: E402 - see above

sys.path.remove(str(TOOLS))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_bug_can_be_planted_in_the_present_sources_and_compiles(mutant):
    changed = planted(mutant, PACKAGE)
    assert changed
    for name, source in changed.items():
        assert source != (PACKAGE / name).read_text(encoding="utf-8")
        compile(source, name, "exec")


def test_there_are_at_least_twenty_bugs_with_names_of_their_own():
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_campaigns_of_one_name_are_the_same_campaign():
    plans = {mutant.plan.name: mutant.plan for mutant in MUTANTS}
    assert all(mutant.plan == plans[mutant.plan.name] for mutant in MUTANTS)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Edit("node/nothing.py", "a", "b"), "there is no node/nothing.py"),
        (Edit("node/chain.py", "no such text in it", "b"), "0 times"),
        (Edit("node/chain.py", "import", "b"), "times"),
    ],
)
def test_a_text_that_does_not_stand_exactly_once_is_said_to_be_stale(edit, complaint):
    with pytest.raises(StaleError, match=complaint):
        planted(Mutant("one", "a rule", QUIET, (edit,)), PACKAGE)


def tool(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOLS / "run.py"), *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def test_an_unknown_bug_is_bad_usage():
    done = tool("--only", "no_such_bug")
    assert done.returncode == 2
    assert "no_such_bug" in done.stderr


def test_the_list_names_every_bug():
    assert [line.split()[0] for line in tool("--list").stdout.splitlines()] == [mutant.name for mutant in MUTANTS]


def test_a_planted_bug_is_found_and_sound_sources_are_not_accused():
    done = tool("--only", "no_chain_id", "--only", "fee_not_charged", "--baseline", "2", "--seeds", "10", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (report["found"], report["mutants"]) == (2, 2)
    assert {row["oracle"] for row in report["rows"]} == {"", "proof", "books"}


def test_a_bug_that_nothing_finds_fails_the_gate(monkeypatch, capsys):
    harmless = Mutant(
        "harmless", "no rule", replace(QUIET, seconds=4, liveness=0), (Edit("node/chain.py", "import", ""),)
    )
    monkeypatch.setattr(gate, "planted", lambda mutant, package: {})
    monkeypatch.setattr(gate, "MUTANTS", (harmless,))
    assert gate.main(["--seeds", "1", "--baseline", "0"]) == 1
    assert "harmless was not found in 1 seeds" in capsys.readouterr().err
