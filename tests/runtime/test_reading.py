"""What is read from the store for peers."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest
import trio
import trio.testing

from p2pcommerce.ledger.epochs import boundary_of
from p2pcommerce.ledger.validators import VALIDATORS
from p2pcommerce.primitives.codec import encode
from p2pcommerce.runtime.reading import Reading
from p2pcommerce.runtime.store import Store
from p2pcommerce.runtime.store_error import damaged

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


async def test_a_header_that_the_disk_has_changed_is_compared_with_nothing_and_is_told_once(tmp_path):
    """Any bit of it: an old certificate would be taken for another chain's, and the node would stop."""
    path = tmp_path / "chain.sqlite3"
    with closing(Store.open(path, GENESIS)) as store:
        blocks = chain([1, 1, 1])
        store.commit_many([FOUNDING, *blocks])
        raw = blocks[1].block.header.raw
        log = Lines()
        reading = Reading(store, trio.CapacityLimiter(1), log)
        assert (await reading.history(1, 9))[::3] == [each.block.header.raw for each in blocks]
        for place in range(0, len(raw), 13):
            flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("UPDATE blocks SET header = ? WHERE height = 2", (flipped,))
                connection.commit()
            assert (await reading.history(1, 9))[::3] == [blocks[0].block.header.raw]
            assert await reading.history(2, 2) == []
        assert len(await reading.history(3, 1)) == 3
        (line,) = log.lines
    assert "block 2 is not what was stored" in line


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


class Links:
    """A store of one epoch's last block, as far as links are made of it."""

    path = "chain.sqlite3"

    def __init__(self, header, validators, height):
        self.header, self.validators, self.height = header, validators, height

    def header_at(self, height):
        if isinstance(self.header, Exception):
            raise self.header
        return self.header, b"proof"

    def validator_set(self, epoch):
        return self.validators if epoch == 1 else None

    def height_of(self, block_hash):
        return self.height


SET = GENESIS.validators
BOUNDARY = replace(
    chain([1])[0].block.header, height=boundary_of(0, 10), validators_hash=SET.hash, next_validators_hash=SET.hash
)
GOOD = encode(VALIDATORS, tuple(SET))


@pytest.mark.parametrize(
    ("header", "validators", "height"),
    [
        (damaged("chain.sqlite3", "header 10: malformed"), GOOD, 10),
        (BOUNDARY, GOOD, None),
        (replace(BOUNDARY, next_validators_hash=bytes(32)), GOOD, 10),
        (BOUNDARY, GOOD[:-1], 10),
        (BOUNDARY, b"\x90", 10),
    ],
    ids=["no header", "another header", "another set", "no set", "an empty set"],
)
async def test_a_link_that_the_disk_has_changed_is_not_sent_and_stops_nobody(header, validators, height):
    log = Lines()
    reading = Reading(Links(header, validators, height), trio.CapacityLimiter(1), log)
    assert await reading.links(0, 2, 10) == []
    assert len(log.lines) == 1
    assert "block 10 is not what was stored" in log.lines[0]


async def test_links_are_given_as_far_as_they_are_known():
    reading = Reading(Links(BOUNDARY, GOOD, 10), trio.CapacityLimiter(1), Lines())
    (link,) = await reading.links(0, 2, 10)
    assert (link.header, link.finality, link.validators) == (BOUNDARY, b"proof", tuple(SET))
