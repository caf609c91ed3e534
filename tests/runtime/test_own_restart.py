"""What a node has accepted from its users outlives a killed process, in the real runtime with its real files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import p2pcommerce as p2p
from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import Note, config_of, genesis_of, identity, open_notes, signed, until

ROOT = Path(__file__).parents[2]
GENESIS = genesis_of(0)
FOLLOWER = 1
CHILD = """
import sys
import trio
import p2pcommerce as p2p
from p2pcommerce.runtime.transport.memory import MemoryTransport
from tests.runtime.nodes import Note, Notes, config_of, genesis_of

async def main(folder):
    config = config_of(folder, 1, genesis=genesis_of(0))
    async with p2p.open_node(config, application=Notes(), transports=(MemoryTransport(),)) as node:
        for number in range(10_000):
            tx_id = await node.submit(Note(b"n%d" % number, b"1"))
            print(tx_id.hex(), flush=True)

trio.run(main, sys.argv[1])
"""


def accepted_before_the_kill(folder, count):
    """Let a node without peers accept transactions, kill its process amid that, and return the ids that it told of."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
        lines += process.stdout.readlines()
    return [bytes.fromhex(line) for line in lines if len(line) == 65]


async def test_what_was_accepted_is_final_in_the_end_though_the_process_was_killed(tmp_path, jumping_clock):
    accepted = accepted_before_the_kill(tmp_path, 30)
    assert len(accepted) >= 30
    network = MemoryTransport()
    settings = {"genesis": GENESIS}
    async with open_notes(config_of(tmp_path, FOLLOWER, **settings), network) as follower:
        await until(lambda: follower.statistics()["mempool"] >= len(accepted))
        for tx_id in accepted:
            assert (await follower.transaction_status(tx_id)).state.value == "pending"
        # The wallet does not give away their nonces again.
        newest = await follower.submit(Note(b"later", b"1"))
        assert newest not in accepted
    # An ordinary end of the process is one more.
    validator = config_of(tmp_path, 0, bootstrap=(f"memory://n{FOLLOWER}",), **settings)
    async with open_notes(config_of(tmp_path, FOLLOWER, **settings), network) as follower:
        async with open_notes(validator, network) as first:
            for tx_id in (*accepted, newest):
                receipt = await follower.wait_finalized(tx_id)
                assert receipt.code is p2p.RejectionCode.OK
                assert await first.wait_finalized(tx_id) == receipt
        await until(lambda: follower.statistics()["rooms"]["mempool"]["own"] == 0)
    async with open_notes(config_of(tmp_path, FOLLOWER, **settings), network) as follower:
        assert follower.statistics()["rooms"]["mempool"]["own"] == 0
        assert (await follower.transaction_status(newest)).state.value == "final"


async def test_a_submission_is_in_the_file_when_submit_returns(tmp_path, jumping_clock):
    config = config_of(tmp_path, FOLLOWER, genesis=GENESIS)
    async with open_notes(config) as node:
        transaction = signed(GENESIS, 3, 0)
        await node.submit(transaction)
        assert transaction.raw in (config.folder / "own.wal").read_bytes()


async def test_a_watch_leads_from_the_pool_to_the_receipt(tmp_path, jumping_clock):
    async with open_notes(config_of(tmp_path)) as node:
        transaction = signed(node.genesis, 3, 0)
        async with node.watch(transaction.id) as watch:
            assert (await anext(watch)).state.value == "unknown"
            await node.submit(transaction)
            states = [status async for status in watch]
    assert {status.state.value for status in states} <= {"pending", "included", "final"}
    assert states[-1].receipt.tx_id == transaction.id
    assert identity(3).public_key == transaction.sender


async def test_a_private_transaction_outlives_its_node_and_becomes_final(tmp_path, jumping_clock):
    network = MemoryTransport()
    settings = {"genesis": GENESIS}
    follower_config = config_of(tmp_path, FOLLOWER, **settings)
    async with open_notes(follower_config, network) as follower:
        tx_id = await follower.submit(Note(b"whose", b"1"), private=True)
        assert follower.statistics()["mempool"] == 0
        assert (await follower.transaction_status(tx_id)).state.value == "pending"
    validator = config_of(tmp_path, 0, bootstrap=(f"memory://n{FOLLOWER}",), **settings)
    async with open_notes(follower_config, network) as follower:
        assert follower.statistics()["mempool"] == 0
        newest = await follower.submit(Note(b"later", b"1"), private=True)
        assert newest != tx_id  # the wallet knows of the nonce that is taken
        async with open_notes(validator, network):
            assert (await follower.wait_finalized(tx_id)).ok
            assert (await follower.wait_finalized(newest)).ok
