"""A real node whose store is of another chain than its network's ends with one sentence and a code that scripts see."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
import trio

import p2pcommerce as p2p
from p2pcommerce.cli.main import main
from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import config_of, genesis_of, open_memory, pay

SENTENCE = (
    r"another chain is final at height \d+: .*; compare genesis and versions .*, then begin with an empty folder$"
)
WAIT_S = 120


async def grow(node, height, amount_minor=5_000_000):
    while node.height < height:
        await node.wait_finalized(await node.submit(pay(amount_minor)))


@pytest.mark.parametrize("engine", ["simplex", "ffg", "solo"])
async def test_a_follower_of_a_network_that_began_anew_stops(engine, tmp_path, jumping_clock):
    genesis, network = genesis_of(engine=engine), MemoryTransport()
    mine = config_of(tmp_path, 1, genesis=genesis, bootstrap=("memory://n0",), log_file=True)
    async with (
        open_memory(config_of(tmp_path / "first", genesis=genesis), network) as validator,
        open_memory(mine, network) as node,
    ):
        await grow(validator, 3)
        await node.wait_height(validator.height)
        held = node.height

    # The same key on an empty disk makes another chain: nobody else is there who remembers. It pays another amount, for
    # where blocks are dated by slots, equal payments that begin in equal slots are one and the same chain.
    async def begin_anew():
        async with open_memory(config_of(tmp_path / "second", genesis=genesis), network) as validator:
            await grow(validator, held + 2, 6_000_000)
            with pytest.raises(p2p.NodeHaltedError, match=SENTENCE) as caught:
                async with open_memory(mine, network):
                    await trio.sleep_forever()
            halts.append(caught)
            if engine != "solo":
                await trio.sleep_forever()

    halts = []
    if engine != "solo":  # who made the other chain is sent what shows the first to be final, and stops as well
        with pytest.raises(p2p.NodeHaltedError, match=r"is final (beside|here).*, then begin with an empty folder$"):
            await begin_anew()
    else:
        await begin_anew()
    (caught,) = halts
    assert "\n" not in str(caught.value)
    assert str(caught.value) in (tmp_path / "1" / "node.log").read_text()


async def test_the_command_says_it_in_one_line_and_fails(tmp_path, capsys):
    genesis = genesis_of(engine="solo")
    genesis.save(tmp_path / "genesis.json")
    secret = tmp_path / "secret"
    secret.write_text("correct horse")
    folder = tmp_path / "node"
    key, network = str(tmp_path / "my.key"), str(tmp_path / "genesis.json")
    assert main(["key", "new", key, "--passphrase-file", str(secret)]) == 0
    assert main(["init", str(folder), "--genesis", network, "--key", key, "--listen", "tcp://127.0.0.1:0"]) == 0
    tcp = ("tcp://127.0.0.1:0",)
    with trio.fail_after(WAIT_S):
        async with p2p.open_node(config_of(tmp_path / "first", genesis=genesis, listen=tcp)) as validator:
            mine = p2p.NodeConfig.from_toml(folder / "config.toml", "correct horse")
            async with p2p.open_node(replace(mine, bootstrap=validator.listen_addresses)) as node:
                await grow(validator, 3)
                await node.wait_height(validator.height)
                held = node.height
        async with p2p.open_node(config_of(tmp_path / "second", genesis=genesis, listen=tcp)) as validator:
            await grow(validator, held + 2, 6_000_000)
            text = (folder / "config.toml").read_text()
            address = json.dumps(list(validator.listen_addresses))
            (folder / "config.toml").write_text(text.replace("bootstrap = []", f"bootstrap = {address}"))
            command = [
                sys.executable,
                "-m",
                "p2pcommerce",
                "run",
                str(folder),
                "--passphrase-file",
                str(secret),
                "--json",
            ]
            done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    capsys.readouterr()
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("p2pcommerce: another chain is final at height ")
    assert line.endswith("then begin with an empty folder")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["error"]["code"] == "HALTED"
