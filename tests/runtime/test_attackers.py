"""Attackers at real sockets: more half-open connections than places, and an honest peer who must get in."""

from __future__ import annotations

import trio

import p2pcommerce as p2p
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.wire.handshake import preamble
from tests.runtime.nodes import Caller, Notes, config_of, genesis_of, until

GENESIS = genesis_of()
LIMITS = ResourceLimits(handshakes_max=32, handshakes_per_host_max=8, handshakes_per_group_max=8)
JOIN_S = 2.0
"""Seconds within which an honest peer joins. Source: the goals for the network."""


async def attack(port, count, hosts):
    """Open sockets that never finish a handshake: silent ones, and ones that send a part of a first message."""
    attackers = []
    for number in range(count):
        attacker = trio.socket.socket()
        await attacker.bind((f"127.0.0.{10 + number % hosts}", 0))
        await attacker.connect(("127.0.0.1", port))
        if number % 2:
            await attacker.send(preamble(GENESIS.hash) + b"\x00")
        attackers.append(attacker)
    return attackers


async def joins_under_attack(tmp_path, count, hosts, *, from_host=None):
    config = config_of(tmp_path, listen=("tcp://127.0.0.1:0",))
    async with p2p.open_node(config, application=Notes(), limits=LIMITS) as node:
        port = int(node.listen_addresses[0].rpartition(":")[2])
        attackers = await attack(port, count, hosts)
        await until(lambda: node.statistics()["resources"]["admitted"] >= count)
        with trio.fail_after(JOIN_S):
            stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=from_host)
            caller = Caller(stream, GENESIS)
            await caller.shake()
            await until(node.peers)
        resources = node.statistics()["resources"]
        await stream.aclose()
        for attacker in attackers:
            attacker.close()
    return resources


async def test_an_honest_peer_joins_past_idle_sockets_of_many_hosts(tmp_path):
    resources = await joins_under_attack(tmp_path, 100, 50)
    assert resources["handshakes"] <= LIMITS.handshakes_max
    assert resources["displaced"] >= 100 - LIMITS.handshakes_max


async def test_an_honest_peer_joins_from_the_very_host_of_the_attacker(tmp_path):
    resources = await joins_under_attack(tmp_path, 40, 1, from_host="127.0.0.10")
    assert resources["handshakes_per_host"] <= LIMITS.handshakes_per_host_max


async def test_a_flood_of_one_host_displaces_no_handshake_of_another(tmp_path):
    config = config_of(tmp_path, listen=("tcp://127.0.0.1:0",))
    async with p2p.open_node(config, application=Notes(), limits=LIMITS) as node:
        port = int(node.listen_addresses[0].rpartition(":")[2])
        slow = await trio.open_tcp_stream("127.0.0.1", port)
        attackers = await attack(port, 60, 1)
        await until(lambda: node.statistics()["resources"]["admitted"] == 61)
        with trio.fail_after(JOIN_S):
            await Caller(slow, GENESIS).shake()
            await until(node.peers)
        await slow.aclose()
        for attacker in attackers:
            attacker.close()
