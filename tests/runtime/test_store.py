import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.block import BLOCK_VERSION, Block, Header, tx_root
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Event, Outcome, Receipt, receipts_root
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH
from p2pcommerce.runtime.store import Store
from p2pcommerce.runtime.store_error import (
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreNetworkError,
    StoreVersionError,
)

ROOT = Path(__file__).parents[2]
SEED = bytes(32)
SENDER = ED25519.public_key(SEED)
GENESIS = Genesis.local("test", {SENDER: 10**9})
STATE = {b"a": b"1", b"b": b"2"}


def transaction(nonce):
    unsigned = UnsignedTransaction(
        chain_id=GENESIS.hash,
        type="test",
        sender=SENDER,
        nonce=nonce,
        fee=1,
        expires_height=100,
        body=(b"x" * 20,),
    )
    return sign_transaction(unsigned, SEED, ED25519)


def committed(parent, transactions=(), outcomes=None, changes=None, proof=b"proof"):
    if outcomes is None:
        outcomes = tuple(Outcome(RejectionCode.OK, (Event("test", (SENDER, b"item")),)) for _ in transactions)
    header = Header(
        version=BLOCK_VERSION,
        genesis_hash=GENESIS.hash,
        epoch=0,
        height=0 if parent is None else parent.block.header.height + 1,
        parent_hash=ZERO_HASH if parent is None else parent.block.hash,
        proposer=SENDER,
        time_ms=0 if parent is None else parent.block.header.time_ms + 100,
        tx_root=tx_root(tuple(item.id for item in transactions)),
        receipts_root=receipts_root(outcomes),
        state_root=ZERO_HASH,
        validators_hash=GENESIS.validators.hash,
        next_validators_hash=GENESIS.validators.hash,
        engine_data=b"engine",
    )
    block = Block(header, tuple(item.raw for item in transactions))
    return CommittedBlock(block, b"" if parent is None else proof, outcomes, {} if changes is None else changes)


FOUNDING = committed(None, changes=STATE)


def chain(counts):
    """Blocks above genesis with so many transactions each."""
    blocks, nonce, parent = [], 0, FOUNDING
    for count in counts:
        parent = committed(parent, [transaction(nonce + n) for n in range(count)])
        nonce += count
        blocks.append(parent)
    return blocks


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.sqlite3"


@pytest.fixture
def store(path):
    store = Store.open(path, GENESIS)
    store.commit(FOUNDING)
    yield store
    store.close()


def test_a_new_store_is_empty(path):
    store = Store.open(path, GENESIS)
    assert store.head() is None
    assert list(store.load_state()) == []
    assert store.blocks(0, 10, 10**6) == []
    assert store.events_since(0) == []
    store.close()


def test_genesis_is_height_0_with_its_whole_state(store):
    assert store.head() == (0, FOUNDING.block.header, b"")
    assert dict(store.load_state()) == STATE


def test_a_commit_is_there_after_a_restart(path):
    (block,) = chain([3])
    store = Store.open(path, GENESIS)
    store.commit_many([FOUNDING, block])
    store.close()
    store = Store.open(path, GENESIS)
    assert store.head() == (1, block.block.header, b"proof")
    assert store.height_of(block.block.hash) == 1
    assert store.height_of(ZERO_HASH) is None
    store.close()


