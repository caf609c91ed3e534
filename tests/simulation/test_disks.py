import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.simulation.disks import FILES_MAX, SECTOR_BYTES, SimulatedDisk, SimulatedDiskError
from p2pcommerce.simulation.streams import Streams


def disk(seed=1, capacity_bytes=2**20, **faults):
    return SimulatedDisk(Streams(seed), 0, faults, capacity_bytes=capacity_bytes)


def durable(seed=1, data=b"old", **faults):
    subject = disk(seed)
    subject.append("wal", data)
    subject.sync("wal")
    subject.sync_directory()
    subject.set_faults(faults)
    return subject


def after_crash(make, seeds=100):
    """Return what 100 crashes leave of the log."""
    left = []
    for seed in range(seeds):
        subject = make(seed)
        subject.crash()
        left.append(subject.read("wal") if subject.exists("wal") else None)
    return left


def test_what_is_appended_can_be_read_at_once():
    subject = disk()
    subject.append("wal", b"ab")
    subject.append("wal", b"cd")
    assert (subject.read("wal"), subject.size("wal"), subject.waiting_bytes("wal")) == (b"abcd", 4, 4)
    subject.sync("wal")
    assert (subject.waiting_bytes("wal"), subject.written_bytes, subject.syncs) == (0, 4, 1)


def test_what_is_synced_survives_every_crash():
    assert after_crash(durable) == [b"old"] * 100


def test_what_is_not_synced_survives_as_a_prefix():
    def make(seed):
        subject = durable(seed)
        subject.append("wal", b"ABCD")
        subject.append("wal", b"EFGH")
        return subject

    left = after_crash(make)
    assert all(b"oldABCDEFGH".startswith(data) and len(data) >= 3 for data in left)
    assert {b"old", b"oldABCD", b"oldABCDEFGH"} < set(left)
    assert any(len(data) in {4, 5, 6, 8, 9, 10} for data in left)


def test_a_new_file_whose_name_is_not_durable_may_vanish():
    def make(seed):
        subject = disk(seed)
        subject.append("wal", b"new")
        subject.sync("wal")
        return subject

    assert set(after_crash(make)) == {None, b"new"}


def test_a_replaced_file_is_the_old_or_the_new_one_until_the_directory_is_synced():
    def make(seed):
        subject = durable(seed)
        subject.replace("wal", b"new")
        return subject

    assert set(after_crash(make)) == {b"old", b"new"}

    def make_durable(seed):
        subject = make(seed)
        subject.sync_directory()
        return subject

    assert set(after_crash(make_durable)) == {b"new"}


def test_a_removed_file_may_come_back_until_the_directory_is_synced():
    def make(seed):
        subject = durable(seed)
        subject.remove("wal")
        assert not subject.exists("wal")
        return subject

    assert set(after_crash(make)) == {None, b"old"}


def test_the_death_of_the_process_alone_loses_nothing():
    subject = durable()
    subject.append("wal", b"new")
    subject.crash(power_loss=False)
    assert subject.read("wal") == b"oldnew"


def test_after_a_crash_what_is_left_is_durable():
    for seed in range(30):
        subject = durable(seed)
        subject.append("wal", bytes(100))
        subject.replace("book", b"x")
        subject.crash()
        left = {name: subject.read(name) for name in subject.names()}
        assert subject.used_bytes == sum(map(len, left.values()))
        subject.crash()
        assert {name: subject.read(name) for name in subject.names()} == left


def test_a_torn_write_leaves_any_sectors_with_zeros_between():
    data = b"".join(bytes([letter]) * SECTOR_BYTES for letter in b"ABCDEF")

    def make(seed):
        subject = durable(seed, b"o" * 100, torn_write=1)
        subject.append("wal", data)
        return subject

    holes = 0
    for left in after_crash(make):
        assert left[:100] == b"o" * 100
        tail = left[100:]
        assert all(byte in (0, data[place]) for place, byte in enumerate(tail))
        holes += 0 in tail.rstrip(b"\0")
    assert holes > 50


def test_a_torn_write_changes_nothing_else_that_a_crash_draws():
    def make(seed, **faults):
        subject = durable(seed, **faults)
        subject.append("wal", b"ABCD")
        subject.crash()
        subject.append("wal", b"ABCDEFGH")
        size = subject.size("wal") - 8
        subject.set_faults({})
        subject.crash()
        return subject.size("wal") - size

    assert [make(seed) for seed in range(30)] == [make(seed, torn_write=1) for seed in range(30)]


def test_a_lost_fsync_reports_success_and_does_nothing():
    subject = durable(lost_fsync=1)
    subject.append("wal", b"new")
    subject.sync("wal")
    assert subject.waiting_bytes("wal") == 3
    assert subject.fired == {"lost_fsync": 1}

    def make(seed):
        made = durable(seed, lost_fsync=1)
        made.append("wal", b"new")
        made.sync("wal")
        return made

    assert b"old" in after_crash(make)


def test_a_full_disk_takes_a_prefix():
    subject = disk(capacity_bytes=10)
    subject.append("wal", b"12345678")
    with pytest.raises(SimulatedDiskError, match="ENOSPC: wal") as caught:
        subject.append("wal", b"abcd")
    assert caught.value.kind == "ENOSPC"
    assert subject.read("wal") == b"12345678ab"
    with pytest.raises(SimulatedDiskError, match="ENOSPC"):
        subject.replace("book", b"x")
    assert not subject.exists("book")
    subject.remove("wal")
    subject.append("wal", b"0123456789")


