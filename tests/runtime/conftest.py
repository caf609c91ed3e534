import math
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import running_node

JUMP_AFTER_S = 0.01
"""Real seconds of rest after which time jumps."""


class WorkAside:
    """Makes a clock that jumps stand still while threads work.

    A clock of trio's jumps when no task can run, and a task that waits for a thread cannot: a slow disk would let
    minutes pass within one write.
    """

    def __init__(self, clock):
        self._clock = clock
        self._run_sync = trio.to_thread.run_sync
        self._run = trio.from_thread.run
        self._working = 0

    async def run_sync(self, function, *arguments, **options):
        with self._one_more(1):
            return await self._run_sync(function, *arguments, **options)

    def run(self, function, *arguments, **options):
        """A thread waits for a task: meanwhile it does not work."""

        async def wait():
            with self._one_more(-1):
                return await function(*arguments)

        return self._run(wait, **options)

    @contextmanager
    def _one_more(self, change):
        self._add(change)
        try:
            yield
        finally:
            self._add(-change)

    def _add(self, change):
        self._working += change
        self._clock.autojump_threshold = math.inf if self._working else JUMP_AFTER_S


@pytest.fixture
def jumping_clock(monkeypatch):
    clock = MockClock(autojump_threshold=JUMP_AFTER_S)
    aside = WorkAside(clock)
    monkeypatch.setattr(trio.to_thread, "run_sync", aside.run_sync)
    monkeypatch.setattr(trio.from_thread, "run", aside.run)
    return clock


@pytest.fixture
async def network():
    return MemoryTransport()


@pytest.fixture
async def node(tmp_path, network, jumping_clock):
    async with running_node(tmp_path, network) as node:
        yield node
