"""The order in which things reach the disk, with a log, a guard and a store that write down what they are told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio

from p2pcommerce.node.effects import Append, Commit, Log, Restore, Rewrite, SignRequest, TakeSnapshot
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.vrf import VRF_KIND
from p2pcommerce.runtime import disk as disk_room
from p2pcommerce.runtime.disk import COMMITS_WAITING_MAX, LISTS_WAITING_MAX, Disk
from p2pcommerce.runtime.journal import FRAME_BYTES_MAX, JournalWriteError
from p2pcommerce.runtime.store_error import StoreFullError
from tests.runtime.nodes import genesis_of, identity, until


class Rig:
    """A disk whose parts note what they do, in one list."""

    def __init__(self):
        self.done = []
        self.broken = {}
        self.guarded = {}
        self.signatures = {}
        self.gate = None
        self.disk = Disk(
            journal=SimpleNamespace(
                append=lambda records: self.note("append", list(records)),
                compact=lambda records: self.note("compact", list(records)),
            ),
            guard_journal=SimpleNamespace(
                append=lambda frames: self.note("guard append", list(frames)),
                compact=lambda frames: self.note("guard compact", list(frames)),
                size_bytes=0,
            ),
            guard=SimpleNamespace(
                admit=lambda kind, data: self.guarded.get(data, b"frame " + data), frames=lambda: [b"all"]
            ),
            store=SimpleNamespace(
                commit_many=lambda blocks: self.note("store", list(blocks)),
                restore=lambda block, _links: self.note("restore", block),
                freeze=lambda: "frozen",
            ),
            identity=identity(0),
            genesis=genesis_of(),
            perform=lambda effect: self.note("perform", effect.message),
            on_signed=self.on_signed,
            on_frozen=lambda effect, frozen: self.note("frozen", effect),
            on_committed=lambda block: self.note("committed", block),
            on_progress=lambda: None,
        )

    def note(self, what, value):
        if what in self.broken:
            raise self.broken[what]
        if self.gate is not None and what in {"append", "store"}:
            trio.from_thread.run(self.gate.wait)
        self.done.append((what, value))

    def on_signed(self, request, signature):
        self.signatures[request] = signature
        self.note("signed", (request, signature is not None))

    def names(self):
        return [what for what, _ in self.done]


@asynccontextmanager
async def running():
    rig = Rig()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.disk.run_log)
        nursery.start_soon(rig.disk.run_store)
        yield rig
        nursery.cancel_scope.cancel()


def say(message):
    return Log("DEBUG", "test", message)


async def test_a_record_is_durable_before_what_follows_it(jumping_clock):
    async with running() as rig:
        rig.disk.give([Append(b"vote"), say("sent")])
        await until(lambda: len(rig.done) == 2)
        assert rig.done == [("append", [b"vote"]), ("perform", "sent")]


async def test_lists_share_one_write_and_keep_their_order(jumping_clock):
    async with running() as rig:
        for number in range(3):
            rig.disk.give([Append(bytes([number])), say(str(number))])
        await until(lambda: len(rig.done) == 4)
        assert rig.done == [("append", [b"\0", b"\1", b"\2"]), *[("perform", str(number)) for number in range(3)]]


async def test_records_beyond_one_frame_are_written_in_several(jumping_clock):
    record = bytes(FRAME_BYTES_MAX // 6)
    async with running() as rig:
        for _ in range(10):
            rig.disk.give([Append(record)])
        rig.disk.give([say("end")])
        await until(lambda: "perform" in rig.names())
        writes = [records for what, records in rig.done if what == "append"]
        assert sum(map(len, writes)) == 10
        assert max(sum(map(len, records)) for records in writes) < FRAME_BYTES_MAX - 1_000


async def test_a_rewrite_stands_between_what_was_appended_before_and_after(jumping_clock):
    async with running() as rig:
        rig.disk.give([Append(b"a"), Rewrite((b"kept",)), Append(b"b"), say("end")])
        await until(lambda: "perform" in rig.names())
        assert rig.done == [("append", [b"a"]), ("compact", [b"kept"]), ("append", [b"b"]), ("perform", "end")]


async def test_the_guard_remembers_before_anything_is_signed(jumping_clock):
    async with running() as rig:
        rig.guarded = {b"again": b"", b"contradiction": None}
        rig.disk.give([Append(b"log"), *(SignRequest(n, "vote", d) for n, d in ((1, b"new"), (2, b"contradiction")))])
        rig.disk.give([SignRequest(3, "vote", b"again")])
        await until(lambda: rig.names().count("signed") == 3)
        assert rig.done == [
            ("append", [b"log"]),
            ("guard append", [b"frame new"]),
            ("signed", (1, True)),
            ("signed", (2, False)),
            ("signed", (3, True)),
        ]


async def test_log_and_guard_are_written_in_one_turn_of_the_thread(jumping_clock, monkeypatch):
    turns, run_sync = [], trio.to_thread.run_sync

    async def counted(write, *args, **options):
        turns.append(write)
        return await run_sync(write, *args, **options)

    monkeypatch.setattr(trio.to_thread, "run_sync", counted)
    async with running() as rig:
        rig.disk.give([Append(b"log"), SignRequest(1, "vote", b"new"), say("said")])
        await until(lambda: "signed" in rig.names())
        assert rig.names() == ["append", "guard append", "perform", "signed"]
        assert len(turns) == 1


async def test_what_the_guard_has_remembered_before_needs_no_turn(jumping_clock):
    async with running() as rig:
        rig.guarded = {b"again": b""}
        rig.disk.give([SignRequest(1, "vote", b"again")])
        await until(lambda: "signed" in rig.names())
        assert rig.names() == ["signed"]


async def test_a_guard_that_cannot_write_signs_nothing(jumping_clock):
    with pytest.RaisesGroup(JournalWriteError, flatten_subgroups=True):
        async with running() as rig:
            rig.broken["guard append"] = JournalWriteError("disk")
            rig.disk.give([Append(b"log"), SignRequest(1, "vote", b"new"), say("said")])
            await until(lambda: "signed" in rig.names())
    assert rig.names() == ["append"]


async def test_a_request_for_a_random_output_is_answered_with_its_proof(jumping_clock):
    async with running() as rig:
        rig.disk.give([SignRequest(1, VRF_KIND, b"input"), SignRequest(2, "vote", b"input")])
        await until(lambda: rig.names().count("signed") == 2)
        assert ED25519.vrf_verify(identity(0).public_key, b"input", rig.signatures[1]) is not None
        assert rig.signatures[2] == identity(0).sign("vote", genesis_of().hash, b"input")


async def test_the_guards_file_is_rewritten_when_it_is_large(jumping_clock):
    async with running() as rig:
        rig.disk._guard_journal.size_bytes = disk_room._GUARD_BYTES_MAX + 1
        rig.disk.give([SignRequest(1, "vote", b"new")])
        await until(lambda: "signed" in rig.names())
        assert rig.names() == ["guard compact", "signed"]


async def test_a_block_is_told_of_after_it_is_stored(jumping_clock):
    async with running() as rig:
        rig.disk.give([Append(b"log"), Commit(("block 1", "block 2"))])
        await until(lambda: rig.names().count("committed") == 2)
        assert rig.done == [
            ("append", [b"log"]),
            ("store", ["block 1", "block 2"]),
            ("committed", "block 1"),
            ("committed", "block 2"),
        ]


async def test_a_snapshot_is_of_the_state_after_the_block_before_it_and_a_restored_state_stands_alone(jumping_clock):
    async with running() as rig:
        rig.gate = trio.Event()
        take = TakeSnapshot(None, b"proof")
        rig.disk.give(
            [Commit(("1",)), Commit(("2",)), take, Commit(("3",)), Restore("whole", ("link",)), Commit(("4",))]
        )
        rig.gate.set()
        await until(lambda: rig.names().count("committed") == 5)
        assert [entry for entry in rig.done if entry[0] != "committed"] == [
            ("store", ["1", "2"]),
            ("frozen", take),
            ("store", ["3"]),
            ("restore", "whole"),
            ("store", ["4"]),
        ]


async def test_a_vote_does_not_wait_for_the_store_until_too_much_waits_for_it(jumping_clock):
    async with running() as rig:
        rig.gate = trio.Event()
        for number in range(COMMITS_WAITING_MAX + 2):
            rig.disk.give([Commit((number,)), say(str(number))])
        await until(lambda: rig.names().count("perform") >= COMMITS_WAITING_MAX)
        await trio.sleep(1)
        assert rig.names().count("perform") == COMMITS_WAITING_MAX
        rig.gate.set()
        await until(lambda: rig.names().count("committed") == COMMITS_WAITING_MAX + 2)
        assert max(len(blocks) for what, blocks in rig.done if what == "store") <= disk_room._BLOCKS_AT_ONCE
        assert [block for what, block in rig.done if what == "committed"] == list(range(COMMITS_WAITING_MAX + 2))


async def test_there_is_no_room_while_the_log_is_behind(jumping_clock):
    async with running() as rig:
        rig.gate = trio.Event()
        rig.disk.give([Append(b"first")])
        await trio.sleep(1)
        for _ in range(LISTS_WAITING_MAX):
            assert rig.disk.has_room
            rig.disk.give([Append(b"x")])
        assert not rig.disk.has_room
        rig.gate.set()
        await until(lambda: rig.disk.has_room)


@pytest.mark.parametrize(
    ("where", "effect", "error"),
    [
        ("append", Append(b""), JournalWriteError("log")),
        ("compact", Rewrite(()), JournalWriteError("log")),
        ("guard append", SignRequest(1, "vote", b"x"), JournalWriteError("guard")),
        ("store", Commit(("block",)), StoreFullError("store")),
    ],
)
async def test_a_disk_that_fails_raises_and_nothing_after_it_is_done(jumping_clock, where, effect, error):
    rig = None
    with pytest.RaisesGroup(type(error)):
        async with running() as rig:
            rig.broken = {where: error}
            rig.disk.give([effect, say("after")] if where in {"append", "compact"} else [effect])
            await trio.sleep_forever()
    assert rig.done == []


@pytest.mark.parametrize("failing", range(1, 9))
async def test_whichever_write_fails_nothing_is_signed_or_sent_that_is_not_on_the_disk(jumping_clock, failing):
    """Two turns of the thread, each with three frames of the log and one of the guard; `failing`: which one is lost."""
    rig, writes = Rig(), 0
    note = rig.note

    def fail_at(what, value):
        nonlocal writes
        if what in {"append", "guard append"}:
            writes += 1
            if writes == failing:
                raise JournalWriteError("no space left")
        note(what, value)

    rig.note = fail_at
    large = bytes(FRAME_BYTES_MAX // 2)
    turns = [
        [
            [Append(b"%d" % turn + large), Append(large), Append(large), SignRequest(turn, "vote", b"%d" % turn)],
            [say(turn)],
        ]
        for turn in range(2)
    ]
    with pytest.RaisesGroup(JournalWriteError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.disk.run_log)
            for lists in turns:
                for effects in lists:
                    rig.disk.give(effects)
                await until(lambda: not rig.disk._lists)
            await trio.sleep_forever()
    order = [what for what in rig.names() if what.endswith("append")]
    assert order == (["append"] * 3 + ["guard append"]) * ((failing - 1) // 4) + ["append"] * ((failing - 1) % 4)
    whole = (failing - 1) // 4  # turns that were over before
    assert list(rig.signatures) == list(range(whole))
    assert [value for what, value in rig.done if what == "perform"] == list(range(whole))
    for turn in range(whole):
        signed = rig.done.index(("signed", (turn, True)))
        assert rig.names()[:signed].count("append") == 3 * (turn + 1)
        assert ("guard append", [b"frame %d" % turn]) in rig.done[:signed]


def test_the_first_durable_effect_is_found():
    assert Disk.first_durable([]) == 0
    assert Disk.first_durable([say("a")]) == 1
    assert Disk.first_durable([say("a"), Commit(()), Append(b"")]) == 1
