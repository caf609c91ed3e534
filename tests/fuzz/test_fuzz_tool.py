"""The fuzzer finds what is broken, says so, and repeats it."""

import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import CodecError
from tests.fuzz.tool import TOOLS, corpus, findings, mutation, plain, run, target, verdicts


def tool(*arguments, cwd=None):
    command = [sys.executable, str(TOOLS / "fuzz" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd)


def brittle(data):
    """Break on what begins with an odd byte; refuse what is empty."""
    if not data:
        raise CodecError("is empty")
    if data[0] % 2:
        raise KeyError(data[0])
    return data


def test_an_exception_that_is_not_documented_is_found_once_for_each_place():
    made = target.decoder("brittle", brittle)
    result = plain.look(made, [b"\0\0\0"], random.Random(1), runs=300, clock=lambda: 0.0)
    assert [finding.what.partition(":")[0] for finding in result.findings] == ["KeyError"]
    assert result.findings[0].data[0] % 2


def test_a_decoder_that_reads_what_it_would_not_write_is_found():
    made = target.decoder("loose", bytes.lower, lambda value: value)
    assert made.take(b"abc")
    with pytest.raises(verdicts.BrokenRuleError, match="not x"):
        made.take(b"ABC")


def test_a_refusal_without_a_word_is_found():
    def refuse(_data):
        raise CodecError("")

    with pytest.raises(verdicts.BrokenRuleError, match="without a word"):
        target.decoder("silent", refuse).take(b"")


def test_an_input_that_takes_too_long_is_found():
    ticks = iter(range(0, 10_000, 5))
    result = plain.look(target.decoder("slow", bytes), [b"a"], random.Random(1), runs=1, clock=lambda: next(ticks))
    assert [finding.what.partition(":")[0] for finding in result.findings] == ["SlowInput"]


def test_one_seed_makes_the_same_inputs():
    def inputs(seed):
        seen = []
        made = target.Target("seen", lambda data: bool(seen.append(data)))
        plain.look(made, [b"\x93\x01\x02\x03"], random.Random(seed), runs=50, clock=lambda: 0.0)
        return seen

    assert inputs(1) == inputs(1) != inputs(2)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.binary(max_size=80), max_size=3), st.integers(0, 2**32))
def test_changes_take_any_input_and_stay_within_the_cap(data, others, seed):
    for form in target.Form:
        changed = mutation.mutated(data, others, form, random.Random(seed))
        assert isinstance(changed, bytes)
        assert len(changed) <= mutation.INPUT_BYTES_MAX


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(target.Step, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=50)), max_size=20))
def test_a_script_reads_as_it_was_written(steps):
    assert list(target.steps_of(target.script(steps))) == steps


def test_a_script_ends_after_its_most_steps():
    assert len(list(target.steps_of(target.Step(1).raw * 1_000))) == target.STEPS_MAX


def test_an_input_is_kept_once(tmp_path):
    assert corpus.keep("one", [b"a", b"b", b"a"], tmp_path) == 2
    assert corpus.keep("one", [b"b"], tmp_path) == 0
    assert sorted(corpus.kept("one", tmp_path)) == [b"a", b"b"]


def test_a_finding_is_a_file_and_a_command(tmp_path):
    path = findings.write_finding(findings.Finding("one", "KeyError: 1", "room.py:3", b"data"), tmp_path)
    assert path.read_bytes() == b"data"
    assert str(path) in findings.repeat_command(path, "one")


def test_a_run_tells_what_broke_and_exits_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "targets", lambda: {"brittle": target.decoder("brittle", brittle)})
    code = run.main(["--backend", "plain", "--seconds", "0.2", "--corpus", str(tmp_path), "--json"])
    captured = capsys.readouterr()
    assert code == 1
    assert json.loads(captured.out)["findings"] == 1
    assert "BROKE" in captured.err
    (crash,) = (tmp_path / "crashes" / "brittle").iterdir()
    with pytest.raises(KeyError):
        run.main(["--only", "brittle", "--repeat", str(crash)])


def test_the_command_lists_runs_and_refuses():
    listed = tool("--list")
    assert listed.returncode == 0
    assert "wire.messages.decode_message" in listed.stdout
    assert tool("--only", "nothing.such").returncode == 2
    assert tool("--seconds", "0").returncode == 2
    assert tool("--only", "wire", "--repeat", "x").returncode == 2


def test_the_command_looks_at_one_target_without_coverage(tmp_path):
    done = tool("--only", "wire.lanes", "--backend", "plain", "--seconds", "0.2", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["targets"] == 1
    assert report["runs"] > 50
    assert report["findings"] == 0
