"""Justifies of final blocks: stored with them, kept for 21 days, read with header and proof."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.ledger.application import TIME_STEP_MS_MAX, time_step_ms
from p2pcommerce.ledger.block import Block
from p2pcommerce.ledger.epochs import chain_time_in, settle
from p2pcommerce.ledger.state import State
from p2pcommerce.runtime.justifies import DROPPED_AT_ONCE
from p2pcommerce.runtime.store import Store
from tests.runtime.test_store import FOUNDING, GENESIS, committed

DAY_MS = 86_400_000


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


def later(store, parent, days):
    """Store blocks without justifies, each as much later as counts: the next such one is so many days above this."""
    blocks = []
    for _ in range(days * DAY_MS // TIME_STEP_MS_MAX - 1):
        parent = justified(parent, b"", TIME_STEP_MS_MAX)
        blocks.append(parent)
    store.commit_many(blocks)
    return parent


def test_a_justify_is_kept_for_21_days_of_the_chains_time_and_then_dropped(store):
    parent, blocks = FOUNDING, []
    for _ in range(2 * DROPPED_AT_ONCE + 1):
        parent = justified(parent, b"old")
        blocks.append(parent)
    store.commit_many(blocks)
    parent = later(store, parent, 21)
    assert heights(store) == list(range(1, len(blocks) + 1)), "none is older yet"
    late = justified(parent, b"new", TIME_STEP_MS_MAX)
    store.commit(late)
    assert heights(store)[0] == DROPPED_AT_ONCE + 1, "a few with each block"
    for _ in range(2):
        late = justified(late, b"new")
        store.commit(late)
    assert heights(store) == [late.block.header.height - 2, late.block.header.height - 1, late.block.header.height]


def test_a_halt_of_the_chain_drops_no_justify_while_evidence_counts(store):
    first = justified(FOUNDING, b"before the halt")
    late = justified(first, b"after it", 60 * DAY_MS)
    store.commit_many([first, late, justified(late, b"and on")])
    assert chain_time_in(late.changes) < DAY_MS
    assert heights(store) == [1, 2, 3]
