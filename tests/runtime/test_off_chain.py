"""Blobs and sealed messages between running nodes."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.commerce.sealed import open_address
from p2pcommerce.runtime.off_chain_errors import (
    BlobNotFoundError,
    BlobTooLargeError,
    MessageExpiryError,
    StoreUnknownError,
)
from p2pcommerce.runtime.off_chain_files import OffChainFiles

from .nodes import config_of, genesis_of, identity, open_memory, until

BIG = bytes(range(256)) * 1_000  # four chunks


def pair(tmp_path, network, **settings):
    """Configurations of two nodes, the second of which dials the first."""
    genesis = genesis_of(0)
    one = config_of(tmp_path, 0, genesis=genesis)
    return one, config_of(tmp_path, 1, genesis=genesis, bootstrap=("memory://n0",), **settings)


def file_of(tmp_path, number, blob_hash):
    (found,) = (tmp_path / str(number) / "blobs").glob(f"{blob_hash.hex()}.*")
    return found


def letters(node):
    return node.statistics()["rooms"]["messages"]


async def test_a_blob_that_one_node_puts_another_gets_and_keeps(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(one, network) as a, open_memory(two, network) as b:
        await b.wait_peers(1)
        blob_hash = await a.put_blob(BIG)
        assert blob_hash == hashlib.sha256(BIG).digest()
        assert await b.get_blob(blob_hash) == BIG
        assert await b.get_blob(blob_hash) == BIG  # from the disk
        assert file_of(tmp_path, 0, blob_hash).read_bytes() == BIG
    async with open_memory(two, network) as b:  # alone now
        assert await b.get_blob(blob_hash) == BIG


async def test_a_blob_of_over_a_hundred_chunks_comes_over_real_sockets(tmp_path):
    genesis = genesis_of(0)
    data = bytes(range(251)) * 32_000
    one = config_of(tmp_path, 0, genesis=genesis, listen=("tcp://127.0.0.1:0",))
    async with p2p.open_node(one) as a:
        two = config_of(tmp_path, 1, genesis=genesis, listen=())
        async with p2p.open_node(two) as b:
            blob_hash = await a.put_blob(data)
            assert await b.get_blob(blob_hash, providers=a.listen_addresses) == data
            rooms = b.statistics()["rooms"]
            assert rooms["blobs"]["chunks"] == 123
            assert "convicted" not in rooms["blobs"]


async def test_what_nobody_has_is_not_found(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(one, network), open_memory(two, network) as b:
        await b.wait_peers(1)
        with pytest.raises(BlobNotFoundError, match="no connected peer has"):
            await b.get_blob(bytes(32))
        with pytest.raises(BlobNotFoundError, match="a moment ago"):
            await b.get_blob(bytes(32))


@pytest.mark.parametrize("data", [b"", bytes(8 * 2**20 + 1)], ids=["empty", "over the cap"])
async def test_a_blob_has_a_byte_at_least_and_the_cap_at_most(tmp_path, network, jumping_clock, data):
    async with open_memory(config_of(tmp_path), network) as node:
        with pytest.raises(BlobTooLargeError):
            await node.put_blob(data)


async def test_more_than_is_wanted_is_not_fetched(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(one, network) as a, open_memory(two, network) as b:
        await b.wait_peers(1)
        blob_hash = await a.put_blob(BIG)
        with pytest.raises(BlobTooLargeError):
            await b.get_blob(blob_hash, bytes_max=len(BIG) - 1)
        assert b.statistics()["rooms"]["blobs"].get("chunks", 0) == 0
        assert await b.get_blob(blob_hash, bytes_max=len(BIG)) == BIG


async def test_a_damaged_file_is_noticed_and_fetched_again(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(one, network) as a, open_memory(two, network) as b:
        await b.wait_peers(1)
        blob_hash = await a.put_blob(BIG)
        await b.get_blob(blob_hash)
        await b.get_blob(blob_hash)  # from the disk: it has been written
        file_of(tmp_path, 1, blob_hash).write_bytes(b"?" + BIG[1:])
        assert await b.get_blob(blob_hash) == BIG
        assert await b.get_blob(blob_hash) == BIG
        assert file_of(tmp_path, 1, blob_hash).read_bytes() == BIG


async def test_a_dropped_blob_is_gone_from_the_disk(tmp_path, network, jumping_clock):
    async with open_memory(config_of(tmp_path), network) as node:
        blob_hash = await node.put_blob(b"x")
        await node.drop_blob(blob_hash)
        with pytest.raises(BlobNotFoundError):
            await node.get_blob(blob_hash)
    assert list((tmp_path / "0" / "blobs").iterdir()) == []


async def test_a_blob_with_a_life_expires(tmp_path, network, jumping_clock):
    async with open_memory(config_of(tmp_path), network) as node:
        blob_hash = await node.put_blob(b"x", life_s=60)
        assert await node.get_blob(blob_hash) == b"x"
        await trio.sleep(61)
        with pytest.raises(BlobNotFoundError):
            await node.get_blob(blob_hash)


async def test_whoever_stops_waiting_is_forgotten(tmp_path, network, jumping_clock):
    async with open_memory(config_of(tmp_path), network) as node:
        with trio.move_on_after(1):
            await node.get_blob(bytes(32))
        assert node.statistics()["rooms"]["blobs"]["fetching"] == 0


async def test_who_waits_hears_that_the_node_stopped(tmp_path, network, jumping_clock):
    ended = []

    async def wait(node):
        try:
            await node.messages().__anext__()
        except trio.ClosedResourceError:
            ended.append(True)

    async with trio.open_nursery() as nursery, open_memory(config_of(tmp_path), network) as node:
        nursery.start_soon(wait, node)
        await trio.sleep(0.1)
    assert ended == [True]


async def test_a_sealed_message_reaches_the_store_and_only_its_hash_is_shown(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(one, network) as shop, open_memory(two, network) as buyer:
        await buyer.wait_peers(1)
        sealed = await buyer.send_message(shop.identity.public_key, b"1 High St", box_key=shop.box_key)
        message = await shop.messages().__anext__()
        assert (message.id, message.content) == (sealed.address_hash, b"1 High St")
        await until(lambda: letters(buyer).get("delivered") == 1)


async def test_a_message_survives_restarts_until_it_is_dropped_and_is_not_taken_twice(tmp_path, network, jumping_clock):
    one, two = pair(tmp_path, network)
    async with open_memory(two, network) as buyer:  # the shop is not there
        key = identity(0).public_key
        sealed = await buyer.send_message(key, b"later", box_key=buyer.box_key)
    async with open_memory(one, network) as shop, open_memory(two, network) as buyer:
        message = await shop.messages().__anext__()
        assert message.id == sealed.address_hash
        assert message.content is None  # sealed to another key than the node's
    async with open_memory(one, network) as shop:
        assert [message.id for message in shop.inbox()] == [sealed.address_hash]
        await shop.drop_message(sealed.address_hash)
        assert shop.inbox() == []
    async with open_memory(one, network) as shop:
        assert shop.inbox() == []
        assert shop.statistics()["rooms"]["messages"]["box_gone"] == 1


async def test_a_peer_holds_a_message_until_the_store_comes(tmp_path, network, jumping_clock):
    genesis = genesis_of(0)
    relay = config_of(tmp_path, 0, genesis=genesis)
    others = [config_of(tmp_path, n, genesis=genesis, bootstrap=("memory://n0",), listen=()) for n in (1, 2)]
    async with open_memory(relay, network) as held:
        async with open_memory(others[0], network) as buyer:
            await buyer.wait_peers(1)
            await buyer.send_message(identity(2).public_key, b"hello", box_key=buyer.box_key)
            await until(lambda: letters(held)["box_held"] == 1)
        async with open_memory(others[1], network) as shop:
            message = await shop.messages().__anext__()
            assert open_address(p2p.commerce.box_secret(others[0].identity.seed), message.sealed) == b"hello"
            await until(lambda: letters(held)["box_held"] == 0)


async def test_a_message_needs_a_store_and_a_life(tmp_path, network, jumping_clock):
    async with open_memory(config_of(tmp_path), network) as node:
        with pytest.raises(StoreUnknownError, match="has no store"):
            await node.send_message(identity(5).public_key, b"x")
        for life_s in (0, 8 * 86_400):
            with pytest.raises(MessageExpiryError):
                await node.send_message(identity(5).public_key, b"x", box_key=node.box_key, life_s=life_s)


KILLED = """
import sys, os
from pathlib import Path
from p2pcommerce.runtime.off_chain_files import OffChainFiles
import hashlib
files = OffChainFiles(Path(sys.argv[1]))
sys.stdout.write("begun\\n"); sys.stdout.flush()
number = 0
while True:
    data = number.to_bytes(4, "big") * 50_000
    files.write(hashlib.sha256(data).digest(), "own", 0, data)
    number += 1
    sys.stdout.write("x"); sys.stdout.flush()
