"""Who waits for a transaction hears of it, once and in every case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio
import trio.testing

from p2pcommerce.node.effects import Dropped, Submitted
from p2pcommerce.primitives.errors import (
    RejectionCode,
    TransactionDroppedError,
    TransactionExpiredError,
    TransactionUnknownError,
)
from p2pcommerce.runtime import waiting as waiting_room
from p2pcommerce.runtime.transaction_status import TransactionState
from p2pcommerce.runtime.waiting import UNKNOWN_S, Waiting
from tests.runtime.nodes import block


class Store:
    def __init__(self, *receipts):
        self.receipts = {receipt.tx_id: receipt for receipt in receipts}

    async def receipt(self, tx_id):
        await trio.lowlevel.checkpoint()
        return self.receipts.get(tx_id)


class Core:
    """What a test says that the core knows."""

    def __init__(self):
        self.pending = set()
        self.blocks = {}

    def is_pending(self, tx_id):
        return tx_id in self.pending

    def unfinal(self):
        return self.blocks

    def include(self, name, height, *tx_ids):
        self.blocks[name] = SimpleNamespace(
            ids=frozenset(tx_ids), block=SimpleNamespace(header=SimpleNamespace(height=height))
        )


async def stored():
    await trio.lowlevel.checkpoint()


def waiting_of(receipts=None, core=None):
    return Waiting(receipts or Store(), core or Core(), stored)


def accepted(tx_id):
    return Submitted(1, tx_id, RejectionCode.OK, "")


async def test_what_is_final_already_is_told_at_once(autojump_clock):
    (receipt,) = block(1, "a").receipts
    assert await waiting_of(Store(receipt)).wait(receipt.tx_id) is receipt


async def test_everyone_who_waits_is_told_and_nobody_is_kept(autojump_clock):
    waiting, told = waiting_of(), []
    (receipt,) = block(1, "a").receipts

    async def wait():
        told.append(await waiting.wait(receipt.tx_id))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        waiting.on_block(block(1, "a"))
    assert told == [receipt] * 3
    assert not waiting._watches


async def test_a_block_that_comes_while_the_store_is_asked_is_not_missed(autojump_clock):
    (receipt,) = block(1, "a").receipts

    class Slow(Store):
        async def receipt(self, tx_id):
            waiting.on_block(block(1, "a"))

    waiting = waiting_of(Slow())
    assert await waiting.wait(receipt.tx_id) == receipt


async def test_whoever_gives_up_waiting_is_forgotten(autojump_clock):
    waiting = waiting_of()
    with trio.move_on_after(1):
        await waiting.wait(bytes(32))
    assert not waiting._watches


async def test_a_dropped_transaction_is_remembered_until_it_is_submitted_again(autojump_clock):
    waiting = waiting_of()
    waiting.on_dropped(Dropped(bytes(32), RejectionCode.EXPIRED, "its time is over"))
    with pytest.raises(TransactionExpiredError, match="its time is over"):
        await waiting.wait(bytes(32))
    waiting.on_submitted(accepted(bytes(32)))
    with trio.move_on_after(1) as scope:
        await waiting.wait(bytes(32))
    assert scope.cancelled_caught


async def test_of_dropped_transactions_the_latest_are_remembered(autojump_clock, monkeypatch):
    monkeypatch.setattr(waiting_room, "DROPPED_REMEMBERED_MAX", 3)
    waiting = waiting_of()
    for number in range(5):
        waiting.on_dropped(Dropped(bytes([number]), RejectionCode.EXPIRED, ""))
    assert list(waiting._dropped) == [b"\2", b"\3", b"\4"]


async def test_whoever_waits_when_the_node_stops_is_told(autojump_clock):
    waiting = waiting_of()
    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting.wait, bytes(32))
            await trio.testing.wait_all_tasks_blocked()
            waiting.close()


# --- the rule for an id that nobody has heard of ---


async def test_an_id_that_nobody_has_heard_of_is_unknown_after_a_while(autojump_clock):
    begun = trio.current_time()
    with pytest.raises(TransactionUnknownError, match="ask the node that it was submitted to"):
        await waiting_of().wait(bytes(32))
    assert trio.current_time() - begun == pytest.approx(UNKNOWN_S)


async def test_an_id_must_be_known_at_the_call_if_nobody_will_wait_for_it(autojump_clock):
    begun = trio.current_time()
    with pytest.raises(TransactionUnknownError):
        await waiting_of().wait(bytes(32), 0)
    assert trio.current_time() == begun


@pytest.mark.parametrize("where", ["pool", "block"])
async def test_what_the_core_knows_is_waited_for_as_long_as_it_takes(autojump_clock, where):
    core = Core()
    waiting = waiting_of(core=core)
    (receipt,) = block(1, "a").receipts
    if where == "pool":
        core.pending.add(receipt.tx_id)
    else:
        core.include(b"b", 1, receipt.tx_id)
    with trio.move_on_after(100 * UNKNOWN_S) as scope:
        await waiting.wait(receipt.tx_id, 0)
    assert scope.cancelled_caught


async def test_what_comes_from_a_peer_in_time_is_waited_for(autojump_clock):
    core, told = Core(), []
    waiting = waiting_of(core=core)
    (receipt,) = block(1, "a").receipts

    async def tick():
        await trio.sleep(0.1)

    async def wait():
        told.append(await waiting.wait(receipt.tx_id))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.run, tick)
        nursery.start_soon(wait)
        await trio.sleep(UNKNOWN_S / 2)
        core.pending.add(receipt.tx_id)
        await trio.sleep(2 * UNKNOWN_S)
        assert not told
        waiting.on_block(block(1, "a"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert told == [receipt]


@pytest.mark.parametrize(
    ("dropped", "state", "error"),
    [
        (Dropped(bytes(32), RejectionCode.EXPIRED, "too late"), TransactionState.EXPIRED, TransactionExpiredError),
        (Dropped(bytes(32), RejectionCode.POOL_FULL, "full"), TransactionState.EVICTED, TransactionDroppedError),
        (Dropped(bytes(32), RejectionCode.NO_FUNDS, "spent"), TransactionState.REFUSED, TransactionDroppedError),
        (
            Dropped(bytes(32), RejectionCode.BAD_NONCE, "replaced by", b"\1" * 32),
            TransactionState.REPLACED,
            TransactionDroppedError,
        ),
    ],
)
async def test_every_loss_has_its_state_and_its_error(autojump_clock, dropped, state, error):
    core = Core()
    core.pending.add(bytes(32))
    waiting = waiting_of(core=core)
    async with waiting.watch(bytes(32)) as watch:
        assert (await anext(watch)).state is TransactionState.PENDING
        core.pending.clear()
        waiting.on_dropped(dropped)
        status = await anext(watch)
        assert (status.state, status.code, status.detail) == (state, dropped.code, dropped.detail)
        with pytest.raises(StopAsyncIteration):
            await anext(watch)
    assert (await waiting.status(bytes(32))).state is state
    with pytest.raises(error, match=dropped.detail) as raised:
        await waiting.wait(bytes(32))
    assert type(raised.value) is error
    if error is TransactionDroppedError:
        assert raised.value.rejection is dropped.code


async def test_a_refused_submission_is_remembered_and_a_duplicate_is_none(autojump_clock):
    waiting = waiting_of()
    waiting.on_submitted(Submitted(1, bytes(32), RejectionCode.NO_FEE, "pay more"))
    with pytest.raises(TransactionDroppedError, match="pay more"):
        await waiting.wait(bytes(32))
    waiting.on_submitted(Submitted(1, b"\1" * 32, RejectionCode.DUPLICATE, "is in the pool already"))
    assert (await waiting.status(b"\1" * 32)).state is TransactionState.UNKNOWN


# --- watching ---


async def test_a_watch_tells_of_the_pool_of_blocks_and_of_the_receipt_and_ends(autojump_clock):
    core = Core()
    waiting = waiting_of(core=core)
    (receipt,) = block(7, "a").receipts
    tx_id, told = receipt.tx_id, []
    async with waiting.watch(tx_id) as watch:
        told.append(await anext(watch))
        core.pending.add(tx_id)
        waiting.on_submitted(accepted(tx_id))
        told.append(await anext(watch))
        core.include(b"b", 6, tx_id)
        waiting.look()
        told.append(await anext(watch))
        core.blocks.clear()
        waiting.look()
        told.append(await anext(watch))
        core.pending.clear()
        waiting.look()  # final for the core, and not stored yet: nothing is said
        waiting.on_block(block(7, "a"))
        told += [status async for status in watch]
    assert [(status.state.value, status.height) for status in told] == [
        ("unknown", None),
        ("pending", None),
        ("included", 6),
        ("pending", None),
        ("final", 7),
    ]
    assert told[-1].receipt == receipt


async def test_a_slow_reader_gets_the_newest_state_and_never_misses_the_last(autojump_clock):
    core = Core()
    waiting = waiting_of(core=core)
    (receipt,) = block(1, "a").receipts
    core.pending.add(receipt.tx_id)
    async with waiting.watch(receipt.tx_id) as watch:
        core.include(b"b", 1, receipt.tx_id)
        waiting.look()
        waiting.on_block(block(1, "a"))
        waiting.look()
        assert [status.state async for status in watch] == [TransactionState.FINAL]


async def test_a_watch_ends_when_the_node_stops(autojump_clock):
    waiting = waiting_of()
    async with waiting.watch(bytes(32)) as watch:
        waiting.close()
        assert [status.state async for status in watch] == [TransactionState.UNKNOWN]
    assert not waiting._watches
