"""What is read from the store for peers."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import trio
import trio.testing

from p2pcommerce.runtime.reading import Reading
from p2pcommerce.runtime.store import Store

from .test_store import FOUNDING, GENESIS, chain


class Lines:
    def __init__(self):
        self.lines = []

    def error(self, room, message):
        self.lines.append(message)


async def test_a_block_that_the_disk_has_changed_is_not_sent_and_is_told_once(tmp_path):
    """Any bit of it: whoever sent it on would be closed as a liar by every peer."""
    path = tmp_path / "chain.sqlite3"
    with closing(Store.open(path, GENESIS)) as store:
        blocks = chain([1, 1, 1])
        store.commit_many([FOUNDING, *blocks])
        raw = blocks[1].block.raw
        log = Lines()
        reading = Reading(store, trio.CapacityLimiter(1), log)
        assert [each for each, _ in await reading.rows(1, 10)] == [each.block.raw for each in blocks]
        for place in range(0, len(raw), 13):
            flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("UPDATE blocks SET block = ? WHERE height = 2", (flipped,))
                connection.commit()
            assert [each for each, _ in await reading.rows(1, 10)] == [blocks[0].block.raw]
            assert await reading.rows(2, 10) == []
        assert len(await reading.rows(3, 10)) == 1
        (line,) = log.lines
    assert "block 2 is not what was stored" in line
    assert "move it away" in line


async def test_the_read_at_work_ends_before_the_store_is_closed_and_later_ones_hear_that_the_node_stopped(tmp_path):
    entered, go_on = threading.Event(), threading.Event()
    heard = []

    class Slow:
        def receipt(self, tx_id):
            entered.set()
            go_on.wait(60)
            return tx_id

    reading = Reading(Slow(), trio.CapacityLimiter(1), Lines())

    async def ask(tx_id):
        try:
            heard.append(await reading.receipt(tx_id))
        except trio.ClosedResourceError as error:
            heard.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, bytes(32))
        await trio.to_thread.run_sync(entered.wait)
        nursery.start_soon(ask, bytes(31))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(reading.close)
        await trio.testing.wait_all_tasks_blocked()
        assert not heard
        go_on.set()
    assert heard == [bytes(32), "the node has stopped"]
