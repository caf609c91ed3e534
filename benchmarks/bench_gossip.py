"""Gossip of signed transactions between nodes in one process, over real TCP with encryption.

Method (that of the direct peers' figures): 10 nodes in one process on loopback, a random graph of degree 6, signed
transactions of 250 bytes, the whole product: sockets, Noise, router, admission, pool. No validator is there, so that
nothing but gossip runs; the garbage collector is set as in `p2pcommerce run`. Reported: CPU of the process per delivery
(a transaction that enters a node's pool other than its origin's), beside the floor, which is the CPU of verifying the
same signatures in the same run.

    python benchmarks/bench_gossip.py [--json] [--nodes 10] [--transactions 2000] [--publishers all|one] [--rate 0]
                                       [--sections]

`--rate 0` is a burst: every publisher submits as fast as its node takes. With a rate, publishers are paced, and the
latencies say something. `--sections` adds where the CPU of a delivery goes, part by part (`cpu_sections`).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import trio
from cpu_sections import Sections

import p2pcommerce as p2p
from p2pcommerce.commerce import StoreSet, build_transaction
from p2pcommerce.gossip.router import Router
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.mempool import Mempool
from p2pcommerce.node.node import Node
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.runtime.connection import Connection
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.wire.session import Session

DEGREE = 6
PAYLOAD_BYTES = 250
QUIET_S = 20.0
"""A run in which nothing is delivered for so long is over: what is missing is lost."""


class Arrivals:
    """What entered the pools of all nodes.

    Attributes:
        count: transactions, each as often as there are pools that it entered.
        slices: when, which transactions, and whether their signatures are good.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.count = 0
        self.slices: list[tuple[float, Sequence[Transaction], list[bool]]] = []

    def times(self) -> dict[bytes, list[float]]:
        """Return when each transaction (id of 32 bytes) entered pools."""
        found: dict[bytes, list[float]] = {}
        for when, transactions, results in self.slices:
            for transaction, good in zip(transactions, results, strict=True):
                if good:
                    found.setdefault(transaction.id, []).append(when)
        return found


class Stopwatch:
    """Verifies as the product does, and notes when each slice of transactions entered a pool: what it does counts."""

    def __init__(self, arrivals: Arrivals) -> None:
        """Write to what all nodes share."""
        self._arrivals = arrivals

    def verify(self, transactions: Sequence[Transaction]) -> list[bool]:
        """Return whether each one's signatures are good."""
        results = [transaction.verify(ED25519) for transaction in transactions]
        self._arrivals.slices.append((time.perf_counter(), transactions, results))
        self._arrivals.count += sum(results)
        return results


SECTIONS: tuple[tuple[type, str, str], ...] = (
    (Stopwatch, "verify", "signatures"),
    (Mempool, "submit", "admission"),
    (Mempool, "on_deadline", "admission"),
    (Router, "on_transactions", "copies: identified, marked, queued"),
    (Router, "on_verdicts", "verdicts: forwarding"),
    (Router, "on_announce", "announcements, pulls, deadlines of gossip"),
    (Router, "on_pull", "announcements, pulls, deadlines of gossip"),
    (Router, "on_deadline", "announcements, pulls, deadlines of gossip"),
    (Session, "receive_data", "session: opening and decoding"),
    (Session, "send", "session: encoding and sealing"),
    (Session, "data_to_send", "session: encoding and sealing"),
    (Connection, "flush", "writing sockets"),
    (Node, "on_submit", "submitting and the journal of own transactions"),
    (Node, "on_message", "node: messages to rooms, ticks"),
    (Node, "on_deadline", "node: messages to rooms, ticks"),
    (Driver, "on_message", "driver"),
    (Driver, "on_turn", "driver"),
    (Driver, "give", "driver"),
    (Driver, "flush", "driver"),
)
"""What `--sections` times, and under which name."""