def test_a_commit_survives_a_process_that_is_killed(path):
    """No close, no checkpoint: what commit returned from is there."""
    program = (
        "import os, signal\n"
        "from tests.runtime.test_store import *\n"
        f"store = Store.open({str(path)!r}, GENESIS)\n"
        "store.commit_many([FOUNDING, *chain([1, 2])])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert result.returncode == -9, result.stderr
    store = Store.open(path, GENESIS)
    assert store.head()[0] == 2
    assert len(store.events_since(0)) == 3
    store.close()


@given(
    changes=st.lists(
        st.dictionaries(st.binary(min_size=1, max_size=2), st.none() | st.binary(max_size=3), max_size=5), max_size=6
    )
)
@settings(max_examples=40, deadline=None)
def test_the_state_is_what_a_dictionary_would_hold(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("store") / "chain.sqlite3"
    expected, parent, blocks = dict(STATE), FOUNDING, [FOUNDING]
    for change in changes:
        parent = committed(parent, changes=change)
        blocks.append(parent)
        expected |= change
    expected = {key: value for key, value in expected.items() if value is not None}
    store = Store.open(path, GENESIS)
    store.commit_many(blocks)
    assert list(store.load_state()) == sorted(expected.items())
    store.close()


def test_blocks_are_given_as_they_were_committed(store):
    blocks = chain([2, 0, 1])
    store.commit_many(blocks)
    found = store.blocks(0, 100, 10**6)
    assert found == [(c.block.header.raw, c.block.raw, c.proof) for c in [FOUNDING, *blocks]]
    assert store.blocks(2, 1, 10**6) == [found[2]]
    assert store.blocks(4, 1, 10**6) == []


def test_blocks_are_bounded_in_bytes_but_for_the_first(store):
    blocks = chain([1, 1, 1])
    store.commit_many(blocks)
    cost = [len(c.block.header.raw) + len(c.block.raw) + len(c.proof) for c in blocks]
    assert len(store.blocks(1, 10, 1)) == 1
    assert len(store.blocks(1, 10, sum(cost[:2]) - 1)) == 1
    assert len(store.blocks(1, 10, sum(cost[:2]))) == 2
    assert len(store.blocks(1, 10, sum(cost))) == 3


def test_numbers_beyond_sqlites_are_no_error(store):
    assert store.blocks(2**64 - 1, 2**64 - 1, 2**64) == []
    assert len(store.blocks(-5, 2**70, 2**70)) == 1
    assert store.transaction_at(2**64, 0) is None
    assert store.events_since(2**64) == []
    assert store.touched(b"item", 2**64) == []


def test_a_receipt_says_where_and_what(store):
    failed = Outcome(RejectionCode.NO_FUNDS, (), "the account has 0 and needs 5")
    good = Outcome(RejectionCode.OK, (Event("test", (b"item",)),))
    items = [transaction(0), transaction(1)]
    block = committed(FOUNDING, items, (good, failed))
    store.commit(block)
    assert store.receipt(items[1].id) == Receipt(
        1, 1, block.block.hash, items[1].id, RejectionCode.NO_FUNDS, (), "the account has 0 and needs 5"
    )
    assert store.receipt(items[0].id).events == good.events
    assert store.receipt(transaction(2).id) is None


def test_a_transaction_is_found_by_its_place(store):
    (block,) = chain([2])
    store.commit(block)
    assert [store.transaction_at(1, index) for index in (0, 1, 2, -1)] == [*block.block.transactions, None, None]
    assert store.transaction_at(0, 0) is None
    assert store.transaction_at(2, 0) is None


def test_touched_gives_each_place_once(store):
    twice = Outcome(RejectionCode.OK, (Event("a", (b"item", b"item")), Event("b", (b"item", b"other"))))
    failed = Outcome(RejectionCode.LIMIT)
    first = committed(FOUNDING, [transaction(0), transaction(1)], (twice, failed))
    second = committed(first, [transaction(2)], (twice,))
    store.commit_many([first, second])
    assert store.touched(b"item") == [(1, 0), (2, 0)]
    assert store.touched(b"item", since=1) == [(2, 0)]
    assert store.touched(b"item", since=2) == []
    assert store.touched(b"nothing") == []


def test_lists_are_cut_at_the_end_of_a_block_only(store):
    """Paging by the last height skips nothing and tells nothing twice."""
    store.commit_many(chain([2, 0, 3, 1, 2]))
    assert [item.height for item in store.events_since(0, limit=1)] == [1, 1]
    assert [item.height for item in store.events_since(1, limit=2)] == [3, 3, 3]
    assert [place[0] for place in store.touched(b"item", limit=3)] == [1, 1, 3, 3, 3]
    for limit in range(9):
        seen, since = [], 0
        while page := store.events_since(since, limit):
            seen += page
            since = page[-1].height
        assert [(item.height, item.index) for item in seen] == store.touched(b"item")
        assert len(seen) == 8


def test_only_the_next_block_is_taken(store):
    first, second = chain([1, 1])
    for wrong in (FOUNDING, second):
        with pytest.raises(LocalProtocolError, match="next is 1"):
            store.commit(wrong)
    store.commit(first)
    with pytest.raises(LocalProtocolError, match="next is 2"):
        store.commit(committed(committed(FOUNDING), [transaction(5)]))
    assert store.head()[0] == 1


def test_an_empty_store_takes_genesis_only(path):
    store = Store.open(path, GENESIS)
    with pytest.raises(LocalProtocolError, match="next is 0"):
        store.commit(chain([1])[0])
    store.close()


def test_each_transaction_has_an_outcome(store):
    with pytest.raises(LocalProtocolError, match="1 transactions and 0 outcomes"):
        store.commit(committed(FOUNDING, [transaction(0)], ()))


def test_a_failed_commit_leaves_nothing_of_any_of_its_blocks(store):
    first, second = chain([1, 1])
    with pytest.raises(LocalProtocolError):
        store.commit_many([first, second, second])
    assert store.head()[0] == 0
    assert store.receipt(first.block.transaction_ids[0]) is None
    assert store.touched(b"item") == []
    store.commit_many([first, second])
    assert store.head()[0] == 2


def test_another_network_is_refused(path, store):
    other = Genesis.local("other", {SENDER: 10**9})
    with pytest.raises(StoreNetworkError) as caught:
        Store.open(path, other)
    message = str(caught.value)
    assert message.startswith(f"{path}: belongs to the network with genesis {GENESIS.hash.hex()[:16]}")
    assert other.hash.hex()[:16] in message


def test_a_newer_schema_is_refused_by_name(path, store):
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 6")
    connection.close()
    with pytest.raises(StoreVersionError, match="schema version 6, this program reads 5: update"):
        Store.open(path, GENESIS)


def test_a_file_that_is_no_database_is_refused(path):
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreDamagedError, match=r"is damaged .*; move it away"):
        Store.open(path, GENESIS)


@pytest.mark.parametrize("statement", ["CREATE TABLE notes (t TEXT)", "PRAGMA application_id = 7"])
def test_the_database_of_another_program_is_refused_and_left_alone(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreDamagedError, match="database of another program"):
        Store.open(path, GENESIS)
    assert path.read_bytes() == before


def test_damage_inside_is_named(path):
    store = Store.open(path, GENESIS)
    store.commit_many([FOUNDING, *chain([20, 20, 20])])
    store.close()
    data = bytearray(path.read_bytes())
    page = 4_096
    data[page:] = b"\xa5" * (len(data) - page)
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match="is damaged"):
        Store.open(path, GENESIS)


