"""What a node trusts when it starts and while it catches up: the age of its chain, and its operator's checkpoint."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

import p2pcommerce as p2p
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.runtime.anchor import anchor_of_folder
from tests.runtime.nodes import config_of, genesis_of, identity, open_memory, pay, until

BLOCKS = 3
DAY_S = 86_400


def genesis_with(unbonding_s):
    genesis = genesis_of(engine="simplex")
    parameters = replace(genesis.parameters, epoch_blocks=BLOCKS, unbonding_s=unbonding_s)
    return replace(genesis, time_ms=time.time_ns() // 1_000_000 - 1_000, parameters=parameters)


@pytest.fixture
def genesis():
    return genesis_with(21 * DAY_S)


async def advance(node, height):
    while node.height < height:
        await node.wait_finalized(await node.submit(pay(5_000_000)))


async def run_to(config, height, network=None):
    async with open_memory(config, network) as node:
        await advance(node, height)
        return node.height


def later(monkeypatch, seconds):
    """Let the wall clock of everything that is opened from now on be so much later."""
    now_ns = time.time_ns
    monkeypatch.setattr("p2pcommerce.runtime.clock.time.time_ns", lambda: now_ns() + seconds * 10**9)


def saved(tmp_path, anchor):
    file = tmp_path / "anchor.json"
    file.write_text(anchor.to_json(), encoding="utf-8")
    return str(file)


def invented(anchor):
    """The anchor with a validator that this network never had."""
    return replace(anchor, validators=ValidatorSet.of([Validator(identity(9).public_key, 1)]), before=None)


async def test_a_node_that_was_away_for_longer_than_trust_lasts_says_what_to_do(
    tmp_path, genesis, monkeypatch, jumping_clock
):
    config = config_of(tmp_path, genesis=genesis)
    height = await run_to(config, 2 * BLOCKS + 1)
    later(monkeypatch, 13 * DAY_S)
    async with open_memory(config) as node:  # two weeks are not over
        assert node.height >= height
    later(monkeypatch, 2 * DAY_S)
    vouched = replace(anchor_of_folder(config.folder, genesis), time_ms=time.time_ns() // 1_000_000)
    later(monkeypatch, 13 * DAY_S)
    with pytest.raises(p2p.TrustExpiredError, match=r"days old.*`p2pcommerce light anchor`.*`checkpoint`.*--vouch"):
        await run_to(config, 0)
    checkpoint = saved(tmp_path, vouched)
    assert await run_to(replace(config, checkpoint=checkpoint), height + 1) > height


async def test_a_genesis_that_is_too_old_needs_a_checkpoint(tmp_path, genesis, monkeypatch, jumping_clock):
    later(monkeypatch, 15 * DAY_S)
    with pytest.raises(p2p.TrustExpiredError, match=r"epoch 0, is 15\.0 days old"):
        await run_to(config_of(tmp_path, genesis=genesis), 0)


async def test_a_network_for_development_goes_on_after_a_pause(tmp_path, monkeypatch, jumping_clock):
    config = config_of(tmp_path, genesis=genesis_with(60))
    height = await run_to(config, BLOCKS + 1)
    later(monkeypatch, 100 * DAY_S)
    assert await run_to(config, height + 1) > height


@pytest.mark.parametrize("sync", ["full", "auto", "snapshot"])
async def test_a_checkpoint_that_the_chain_contradicts_stops_the_node_and_closes_nobody(
    tmp_path, network, genesis, jumping_clock, sync
):
    async with open_memory(config_of(tmp_path, genesis=genesis), network) as node:
        await advance(node, 4 * BLOCKS + 1)
        checkpoint = saved(tmp_path, invented(await node.anchor()))
        config = config_of(tmp_path, 1, genesis=genesis, sync=sync, checkpoint=checkpoint, bootstrap=("memory://n0",))
        with pytest.raises(p2p.NodeHaltedError, match=r"checkpoint of epoch .*operators whom you trust"):
            async with open_memory(config, network) as joined:
                await joined.wait_height(10**6)
        closed = [code for code in node.statistics()["connections"] if code not in {"closed_closed", "closed_stopped"}]
        assert not [code for code in closed if "link" in code or "snapshot" in code], closed


async def test_a_checkpoint_that_the_stored_chain_contradicts_is_found_at_the_start(tmp_path, genesis, jumping_clock):
    config = config_of(tmp_path, genesis=genesis)
    await run_to(config, 2 * BLOCKS + 1)
    anchor = anchor_of_folder(config.folder, genesis)
    for false in (invented(anchor), replace(anchor, before=replace(anchor.before, block_hash=bytes(32)))):
        with pytest.raises(p2p.ConfigError, match=r"anchor\.json: the checkpoint of epoch \d+ names"):
            await run_to(replace(config, checkpoint=saved(tmp_path, false)), 0)
    false = invented(p2p.TrustAnchor.of(genesis))
    with pytest.raises(p2p.ConfigError, match="other validators for epoch 0"):
        await run_to(replace(config, checkpoint=saved(tmp_path, false)), 0)
    with pytest.raises(p2p.ConfigError, match="epochs of 4 blocks, the genesis of 3"):
        await run_to(replace(config, checkpoint=saved(tmp_path, replace(anchor, epoch_blocks=BLOCKS + 1))), 0)
    await run_to(replace(config, checkpoint=saved(tmp_path, anchor)), 0)


async def test_a_checkpoint_of_another_block_with_the_same_validators_stops_the_node(
    tmp_path, network, genesis, jumping_clock
):
    async with open_memory(config_of(tmp_path, genesis=genesis), network) as node:
        await advance(node, 4 * BLOCKS + 1)
        anchor = await node.anchor()
        false = replace(anchor, before=replace(anchor.before, block_hash=bytes(32)))
        config = config_of(tmp_path, 1, genesis=genesis, checkpoint=saved(tmp_path, false), bootstrap=("memory://n0",))
        with pytest.raises(p2p.NodeHaltedError, match="names the block 00000000"):
            async with open_memory(config, network) as joined:
                await joined.wait_height(10**6)


@pytest.mark.parametrize("sync", ["full", "snapshot"])
async def test_a_node_joins_by_the_anchor_that_another_node_makes(tmp_path, network, genesis, jumping_clock, sync):
    async with open_memory(config_of(tmp_path, genesis=genesis), network) as node:
        await advance(node, 6 * BLOCKS)
        await until(lambda: list((tmp_path / "0").glob("snapshot-*")))
        anchor = await node.anchor()
        assert anchor.epoch >= 6
        checkpoint = saved(tmp_path, anchor)
        config = config_of(tmp_path, 1, genesis=genesis, sync=sync, checkpoint=checkpoint, bootstrap=("memory://n0",))
        async with open_memory(config, network) as joined:
            await joined.wait_height(node.height)
            assert joined.statistics()["rooms"]["sync"]["restores_done"] == (sync == "snapshot")


async def test_a_stopped_nodes_folder_gives_what_the_running_node_gave(tmp_path, genesis, jumping_clock):
    config = config_of(tmp_path, genesis=genesis)
    async with open_memory(config) as node:
        await advance(node, 2 * BLOCKS)
        with pytest.raises(p2p.P2PError, match="in use"):
            anchor_of_folder(config.folder, genesis)
    anchor = anchor_of_folder(config.folder, genesis)
    assert anchor.epoch >= 2
    assert anchor.validators == genesis.validators
    client = p2p.LightClient.of(genesis, anchor)
    client.check_age(time.time_ns() // 1_000)
    with pytest.raises(p2p.P2PError, match="has run"):
        anchor_of_folder(tmp_path / "empty", genesis)


async def test_an_engine_with_one_set_for_ever_ages_not(tmp_path, monkeypatch, jumping_clock):
    genesis = genesis_of(engine="solo")
    genesis = replace(genesis, parameters=replace(genesis.parameters, unbonding_s=21 * DAY_S))
    config = config_of(tmp_path, genesis=genesis)
    await run_to(config, 2)
    later(monkeypatch, 100 * DAY_S)
    assert await run_to(config, 3) >= 3
    assert anchor_of_folder(config.folder, genesis).validators == genesis.validators