def random_graph(count: int, degree: int, rng: random.Random) -> list[list[int]]:
    """Return, for each node, the earlier nodes that it dials: a connected graph of about `degree` links per node."""
    neighbours: list[set[int]] = [set() for _ in range(count)]
    order = list(range(count))
    for first, second in zip(order, [*order[1:], order[0]], strict=True):
        neighbours[first].add(second)
        neighbours[second].add(first)
    pairs = [(a, b) for a in range(count) for b in range(a)]
    rng.shuffle(pairs)
    for first, second in pairs:
        if len(neighbours[first]) < degree and len(neighbours[second]) < degree:
            neighbours[first].add(second)
            neighbours[second].add(first)
    return [sorted(other for other in neighbours[node] if other < node) for node in range(count)]


def transactions_of(genesis: p2p.Genesis, accounts: Sequence[p2p.Identity]) -> list[Transaction]:
    """Return one signed transaction of 250 bytes from each account: it opens a store."""
    key = bytes(range(32))
    found: list[Transaction] = []
    for account in accounts:
        padding = 0
        while True:
            payload = StoreSet(name="s" * (1 + padding), box_key=key, profile_hash=key, uri="", operators=())
            transaction = build_transaction(payload, genesis, account.seed, 0, 2**31)
            if len(transaction.raw) >= PAYLOAD_BYTES:
                found.append(transaction)
                break
            padding += PAYLOAD_BYTES - len(transaction.raw)
    return found


def verification_floor_us(transactions: Sequence[Transaction]) -> float:
    """Return the CPU microseconds of verifying one transaction's signature."""
    start = time.process_time()
    for transaction in transactions:
        if not transaction.verify(ED25519):
            raise SystemExit("a benchmark transaction has a bad signature")
    return (time.process_time() - start) / len(transactions) * 1e6


