import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.runtime.log import LINE_CHARACTERS_MAX, Log

NOW_US = 1_700_000_000_000_123


def lines_of(write, **arguments):
    stream = io.StringIO()
    write(Log("0a1b2c3d", stream=stream, clock_us=lambda: NOW_US, **arguments))
    return stream.getvalue().splitlines()


def test_a_line_is_time_level_node_room_message_and_fields():
    (line,) = lines_of(lambda log: log.info("gossip", "a peer left", peer=b"\x01\x02", count=3, name="x"))
    assert line == "2023-11-14T22:13:20.000123Z info 0a1b2c3d gossip a peer left peer=0102 count=3 name=x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ('q"', r'"q\""'),
        ("a=b", '"a=b"'),
        ("a\nb", r'"a\nb"'),
        (b"\xff", "ff"),
        (None, "None"),
        (1.5, "1.5"),
    ],
)
def test_a_value_can_be_told_from_the_next(value, text):
    (line,) = lines_of(lambda log: log.info("room", "said", key=value))
    assert line.endswith(f" said key={text}")


@given(message=st.text(), value=st.text())
@settings(max_examples=200, deadline=None)
def test_nothing_that_is_logged_makes_a_second_line(message, value):
    text = "\n".join(lines_of(lambda log: log.error("room", message, key=value)))
    assert text.isprintable()
    assert text.startswith("2023-11-14T22:13:20.000123Z error 0a1b2c3d room ")


def test_a_quoted_value_is_json():
    (line,) = lines_of(lambda log: log.info("room", "said", key="a\x1b[2J b"))
    assert json.loads(line.split("key=")[1]) == "a\x1b[2J b"


def test_less_urgent_levels_are_left_out():
    def write(log):
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)("room", "said")

    assert [line.split()[1] for line in lines_of(write, level="warning")] == ["warning", "error"]
    assert [line.split()[1] for line in lines_of(write, level="debug")] == ["debug", "info", "warning", "error"]


def test_an_unknown_level_is_a_defect():
    with pytest.raises(ValueError, match="loud"):
        Log("0a1b2c3d", level="loud")
    with pytest.raises(ValueError, match="loud"):
        lines_of(lambda log: log.write("loud", "room", "said"))


def test_a_long_line_is_cut():
    (line,) = lines_of(lambda log: log.info("room", "x" * 10_000))
    assert re.search(r"x\.\.\. \(10\d\d\d characters\)$", line)
    assert len(line) < LINE_CHARACTERS_MAX + 40


def test_the_file_is_appended_to(tmp_path):
    for number in range(3):
        log = Log("0a1b2c3d", tmp_path / "node.log", clock_us=lambda: NOW_US)
        log.info("room", f"start {number}")
        log.close()
    assert [line.split()[-1] for line in (tmp_path / "node.log").read_text().splitlines()] == ["0", "1", "2"]


def test_a_line_is_in_the_file_when_write_returns(tmp_path):
    log = Log("0a1b2c3d", tmp_path / "node.log")
    log.info("room", "said")
    assert (tmp_path / "node.log").read_text().endswith(" said\n")
    log.close()


def test_the_file_is_rotated_by_size_and_the_oldest_dropped(tmp_path):
    log = Log("0a1b2c3d", tmp_path / "node.log", file_bytes_max=1_000, old_files_max=2, clock_us=lambda: NOW_US)
    for number in range(100):
        log.info("room", f"line {number:03}")
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.log", "node.log.1", "node.log.2"]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())
    kept = "".join((tmp_path / f"node.log{end}").read_text() for end in (".2", ".1", ""))
    numbers = [int(line.split()[-1]) for line in kept.splitlines()]
    assert numbers == list(range(100 - len(numbers), 100))
    assert len(numbers) > 30


def test_rotation_without_old_files_starts_over(tmp_path):
    log = Log("0a1b2c3d", tmp_path / "node.log", file_bytes_max=200, old_files_max=0)
    for number in range(20):
        log.info("room", f"line {number}")
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["node.log"]
    assert (tmp_path / "node.log").stat().st_size <= 200


def test_a_log_that_cannot_be_written_counts_and_recovers(tmp_path):
    path = tmp_path / "missing" / "node.log"
    log = Log("0a1b2c3d", path)
    log.info("room", "one")
    log.info("room", "two")
    assert log.lost == 2
    path.parent.mkdir()
    log.info("room", "three")
    log.close()
    assert log.lost == 2
    assert path.read_text().endswith(" three\n")


def test_a_full_disk_stops_nothing():
    log = Log("0a1b2c3d", "/dev/full")
    log.info("room", "one")
    log.info("room", "two")
    log.close()
    assert log.lost == 2


def test_text_that_is_no_unicode_is_written(tmp_path):
    log = Log("0a1b2c3d", tmp_path / "node.log")
    log.info("room", "\ud800", key="\udfff")
    log.close()
    assert log.lost == 0
