"""Following a network over connections, and a node that restores a snapshot from another one."""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

import p2pcommerce as p2p
import p2pcommerce.runtime.light
from p2pcommerce import wire
from p2pcommerce.cli.light import _follow
from p2pcommerce.runtime.light import NoAnswerError
from p2pcommerce.runtime.snapshots import StateConflictError
from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import SHOP, config_of, genesis_of, open_memory, pay, until

BLOCKS = 3


@pytest.fixture
def genesis():
    genesis = genesis_of(engine="simplex")
    parameters = replace(genesis.parameters, epoch_blocks=BLOCKS, unbonding_s=86_400)
    return replace(genesis, time_ms=time.time_ns() // 1_000_000 - 1_000, parameters=parameters)


async def advance(node, height):
    while node.height < height:
        await node.wait_finalized(await node.submit(pay(5_000_000)))


def client_of(genesis):
    return p2p.LightClient.of(genesis)


async def test_a_light_client_follows_a_node_and_checks_its_proofs(tmp_path, network, genesis, jumping_clock):
    config = config_of(tmp_path, genesis=genesis)
    async with open_memory(config, network) as node:
        await advance(node, 4 * BLOCKS)
        client = client_of(genesis)
        followed = await p2p.follow(client, genesis, ["memory://n0", "memory://n0"], transports=[network])
        assert followed.epochs == client.epoch >= 3
        assert followed.head.header.height >= 4 * BLOCKS
        assert followed.agreed == ("memory://n0", "memory://n0")
        assert not followed.failed
        proof = await node.prove("account", account=SHOP.hex(), since_epoch=client.epoch)
        assert client.verify_proof(proof.raw, time.time_ns() // 1_000).height >= 4 * BLOCKS
        assert p2p.verify_proof(proof.raw, client.anchor)
        await advance(node, 6 * BLOCKS)
        again = await p2p.follow(client, genesis, ["memory://n0"], transports=[network])
        assert again.epochs >= 1


async def test_nodes_of_other_networks_and_nobody_are_said(tmp_path, network, genesis, jumping_clock):
    async with open_memory(config_of(tmp_path), network):
        with pytest.raises(NoAnswerError, match=r"memory://n0: .*memory://n9: .*name others"):
            await p2p.follow(client_of(genesis), genesis, ["memory://n0", "memory://n9"], transports=[network])


@pytest.mark.parametrize("engine", ["simplex", "ffg", "solo"])
@pytest.mark.parametrize("heights", [(6, 4), (4, 6), (5, 5)])
async def test_two_branches_are_found_whichever_node_is_ahead(
    tmp_path, network, genesis, jumping_clock, heights, engine
):
    # With no end of an epoch on which they differ already.
    forked = replace(genesis, engine=engine, parameters=replace(genesis.parameters, epoch_blocks=1_000))
    first, second = (
        config_of(tmp_path / name, genesis=forked, listen=(f"memory://{name}",)) for name in ("one", "other")
    )
    async with open_memory(first, network) as one, open_memory(second, network) as other:
        for node, height, amount_minor in zip((one, other), heights, (5_000_000, 6_000_000), strict=True):
            while node.height < height:
                await node.wait_finalized(await node.submit(pay(amount_minor)))
        with pytest.raises(p2p.ConflictError, match="two blocks are final at height"):
            await p2p.follow(client_of(forked), forked, ["memory://one", "memory://other"], transports=[network])


async def test_a_node_that_shows_no_final_block_agrees_with_nobody_who_shows_one(
    tmp_path, network, genesis, jumping_clock
):
    asked = ["memory://n1", "memory://n0"]
    async with open_memory(config_of(tmp_path, 1, genesis=genesis), network):
        alone = await p2p.follow(client_of(genesis), genesis, asked[:1], transports=[network])
        assert (alone.agreed, alone.head, alone.failed) == (("memory://n1",), None, {})
        async with open_memory(config_of(tmp_path, genesis=genesis), network) as node:
            await advance(node, 2)
            for order in (asked, asked[::-1]):
                followed = await p2p.follow(client_of(genesis), genesis, order, transports=[network])
                assert followed.agreed == ("memory://n0",)
                assert followed.failed == {"memory://n1": "it shows no final block"}


class Reticent(p2pcommerce.runtime.light._Peer):
    """Asks like a light client of a node that answers no question for blocks."""

    async def ask(self, question, kind):
        return wire.Blocks(question.from_height, (), b"") if kind is wire.Blocks else await super().ask(question, kind)


async def test_a_node_that_hides_what_it_has_where_another_is_cannot_be_compared(
    tmp_path, network, genesis, jumping_clock, monkeypatch
):
    ahead, behind = "memory://n0", "memory://n1"
    async with open_memory(config_of(tmp_path, genesis=genesis), network) as node:
        async with open_memory(config_of(tmp_path, 1, genesis=genesis, bootstrap=(ahead,)), network) as follower:
            await advance(node, 4)
            await follower.wait_height(4)
        async with open_memory(config_of(tmp_path, 1, genesis=genesis), network):  # nobody tells it how things go on
            await advance(node, 6)
            followed = await p2p.follow(client_of(genesis), genesis, [ahead, behind], transports=[network])
            assert followed.agreed == (ahead, behind)
            monkeypatch.setattr(p2pcommerce.runtime.light, "_Peer", Reticent)
            followed = await p2p.follow(client_of(genesis), genesis, [ahead, behind], transports=[network])
            assert followed.agreed == (ahead,)
            assert "cannot be compared with the highest node's: it does not show" in followed.failed[behind]
            followed = await p2p.follow(client_of(genesis), genesis, [behind, ahead], transports=[network])
            assert followed.agreed == (behind,)
            assert "it does not show its block of height" in followed.failed[ahead]


async def test_an_old_genesis_is_refused_before_anybody_is_asked(genesis, jumping_clock):
    old = replace(genesis, time_ms=0)
    with pytest.raises(p2p.TrustExpiredError, match="newer trust anchor"):
        await p2p.follow(client_of(old), old, ["memory://n0"])


async def test_the_command_writes_an_anchor_that_the_next_begins_with(tmp_path, genesis, capsys, jumping_clock):
    genesis_file, anchor = tmp_path / "genesis.json", tmp_path / "anchor.json"
    genesis_file.write_text(genesis.to_json(), encoding="utf-8")
    config = config_of(tmp_path, genesis=genesis, listen=("tcp://127.0.0.1:0",))
    async with open_memory(config) as node:
        await advance(node, 3 * BLOCKS)
        args = argparse.Namespace(
            genesis=genesis_file, peer=list(node.listen_addresses), trust=None, out=anchor, json=True
        )
        assert await _follow(args) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["epoch"] >= 2
        assert p2p.TrustAnchor.load(anchor).epoch == told["epoch"]
        args.trust, args.out, args.json = anchor, None, False
        assert await _follow(args) == 0
        assert "shown by 1 node" in capsys.readouterr().out


async def test_a_node_restores_a_snapshot_and_follows(tmp_path, network, genesis, jumping_clock):
    first = config_of(tmp_path, genesis=genesis)
    second = config_of(tmp_path, 1, genesis=genesis, sync="snapshot", bootstrap=("memory://n0",))
    async with open_memory(first, network) as node:
        await advance(node, 6 * BLOCKS)
        await until(lambda: list((tmp_path / "0").glob("snapshot-*")))
        async with open_memory(second, network) as joined:
            await joined.wait_height(node.height)
            receipt_height = node.height
            await advance(node, receipt_height + 2)
            await joined.wait_height(receipt_height + 2)
            assert joined.statistics()["rooms"]["sync"]["restores_done"] == 1
            answer = await joined.query("account", account=SHOP)
            assert answer.value == (await node.query("account", account=SHOP)).value
        async with open_memory(second, network) as joined:  # it stands where it stopped
            assert joined.height >= receipt_height
    with sqlite3.connect(tmp_path / "1" / "chain.sqlite3") as connection:
        (bodies,) = connection.execute(
            "SELECT min(height) FROM blocks WHERE length(block) > 0 AND height > 0"
        ).fetchone()
    connection.close()
    assert bodies > 4 * BLOCKS


async def test_a_checkpoint_of_another_network_is_refused(tmp_path, genesis, jumping_clock):
    file = tmp_path / "anchor.json"
    file.write_text(p2p.TrustAnchor.of(replace(genesis, network="other")).to_json(), encoding="utf-8")
    with pytest.raises(p2p.ConfigError, match="another network"):
        async with open_memory(config_of(tmp_path, genesis=genesis, checkpoint=str(file)), MemoryTransport()):
            pass


async def spoil_and_wait(config, network):
    """Let a node run, put a record into its stored state, and wait for the end of its epoch."""
    async with open_memory(config, network) as node:
        await advance(node, 2)
        with closing(sqlite3.connect(config.folder / "chain.sqlite3")) as connection:
            connection.execute("INSERT INTO state VALUES (x'ff', x'ff')")
            connection.commit()
        await node.wait_height(10**6)


async def test_a_node_whose_stored_state_is_not_what_the_validators_signed_stops(
    tmp_path, network, genesis, jumping_clock
):
    with pytest.raises(StateConflictError, match="signed; move it away and start again"):
        await spoil_and_wait(config_of(tmp_path, genesis=genesis), network)
