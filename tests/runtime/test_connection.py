"""One connection between two ends that write down what they hear."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random

import pytest
import trio

from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError
from p2pcommerce.runtime.connection import CROWDED, SLOW_PEER, Connection
from p2pcommerce.runtime.transport.memory import MemoryTransport
from p2pcommerce.wire import Engine, GetBlock, LocalPeer, NoBlock, Ping, Pong, Session
from tests.runtime.nodes import genesis_of, identity, until

GENESIS = genesis_of()


class Owner:
    """Notes what it hears; `room` says whether it takes more."""

    def __init__(self):
        self.opened, self.heard, self.turns = [], [], 0
        self.room = trio.Event()
        self.room.set()
        self.answer = None

    def on_open(self, connection, done):
        self.opened.append(done.peer)

    def on_message(self, connection, message):
        self.heard.append(message)
        if self.answer is not None:
            connection.send(self.answer)

    def on_turn(self):
        self.turns += 1

    def has_room(self, connection):
        return self.room.is_set()

    async def wait_room(self, connection):
        await self.room.wait()


def connection_over(stream, number, *, outbound):
    own = identity(number)
    local = LocalPeer(
        public_key=own.public_key,
        sign=partial(ED25519.sign, own.seed),
        genesis_hash=GENESIS.hash,
        static_secret=Random(number).randbytes(32),
        peer_record=b"",
    )
    session = Session(
        local, initiator=outbound, announcement_key=b"k" * 16, ephemeral_secret=Random(number).randbytes(32)
    )
    owner = Owner()
    connection = Connection(
        link=number,
        stream=stream,
        session=session,
        owner=owner,
        outbound=outbound,
        address="memory://x",
        announcement_key=b"k" * 16,
    )
    return connection, owner


async def streams():
    network = MemoryTransport()
    listener = await network.listen("memory://x")
    near = await network.dial("memory://x")
    far, _ = await listener.accept()
    return near, far


class Waiting(trio.abc.Stream):
    """A stream without `send_nowait`, as a transport of somebody else may be."""

    def __init__(self, stream):
        self.stream = stream
        self.after_send = None

    async def send_all(self, data):
        await self.stream.send_all(data)
        if self.after_send is not None:
            self.after_send()

    async def wait_send_all_might_not_block(self):
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        return await self.stream.receive_some(max_bytes)

    async def aclose(self):
        await self.stream.aclose()


@asynccontextmanager
async def pair(wrap=lambda stream: stream):
    near, far = await streams()
    dialler, dialling = connection_over(wrap(near), 1, outbound=True)
    acceptor, accepting = connection_over(wrap(far), 2, outbound=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialler.run)
        nursery.start_soon(acceptor.run)
        await until(lambda: dialling.opened and accepting.opened)
        yield dialler, dialling, acceptor, accepting
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("wrap", [lambda stream: stream, Waiting])
async def test_both_ends_open_and_hear_each_other(jumping_clock, wrap):
    async with pair(wrap) as (dialler, dialling, acceptor, accepting):
        assert (dialler.peer, acceptor.peer) == (identity(2).public_key, identity(1).public_key)
        for nonce in range(3):
            dialler.send(Ping(nonce))
        acceptor.send(Pong(9))
        dialler.flush()
        acceptor.flush()
        await until(lambda: len(accepting.heard) == 3 and dialling.heard)
        assert accepting.heard == [Ping(0), Ping(1), Ping(2)]
        assert dialling.heard == [Pong(9)]


@pytest.mark.parametrize("wrap", [lambda stream: stream, Waiting])
async def test_more_than_the_stream_takes_follows_when_it_can(jumping_clock, wrap):
    async with pair(wrap) as (dialler, _, _, accepting):
        accepting.room = trio.Event()
        for number in range(20_000):
            dialler.send(GetBlock(number.to_bytes(32, "big")))
        dialler.flush()
        await trio.sleep(1)
        assert len(accepting.heard) < 20_000
        accepting.room.set()
        await until(lambda: len(accepting.heard) == 20_000)
        assert accepting.heard[-1] == GetBlock((19_999).to_bytes(32, "big"))


async def test_a_lane_that_is_full_ends_the_connection(jumping_clock):
    async with pair() as (dialler, _, acceptor, accepting):
        accepting.room = trio.Event()
        for number in range(20_000):
            dialler.send(Ping(number))
        assert dialler.reason[0] == SLOW_PEER
        assert "control" in dialler.reason[1]
        accepting.room.set()
        await until(lambda: acceptor.reason)


async def test_what_was_queued_is_sent_before_a_connection_is_closed(jumping_clock):
    async with pair() as (dialler, _, acceptor, accepting):
        dialler.send(Ping(1))
        dialler.close("TEST", "it is told to")
        dialler.close("OTHER", "it is told to again")
        dialler.send(Ping(2))
        await until(lambda: acceptor.reason)
        assert accepting.heard == [Ping(1)]
        assert dialler.reason == ("TEST", "it is told to")
        assert acceptor.reason[0] == "CLOSED_BY_PEER"


async def test_a_connection_closed_before_it_runs_only_closes_its_stream(jumping_clock):
    near, far = await streams()
    connection, owner = connection_over(near, 1, outbound=True)
    connection.close("TEST", "it is told to")
    await connection.run()
    assert await far.receive_some() == b""
    assert connection.reason == ("TEST", "it is told to")
    assert not owner.opened


async def test_a_session_that_is_dead_is_not_used_by_the_task_that_writes(jumping_clock):
    async with pair(Waiting) as (dialler, _, _, _):

        def break_a_rule():
            with suppress(RemoteProtocolError):
                dialler._receive(b"\0\0 no record")

        dialler._stream.after_send = break_a_rule
        dialler.send(Ping(1))
        dialler.flush()
        await until(lambda: dialler.reason)
        with pytest.raises(LocalProtocolError):
            dialler.session.data_to_send()
        dialler.send(Ping(2))
        dialler.flush()
        await trio.sleep(1)  # an error of the writing task would come out of the nursery
        assert dialler.reason[0] == "EMPTY_RECORD"


async def test_an_answer_to_each_message_of_one_read_leaves_in_one_piece(jumping_clock):
    async with pair() as (dialler, dialling, acceptor, accepting):
        accepting.answer = NoBlock(bytes(32))
        for _ in range(100):
            dialler.send(GetBlock(bytes(32)))
        dialler.flush()
        await until(lambda: len(accepting.heard) == 100)
        records = acceptor.session.statistics().records_out
        acceptor.flush()
        assert acceptor.session.statistics().records_out == records + 1
        await until(lambda: len(dialling.heard) == 100)


async def test_a_stream_that_breaks_ends_the_connection(jumping_clock):
    async with pair() as (dialler, _, acceptor, _):
        await acceptor._stream.aclose()
        dialler.send(Ping(1))
        dialler.flush()
        await until(lambda: dialler.reason and acceptor.reason)
        assert dialler.reason[0] in {"BROKEN", "CLOSED_BY_PEER"}  # whichever of writing and reading notices first
        assert acceptor.reason[0] == "BROKEN"


async def test_the_messages_of_one_read_wait_for_room_one_by_one(jumping_clock):
    async with pair() as (dialler, _, _, accepting):
        await trio.sleep(1)
        accepting.room = trio.Event()
        for nonce in range(10):
            dialler.send(Ping(nonce))
        dialler.flush()
        await trio.sleep(1)
        assert accepting.heard == [Ping(0)]
        accepting.room.set()
        await until(lambda: len(accepting.heard) == 10)


async def test_what_a_connection_holds_is_counted_at_the_end_of_a_tick_or_once_it_is_much(jumping_clock):
    told = []

    def hold(size, messages):
        told.append((size, messages))
        return "bytes_per_peer" if size > 40_000 else ""

    async with pair() as (dialler, _, _, accepting):
        dialler._hold = hold
        dialler.send(Ping(1))
        dialler.flush()
        await until(lambda: accepting.heard)
        assert told == []  # it came and went within the tick
        for _ in range(4):
            dialler.send(Engine(bytes(3_000)))
        assert told == []
        for _ in range(20):
            dialler.send(Engine(bytes(3_000)))
        assert [size >= 16 * 1024 for size, _ in told] == [True] * len(told)
        assert dialler.reason[0] == CROWDED
