"""Subscriptions over a store of numbers."""

from __future__ import annotations

import pytest
import trio

from p2pcommerce.primitives.errors import LocalProtocolError, UsageError
from p2pcommerce.runtime.events import Events, SubscriberLaggedError
from tests.runtime.nodes import block


class Chain:
    """A store and its events; a block is stored, then published."""

    def __init__(self, height=0, names=()):
        self.stored = [block(number, *names) for number in range(1, height + 1)]
        self.loads = []
        self.events = Events(self.load, height)

    async def load(self, from_height, count):
        await trio.lowlevel.checkpoint()
        self.loads.append((from_height, count))
        return self.stored[from_height - 1 : from_height - 1 + count]

    def grow(self, *names):
        self.stored.append(block(len(self.stored) + 1, *names))
        self.events.publish(self.stored[-1])

    def subscribe(self, *kinds, since_height=None, capacity=10):
        return self.events.subscribe(kinds, since_height, capacity)


async def heights(subscription, count):
    return [(await anext(subscription)).height for _ in range(count)]


async def test_without_a_height_the_next_block_is_the_first(autojump_clock):
    chain = Chain(5)
    async with chain.subscribe() as subscription:
        chain.grow()
        chain.grow()
        assert await heights(subscription, 2) == [6, 7]
        assert chain.loads == []


async def test_blocks_that_come_between_asking_and_entering_are_no_gap(autojump_clock):
    chain = Chain(2)
    manager = chain.subscribe(since_height=0)
    chain.grow()
    async with manager as subscription:
        chain.grow()
        assert await heights(subscription, 4) == [1, 2, 3, 4]


async def test_a_replay_goes_on_into_what_is_new_without_gap_or_repetition(autojump_clock):
    chain = Chain(150)
    async with chain.subscribe(since_height=3, capacity=2) as subscription:
        seen = []
        for _ in range(200):
            seen += await heights(subscription, 1)
            if len(chain.stored) < 203:
                chain.grow()  # faster than any capacity: it is found in the store
                chain.grow() if len(chain.stored) < 203 else None
        assert seen == list(range(4, 204))


async def test_a_replay_of_many_blocks_is_read_in_pieces(autojump_clock):
    chain = Chain(150)
    async with chain.subscribe(since_height=0) as subscription:
        await heights(subscription, 150)
    assert chain.loads == [(1, 64), (65, 64), (129, 22)]


async def test_a_height_that_is_not_reached_yet_is_waited_for(autojump_clock):
    chain = Chain(2)
    async with chain.subscribe(since_height=4) as subscription:
        for _ in range(4):
            chain.grow()
        assert await heights(subscription, 2) == [5, 6]


async def test_height_zero_and_below_begin_with_the_first_block(autojump_clock):
    chain = Chain(2)
    async with chain.subscribe(since_height=-7) as subscription:
        assert await heights(subscription, 2) == [1, 2]


async def test_who_reads_too_slowly_gets_what_was_kept_and_then_an_error(autojump_clock):
    chain = Chain(0)
    async with chain.subscribe(capacity=3) as subscription:
        for _ in range(10):
            chain.grow()
        assert await heights(subscription, 3) == [1, 2, 3]
        for _ in range(2):
            with pytest.raises(SubscriberLaggedError, match="since_height=3"):
                await anext(subscription)


async def test_kinds_leave_out_blocks_and_receipts(autojump_clock):
    chain = Chain(2, ("a", "b"))
    async with chain.subscribe("b", "c", since_height=0) as subscription:
        chain.grow("a")
        chain.grow("c", "a")
        found = [await anext(subscription) for _ in range(3)]
    assert [(item.height, [r.events[0].name for r in item.receipts]) for item in found] == [
        (1, ["b"]),
        (2, ["b"]),
        (4, ["c"]),
    ]


async def test_subscriptions_do_not_see_each_other(autojump_clock):
    chain = Chain(0)
    async with chain.subscribe(capacity=1) as slow, chain.subscribe() as quick:
        for _ in range(3):
            chain.grow()
        assert await heights(quick, 3) == [1, 2, 3]
        assert await heights(slow, 1) == [1]
        with pytest.raises(SubscriberLaggedError):
            await anext(slow)
    assert not chain.events._subscriptions


async def test_a_node_that_stops_ends_the_iteration(autojump_clock):
    chain = Chain(3)
    async with chain.subscribe(since_height=1) as old, chain.subscribe() as new:
        assert await heights(old, 1) == [2]
        chain.grow()
        chain.events.close()
        assert [item.height async for item in new] == [4]
        assert [item.height async for item in old] == [3]  # what was read already; the store is closed


async def test_a_store_with_a_gap_is_a_defect_and_not_hidden(autojump_clock):
    chain = Chain(5)
    del chain.stored[2]
    async with chain.subscribe(since_height=0) as subscription:
        await heights(subscription, 2)
        with pytest.raises(LocalProtocolError, match="lacks block 3"):
            await anext(subscription)


async def test_a_subscription_without_room_is_refused(autojump_clock):
    with pytest.raises(UsageError, match="at least 1"):
        async with Chain().subscribe(capacity=0):
            pass