"""


def test_a_kill_during_puts_leaves_whole_files_and_no_others(tmp_path):
    folder = tmp_path / "blobs"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"begun\n"
        told = len(writer.stdout.read(5))
        writer.kill()
        told += len(writer.stdout.read())
        writer.wait()
        writer.stdout.close()
        files = OffChainFiles(folder)
        assert len(files.found) >= told  # whatever was said to be durable is there
        for found in files.found:
            data = files.read(found.name, 2**20)
            assert hashlib.sha256(data).digest() == found.name
        assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_files_keep_the_newest_of_a_name_and_leave_strange_ones_alone(tmp_path):
    files = OffChainFiles(tmp_path)
    files.write(bytes(32), "fetched", 5, b"old")
    files.write(bytes(32), "own", 0, b"new")
    (tmp_path / "README").write_text("mine")
    (found,) = OffChainFiles(tmp_path).found
    assert (found.tag, found.expires_us, found.size) == ("own", 0, 3)
    assert (tmp_path / "README").exists()
    files.remove(bytes(32))
    assert files.read(bytes(32), 10) is None


def test_a_file_over_the_cap_is_not_read(tmp_path):
    files = OffChainFiles(tmp_path)
    files.write(bytes(32), "own", 0, bytes(11))
    assert files.read(bytes(32), 10) is None
    assert files.read(bytes(32), 11) == bytes(11)


def test_a_file_that_cannot_be_read_now_is_not_removed(tmp_path):
    files = OffChainFiles(tmp_path)
    files.write(bytes(32), "own", 0, b"good")
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "away")
    path.mkdir()  # opening it fails, whoever runs the test
    assert files.read(bytes(32), 10) is None
    files.remove(bytes(32))
    assert path.exists()
    path.rmdir()
    (tmp_path / "away").rename(path)
    assert OffChainFiles(tmp_path).read(bytes(32), 10) == b"good"
