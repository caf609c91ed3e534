"""Snapshots on the disk: taken while commits go on, restored whole or not at all, and never of a false state."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from p2pcommerce.ledger.block import Block, decode_header
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree
from p2pcommerce.runtime.pace import RESTS as PACE_RESTS
from p2pcommerce.runtime.pace import SLICE_S
from p2pcommerce.runtime.snapshots import SNAPSHOTS_KEPT, FrozenState, Snapshots, StateConflictError
from p2pcommerce.runtime.store import Store
from p2pcommerce.runtime.store_error import StoreError
from p2pcommerce.sync.chunks import read_chunk, read_depths

from .test_store import FOUNDING, GENESIS, STATE, chain, committed

ROOT = Path(__file__).parents[2]
WHOLE = {b"key %d" % number: b"value %d" % number for number in range(5_000)}


def header_of(state, height=9):
    header = committed(FOUNDING).block.header
    return replace(header, height=height, state_root=SparseMerkleTree.EMPTY.update(state).root)


def restored(state, height=9):
    return replace(committed(FOUNDING, changes=dict(state)), block=Block(header_of(state, height), ()))


def link_of(epoch, height):
    header = replace(committed(FOUNDING).block.header, height=height, epoch=epoch)
    return EpochLink(header, b"proof of a link", GENESIS.validators.validators)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.sqlite3"


@pytest.fixture
def store(path):
    store = Store.open(path, GENESIS)
    store.commit(FOUNDING)
    yield store
    store.close()


@pytest.fixture
def snapshots(tmp_path):
    snapshots = Snapshots(tmp_path, GENESIS.hash)
    yield snapshots
    snapshots.close()


def no_rest(_):
    pass


def taken(snapshots, store, height=9):
    """Take a snapshot of the store's state, as if it were that of a height."""
    header = header_of(dict(store.load_state()), height)
    snapshots.write(store.freeze(), header, b"proof", no_rest)
    snapshots.offer(height)
    return header


def test_a_frozen_state_stays_as_it_was_while_blocks_are_committed(store):
    frozen = store.freeze()
    store.commit(committed(FOUNDING, changes={b"a": b"new", b"c": b"3", b"b": None}))
    assert dict(frozen.pairs()) == STATE
    frozen.close()
    frozen.close()
    assert dict(store.load_state()) == {b"a": b"new", b"c": b"3"}


def test_a_snapshot_gives_the_state_back_chunk_by_chunk(store, snapshots):
    store.commit(committed(FOUNDING, changes=dict(WHOLE)))
    assert snapshots.newest() == []
    header = taken(snapshots, store)
    raw, proof, depths = snapshots.newest()
    assert (raw, proof) == (header.raw, b"proof")
    found = {}
    for index, place in enumerate(read_depths(depths)):
        (data,) = snapshots.chunk(9, index)
        found |= read_chunk(data, header.state_root, place)
    assert found == WHOLE | STATE
    assert snapshots.chunk(9, len(depths)) == snapshots.chunk(8, 0) == []


def test_a_stored_state_that_the_validators_did_not_sign_stops_the_node(store, snapshots):
    with pytest.raises(StateConflictError, match="not the one that the validators signed; move it away"):
        snapshots.write(store.freeze(), header_of(WHOLE), b"proof", no_rest)
    assert snapshots.newest() == []


def test_a_large_state_is_taken_with_rests_and_given_up_in_one_of_them(store, snapshots, tmp_path):
    store.commit(committed(FOUNDING, changes={b"%d" % number: b"x" * 500 for number in range(20_000)}))
    header, rests = header_of(dict(store.load_state())), []
    spent_s = snapshots.write(store.freeze(), header, b"proof", rests.append)
    assert spent_s >= SLICE_S
    assert sum(rests) == pytest.approx(PACE_RESTS * spent_s)
    (tmp_path / "snapshot-9.sqlite3").unlink()

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snapshots.write(store.freeze(), header, b"proof", stop)
    assert not list(tmp_path.glob("*snapshot-*"))


def test_a_folder_that_takes_no_snapshot_keeps_no_half_of_one(store, snapshots, tmp_path):
    (tmp_path / "snapshot-9.sqlite3").mkdir()
    with pytest.raises(OSError, match="directory"):
        taken(snapshots, store)
    assert not list(tmp_path.glob("*.tmp"))
    assert snapshots.newest() == []


def test_a_chunk_that_the_disk_has_changed_is_not_sent_and_its_snapshot_offered_no_more(store, snapshots, tmp_path):
    taken(snapshots, store)
    height = decode_header(snapshots.newest()[0]).height
    (good,) = snapshots.chunk(height, 0)
    with closing(sqlite3.connect(tmp_path / f"snapshot-{height}.sqlite3")) as connection:
        connection.execute("UPDATE chunks SET data = ? WHERE number = 0", (good[:-1] + bytes([good[-1] ^ 1]),))
        connection.commit()
    assert snapshots.chunk(height, 0) == []
    assert snapshots.newest() == []
    assert snapshots.chunk(height, 0) == []
    assert not list(tmp_path.glob("snapshot-*"))


