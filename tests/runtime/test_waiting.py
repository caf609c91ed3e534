"""Who waits for a transaction hears of it, once and in every case."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from p2pcommerce.node.effects import Dropped
from p2pcommerce.primitives.errors import RejectionCode, TransactionExpiredError
from p2pcommerce.runtime import waiting as waiting_room
from p2pcommerce.runtime.waiting import Waiting
from tests.runtime.nodes import block


class Store:
    def __init__(self, *receipts):
        self.receipts = {receipt.tx_id: receipt for receipt in receipts}

    async def receipt(self, tx_id):
        await trio.lowlevel.checkpoint()
        return self.receipts.get(tx_id)


async def test_what_is_final_already_is_told_at_once(autojump_clock):
    (receipt,) = block(1, "a").receipts
    assert await Waiting(Store(receipt)).wait(receipt.tx_id) is receipt


async def test_everyone_who_waits_is_told_and_nobody_is_kept(autojump_clock):
    waiting, told = Waiting(Store()), []
    (receipt,) = block(1, "a").receipts

    async def wait():
        told.append(await waiting.wait(receipt.tx_id))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        waiting.on_block(block(1, "a"))
    assert told == [receipt] * 3
    assert not waiting._waits


async def test_a_block_that_comes_while_the_store_is_asked_is_not_missed(autojump_clock):
    (receipt,) = block(1, "a").receipts

    class Slow(Store):
        async def receipt(self, tx_id):
            waiting.on_block(block(1, "a"))

    waiting = Waiting(Slow())
    assert await waiting.wait(receipt.tx_id) == receipt


async def test_whoever_gives_up_waiting_is_forgotten(autojump_clock):
    waiting = Waiting(Store())
    with trio.move_on_after(1):
        await waiting.wait(bytes(32))
    assert not waiting._waits


async def test_a_dropped_transaction_is_remembered_until_it_is_submitted_again(autojump_clock):
    waiting = Waiting(Store())
    waiting.on_dropped(Dropped(bytes(32), RejectionCode.EXPIRED, "its time is over"))
    with pytest.raises(TransactionExpiredError, match="its time is over"):
        await waiting.wait(bytes(32))
    waiting.on_submitted(bytes(32))
    with trio.move_on_after(1) as scope:
        await waiting.wait(bytes(32))
    assert scope.cancelled_caught


async def test_of_dropped_transactions_the_latest_are_remembered(autojump_clock, monkeypatch):
    monkeypatch.setattr(waiting_room, "DROPPED_REMEMBERED_MAX", 3)
    waiting = Waiting(Store())
    for number in range(5):
        waiting.on_dropped(Dropped(bytes([number]), RejectionCode.EXPIRED, ""))
    assert list(waiting._dropped) == [b"\2", b"\3", b"\4"]


async def test_whoever_waits_when_the_node_stops_is_told(autojump_clock):
    waiting = Waiting(Store())
    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting.wait, bytes(32))
            await trio.testing.wait_all_tasks_blocked()
            waiting.close()
