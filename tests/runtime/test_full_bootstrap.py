"""Over real sockets: a newcomer whose only bootstrap node is full finds others all the same."""

from __future__ import annotations

import p2pcommerce as p2p
from tests.runtime.nodes import Notes, config_of, genesis_of, identity, until

FULL, OTHER, NEWCOMER = 0, 1, 2
TCP = ("tcp://127.0.0.1:0",)


async def test_a_newcomer_whose_bootstrap_node_is_full_finds_others(tmp_path, jumping_clock):
    genesis = genesis_of()

    def node(number, **settings):
        return p2p.open_node(config_of(tmp_path, number, genesis=genesis, listen=TCP, **settings), application=Notes())

    async with (
        node(FULL, inbound_peers_max=1, outbound_peers=0) as full,
        node(OTHER, bootstrap=full.listen_addresses, outbound_peers=0) as other,
    ):
        await other.wait_peers(1)
        async with node(NEWCOMER, bootstrap=full.listen_addresses) as newcomer:
            await until(lambda: identity(OTHER).public_key in {each.peer for each in newcomer.peers()})
            told = full.statistics()["rooms"]["discovery"]
            assert told["INBOUND_FULL"] >= 1
            assert told["GUESTS_ANSWERED"] >= 1
            assert identity(FULL).public_key in {each.peer for each in other.peers()}  # nobody was turned out
            assert other.statistics()["rooms"]["discovery"]["inbound"] == 1