def test_content_that_is_not_canonical_is_damage(path, store):
    (block,) = chain([1])
    store.commit(block)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE transactions SET outcome = x'00'")
        connection.execute("UPDATE blocks SET header = x'00', block = x'01' WHERE height = 1")
    connection.close()
    with pytest.raises(StoreDamagedError, match="outcome 1/0"):
        store.receipt(block.block.transaction_ids[0])
    with pytest.raises(StoreDamagedError, match="header 1"):
        store.head()
    with pytest.raises(StoreDamagedError, match="block 1"):
        store.transaction_at(1, 0)


def test_a_full_disk_is_named_and_leaves_nothing_behind(store):
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    (block,) = chain([200])
    with pytest.raises(StoreFullError, match=r"the disk is full .*; free some space"):
        store.commit(block)
    assert store.head()[0] == 0
    store._connection.execute("PRAGMA max_page_count = 100000")
    store.commit(block)
    assert store.head()[0] == 1


def test_a_locked_database_is_named(path, store):
    store.close()
    store = Store.open(path, GENESIS, busy_ms=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLockedError, match="locked by another program"):
        store.commit(chain([1])[0])
    other.execute("ROLLBACK")
    other.close()
    store.commit(chain([1])[0])
    assert store.head()[0] == 1
    store.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"no/c: cannot be opened .*; see to the permissions"):
        Store.open(tmp_path / "no" / "c", GENESIS)


def test_a_closed_store_says_so(path):
    store = Store.open(path, GENESIS)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.head()


def test_commits_are_synced_and_logged_ahead(store):
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
