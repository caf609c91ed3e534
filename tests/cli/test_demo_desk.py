"""The desk over fake nodes: nonces in order, nodes in turn, nodes that die, and what is refused."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial

import pytest
import trio

from p2pcommerce.cli.demo import desk as desk_room
from p2pcommerce.cli.demo.desk import Desk, Sender
from p2pcommerce.cli.demo.network import ValidatorProcess
from p2pcommerce.commerce import Transfer
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.runtime.control import serve_control
from p2pcommerce.runtime.identity import Identity

IDENTITY = Identity.from_seed(bytes(32))
GENESIS = Genesis.local("test", {IDENTITY.public_key: 10**6})
PAYMENT = Transfer(bytes(32), 5)


@dataclass
class FakeBlock:
    height: int
    hash: bytes
    time_ms: int
    receipts: tuple[Receipt, ...]


class FakeNode:
    """One node of a fake chain: what one has, all have."""

    def __init__(self, chain, folder):
        self.identity, self.genesis = IDENTITY, GENESIS
        self.chain, self.folder = chain, folder
        self.taken = []
        self.height = 0
        self.subscribers = []
        self.scope = trio.CancelScope()
        self.alive = False

    async def serve(self, task_status):
        self.scope = trio.CancelScope()
        with self.scope:
            self.alive = True
            await serve_control(self, self.folder, task_status=task_status)
        self.alive = False

    async def submit(self, item, /, *, private=False):
        await trio.lowlevel.checkpoint()
        code = self.chain.verdict(item)
        if code is not RejectionCode.OK:
            raise TransactionRejectedError(code, "no")
        self.taken.append(item)
        self.chain.pool.append(item)
        return item.id

    def statistics(self):
        return {"height": self.height}

    @contextlib.asynccontextmanager
    async def subscribe(self, *kinds, since_height=None):
        send, receive = trio.open_memory_channel(1_000)
        for block in self.chain.blocks:
            if since_height is not None and block.height > since_height:
                send.send_nowait(block)
        self.subscribers.append(send)
        try:
            yield receive
        finally:
            self.subscribers.remove(send)


class FakeChain:
    def __init__(self, tmp_path, count):
        self.pool, self.blocks, self.final = [], [], set()
        self.refuse = None
        self.nodes = []
        for index in range(count):
            folder = tmp_path / f"node{index}"
            folder.mkdir()
            self.nodes.append(FakeNode(self, folder))

    def verdict(self, item):
        if item in self.pool or item.id in self.final:
            return RejectionCode.DUPLICATE
        return self.refuse or RejectionCode.OK

    def block(self, code=RejectionCode.OK, to=None):
        """Make everything in the pool final."""
        height = len(self.blocks) + 1
        receipts = tuple(Receipt(height, index, bytes(32), item.id, code, ()) for index, item in enumerate(self.pool))
        block = FakeBlock(height, bytes(32), height * 1_000, receipts)
        self.final |= {item.id for item in self.pool}
        self.pool.clear()
        self.blocks.append(block)
        for node in self.nodes if to is None else to:
            node.height = height
            for subscriber in node.subscribers:
                subscriber.send_nowait(block)


@pytest.fixture
async def chain(tmp_path, nursery):
    made = FakeChain(tmp_path, 3)
    for node in made.nodes:
        await nursery.start(node.serve)
    return made


@pytest.fixture
async def desk(chain, nursery):
    validators = [ValidatorProcess(index, node.folder, "") for index, node in enumerate(chain.nodes)]
    made = Desk(GENESIS, validators)
    await nursery.start(made.run)
    return made


async def until(desk, condition):
    with trio.fail_after(5):
        while not condition():
            await trio.lowlevel.checkpoint()


async def send(results, desk, sender, **options):
    results.append(await desk.send(sender, PAYMENT, trio.current_time(), **({"counted": True} | options)))


def sender(name="somebody"):
    return Sender(name, name.encode().ljust(32, b"."))


async def test_a_sender_stays_with_its_node_while_anything_of_it_is_not_final(chain, desk, nursery):
    one, results = sender(), []
    for _ in range(5):
        nursery.start_soon(send, results, desk, one)
    await until(desk, lambda: len(chain.pool) == 5)
    assert [item.nonce for item in chain.pool] == [0, 1, 2, 3, 4]
    assert sorted(len(node.taken) for node in chain.nodes) == [0, 0, 5]
    chain.block()
    await until(desk, lambda: len(results) == 5)
    assert all(result.ok for result in results)
    assert (desk.submitted, desk.finalized, desk.pending) == (5, 5, {})
    assert len(desk.latencies_s) == 5


async def test_senders_take_the_nodes_in_turn(chain, desk, nursery):
    results = []
    for number in range(6):
        nursery.start_soon(send, results, desk, sender(f"sender {number}"))
    await until(desk, lambda: len(chain.pool) == 6)
    assert [len(node.taken) for node in chain.nodes] == [2, 2, 2]
    chain.block()
    await until(desk, lambda: len(results) == 6)


async def test_the_next_node_must_know_what_the_sender_owns(chain, desk, nursery):
    one, results = sender(), []
    nursery.start_soon(send, results, desk, one)
    await until(desk, lambda: chain.pool)
    (first,) = [node for node in chain.nodes if node.taken]
    chain.block(to=[first])
    await until(desk, lambda: results)
    nursery.start_soon(send, results, desk, one)
    await until(desk, lambda: chain.pool)
    assert len(first.taken) == 2
    chain.block()
    await until(desk, lambda: len(results) == 2)


async def test_a_failed_transaction_is_counted_with_its_code(chain, desk, nursery):
    results = []
    nursery.start_soon(send, results, desk, sender())
    await until(desk, lambda: chain.pool)
    chain.block(RejectionCode.NO_STOCK)
    await until(desk, lambda: results)
    assert results[0].code is RejectionCode.NO_STOCK
    assert desk.failed == {"NO_STOCK": 1}
    assert desk.finalized == 1


async def test_a_refused_transaction_is_counted_and_its_nonce_is_used_again(chain, desk, nursery):
    one, results = sender(), []
    chain.refuse = RejectionCode.NO_FUNDS
    nursery.start_soon(send, results, desk, one)
    await until(desk, lambda: results)
    assert desk.rejected == {"NO_FUNDS": 1}
    assert (desk.finalized, desk.pending, one.in_flight, one.nonce) == (0, {}, 0, 0)
    chain.refuse = None
    nursery.start_soon(send, results, desk, one)
    await until(desk, lambda: chain.pool)
    assert chain.pool[0].nonce == 0
    chain.block()
    await until(desk, lambda: len(results) == 2)


async def test_what_a_dead_node_had_goes_to_another(chain, desk, nursery, monkeypatch):
    monkeypatch.setattr(desk_room, "_STALE_S", 0.0)
    results = []
    nursery.start_soon(send, results, desk, sender())
    await until(desk, lambda: chain.pool)
    (dead,) = [node for node in chain.nodes if node.taken]
    raw = chain.pool[0].raw
    chain.pool.clear()
    dead.scope.cancel()
    await until(desk, lambda: chain.pool)
    assert chain.pool[0].raw == raw
    chain.block(to=[node for node in chain.nodes if node is not dead])
    await until(desk, lambda: results)
    assert results[0].ok
    assert (desk.submitted, desk.finalized, desk.rejected.total()) == (1, 1, 0)


async def test_what_was_final_before_its_node_died_is_noticed(chain, desk, nursery):
    results = []
    nursery.start_soon(send, results, desk, sender())
    await until(desk, lambda: chain.pool)
    (dead,) = [node for node in chain.nodes if node.taken]
    chain.block(to=[node for node in chain.nodes if node is not dead])
    await until(desk, lambda: desk.height == 1)
    assert not results
    dead.scope.cancel()
    await until(desk, lambda: results)
    assert results[0].ok
    assert desk.pending == {}


async def test_a_node_that_comes_back_is_followed_from_where_it_was_left(chain, desk, nursery):
    node, link = chain.nodes[0], desk.links[0]
    chain.block()
    await until(desk, lambda: link.height == 1)
    node.scope.cancel()
    await until(desk, lambda: link.control is None)
    chain.block(to=chain.nodes[1:])
    await nursery.start(node.serve)
    await until(desk, lambda: link.control is not None)
    await until(desk, lambda: link.height == 2)


async def test_the_longest_gap_between_blocks_is_measured(chain, desk):
    assert desk.longest_gap_s == 0
    desk.watch_gaps()
    chain.block()
    await until(desk, lambda: desk.height == 1)
    first = desk.longest_gap_s
    assert first > 0
    desk.watch_gaps()
    assert desk.longest_gap_s == 0
    chain.block()
    await until(desk, lambda: desk.height == 2)
    assert desk.longest_gap_s > 0


async def test_a_sender_waits_while_no_node_can_be_reached(chain, desk, nursery):
    results = []
    for node in chain.nodes:
        node.scope.cancel()
    await until(desk, lambda: all(link.control is None for link in desk.links))
    nursery.start_soon(partial(send, results, desk, sender(), counted=False))
    await nursery.start(chain.nodes[2].serve)
    await until(desk, lambda: chain.pool)
    chain.block()
    await until(desk, lambda: results)
    assert not desk.latencies_s
