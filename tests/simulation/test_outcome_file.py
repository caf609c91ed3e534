import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2pcommerce.simulation.campaign import Campaign, run_campaign
from p2pcommerce.simulation.outcome import Outcome, OutcomeError
from p2pcommerce.simulation.outcome_csv import HEADER, outcome_of_row, row_of
from p2pcommerce.simulation.outcome_file import LINE_BYTES_MAX, OutcomeFile, OutcomeFileError
from p2pcommerce.simulation.program import program_digest
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.sweep import InProcess

BASE = Scenario(seed=0, horizon_us=1_000_000, liveness_us=0, load_tps=1)


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
        "recovery_us": None,
        "height": seed,
        "submitted": 4,
        "finalized": 3,
        "failed": 1,
        "refused": 0,
        "forks": 0,
        "adversary_acts": {},
        "tail": (),
    }
    return Outcome(**{**fields, **changes})


def opened(path):
    return OutcomeFile(path, program_digest())


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "R.CSV", "r"])
def test_a_sweep_goes_on_with_what_is_in_the_file(tmp_path, name):
    path = tmp_path / name
    campaign = Campaign.of(BASE, "finality", 1, 3, faults="loss")
    with opened(path) as file:
        whole = list(run_campaign(campaign, InProcess(), file))
    kept = path.read_bytes()
    lines = kept.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])
    with opened(path) as file:
        assert len(file.known) == 2
        assert list(run_campaign(campaign, InProcess(), file)) == whole
    assert path.read_bytes() == kept


def test_a_csv_file_has_the_members_of_a_json_line_as_columns(tmp_path):
    path = tmp_path / "r.csv"
    found = outcome(7, oracle="fork", detail='a, "b"\nc', tail=("one, two", 'three "3"\n'))
    with opened(path) as file:
        file.add(found)
    with path.open(newline="") as text:
        (row,) = csv.DictReader(text)
    assert list(row) == list(json.loads(found.to_line()))
    assert (row["seed"], row["detail"], row["recovery_us"]) == ("7", 'a, "b" c', "null")
    assert json.loads(row["fired"]) == {"loss": 2, "crash": 0}
    assert path.read_text().count("\n") == 2


def test_a_row_is_read_back_as_it_was():
    found = outcome(7, oracle="fork", detail='a, "b"', tail=("one, two", 'three "3"\n'))
    assert outcome_of_row(row_of(found)) == found


@pytest.mark.parametrize("line", ["", "1,2", HEADER, '"', "x" * 200_000])
def test_a_row_that_is_no_outcome_is_refused(line):
    with pytest.raises(OutcomeError):
        outcome_of_row(line)


def test_a_csv_file_of_other_columns_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("seed,height\n1,2\n")
    with pytest.raises(OutcomeFileError, match=r"line 1 is no result of a sweep .*other columns"):
        opened(path)
    assert path.read_text() == "seed,height\n1,2\n"


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"\n", b"\x89PNG\xff\n", b"x" * (LINE_BYTES_MAX + 2), b"\n"])
def test_what_is_no_line_of_results_is_refused_and_left_as_it_is(tmp_path, data):
    path = tmp_path / "r.jsonl"
    path.write_bytes(data)
    with pytest.raises(OutcomeFileError, match="line 1 is no result"):
        opened(path)
    assert path.read_bytes() == data


def test_a_file_belongs_to_one_sweep_at_a_time(tmp_path):
    path = tmp_path / "r.jsonl"
    with opened(path) as file:
        file.add(outcome(1))
        with pytest.raises(OutcomeFileError, match="another sweep is writing there"):
            opened(path)
        file.add(outcome(2))
    with opened(path) as file:
        assert len(file.known) == 2


def test_a_file_that_is_refused_is_free_again(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("hello\n")
    for _ in range(2):
        with pytest.raises(OutcomeFileError, match="line 1"):
            opened(path)


def test_a_device_is_refused_and_not_read():
    with pytest.raises(OutcomeFileError, match="is no file that can be resumed"):
        opened(Path("/dev/zero"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutcomeFileError, match="is no file that can be resumed"):
        opened(tmp_path / "pipe")


def test_a_full_disk_is_told_and_what_was_whole_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            if len(data) > 40:
                return self.file.write(data[:40])
            raise OSError(28, "No space left on device")

        def close(self):
            self.file.close()

    with opened(path) as file:
        file.add(outcome(1))
        monkeypatch.setattr(file, "_file", Full(file._file))
        with pytest.raises(OutcomeFileError, match="No space left on device"):
            file.add(outcome(2))
    with opened(path) as file:
        assert list(file.known) == [outcome(1).key]


def test_outcomes_of_other_sources_do_not_count(tmp_path):
    path = tmp_path / "r.csv"
    with opened(path) as file:
        file.add(replace(outcome(1), program="0" * 16))
    with opened(path) as file:
        assert (file.known, file.other_programs) == ({}, 1)


@pytest.mark.parametrize("delay", ["Infinity", "[" * 20_000])
def test_a_line_that_no_program_wrote_is_refused_by_name(delay):
    line = outcome(1).to_line().replace('"60":3', f'"60":{delay}')
    with pytest.raises(OutcomeError):
        Outcome.from_line(line)
    with pytest.raises(OutcomeError):
        outcome_of_row(row_of(outcome(1)).replace('""60"":3', f'""60"":{delay}'))