def test_a_write_may_end_in_the_middle_by_chance():
    lengths = set()
    for seed in range(50):
        subject = durable(seed, disk_full=1)
        with pytest.raises(SimulatedDiskError, match="ENOSPC"):
            subject.append("wal", b"abcd")
        assert subject.read("wal").startswith(b"old")
        lengths.add(subject.size("wal") - 3)
        assert subject.fired == {"disk_full": 1}
    assert lengths == {0, 1, 2, 3}


def test_an_io_error_leaves_everything_as_it_was():
    subject = durable(disk_error=1)
    subject.set_faults({})
    subject.append("wal", b"new")
    subject.set_faults({"disk_error": 1})
    for call in (
        lambda: subject.append("wal", b"x"),
        lambda: subject.sync("wal"),
        lambda: subject.replace("wal", b"x"),
        subject.sync_directory,
    ):
        with pytest.raises(SimulatedDiskError, match="EIO"):
            call()
    assert (subject.read("wal"), subject.waiting_bytes("wal"), subject.fired["disk_error"]) == (b"oldnew", 3, 4)


def test_rot_flips_one_durable_bit():
    for left in after_crash(lambda seed: durable(seed, bytes(50), bit_rot=1)):
        assert sum(byte.bit_count() for byte in left) == 1
    empty = disk(bit_rot=1)
    empty.crash()
    assert empty.fired["bit_rot"] == 0


def test_a_backup_brings_back_all_files_as_they_were():
    subject = durable()
    assert not subject.restore_backup()
    subject.snapshot()
    subject.append("wal", b"new")
    subject.replace("book", b"x")
    assert subject.restore_backup()
    assert (subject.names(), subject.read("wal"), subject.used_bytes) == (["wal"], b"old", 3)
    assert subject.fired == {"stale_backup": 1}
    subject.crash()
    assert subject.read("wal") == b"old"


def test_a_restart_finds_a_stale_backup_with_its_probability():
    restored = 0
    for seed in range(400):
        subject = durable(seed, stale_backup=0.3)
        subject.snapshot()
        restored += subject.maybe_restore_backup()
    assert 80 < restored < 160
    assert not durable().maybe_restore_backup()


def test_a_file_that_is_not_there_is_an_error():
    subject = disk()
    for call in (subject.read, subject.sync):
        with pytest.raises(SimulatedDiskError, match="ENOENT: wal"):
            call("wal")
    subject.remove("wal")
    assert (subject.size("wal"), subject.waiting_bytes("wal"), subject.names()) == (0, 0, [])


def test_the_number_of_files_is_bounded():
    subject = disk()
    for number in range(FILES_MAX):
        subject.append(f"{number}", b"")
    subject.append("7", b"x")
    with pytest.raises(SimulatedDiskError, match="ENOSPC"):
        subject.append("more", b"")


def test_many_replacements_without_a_directory_sync_keep_the_durable_state_and_the_last():
    def make(seed):
        subject = durable(seed)
        for number in range(1_000):
            subject.replace("wal", b"%d" % number)
        assert len(subject._names["wal"]) <= 17
        return subject

    left = set(after_crash(make, 300))
    assert {b"old", b"999"} < left


operation = st.tuples(st.sampled_from(["append", "sync", "replace", "directory"]), st.binary(max_size=20))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(operation, max_size=25))
def test_a_crash_leaves_one_of_the_states_since_the_last_sync(seed, operations):
    subject = durable(seed, b"")
    content, synced, possible = (
        b"",
        0,
        [(b"", 0)],
    )  # the contents that the name may have, and how much of each is durable
    for name, data in operations:
        match name:
            case "append":
                subject.append("wal", data)
                content += data
            case "sync":
                subject.sync("wal")
                synced = len(content)
            case "replace":
                subject.replace("wal", data)
                content, synced = data, len(data)
                possible.append((content, synced))
            case "directory":
                subject.sync_directory()
                possible = possible[-1:]
        possible[-1] = (content, synced)
        assert subject.read("wal") == content
        assert subject.used_bytes == len(content)
    subject.crash()
    left = subject.read("wal")
    assert any(whole.startswith(left) and len(left) >= least for whole, least in possible)


def test_a_lost_sync_of_nothing_is_not_counted():
    subject = SimulatedDisk(Streams(1), 0, {"lost_fsync": 1.0})
    subject.append("log", b"a")
    subject.sync("log")
    subject.sync_directory()
    assert subject.fired["lost_fsync"] == 2
    sound = SimulatedDisk(Streams(1), 0)
    sound.append("log", b"a")
    sound.sync("log")
    sound.sync_directory()
    sound.set_faults({"lost_fsync": 1.0})
    sound.sync("log")
    sound.sync_directory()
    assert not sound.fired["lost_fsync"]
    assert sound.is_durable("log", b"a")


def test_a_backup_of_what_is_there_is_not_counted():
    subject = SimulatedDisk(Streams(1), 0)
    subject.append("log", b"a")
    subject.snapshot()
    assert subject.restore_backup()
    assert not subject.fired["stale_backup"]
    subject.append("log", b"b")
    assert subject.restore_backup()
    assert subject.fired["stale_backup"] == 1
