import pytest
from trio.testing import MockClock

from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import running_node

JUMP_AFTER_S = 0.01
"""Real seconds of rest after which time jumps: worker threads, of which the clock knows nothing, get theirs."""


@pytest.fixture
def jumping_clock():
    return MockClock(autojump_threshold=JUMP_AFTER_S)


@pytest.fixture
async def network():
    return MemoryTransport()


@pytest.fixture
async def node(tmp_path, network, jumping_clock):
    async with running_node(tmp_path, network) as node:
        yield node
