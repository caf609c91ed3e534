import io
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.runtime.journal import (
    FRAME_BYTES_MAX,
    Journal,
    JournalDamagedError,
    JournalFullError,
    JournalVersionError,
    JournalWriteError,
)
from p2pcommerce.runtime.log import Log

HEADER_BYTES = 20
BATCHES = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=6)


def reopened(path, **arguments):
    journal, records = Journal.open(path, **arguments)
    journal.close()
    return records


def written(path, batches):
    """Write a journal and return the size after each append."""
    journal, _ = Journal.open(path)
    sizes = [journal.size_bytes]
    for batch in batches:
        journal.append(batch)
        sizes.append(journal.size_bytes)
    journal.close()
    assert path.stat().st_size == sizes[-1]
    return sizes


@pytest.fixture
def path(tmp_path):
    return tmp_path / "finality.wal"


def test_a_new_journal_is_empty(path):
    assert reopened(path) == []
    assert reopened(path) == []


@given(batches=BATCHES)
@settings(max_examples=60, deadline=None)
def test_what_is_appended_is_read_in_order(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("journal") / "wal"
    written(path, batches)
    assert reopened(path) == [record for batch in batches for record in batch]


def test_appending_goes_on_after_a_restart(path):
    for number in range(5):
        journal, records = Journal.open(path)
        assert records == [b"%d" % n for n in range(number)]
        journal.append([b"%d" % number])
        journal.close()


def test_an_append_of_nothing_writes_nothing(path):
    journal, _ = Journal.open(path)
    journal.append([])
    assert journal.size_bytes == path.stat().st_size == HEADER_BYTES
    journal.close()


def test_every_torn_tail_is_cut_and_writing_goes_on(path):
    batches = [[b"first", b"second"], [b"third" * 3, b""], [b"fourth"]]
    sizes = written(path, batches)
    whole = path.read_bytes()
    for length in range(sizes[0], len(whole)):
        path.write_bytes(whole[:length])
        journal, records = Journal.open(path)
        kept = sum(size <= length for size in sizes[1:])
        assert records == [record for batch in batches[:kept] for record in batch]
        assert journal.cut_bytes == length - sizes[kept]
        journal.append([b"after"])
        journal.close()
        assert reopened(path) == [*records, b"after"]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_last_frame_torn_in_any_way_is_cut_and_never_called_damage(tmp_path_factory, data):
    """The pages of the last, unsynced frame may be there or not, in any combination, zeros in their place."""
    path = tmp_path_factory.mktemp("journal") / "wal"
    batches = [[b"a" * 30], [data.draw(st.binary(min_size=1, max_size=200))]]
    sizes = written(path, batches)
    torn = bytearray(path.read_bytes())
    page = 7
    holes = range(sizes[1], len(torn), page)
    for start in data.draw(st.lists(st.sampled_from(holes), min_size=1)):
        end = min(start + page, len(torn))
        torn[start:end] = bytes(end - start)
    changed = bytes(torn) != path.read_bytes()
    path.write_bytes(torn)
    assert reopened(path) == batches[0] + ([] if changed else batches[1])


def test_a_tail_of_zeros_is_cut(path):
    sizes = written(path, [[b"kept"]])
    with path.open("ab") as file:
        file.write(bytes(5_000))
    assert reopened(path) == [b"kept"]
    assert path.stat().st_size == sizes[-1]


def test_a_false_frame_inside_a_torn_record_is_not_taken_for_a_good_one(tmp_path):
    """A transaction that quotes a frame of another journal cannot turn a torn tail into damage."""
    other = tmp_path / "other"
    written(other, [[b"quoted"]])
    quoted = other.read_bytes()[HEADER_BYTES:]
    path = tmp_path / "wal"
    sizes = written(path, [[b"kept"], [b"x" * 50 + quoted]])
    torn = bytearray(path.read_bytes())
    torn[sizes[1] + 20] ^= 1
    path.write_bytes(torn)
    assert reopened(path) == [b"kept"]


def test_a_cut_tail_is_logged(path):
    written(path, [[b"kept"], [b"torn"]])
    path.write_bytes(path.read_bytes()[:-1])
    stream = io.StringIO()
    reopened(path, log=Log("0a1b2c3d", stream=stream))
    assert " warning 0a1b2c3d journal a torn tail was cut file=finality.wal offset=40 bytes=19" in stream.getvalue()


def test_any_changed_bit_before_the_last_frame_is_damage(path):
    sizes = written(path, [[b"first", b"second"], [b"third"], [b"last"]])
    whole = path.read_bytes()
    starts = [0, *sizes[:-1]]
    for position in range(sizes[2]):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises((JournalDamagedError, JournalVersionError)) as caught:
                Journal.open(path)
            if isinstance(caught.value, JournalDamagedError):
                offset = max(start for start in starts if start <= position)
                assert f"{path}: damaged at byte {offset}" in str(caught.value)
                assert "it will not sign" in str(caught.value)
            assert path.read_bytes() == changed


def test_more_than_one_frame_of_rubbish_is_damage(path):
    written(path, [[b"kept"]])
    with path.open("ab") as file:
        file.write(b"\xaa" * (FRAME_BYTES_MAX + 100))
    with pytest.raises(JournalDamagedError, match="damaged at byte"):
        Journal.open(path)


@pytest.mark.parametrize("content", [b"", b"p2p", b"something else entirely, and longer"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(JournalDamagedError, match="damaged at byte 0"):
        Journal.open(path)
    assert path.read_bytes() == content


def test_a_newer_version_is_refused_by_name(path):
    written(path, [[b"x"]])
    data = bytearray(path.read_bytes())
    data[7] = 2
    path.write_bytes(data)
    with pytest.raises(JournalVersionError, match="version 2, this program reads 1"):
        Journal.open(path)


def test_compacting_leaves_only_what_is_given(path):
    journal, _ = Journal.open(path)
    for number in range(50):
        journal.append([b"%d" % number * 20])
    journal.compact([b"kept", b"too"])
    assert journal.size_bytes == path.stat().st_size < 60
    journal.append([b"after"])
    journal.close()
    assert reopened(path) == [b"kept", b"too", b"after"]


def test_compacting_to_nothing(path):
    written(path, [[b"x"]])
    journal, _ = Journal.open(path)
    journal.compact([])
    journal.append([b"y"])
    journal.close()
    assert reopened(path) == [b"y"]


def test_compacting_splits_what_is_too_much_for_one_frame(path):
    journal, _ = Journal.open(path)
    records = [bytes([n]) * 3_000_000 for n in range(5)]
    journal.compact(records)
    journal.close()
    assert reopened(path) == records


def test_leftovers_of_a_crash_while_compacting_are_removed(path):
    written(path, [[b"kept"]])
    leftover = path.with_name(f".{path.name}.0123abcd.tmp")
    leftover.write_bytes(b"half")
    assert reopened(path) == [b"kept"]
    assert not leftover.exists()


def test_a_frame_has_a_limit(path):
    journal, _ = Journal.open(path)
    journal.append([bytes(FRAME_BYTES_MAX - 4)])
    with pytest.raises(LocalProtocolError, match="in one frame"):
        journal.append([bytes(FRAME_BYTES_MAX - 3)])
    journal.close()
    assert reopened(path) == [bytes(FRAME_BYTES_MAX - 4)]


def test_the_file_has_a_limit(path):
    journal, _ = Journal.open(path, bytes_max=100)
    journal.append([b"x" * 40])
    with pytest.raises(JournalFullError, match="at its limit of 100 bytes"):
        journal.append([b"y" * 40])
    with pytest.raises(JournalFullError, match="at most 100"):
        journal.compact([b"z" * 100])
    journal.append([b"z"])
    journal.close()
    assert reopened(path, bytes_max=100) == [b"x" * 40, b"z"]
    with pytest.raises(JournalFullError, match="at most 50 are read"):
        Journal.open(path, bytes_max=50)


def test_a_full_disk_closes_the_journal_and_loses_nothing_written_before(path):
    journal, _ = Journal.open(path)
    journal.append([b"before"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.size_bytes + 10, limits[1]))
    try:
        with pytest.raises(JournalWriteError, match="the disk is full, or a limit is reached"):
            journal.append([b"x" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(LocalProtocolError, match="is closed"):
        journal.append([b"y"])
    assert reopened(path) == [b"before"]


def test_a_full_disk_while_compacting_leaves_the_old_file(path):
    journal, _ = Journal.open(path)
    journal.append([b"before"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        with pytest.raises(JournalWriteError):
            journal.compact([b"x" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert reopened(path) == [b"before"]
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalWriteError, match="no/wal: cannot be read or written: No such file"):
        Journal.open(tmp_path / "no" / "wal")


def test_closing_twice_does_nothing(path):
    journal, _ = Journal.open(path)
    journal.close()
    journal.close()
    with pytest.raises(LocalProtocolError, match="is closed"):
        journal.compact([])
