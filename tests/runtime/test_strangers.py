"""What strangers may send to a node, and what becomes of them: hand-played peers over memory streams."""

from __future__ import annotations

import struct

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.runtime import loading
from p2pcommerce.runtime.connection import HANDSHAKE_S
from p2pcommerce.runtime.store import Store
from p2pcommerce.wire import Blocks, GetBlock, GetBlocks, Lane, Ping, Pong, Pull, Transactions, encode_message
from p2pcommerce.wire.handshake import preamble
from p2pcommerce.wire.topic_messages import Listening
from tests.runtime.nodes import (
    Caller,
    Notes,
    config_of,
    counted,
    dial,
    end_of,
    genesis_of,
    identity,
    open_files,
    running_node,
    until,
)

GENESIS = genesis_of()


async def test_another_network_is_refused_by_name(node, network, jumping_clock):
    stream = await dial(network)
    caller = Caller(stream, Genesis.local("another", {identity(0).public_key: 1_000_000}))
    with pytest.raises(p2p.RemoteProtocolError) as caught:
        await caller.shake()
    assert caught.value.code == "WRONG_NETWORK"  # the caller hears it, too
    await end_of(stream)
    await until(lambda: counted(node) == {"closed_wrong_network": 1})


async def test_another_version_is_refused_by_name(node, network, jumping_clock):
    stream = await dial(network)
    ours = preamble(GENESIS.hash)
    await stream.send_all(ours[:-1] + bytes([ours[-1] + 1]))
    await end_of(stream)
    await until(lambda: counted(node) == {"closed_wrong_version": 1})


@pytest.mark.parametrize("seed", range(4))
async def test_garbage_is_refused(node, network, seed, jumping_clock):
    stream = await dial(network)
    await stream.send_all(preamble(GENESIS.hash) + b"".join(blake2b_256(bytes([seed, n])) for n in range(200)))
    await end_of(stream)
    await until(lambda: counted(node))
    (code,) = counted(node)
    assert code in {"closed_handshake_message", "closed_authentication", "closed_noise_message", "closed_malformed"}


async def test_a_handshake_message_that_is_too_long_is_refused(node, network, jumping_clock):
    stream = await dial(network)
    await stream.send_all(preamble(GENESIS.hash) + struct.pack(">H", 2_049))
    await end_of(stream)
    await until(lambda: counted(node) == {"closed_handshake_message": 1})


async def test_a_record_that_does_not_authenticate_is_refused(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)
    await caller.stream.send_all(struct.pack(">H", 65_535) + bytes(65_535))
    await end_of(caller.stream)
    await until(lambda: counted(node) == {"closed_authentication": 1})
    await until(lambda: not node.peers())


