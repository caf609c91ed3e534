"""What gossip could not bring comes by set reconciliation, over the real runtime with encryption."""

import p2pcommerce as p2p
from tests.runtime.nodes import Notes, config_of, genesis_of, open_notes, signed, until

WAITING = 12


async def test_a_node_that_joins_gets_what_waits_in_the_pools_of_others(tmp_path, network, jumping_clock):
    genesis = genesis_of(0)
    host, guest = (
        config_of(tmp_path, 0, genesis=genesis),
        config_of(tmp_path, 1, genesis=genesis, bootstrap=("memory://n0",)),
    )
    async with open_notes(host, network) as first:
        for number in range(2, 2 + WAITING // 4):
            for nonce in range(1, 5):  # the one before never comes, so that none of them becomes final
                await first.submit(signed(genesis, number, nonce))
        assert first.statistics()["mempool"] == WAITING
        async with open_notes(guest, network) as second:
            await until(lambda: second.statistics()["mempool"] == WAITING)
            gossip = second.statistics()["rooms"]["gossip"]
            assert gossip["reconcile_found"] == gossip["received"] == WAITING


async def test_over_tcp_as_well(tmp_path):
    genesis = genesis_of(0)
    async with p2p.open_node(
        config_of(tmp_path, 0, genesis=genesis, listen=("tcp://127.0.0.1:0",)), application=Notes()
    ) as first:
        await first.submit(signed(genesis, 2, 1))
        config = config_of(
            tmp_path, 1, genesis=genesis, listen=("tcp://127.0.0.1:0",), bootstrap=(first.listen_addresses[0],)
        )
        async with p2p.open_node(config, application=Notes()) as second:
            await until(lambda: second.statistics()["mempool"] == 1)