def test_the_last_two_are_kept_and_found_again(store, snapshots, tmp_path):
    for height in range(10, 10 + SNAPSHOTS_KEPT + 2):
        taken(snapshots, store, height)
    assert sorted(file.name for file in tmp_path.glob("snapshot-*")) == ["snapshot-12.sqlite3", "snapshot-13.sqlite3"]
    snapshots.close()
    (tmp_path / "snapshot-99.sqlite3").write_bytes(b"no database")
    (tmp_path / ".snapshot-98.sqlite3.tmp").write_bytes(b"half of one")
    again = Snapshots(tmp_path, GENESIS.hash)
    assert again.newest()[0] == header_of(STATE, 13).raw
    assert again.chunk(12, 0)
    again.close()
    other = Snapshots(tmp_path, bytes(32))
    assert other.newest() == []
    assert not list(tmp_path.glob("*snapshot-*"))


@pytest.fixture
def opened(monkeypatch):
    """Return the connections that are opened from now on."""
    connect, made = sqlite3.connect, []

    def note(*arguments, **options):
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", note)
    return made


def is_open(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_a_state_that_cannot_be_frozen_leaves_no_file_open(tmp_path, opened):
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (t TEXT)")
    with pytest.raises(StoreError, match="no such table: meta"):
        FrozenState(path)
    assert len(opened) == 2
    assert not any(map(is_open, opened))


def test_one_snapshot_that_cannot_be_opened_leaves_none_open(store, tmp_path, opened):
    with closing(Snapshots(tmp_path, GENESIS.hash)) as snapshots:
        taken(snapshots, store)
    (tmp_path / "snapshot-90.sqlite3").mkdir()
    opened.clear()
    with pytest.raises(StoreError, match=r"snapshot-90.sqlite3: cannot be opened"):
        Snapshots(tmp_path, GENESIS.hash)
    assert len(opened) == 1
    assert not is_open(opened[0])


def test_a_restored_state_takes_the_place_of_the_old_one_whole(store):
    for block in chain([2, 1]):
        store.commit(block)
    links = [link_of(0, 5), link_of(1, 7)]
    store.restore(restored(WHOLE), links)
    assert dict(store.load_state()) == WHOLE
    assert store.head() == (9, header_of(WHOLE), b"proof")
    assert store.header_at(5) == (links[0].header, b"proof of a link")
    assert store.validator_set(2) is not None
    assert store.header_at(6) is None
    store.commit(after(restored(WHOLE)))
    assert store.head()[0] == 10


def test_links_that_lead_beyond_the_snapshot_leave_the_head_where_it_is(store):
    """A peer that has just ended another epoch leads on to it before it has its snapshot."""
    store.restore(restored(WHOLE), [link_of(0, 5), link_of(1, 9), link_of(2, 12)])
    assert store.head() == (9, header_of(WHOLE), b"proof")
    assert store.header_at(12) is None
    store.commit(after(restored(WHOLE)))
    assert store.head()[0] == 10


def after(block):
    header = replace(block.block.header, height=10, parent_hash=block.block.hash)
    return replace(committed(FOUNDING), block=Block(header, ()))


def test_blocks_are_served_up_to_a_gap_and_headers_without_a_body_never(store):
    blocks = chain([1, 0])
    for block in blocks:
        store.commit(block)
    store.restore(restored(WHOLE), [link_of(0, 5)])
    store.commit(after(restored(WHOLE)))
    assert len(store.blocks(1, 100, 10**7)) == 2
    assert store.blocks(3, 100, 10**7) == store.blocks(5, 100, 10**7) == store.blocks(9, 100, 10**7) == []
    assert len(store.blocks(10, 100, 10**7)) == 1
    assert store.transaction_at(9, 0) is None


def test_a_snapshot_below_the_head_is_refused(store):
    store.restore(restored(WHOLE), ())
    with pytest.raises(LocalProtocolError, match="below the head at 9"):
        store.restore(restored(STATE), ())
    assert dict(store.load_state()) == WHOLE


def test_a_kill_while_a_state_is_restored_leaves_the_old_one(store, path):
    store.close()
    code = """
import os, sys
sys.path.insert(0, {root!r})
from tests.runtime.test_snapshots import *
store = Store.open({path!r}, GENESIS)
class Kills(dict):
    def items(self):
        for number, item in enumerate(super().items()):
            if number == 2_500:
                os._exit(9)
            yield item
block = restored(WHOLE)
object.__setattr__(block, "changes", Kills(WHOLE))
store.restore(block, [])
"""
    done = subprocess.run(
        [sys.executable, "-c", code.format(root=str(ROOT), path=str(path))], check=False, env={**os.environ}
    )
    assert done.returncode == 9
    again = Store.open(path, GENESIS)
    assert dict(again.load_state()) == STATE
    assert again.head()[0] == 0
    again.close()