async def test_an_empty_record_is_refused(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await caller.stream.send_all(struct.pack(">H", 16) + bytes(16))
    await end_of(caller.stream)
    await until(lambda: counted(node) == {"closed_empty_record": 1})


@pytest.mark.parametrize(
    ("lane", "data", "code"),
    [
        (Lane.CONTROL, b"\x7f", "closed_unknown_kind"),
        (Lane.CONTROL, b"\x01\x91\xa1x", "closed_malformed"),
        (Lane.CONTROL, b"\x01" + bytes(4_000), "closed_oversized"),
        (Lane.SYNC, encode_message(GetBlock(bytes(32)))[:1] + bytes(60_000), "closed_oversized"),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(node, network, lane, data, code, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    assert caller.session.send_encoded(lane, data)
    await caller.flush()
    await end_of(caller.stream)
    await trio.sleep(1)
    assert list(counted(node)) == [code]


async def test_a_message_of_an_optional_kind_is_skipped_and_counted(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    assert caller.session.send_encoded(Lane.CONTROL, b"\xfaof a later version")
    await caller.flush()
    await until(lambda: node.statistics()["traffic"]["messages_skipped"] == 1)
    assert len(node.peers()) == 1
    assert counted(node) == {}


async def test_a_peer_that_closes_in_the_handshake_is_counted_apart(node, network, jumping_clock):
    stream = await dial(network)
    assert await stream.receive_some() == preamble(GENESIS.hash)
    await stream.aclose()
    await trio.sleep(1)
    assert counted(node) == {"closed_closed_in_handshake": 1}
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)
    await trio.sleep(1)
    await caller.stream.aclose()
    await until(lambda: counted(node).get("closed_closed_by_peer") == 1)


async def test_a_handshake_that_takes_too_long_is_ended(node, network, jumping_clock):
    stream = await dial(network)
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def drip():
            for byte in preamble(GENESIS.hash):
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)

        nursery.start_soon(drip)
        await end_of(stream)
        nursery.cancel_scope.cancel()
    assert trio.current_time() - begun == pytest.approx(HANDSHAKE_S, abs=0.1)
    await until(lambda: counted(node) == {"closed_handshake_timeout": 1})


async def test_a_peer_that_falls_silent_is_closed(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    begun = trio.current_time()
    await end_of(caller.stream)
    assert 10 < trio.current_time() - begun < 60
    await until(lambda: list(counted(node)) == ["closed_silent"])
    await until(lambda: not node.peers())


async def test_a_peer_that_reads_too_slowly_is_closed(node, network, jumping_clock):
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await caller.say(Listening(("news",)))
    with trio.fail_after(1_000):
        while not counted(node).get("closed_slow_peer"):
            await node.publish("news", bytes(16 * 1024))
            await trio.sleep(0.1)
    assert counted(node) == {"closed_slow_peer": 1}
    await until(lambda: not node.peers())


async def test_a_busy_peer_does_not_starve_another(node, network, jumping_clock):
    busy, quiet = Caller(await dial(network), GENESIS, 100), Caller(await dial(network), GENESIS, 101)
    await busy.shake()
    await quiet.shake()
    asked = [0]

    async def ask_for_ever():
        while True:
            for _ in range(50):
                assert busy.session.send(Pull((bytes(8),)))
            asked[0] += 50
            await busy.flush()

    async def read_for_ever():
        while True:
            await busy.read()
            busy.messages.clear()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_for_ever)
        nursery.start_soon(read_for_ever)
        for nonce in range(3):
            before = asked[0]
            await quiet.say(Ping(nonce))
            assert await quiet.wait_for(Pong) == Pong(nonce)
            assert asked[0] - before < 5_000  # the node never rests, and still answers the other one in between
        nursery.cancel_scope.cancel()


async def test_idle_callers_of_one_host_make_room_for_newer_ones(node, network, jumping_clock):
    share = ResourceLimits().handshakes_per_host_max
    streams = [await dial(network) for _ in range(share)]
    await until(lambda: node.statistics()["resources"]["handshakes_per_host"] == share)
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)
    await end_of(streams[0])
    await until(lambda: counted(node) == {"closed_displaced": 1})
    assert node.statistics()["resources"]["handshakes"] == share - 1
    for stream in streams:
        await stream.aclose()
    await until(lambda: node.statistics()["resources"]["sockets"] == 1)


async def test_callers_that_come_too_fast_are_closed_at_once(node, network, jumping_clock):
    refused = "refused.handshakes_per_host_rate"
    for _ in range(ResourceLimits().handshakes_per_host_burst + 1):
        stream = await dial(network)
    await until(lambda: refused in node.statistics()["resources"])
    await end_of(stream)
    assert counted(node)["closed_too_many_callers"] == node.statistics()["resources"][refused]
    await trio.sleep(1)
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await until(node.peers)


async def test_a_link_that_grows_beyond_its_share_is_closed(tmp_path, network, jumping_clock):
    limits = ResourceLimits(bytes_per_peer_max=4_096)
    config = config_of(tmp_path)
    async with p2p.open_node(config, application=Notes(), transports=(network,), limits=limits) as node:
        caller = Caller(await dial(network), GENESIS)
        await caller.shake()
        await until(node.peers)
        big = encode_message(Transactions((bytes(9_000), bytes(9_000))))
        assert caller.session.send_encoded(Lane.TRANSACTIONS, big)
        await caller.stream.send_all(caller.session.data_to_send()[:16_384])  # the rest of the message never comes
        await end_of(caller.stream)
        await until(lambda: counted(node) == {"closed_crowded": 1})
        assert node.statistics()["resources"]["closed.bytes_per_peer"] == 1
        assert node.statistics()["resources"]["bytes"] == 0


async def test_connections_that_end_leave_no_files_and_no_tasks(tmp_path, network, jumping_clock):
    async with running_node(tmp_path, network, listen=("tcp://127.0.0.1:0",)) as node:
        await node.wait_height(1)
        files, tasks = open_files(), trio.lowlevel.current_statistics().tasks_living
        _, _, port = node.listen_addresses[0].rpartition(":")
        for number in range(20):
            stream = await trio.open_tcp_stream("127.0.0.1", int(port))
            if number % 2:
                caller = Caller(stream, GENESIS, 100 + number)
                await caller.shake()
            else:
                await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
            await stream.aclose()
        await until(lambda: sum(counted(node).values()) == 20)
        assert open_files() == files
        assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_a_peer_is_served_final_blocks(node, network, jumping_clock):
    await node.wait_height(3)
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await caller.say(GetBlocks(1, 2))
    answer = await caller.wait_for(Blocks)
    assert (answer.from_height, len(answer.blocks) >= 2) == (1, True)


async def test_reads_for_peers_are_bounded(node, network, monkeypatch, jumping_clock):
    monkeypatch.setattr(loading, "LOADS_MAX", 0)
    reads = []
    monkeypatch.setattr(Store, "blocks", lambda *arguments: reads.append(arguments) or [])
    await node.wait_height(3)
    caller = Caller(await dial(network), GENESIS)
    await caller.shake()
    await caller.say(GetBlocks(1, 2))
    await caller.wait_for(Blocks)  # from memory, if it has them
    assert not len(node._loading)
    assert not reads
