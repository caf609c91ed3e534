"""A validator that listens nowhere is reached over real sockets through a peer of both, and stays reached."""

from __future__ import annotations

import trio

import p2pcommerce as p2p
from p2pcommerce.discovery.reverse import SILENT_US
from p2pcommerce.primitives.ids import MICROSECONDS
from tests.runtime.nodes import Notes, config_of, genesis_of, identity, signed, until

HIDDEN, RELAY, SHOP = 0, 1, 2
TCP = ("tcp://127.0.0.1:0",)


def found_by(node):
    return node.statistics()["rooms"]["discovery"]


async def test_who_listens_nowhere_dials_who_asks_through_a_peer_of_both_and_both_talk(tmp_path, jumping_clock):
    genesis = genesis_of(HIDDEN, SHOP)

    def node(number, listen, bootstrap=()):
        config = config_of(tmp_path, number, genesis=genesis, listen=listen, bootstrap=bootstrap, outbound_peers=0)
        return p2p.open_node(config, application=Notes())

    async def run_relay(leaves, task_status):
        async with node(RELAY, TCP) as relay:
            task_status.started(relay)
            await leaves.wait()

    async with trio.open_nursery() as nursery:
        leaves = trio.Event()
        relay = await nursery.start(run_relay, leaves)
        async with node(HIDDEN, (), relay.listen_addresses) as hidden:
            await hidden.wait_peers(1)
            await trio.sleep(SILENT_US / MICROSECONDS + 1)  # of the test's clock: it is known that nobody calls it
            async with node(SHOP, TCP, relay.listen_addresses) as shop:
                await until(lambda: found_by(shop)["wanted_connected"])
                assert found_by(shop)["CALLS_ASKED"] >= 1
                assert found_by(relay)["CALLS_RELAYED"] == 1
                assert found_by(hidden)["CALLS_DIALLED"] == 1
                leaves.set()
                await until(lambda: len(shop.peers()) == len(hidden.peers()) == 1)
                assert [(each.peer, each.outbound) for each in hidden.peers()] == [(identity(SHOP).public_key, True)]
                # A block needs the votes of both, and there is no other way between them.
                await hidden.wait_finalized(await shop.submit(signed(genesis, SHOP, 0)))
