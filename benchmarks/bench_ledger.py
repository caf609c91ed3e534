"""The ledger: how fast the mix of trade is executed, what a state root costs, and how large a state may grow.

Method: CPU seconds of this process; no network, no signatures.

- execute: the mix of the commerce specification ("Workload"), all of which succeeds, in blocks of 500, decoded and
  signed beforehand: opening a block, weight and effect of each transaction, fees. The audit of a block and the new
  state root are counted apart; `all` is the three together.
- weight: what a byte, a signature and a record cost a validator that did not propose the block, to set what they weigh.
  Byte: opened from its ciphertext, decoded, hashed for the id and for the signature, packed into a block, decoded
  again, sealed for one neighbour and stored, by the difference of transactions of 300 and 12,000 bytes; besides, what
  it takes of a line of 100 Mbit/s. Signature: one verified. Record: executed, audited, in the state root and stored;
  the mix of trade, by the records that it weighs.
- root: 1,000 transfers between random ones of 100,000 accounts; the new state root alone, the best of `--runs`.
- state: a process of its own reads `--records` records from a SQLite table, half of them accounts and half items, and
  makes a state of them: the most memory that it had, and its CPU. What a million accounts and a million items would
  take is computed from that.

    python benchmarks/bench_ledger.py [--json] [--transactions 20000] [--records 200000] [--runs 5] [--profile FILE]

Required: 5,000 tx/s per core; a root in under 60 ms; a million accounts and items in under 1 GB and 20 s.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgpack
from ledger_load import HASH, Load

from p2pcommerce.commerce import Commerce, SubmitEvidence, Transfer, build_transaction, read_body
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.history import HistoryEntry
from p2pcommerce.commerce.item import ITEM, new_item, serial_id
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.ledger.application import UNIT_WEIGHT, BlockContext
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.state import State, VersionedState
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.primitives.crypto import ED25519, aead_open, aead_seal, blake2b_256
from p2pcommerce.primitives.ids import Epoch, Height, PublicKey, TransactionId
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.simulation.scheme import STAND_IN

TPS_MIN = 5_000
ROOT_MS_MAX = 60.0
MEMORY_MB_MAX = 1_000
START_S_MAX = 20.0
BLOCK_TRANSACTIONS = 500
ROOT_ACCOUNTS = 100_000
ROOT_TRANSACTIONS = 1_000
RECORDS_REQUIRED = 2_000_000
BLOCK_MS = 2_000
LINE_NS = 80.0
"""What a byte takes of a line of 100 Mbit/s."""


class Chain:
    """The application on a state, block by block, with the CPU of each part.

    Attributes:
        state: final.
        cpu_s: of each part.
        refused: transactions that did not succeed.
        by_type: transaction type -> CPU seconds, weight, count.
    """

    def __init__(self, genesis: Genesis, proposer: PublicKey) -> None:
        """Found it."""
        self._genesis, self._proposer = genesis, proposer
        self._app = Commerce()
        founded = {key: value for key, value in self._app.genesis(genesis).items() if value is not None}
        self.state = VersionedState(founded)
        self.cpu_s = {"execute": 0.0, "audit": 0.0, "root": 0.0}
        self.refused: list[str] = []
        self.by_type: dict[str, tuple[float, int, int]] = {}
        self._height = 0

    def block(self, transactions: Sequence[Transaction], *, timed: bool = False) -> None:
        """Execute one block and make it final."""
        self._height += 1
        context = BlockContext(
            genesis=self._genesis,
            height=Height(self._height),
            epoch=Epoch(0),
            time_ms=self._height * BLOCK_MS,
            parent_time_ms=(self._height - 1) * BLOCK_MS,
            proposer=self._proposer,
            convict=lambda _: None,
        )
        before = self.state.final
        start = time.process_time()
        state = State(before)
        self._app.begin_block(state, context)
        for transaction in transactions:
            first = time.process_time() if timed else 0.0
            weight = self._app.weight(transaction)
            outcome = self._app.apply(transaction, state, context)
            if timed:
                spent, weights, count = self.by_type.get(transaction.type, (0.0, 0, 0))
                spent += time.process_time() - first
                self.by_type[transaction.type] = (spent, weights + weight, count + 1)
            if not outcome.ok:
                self.refused.append(f"{transaction.type}: {outcome.code.value} {outcome.detail}")
        self._app.end_block(state, context)
        executed = time.process_time()
        self._app.audit(self._genesis, before, state.changes)
        audited = time.process_time()
        after = before.child(state.changes)
        self.cpu_s["root"] += time.process_time() - audited
        self.cpu_s["audit"] += audited - executed
        self.cpu_s["execute"] += executed - start
        self.state.finalize(after)


def execute(transactions: int, profile: Path | None) -> dict[str, object]:
    """Measure the mix."""
    load = Load(stores=100, buyers=2_000)
    chain = Chain(load.genesis, load.proposer)
    chain.block(load.opening())
    for _ in range(4):
        chain.block(load.draw(BLOCK_TRANSACTIONS))
    chain.cpu_s = dict.fromkeys(chain.cpu_s, 0.0)
    blocks = [load.draw(BLOCK_TRANSACTIONS) for _ in range(transactions // BLOCK_TRANSACTIONS)]
    profiler = cProfile.Profile() if profile is not None else None
    if profiler is not None:
        profiler.enable()
    for block in blocks:
        chain.block(block)
    if profiler is not None and profile is not None:
        profiler.disable()
        profiler.dump_stats(profile)
    cpu_s = dict(chain.cpu_s)
    for _ in range(8):
        chain.block(load.draw(BLOCK_TRANSACTIONS), timed=True)
    if chain.refused:
        raise SystemExit(f"{len(chain.refused)} transactions were refused, the first: {chain.refused[0]}")
    count = len(blocks) * BLOCK_TRANSACTIONS
    size = sum(len(transaction.raw) for block in blocks for transaction in block)
    return {
        "transactions": count,
        "bytes_per_transaction": round(size / count),
        "tps": round(count / cpu_s["execute"]),
        "tps_all": round(count / sum(cpu_s.values())),
        "us_per_transaction": {part: round(spent / count * 1e6, 1) for part, spent in cpu_s.items()},
        "ns_per_weight": {
            name: round(spent / weights * 1e9)
            for name, (spent, weights, _) in sorted(chain.by_type.items(), key=lambda each: -each[1][0])
        },
    }


def weight(transactions: int, runs: int) -> dict[str, object]:
    """Measure what a byte, a signature and a record cost."""
    load = Load(stores=100, buyers=2_000)
    chain = Chain(load.genesis, load.proposer)
    chain.block(load.opening())
    blocks = [load.draw(BLOCK_TRANSACTIONS) for _ in range(transactions // BLOCK_TRANSACTIONS)]
    bodies = [read_body(each.type, each.body) for block in blocks for each in block]
    records = sum(payload.records() for payload in bodies)
    chain.cpu_s = dict.fromkeys(chain.cpu_s, 0.0)
    for block in blocks:
        chain.block(block)
    record_us = sum(chain.cpu_s.values()) / records * 1e6 + store_us(200_000, runs)
    small, large = (transaction_of(size, load.genesis) for size in (300, 12_000))
    byte_ns = (handle_us(large, runs) - handle_us(small, runs)) / (len(large.raw) - len(small.raw)) * 1e3
    signature_us = best_us(lambda: small.verify(ED25519), 200, runs)
    whole_ns = byte_ns + LINE_NS
    return {
        "byte_ns": round(byte_ns, 1),
        "byte_line_ns": LINE_NS,
        "signature_us": round(signature_us, 1),
        "record_us": round(record_us, 1),
        "signature_in_bytes": round(signature_us * 1e3 / whole_ns),
        "record_in_bytes": round(record_us * 1e3 / whole_ns),
        "unit_weight": UNIT_WEIGHT,
    }


def best_us(action: Callable[[], object], count: int, runs: int) -> float:
    """Return the CPU microseconds of one of `count` actions in the best of `runs`."""
    best_s = float("inf")
    for _ in range(runs):
        start = time.process_time()
        for _ in range(count):
            action()
        best_s = min(best_s, time.process_time() - start)
    return best_s / count * 1e6


def transaction_of(size_bytes: int, genesis: Genesis) -> Transaction:
    """Return a signed transaction of about so many bytes."""
    return build_transaction(SubmitEvidence(bytes(size_bytes)), genesis, bytes(32), 0, 2**31)


def handle_us(transaction: Transaction, runs: int) -> float:
    """Return the CPU microseconds that a transaction costs but for its effect."""
    key, nonce, raw = bytes(32), bytes(12), transaction.raw
    sealed = aead_seal(key, nonce, b"", raw)
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE blocks (height INTEGER PRIMARY KEY, block BLOB)")

    def handle() -> None:
        received = decode_transaction(aead_open(key, nonce, b"", sealed))
        if not received.verify(ED25519):
            raise SystemExit("a good signature does not verify")
        block = msgpack.unpackb(msgpack.packb([received.raw]))
        decode_transaction(block[0])
        aead_seal(key, nonce, b"", received.raw)
        table.execute("INSERT INTO blocks (block) VALUES (?)", (block[0],))

    spent_us = best_us(handle, 100, runs)
    table.close()
    return spent_us


def store_us(records: int, runs: int) -> float:
    """Return the CPU microseconds in which one record of a table of so many is written anew."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        write_state(path, records)
        table = sqlite3.connect(path)
        keys = [
            (bytes(100), key) for (key,) in table.execute("SELECT key FROM state ORDER BY hex(key) DESC LIMIT 2000")
        ]
        random.Random(1).shuffle(keys)

        def write() -> None:
            with table:
                table.executemany("UPDATE state SET value = ? WHERE key = ?", keys)

        spent_us = best_us(write, 1, runs) / len(keys)
        table.close()
    return spent_us