async def publish(
    node: p2p.RunningNode, own: Sequence[Transaction], sent: dict[bytes, float], offset_s: float, gap_s: float
) -> None:
    """Submit transactions one after the other, at a pace (publishers take turns) or as fast as the node takes them."""
    begun = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for index, transaction in enumerate(own):
            if gap_s:
                await trio.sleep(max(0.0, begun + offset_s + index * gap_s - time.perf_counter()))
            sent[transaction.id] = time.perf_counter()
            nursery.start_soon(node.submit, transaction)
            if index % 64 == 63:
                await trio.lowlevel.checkpoint()


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Run the benchmark and return its figures."""
    rng = random.Random(options.seed)
    absent = p2p.Identity.from_seed(b"\x01" * 32)
    accounts = [p2p.Identity.from_seed(rng.randbytes(32)) for _ in range(options.transactions)]
    genesis = p2p.Genesis.local(
        "bench", {absent.public_key: 1_000_000}, {account.public_key: 10_000_000 for account in accounts}
    )
    arrivals = Arrivals()
    sections = Sections()
    sent: dict[bytes, float] = {}
    graph = random_graph(options.nodes, min(DEGREE, options.nodes - 1), rng)
    links = sum(map(len, graph))
    async with AsyncExitStack() as stack:
        if options.sections:
            stack.enter_context(sections.watching(SECTIONS))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes: list[p2p.RunningNode] = []
        for number in range(options.nodes):
            config = p2p.NodeConfig(
                identity=p2p.Identity.from_seed(rng.randbytes(32)),
                genesis=genesis,
                data_dir=folder / str(number),
                listen=("tcp://127.0.0.1:0",),
                bootstrap=tuple(nodes[other].listen_addresses[0] for other in graph[number]),
                outbound_peers=0,
                control=False,
                log_file=False,
            )
            nodes.append(await stack.enter_async_context(p2p.open_node(config, verifier=Stopwatch(arrivals))))
        with trio.fail_after(60):
            for number, node in enumerate(nodes):
                await node.wait_peers(len(graph[number]) + sum(number in others for others in graph))
        await trio.sleep(0.5)
        calm_collector()
        transactions = transactions_of(genesis, accounts)
        floor_us = verification_floor_us(transactions[:1_000])
        publishers = nodes if options.publishers == "all" else nodes[:1]
        expected = len(transactions) * options.nodes
        rss_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sections.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        async with trio.open_nursery() as nursery:
            gap_s = len(publishers) / options.rate if options.rate else 0.0
            for number, node in enumerate(publishers):
                own = transactions[number :: len(publishers)]
                nursery.start_soon(publish, node, own, sent, number / options.rate if gap_s else 0.0, gap_s)
            await wait_for_all(arrivals, expected)
        cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
        table = sections.table(cpu_s * 1e9, max(1, arrivals.count - len(transactions)))
        pulls = sum(_counter(node, "gossip", "pulls_sent") for node in nodes)
        duplicates = sum(_counter(node, "gossip", "duplicates") for node in nodes)
    found = figures(options, arrivals.times(), sent, (cpu_s, wall_s, floor_us, rss_before), (links, pulls, duplicates))
    if options.sections:
        found["sections_us"] = table
    return found


def _counter(node: p2p.RunningNode, room: str, name: str) -> int:
    rooms = node.statistics()["rooms"]
    return int(rooms[room].get(name, 0)) if isinstance(rooms, dict) else 0


async def wait_for_all(arrivals: Arrivals, expected: int) -> None:
    """Wait until every node has every transaction, or nothing has moved for a while."""
    seen, since = 0, time.perf_counter()
    while (now := arrivals.count) < expected:
        if now != seen:
            seen, since = now, time.perf_counter()
        elif time.perf_counter() - since > QUIET_S:
            return
        await trio.sleep(0.02)


def figures(
    options: argparse.Namespace,
    arrivals: dict[bytes, list[float]],
    sent: dict[bytes, float],
    measured: tuple[float, float, float, int],
    counted: tuple[int, int, int],
) -> dict[str, object]:
    """Put the figures together, each with its unit."""
    cpu_s, wall_s, floor_us, rss_before = measured
    links, pulls, duplicates = counted
    latencies = sorted((when - sent[tx_id]) * 1e3 for tx_id, times in arrivals.items() for when in sorted(times)[1:])
    deliveries = len(latencies)
    lost = options.transactions * (options.nodes - 1) - deliveries
    return {
        "nodes": options.nodes,
        "links": links,
        "transactions": options.transactions,
        "publishers": options.publishers,
        "payload": {"value": PAYLOAD_BYTES, "unit": "bytes"},
        "deliveries": deliveries,
        "lost": lost,
        "deliveries_per_s": {"value": round(deliveries / wall_s), "unit": "1/s of wall time"},
        "deliveries_per_cpu_s": {"value": round(deliveries / cpu_s), "unit": "1/s of CPU"},
        "cpu_per_delivery": {"value": round(cpu_s / deliveries * 1e3, 4), "unit": "ms"},
        "verification_floor": {"value": round(floor_us / 1e3, 4), "unit": "ms CPU per delivery"},
        "latency_p50": {"value": round(statistics.median(latencies), 2), "unit": "ms"},
        "latency_p99": {"value": round(latencies[int(0.99 * (deliveries - 1))], 2), "unit": "ms"},
        "duplicates_per_delivery": {"value": round(duplicates / deliveries, 2), "unit": "1"},
        "pulls": pulls,
        "wall": {"value": round(wall_s, 2), "unit": "s"},
        "rss_max": {"value": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "unit": "MiB"},
        "rss_before": {"value": round(rss_before / 1024), "unit": "MiB"},
    }


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="CPU and latency of gossip over real sockets.")
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--transactions", type=int, default=2_000)
    parser.add_argument("--publishers", choices=("all", "one"), default="all")
    parser.add_argument("--rate", type=float, default=0.0, help="transactions per second over all; 0: a burst")
    parser.add_argument("--sections", action="store_true", help="tell which part of the program takes how much of it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = trio.run(run, options)
    if options.json:
        print(json.dumps(result))
    else:
        parts = result.pop("sections_us", {})
        for name, value in result.items():
            text = f"{value['value']} {value['unit']}" if isinstance(value, dict) else str(value)
            print(f"{name:>24}  {text}")
        for name, value in parts.items() if isinstance(parts, dict) else ():
            print(f"{value:>24}  us of CPU per delivery: {name}")
    return 1 if result["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
