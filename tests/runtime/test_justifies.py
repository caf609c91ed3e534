"""Justifies of final blocks: stored with them, kept for 21 days, read with header and proof."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.ledger.application import time_step_ms
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.epochs import chain_time_in, settle
from p2pcommerce.ledger.state import State
from p2pcommerce.runtime.justifies import DROPPED_AT_ONCE
from p2pcommerce.runtime.store import Store
from tests.runtime.test_store import FOUNDING, GENESIS, committed

DAY_MS = 86_400_000
EPOCH_BLOCKS = 10


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "chain.sqlite3", GENESIS)
    store.commit(FOUNDING)
    yield store
    store.close()


def justified(parent, justify, after_ms=100):
    """A block above another, so much later, with what the chain writes of its time."""
    block = committed(parent)
    header = replace(block.block.header, time_ms=parent.block.header.time_ms + after_ms)
    state = State(parent.changes)
    step_ms = time_step_ms(header.time_ms, parent.block.header.time_ms)
    settle(state, GENESIS, height=1, step_ms=step_ms, updates=(), output=b"")
    return replace(block, block=Block(header, ()), justify=justify, changes=dict(state.changes))


def heights(store):
    return [row[0] for row in store._connection.execute("SELECT height FROM justifies ORDER BY height")]


def test_history_is_header_proof_and_justify_of_blocks_without_gaps(store):
    first = justified(FOUNDING, b"one")
    second = justified(first, b"")
    store.commit_many([first, second])
    rows = [first.block.header.raw, b"proof", b"one", second.block.header.raw, b"proof", b""]
    assert store.justifies.history(1, 2) == store.justifies.history(1, 9) == rows
    assert store.justifies.history(2, 1) == rows[3:]
    assert store.justifies.history(3, 2) == store.justifies.history(0, 0) == []


def test_a_block_that_is_not_kept_whole_ends_the_history(store):
    first = justified(FOUNDING, b"one")
    store.commit(first)
    far = committed(justified(justified(first, b""), b""))
    store.restore(replace(far, changes={b"a": b"1"}), [])
    assert store.justifies.history(1, 9) == [first.block.header.raw, b"proof", b"one"]
    assert store.justifies.history(far.block.header.height, 1) == []


def kept(parent, step_ms, justify=b"kept"):
    """A block above another, by which the chain's time moves so far."""
    block = committed(parent)
    state = State(parent.changes)
    settle(state, GENESIS, height=1, step_ms=step_ms, updates=(), output=b"")
    return replace(block, justify=justify, changes=dict(state.changes))


@pytest.fixture
def short(tmp_path):
    """A store of a chain with epochs of ten blocks."""
    parameters = replace(GENESIS.parameters, epoch_blocks=EPOCH_BLOCKS)
    store = Store.open(tmp_path / "short.sqlite3", replace(GENESIS, parameters=parameters))
    store.commit(FOUNDING)
    yield store
    store.close()


def starts(store):
    return [row[0] for row in store._connection.execute("SELECT epoch FROM epoch_starts ORDER BY epoch")]


def test_the_justifies_of_an_epoch_are_kept_for_21_days_from_the_start_of_the_next_one(short):
    """As long as evidence of that epoch counts: its first block is then older than that by a whole epoch."""
    parent, day = FOUNDING, 0
    for _ in range(EPOCH_BLOCKS):  # an epoch of twenty days
        parent, day = kept(parent, 2 * DAY_MS), day + 2
        short.commit(parent)
    parent = kept(parent, DAY_MS)
    short.commit(parent)
    next_start_ms = chain_time_in(parent.changes)
    assert starts(short) == [1]
    parent = kept(parent, 21 * DAY_MS - 1, b"")
    short.commit(parent)
    assert heights(short) == list(range(1, EPOCH_BLOCKS + 2)), "evidence of the first epoch still counts"
    for dropped in range(1, 4):
        parent = kept(parent, 1, b"")
        short.commit(parent)
        left = range(min(dropped * DROPPED_AT_ONCE, EPOCH_BLOCKS) + 1, EPOCH_BLOCKS + 2)
        assert heights(short) == list(left), "a few with each block, and none of the epoch that is not over"
    assert chain_time_in(parent.changes) == next_start_ms + 21 * DAY_MS + 2


def test_justifies_go_faster_than_they_come_and_few_starts_are_kept(short):
    parent = FOUNDING
    for height in range(1, 12 * EPOCH_BLOCKS + 1):
        parent = kept(parent, DAY_MS)
        short.commit(parent)
        assert len(heights(short)) <= 22 + 2 * EPOCH_BLOCKS
        assert len(starts(short)) <= 22 // EPOCH_BLOCKS + 2
        assert heights(short)[-1] == height


def test_after_a_restored_snapshot_justifies_from_before_go_with_the_next_known_start(short):
    first = kept(FOUNDING, DAY_MS)
    short.commit(first)
    far = first
    while far.block.header.height < 3 * EPOCH_BLOCKS:
        far = kept(far, DAY_MS, b"")
    short.restore(far, [])
    above = kept(far, DAY_MS)
    short.commit(above)
    assert starts(short) == [3]
    late = kept(above, 21 * DAY_MS - 1, b"")
    short.commit(late)
    assert heights(short) == [1, above.block.header.height]
    short.commit(kept(late, 1, b""))
    assert heights(short) == [above.block.header.height]


def test_a_halt_of_the_chain_drops_no_justify_while_evidence_counts(short):
    parent = FOUNDING
    for _ in range(EPOCH_BLOCKS + 1):
        parent = justified(parent, b"before the halt")
        short.commit(parent)
    late = justified(parent, b"after it", 60 * DAY_MS)
    short.commit_many([late, justified(late, b"and on")])
    assert starts(short) == [1]
    assert chain_time_in(late.changes) < DAY_MS
    assert heights(short) == list(range(1, EPOCH_BLOCKS + 4))