def root(runs: int) -> dict[str, object]:
    """Measure the state root of 1,000 transfers on 100,000 accounts."""
    keys = [PublicKey(blake2b_256(b"account %d" % number)) for number in range(ROOT_ACCOUNTS)]
    seeds = [blake2b_256(b"sender %d" % number) for number in range(ROOT_TRANSACTIONS)]
    senders = {STAND_IN.public_key(seed): 10**9 for seed in seeds}
    balances = {**dict.fromkeys(keys[: ROOT_ACCOUNTS - ROOT_TRANSACTIONS], 10**6), **senders}
    proposer = STAND_IN.public_key(bytes(32))
    parameters = replace(ChainParameters.local(), block_transactions_max=1_500)
    chain = Chain(Genesis.new("root", {proposer: 10**9}, balances, parameters=parameters), proposer)
    rng, best_ms = random.Random(1), float("inf")
    for run in range(runs):
        to = [rng.choice(keys[: ROOT_ACCOUNTS - ROOT_TRANSACTIONS]) for _ in seeds]
        block = [
            build_transaction(Transfer(receiver, 1), chain._genesis, seed, run, 2**31, scheme=STAND_IN)  # noqa: SLF001 - of this program
            for seed, receiver in zip(seeds, to, strict=True)
        ]
        before = chain.cpu_s["root"]
        chain.block(block)
        best_ms = min(best_ms, (chain.cpu_s["root"] - before) * 1e3)
    return {"accounts": ROOT_ACCOUNTS, "transactions": ROOT_TRANSACTIONS, "root_ms": round(best_ms, 1)}


