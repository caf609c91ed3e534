"""Rules of when ticks come."""

from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.ticker import Ticker
from p2pcommerce.wire import Ping, Pong, Pull
from tests.runtime.nodes import Caller, dial, genesis_of, until


class Core:
    """Wants to be woken at `deadline`."""

    def __init__(self):
        self.deadline = None

    def on_deadline(self, now):
        return []


class Ticking:
    def __init__(self):
        self.core, self.clock = Core(), Clock()
        self.ticker = Ticker(self.core, self.clock)
        self.ticks = []

    def after(self, seconds):
        return self.clock.now() + seconds * 1_000_000

    async def run(self):
        while True:
            await self.ticker.wait_due()
            self.ticks.append(trio.current_time())
            self.core.deadline = None
            self.ticker.end()


@asynccontextmanager
async def ticking():
    world = Ticking()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run)
        await wait_all_tasks_blocked()
        yield world
        nursery.cancel_scope.cancel()


async def test_a_tick_comes_when_the_core_wants_it_and_not_before(autojump_clock):
    world = Ticking()
    begun = trio.current_time()
    world.core.deadline = world.after(7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run)
        await trio.sleep(6)
        assert world.ticks == []
        await trio.sleep(6)
        assert world.ticks == [pytest.approx(begun + 7)]
        nursery.cancel_scope.cancel()


async def test_what_moves_no_deadline_makes_no_tick(autojump_clock):
    async with ticking() as world:
        world.ticker.stir()
        await wait_all_tasks_blocked()
        world.core.deadline = world.after(5)
        world.ticker.wake()
        await wait_all_tasks_blocked()
        count = len(world.ticks)
        for _ in range(5):
            world.ticker.stir()
            await wait_all_tasks_blocked()
        assert len(world.ticks) == count == 1


async def test_a_deadline_that_comes_nearer_is_kept(autojump_clock):
    world = Ticking()
    begun = trio.current_time()
    world.core.deadline = world.after(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run)
        await wait_all_tasks_blocked()
        world.core.deadline = world.after(0)
        world.ticker.stir()
        await wait_all_tasks_blocked()
        assert world.ticks == [pytest.approx(begun)]
        nursery.cancel_scope.cancel()


async def test_whoever_waits_for_the_end_of_a_tick_hears_of_it_and_of_the_end_of_everything(autojump_clock):
    async with ticking() as world:
        world.ticker.wake()
        with trio.fail_after(1):
            await world.ticker.wait_end()
        assert len(world.ticks) == 1
        world.ticker.close()
        with trio.fail_after(1):
            await world.ticker.wait_end()


async def test_messages_that_change_nothing_make_no_tick(node, network, jumping_clock, monkeypatch):
    caller = Caller(await dial(network), genesis_of())
    await caller.shake()
    await until(node.peers)
    await caller.say(Ping(1))
    await caller.wait_for(Pong)
    await wait_all_tasks_blocked()
    ended = []
    monkeypatch.setattr(node._driver._ticker, "end", lambda: ended.append(trio.current_time()))
    await caller.say(Pull((bytes(8),)))  # of what was never announced
    await wait_all_tasks_blocked()
    assert node.statistics()["rooms"]["gossip"]["pulls_unserved"] == 1
    assert ended == []
