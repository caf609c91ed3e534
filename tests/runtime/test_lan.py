"""Discovery in the local network, by multicast on loopback."""

from __future__ import annotations

import socket

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.discovery import decode_record
from p2pcommerce.discovery.beacon import BEACON_BYTES_MAX, write_beacon
from p2pcommerce.runtime.finding import lan
from p2pcommerce.runtime.finding.lan import GROUP, PORT, nearby
from p2pcommerce.runtime.log import Log
from tests.runtime.nodes import Notes, config_of, genesis_of, until

HERE = "127.0.0.1"
LAN = {"lan": True, "lan_interface": HERE}


def open_lan(folder, number, genesis, listen=f"tcp://{HERE}:0", **settings):
    config = config_of(folder, number, genesis=genesis, listen=(listen,), **{**LAN, **settings})
    return p2p.open_node(config, application=Notes())


def counts(node):
    return node.statistics()["sources"]["lan"]


def own_record(node):
    return node._assembly.local_peer(node.listen_addresses, node._clock.now()).peer_record


def throw(*datagrams):
    """Send datagrams into the local network of this machine alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        for data in datagrams:
            sock.sendto(data, (GROUP, PORT))


async def test_two_nodes_of_one_network_find_each_other_without_an_address(tmp_path):
    genesis = genesis_of(network="lan-pair")
    async with open_lan(tmp_path, 0, genesis) as first, open_lan(tmp_path, 1, genesis) as second:
        with trio.fail_after(60):
            await first.wait_peers(1)
            await second.wait_peers(1)
        assert counts(first)["sent"] >= 1
        assert counts(first)["taken"] + counts(second)["taken"] >= 1


async def test_nodes_of_other_networks_pass_each_other_by(tmp_path):
    async with (
        open_lan(tmp_path, 0, genesis_of(network="lan-one")) as first,
        open_lan(tmp_path, 1, genesis_of(network="lan-two")) as second,
    ):
        await until(lambda: counts(first).get("foreign"))
        for node in (first, second):
            assert node.statistics()["rooms"]["discovery"]["book"] == 0


async def test_junk_is_counted_and_bounded_and_harms_nothing(tmp_path):
    genesis = genesis_of(network="lan-junk")
    async with open_lan(tmp_path, 0, genesis) as node:
        await until(lambda: counts(node).get("sent"))
        junk = [write_beacon(genesis.hash, bytes([at])) for at in range(50)]
        throw(b"", b"x", bytes(BEACON_BYTES_MAX + 500), *junk)
        await until(lambda: counts(node).get("over", 0) >= 40)
        assert counts(node)["malformed"] >= 2
        assert node.statistics()["rooms"]["discovery"]["book"] == 0
        await node.wait_height(0)


async def test_where_there_is_no_multicast_the_log_says_so_once_and_the_node_runs(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(Log, "warning", lambda self, *words, **fields: lines.append(words))
    # An address that this machine does not have: joining the group there fails as it does without multicast.
    async with open_lan(tmp_path, 0, genesis_of(), lan_interface="192.0.2.1") as node:
        await until(lambda: counts(node).get("failed"))
        assert counts(node).get("sent") is None
        await node.wait_height(0)
    assert [room for room, _ in lines] == ["lan"]


async def test_a_network_that_was_down_for_a_while_is_used_again_and_the_log_says_it_once(tmp_path, monkeypatch):
    lines, tries = [], []
    send = lan.Lan._send

    async def fail_at_first(self, sock):
        tries.append(sock)
        if len(tries) <= 3:
            raise OSError("network is unreachable")
        await send(self, sock)

    monkeypatch.setattr(Log, "warning", lambda self, *words, **fields: lines.append(words))
    monkeypatch.setattr(lan.Lan, "_send", fail_at_first)
    monkeypatch.setattr(lan, "PAUSE_S_MIN", 0.001)
    async with open_lan(tmp_path, 0, genesis_of()) as node:
        await until(lambda: counts(node).get("sent"))
        assert counts(node)["failed"] == 3
    assert [room for room, _ in lines] == ["lan"]


async def test_a_node_that_listens_everywhere_names_its_address_in_the_local_network(tmp_path):
    async with open_lan(tmp_path, 0, genesis_of(network="lan-any"), "tcp://0.0.0.0:0") as node:
        await until(lambda: counts(node).get("sent"))
        port = node.listen_addresses[0].rpartition(":")[2]
        assert decode_record(own_record(node)).addresses == (f"tcp://{HERE}:{port}",)


@pytest.mark.parametrize(
    ("listening", "told"),
    [
        (("tcp://0.0.0.0:1",), ("tcp://192.168.1.5:1",)),
        (("tcp://127.0.0.1:1", "tcp://192.168.1.5:2", "memory://a", "tcp://[::]:3"), ()),
        ((), ()),
    ],
)
def test_only_who_listens_everywhere_needs_to_name_more(listening, told):
    assert nearby(listening, "192.168.1.5") == told


async def test_what_is_off_opens_no_socket(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(lan.trio.socket, "socket", refuse)
    async with p2p.open_node(config_of(tmp_path, listen=()), application=Notes()) as node:
        assert node.statistics()["sources"] == {}