def write_state(path: Path, records: int) -> None:
    """Write a table of half accounts and half items, and what every state has."""
    key = PublicKey(blake2b_256(b"validator"))
    genesis = Genesis.local("state", {key: 10**9}, {})
    values = {k: value for k, value in Commerce().genesis(genesis).items() if value is not None}
    entry = HistoryEntry(TransactionId(HASH), "trace.commission", key, HASH, 1, 1)
    with sqlite3.connect(path) as table:
        table.execute("CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        table.executemany("INSERT INTO state VALUES (?, ?)", values.items())
        table.executemany(
            "INSERT INTO state VALUES (?, ?)",
            (
                (ACCOUNT.key(blake2b_256(b"%d" % number)), ACCOUNT.write(Account(10**9 + number, number % 100)))
                for number in range(records // 2)
            ),
        )
        product = ProductId(key, "09520001000010")
        items = (
            (
                ITEM.key(serial_id(product, f"{number:012d}")),
                ITEM.write(replace(new_item(key, 1, entry), head=blake2b_256(b"%d" % number))),
            )
            for number in range(records - records // 2)
        )
        table.executemany("INSERT INTO state VALUES (?, ?)", items)
    table.close()


def read_state(path: Path) -> dict[str, object]:
    """Read the table into a state, in this process, and say what that took."""
    empty_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    table = sqlite3.connect(path)
    state = VersionedState(table.execute("SELECT key, value FROM state"))
    table.close()
    cpu_s = time.process_time() - start
    Commerce().query("time", {}, state.final)
    return {
        "records": sum(1 for _ in state),
        "cpu_s": round(cpu_s, 2),
        "memory_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - empty_kb) / 1_000),
    }


def state(records: int) -> dict[str, object]:
    """Measure memory and start-up of a large state, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        write_state(path, records)
        command = [sys.executable, __file__, "--read-state", str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    scale = RECORDS_REQUIRED / found["records"]
    return {
        **found,
        "required_records": RECORDS_REQUIRED,
        "required_memory_mb": round(found["memory_mb"] * scale),
        "required_cpu_s": round(found["cpu_s"] * scale, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--transactions", type=int, default=20_000, help="of the mix")
    parser.add_argument("--records", type=int, default=200_000, help="of the large state")
    parser.add_argument("--runs", type=int, default=5, help="of the state root")
    parser.add_argument("--only", choices=("execute", "weight", "root", "state"), help="one part")
    parser.add_argument("--profile", type=Path, help="file for a profile of the mix, for pstats")
    parser.add_argument("--read-state", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    calm_collector()
    if options.read_state is not None:
        print(json.dumps(read_state(options.read_state)))
        return 0
    parts: dict[str, Callable[[], dict[str, object]]] = {
        "execute": lambda: execute(options.transactions, options.profile),
        "weight": lambda: weight(options.transactions, options.runs),
        "root": lambda: root(options.runs),
        "state": lambda: state(options.records),
    }
    result = {name: part() for name, part in parts.items() if options.only in {None, name}}
    if options.json:
        print(json.dumps(result))
        return 0
    for name, figures in result.items():
        print(name)
        for figure, value in figures.items():
            print(f"  {figure}: {value}")
    large = f"{RECORDS_REQUIRED} records in {MEMORY_MB_MAX} MB and {START_S_MAX} s"
    print(f"required: {TPS_MIN} tx/s, a root in {ROOT_MS_MAX} ms, {large}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
