"""`light anchor` and `light sync` from the command line."""

from __future__ import annotations

import argparse
import json

import pytest

from p2pcommerce.cli import light
from p2pcommerce.cli.main import main
from p2pcommerce.node.light import ConflictError, TrustAnchor
from p2pcommerce.runtime.config import write_config
from tests.node.epoch_world import EpochWorld
from tests.runtime.nodes import config_of, genesis_of, open_memory, pay


@pytest.fixture
def folder(tmp_path):
    """The folder of a node, with the files that the command reads."""
    genesis = genesis_of(engine="simplex")
    folder = tmp_path / "0"
    folder.mkdir()
    (folder / "genesis.json").write_text(genesis.to_json(), encoding="utf-8")
    write_config(folder / "config.toml")
    return folder


async def anchor_of(folder, out, *, vouch=False):
    return await light._make_anchor(argparse.Namespace(dir=folder, out=out, vouch=vouch, json=True))


async def test_a_running_and_a_stopped_node_give_the_same_anchor(folder, tmp_path, capsys):
    config = config_of(tmp_path, genesis=genesis_of(engine="simplex"), control=True)
    running, stopped, vouched = (tmp_path / f"{name}.json" for name in ("running", "stopped", "vouched"))
    async with open_memory(config) as node:
        await node.wait_finalized(await node.submit(pay(5_000_000)))
        assert await anchor_of(folder, running) == 0
    assert await anchor_of(folder, stopped) == 0
    first, second = TrustAnchor.load(running), TrustAnchor.load(stopped)
    assert (first.epoch, first.validators) == (second.epoch, second.validators)
    assert first.time_ms <= second.time_ms
    assert await anchor_of(folder, vouched, vouch=True) == 0
    assert TrustAnchor.load(vouched).time_ms > second.time_ms
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["file"] for each in told] == [str(running), str(stopped), str(vouched)]


def test_a_folder_that_no_node_has_used_is_refused_in_one_line(folder, tmp_path, capsys):
    for where, reason in ((folder, "has run"), (tmp_path / "nothing", "cannot be read")):
        assert main(["light", "anchor", "--dir", str(where), "--out", str(tmp_path / "a.json")]) == 2
        assert reason in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


async def test_two_final_blocks_of_one_height_are_kept_in_a_file(tmp_path, monkeypatch, capsys):
    world = EpochWorld()
    client = world.client()
    client.follow(world.links[:1], world.now)
    for time_ms in (1, 2):
        header = world.header(1, 15, time_ms=world.links[0].header.time_ms + time_ms)
        shown = header, world.certify(header)
        if time_ms == 1:
            client.verify_header(*shown, world.now)

    async def contradict(*_):
        client.verify_header(*shown, world.now)

    monkeypatch.setattr(light, "follow", contradict)
    genesis = tmp_path / "genesis.json"
    genesis.write_text(genesis_of(engine="simplex").to_json(), encoding="utf-8")
    args = argparse.Namespace(genesis=genesis, peer=["x"], trust=None, out=tmp_path / "anchor.json", json=False)
    with pytest.raises(ConflictError):
        await light._follow(args)
    kept = tmp_path / "conflict-15.json"
    assert str(kept) in capsys.readouterr().err
    document = json.loads(kept.read_text(encoding="utf-8"))
    assert document["height"] == 15
    assert document["second"] == {
        "block_hash": shown[0].hash.hex(),
        "header": shown[0].raw.hex(),
        "finality": shown[1].hex(),
    }
    assert len(document["evidence"]) >= world.set_of(1).quorum // 2
    assert not (tmp_path / "anchor.json").exists()
