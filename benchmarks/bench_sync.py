"""A node that joins: how fast it catches up by blocks and by a snapshot, and what taking snapshots costs the others.

Method: a validator and the node that joins run in this one process, over loopback TCP, with files in a temporary
folder; so whatever serving costs is in the figures, and two machines would be faster.

- blocks: `--transactions` transfers with real signatures are made final; then a new node fetches them all. Wall time
  from opening it to its last block stored.
- snapshot: a network with `--accounts` accounts at genesis goes on under a load of 50 transfers/s, and crosses epochs.
  A new node restores the state and goes on; wall time from opening it to standing at the validator's height.
- stall: the longest time between two final blocks of that validator, under the same load, before its first epoch ends
  and after, when it takes snapshots.

    python benchmarks/bench_sync.py [--json] [--transactions 10000] [--accounts 100000] [--only blocks|snapshot]

Required: 2,000 tx/s by blocks, or ten times the growth at 200 tx/s; a snapshot of 100,000 accounts in under 30 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import trio

import p2pcommerce as p2p
from p2pcommerce.commerce import build_transaction
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.crypto import ED25519, blake2b_256
from p2pcommerce.runtime.collector import calm_collector

BLOCKS_TPS_MIN = 2_000
SNAPSHOT_S_MAX = 30.0
LOAD_TPS = 50
STAKE_MINOR = 10**12
RICH_MINOR = 10**9
SENDERS = 64
EPOCH_BLOCKS = 120
EXPIRES_HEIGHT = 10**6


def seed_of(name: str, number: int) -> bytes:
    """Return a key seed."""
    return blake2b_256(f"{name} {number}".encode())


def genesis_of(accounts: int, epoch_blocks: int) -> p2p.Genesis:
    """Return a network of one validator, the senders, and so many more accounts."""
    balances = {ED25519.public_key(seed_of("sender", number)): RICH_MINOR for number in range(SENDERS)}
    for number in range(accounts - SENDERS):
        balances[p2p.PublicKey(seed_of("account", number))] = RICH_MINOR
    genesis = p2p.Genesis.local("sync", {p2p.Identity.from_seed(seed_of("node", 0)).public_key: STAKE_MINOR}, balances)
    parameters = replace(genesis.parameters, epoch_blocks=epoch_blocks, unbonding_s=21 * 86_400)
    return replace(genesis, time_ms=time.time_ns() // 1_000_000 - 1_000, parameters=parameters)


def config_of(folder: Path, number: int, genesis: p2p.Genesis, **settings: object) -> p2p.NodeConfig:
    """Return the configuration of a node."""
    config = p2p.NodeConfig(
        identity=p2p.Identity.from_seed(seed_of("node", number)),
        genesis=genesis,
        data_dir=folder / str(number),
        listen=("tcp://127.0.0.1:0",),
        log_file=False,
        control=False,
    )
    return replace(config, **settings)  # type: ignore[arg-type] # each field has its own type


def transfers(genesis: p2p.Genesis, count: int) -> list[Transaction]:
    """Return signed transfers between the senders, in an order in which they can run."""
    signed = []
    receivers = [ED25519.public_key(seed_of("sender", number)) for number in range(SENDERS)]
    for index in range(count):
        number, nonce = index % SENDERS, index // SENDERS
        payload = p2p.commerce.Transfer(to=receivers[(number + 1) % SENDERS], amount_minor=1)
        signed.append(build_transaction(payload, genesis, seed_of("sender", number), nonce, EXPIRES_HEIGHT))
    return signed


async def catch_up_by_blocks(folder: Path, count: int) -> dict[str, object]:
    """Measure a node that fetches blocks."""
    genesis = genesis_of(SENDERS, 7_200)
    batch = transfers(genesis, count)
    async with p2p.open_node(config_of(folder, 0, genesis)) as validator:
        for transaction in batch:
            await validator.submit(transaction)
        await validator.wait_finalized(batch[-1].id)
        height = validator.height
        begun, begun_cpu = time.perf_counter(), time.process_time()
        config = config_of(folder, 1, genesis, sync="full", bootstrap=validator.listen_addresses)
        async with p2p.open_node(config) as joined:
            await joined.wait_height(height)
            taken_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    tps = count / taken_s
    return {
        "blocks_tps": {"value": round(tps), "unit": "tx/s", "required": BLOCKS_TPS_MIN},
        "blocks_growth": {"value": round(tps / 200, 1), "unit": "times the growth at 200 tx/s", "required": 10},
        "blocks_time": {"value": round(taken_s, 2), "unit": "s"},
        "blocks_cpu": {"value": round(cpu_s, 2), "unit": "s CPU, both nodes"},
        "blocks_heights": {"value": height, "unit": "blocks"},
    }


async def load(node: p2p.RunningNode, batch: Sequence[Transaction]) -> None:
    """Submit at a constant rate."""
    next_s = trio.current_time()
    for transaction in batch:
        await node.submit(transaction)
        next_s += 1 / LOAD_TPS
        await trio.sleep_until(next_s)


async def watch(node: p2p.RunningNode, gaps_s: dict[int, float]) -> None:
    """Note by height how long each block came after the one before it."""
    last_s: float | None = None
    async with node.subscribe() as blocks:
        async for block in blocks:
            now_s = trio.current_time()
            if last_s is not None:
                gaps_s[block.height] = now_s - last_s
            last_s = now_s


def longest_ms(gaps_s: dict[int, float], heights: range) -> float:
    """Return the longest gap among some heights, milliseconds; the first blocks are left out."""
    return round(max((gap_s for height, gap_s in gaps_s.items() if height in heights), default=0.0) * 1e3, 1)


async def catch_up_by_snapshot(folder: Path, accounts: int) -> dict[str, object]:
    """Measure a node that restores a state, and the validator that takes snapshots meanwhile."""
    genesis = genesis_of(accounts, EPOCH_BLOCKS)
    batch = transfers(genesis, LOAD_TPS * 180)
    gaps_s: dict[int, float] = {}
    async with p2p.open_node(config_of(folder, 0, genesis)) as validator, trio.open_nursery() as nursery:
        nursery.start_soon(load, validator, batch)
        nursery.start_soon(watch, validator, gaps_s)
        await validator.wait_height(EPOCH_BLOCKS)
        begun = time.perf_counter()
        while not list((folder / "0").glob("snapshot-*.sqlite3")):  # noqa: ASYNC110 - a file has no event
            await trio.sleep(0.01)
        taking_s = time.perf_counter() - begun
        await validator.wait_height(2 * EPOCH_BLOCKS + 10)
        before, after = range(10, EPOCH_BLOCKS), range(EPOCH_BLOCKS, 2 * EPOCH_BLOCKS + 10)
        quiet_ms, taking_ms = longest_ms(gaps_s, before), longest_ms(gaps_s, after)
        begun = time.perf_counter()
        config = config_of(folder, 1, genesis, sync="snapshot", bootstrap=validator.listen_addresses)
        async with p2p.open_node(config) as joined:
            opened_s = time.perf_counter() - begun
            await joined.wait_height(validator.height)
            taken_s = time.perf_counter() - begun
            rooms = joined.statistics()["rooms"]
            restored = isinstance(rooms, dict) and rooms["sync"]["restores_done"] == 1
        nursery.cancel_scope.cancel()
    if not restored:
        raise SystemExit("the node did not restore a snapshot")
    return {
        "snapshot_restored": {"value": round(taken_s, 2), "unit": "s", "required": SNAPSHOT_S_MAX},
        "snapshot_opening": {"value": round(opened_s, 2), "unit": "s of that: founding the new node's genesis state"},
        "snapshot_accounts": {"value": accounts, "unit": "accounts"},
        "snapshot_taken": {"value": round(taking_s, 2), "unit": "s, aside"},
        "gap_without": {"value": quiet_ms, "unit": "ms between two final blocks, longest"},
        "gap_taking": {"value": taking_ms, "unit": "ms between two final blocks, longest, snapshots being taken"},
        "stall": {"value": round(max(0.0, taking_ms - quiet_ms), 1), "unit": "ms"},
    }


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return every figure."""
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "snapshot":
            result |= await catch_up_by_blocks(Path(folder) / "blocks", options.transactions)
        if options.only != "blocks":
            result |= await catch_up_by_snapshot(Path(folder) / "snapshot", options.accounts)
    return result


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="How fast a node catches up.")
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--only", choices=("blocks", "snapshot"))
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    calm_collector()
    result = trio.run(measure, options)
    if options.json:
        print(json.dumps(result))
        return 0
    for name, figure in result.items():
        if isinstance(figure, dict):
            required = f" (required: {figure['required']})" if "required" in figure else ""
            print(f"{name:>18}  {figure['value']} {figure['unit']}{required}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
