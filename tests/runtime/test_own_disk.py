"""Own transactions on the disk: nobody is told before it is durable, and a sync is shared."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from p2pcommerce.node.effects import AppendOwn, RewriteOwn, Submitted
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.runtime import own_disk as room
from p2pcommerce.runtime.journal import Journal, JournalDamagedError, JournalWriteError
from p2pcommerce.runtime.own_disk import OWN_EFFECTS_MAX, OwnDisk
from p2pcommerce.runtime.own_journal import OWN_FILE, open_own
from tests.runtime.nodes import until


class Lines:
    """A log that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def write(self, level, room_, message, **fields):
        self.lines.append((level, message, fields))

    def warning(self, room_, message, **fields):
        self.write("warning", room_, message, **fields)


class Slow:
    """A journal whose writes wait for a gate, and may fail."""

    def __init__(self):
        self.gate = trio.Event()
        self.frames = []
        self.failure = None

    def append(self, records):
        self.note(list(records))

    def compact(self, records):
        self.note(("whole", list(records)))

    def note(self, value):
        trio.from_thread.run(self.gate.wait)
        if self.failure is not None:
            raise self.failure
        self.frames.append(value)


def verdict(number, code=RejectionCode.OK):
    return Submitted(number, bytes([number]) * 32, code, "")


@asynccontextmanager
async def running():
    journal, told = Slow(), []
    disk = OwnDisk(journal, lambda effect: told.append(effect.request), lambda: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.run)
        yield disk, journal, told
        nursery.cancel_scope.cancel()
        journal.gate.set()


async def test_nobody_is_told_before_it_is_durable():
    async with running() as (disk, journal, told):
        disk.give(AppendOwn(b"a"))
        disk.give(verdict(1))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert told == []
        journal.gate.set()
        await until(lambda: told == [1])
        assert journal.frames == [[b"a"]]


async def test_a_verdict_without_anything_to_write_is_told_at_once():
    async with running() as (disk, _, told):
        disk.give(verdict(1, RejectionCode.NO_FEE))
        assert told == [1]


async def test_what_gathers_during_a_sync_shares_the_next_one():
    async with running() as (disk, journal, told):
        disk.give(AppendOwn(b"first"))
        disk.give(verdict(0))
        await trio.testing.wait_all_tasks_blocked(0.01)
        for number in range(1, 100):
            disk.give(AppendOwn(bytes([number])))
            disk.give(verdict(number))
        journal.gate.set()
        await until(lambda: len(told) == 100)
        assert told == list(range(100))
        assert [len(frame) for frame in journal.frames] == [1, 99]
        assert (disk.syncs, disk.records) == (2, 100)


async def test_a_rewrite_takes_the_place_of_the_records_before_it():
    async with running() as (disk, journal, told):
        journal.gate.set()
        disk.give(AppendOwn(b"old"))
        disk.give(RewriteOwn((b"whole",)))
        disk.give(AppendOwn(b"new"))
        disk.give(verdict(1))
        await until(lambda: told == [1])
        assert journal.frames == [("whole", [b"whole"]), [b"new"]]


async def test_no_frame_grows_beyond_its_cap(monkeypatch):
    monkeypatch.setattr(room, "_FRAME_BYTES", 10)
    async with running() as (disk, journal, told):
        journal.gate.set()
        for _ in range(5):
            disk.give(AppendOwn(b"123456"))
        disk.give(verdict(1))
        await until(lambda: told == [1])
        assert [len(frame) for frame in journal.frames] == [2, 2, 1]


async def test_submitters_are_pushed_back_while_the_disk_is_behind():
    async with running() as (disk, journal, _):
        disk.give(AppendOwn(b"a"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        for _ in range(OWN_EFFECTS_MAX):
            assert disk.has_room
            disk.give(AppendOwn(b"b"))
        assert not disk.has_room
        journal.gate.set()
        await until(lambda: disk.has_room)


async def test_a_failing_disk_stops_the_node_and_nobody_is_told():
    with pytest.RaisesGroup(JournalWriteError):
        async with running() as (disk, journal, told):
            journal.failure = JournalWriteError("the disk is full")
            journal.gate.set()
            disk.give(AppendOwn(b"a"))
            disk.give(verdict(1))
            await trio.sleep(60)
    assert told == []


# --- the file ---


def write(folder, *frames):
    journal, records = open_own(folder, Lines())
    assert records == []
    for frame in frames:
        journal.append(frame)
    journal.close()
    return folder / OWN_FILE


def reopened(folder):
    log = Lines()
    journal, records = open_own(folder, log)
    journal.append([b"more"])
    journal.close()
    return records, log.lines


def test_what_was_written_is_read_again(tmp_path):
    write(tmp_path, [b"a", b"b"], [b"c"])
    assert reopened(tmp_path) == ([b"a", b"b", b"c"], [])


def test_a_torn_tail_is_cut_and_said(tmp_path):
    path = write(tmp_path, [b"a"], [b"b"])
    path.write_bytes(path.read_bytes()[:-1])
    records, lines = reopened(tmp_path)
    assert records == [b"a"]
    assert [message for _, message, _ in lines] == ["a torn tail was cut"]
    assert reopened(tmp_path) == ([b"a", b"more"], [])


def test_a_damaged_place_loses_what_stood_there_and_nothing_else(tmp_path):
    whole = write(tmp_path, [b"a" * 50], [b"b" * 50], [b"c" * 50]).read_bytes()
    for place in range(20, len(whole)):
        (tmp_path / OWN_FILE).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        records, lines = reopened(tmp_path)
        kept = [b"a" * 50, b"b" * 50, b"c" * 50]
        assert len(records) == 2
        assert [record for record in kept if record in records] == records
        assert len(lines) == 1
        assert {"offset", "bytes"} <= lines[0][2].keys()
        assert reopened(tmp_path) == ([*records, b"more"], [])


def test_a_file_that_cannot_be_read_is_put_aside_and_the_node_starts(tmp_path):
    path = write(tmp_path, [b"a"])
    path.write_bytes(b"rubbish" + path.read_bytes()[7:])
    records, lines = reopened(tmp_path)
    assert records == []
    assert "submit them again" in lines[0][1]
    assert (tmp_path / f"{OWN_FILE}.damaged").read_bytes().startswith(b"rubbish")


def test_another_journal_with_damage_is_still_refused(tmp_path):
    journal, _ = Journal.open(tmp_path / "guard")
    journal.append([b"a" * 50])
    journal.append([b"b" * 50])
    journal.close()
    data = bytearray((tmp_path / "guard").read_bytes())
    data[40] ^= 1
    (tmp_path / "guard").write_bytes(data)
    with pytest.raises(JournalDamagedError, match="damaged at byte"):
        Journal.open(tmp_path / "guard")
