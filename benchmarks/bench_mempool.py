"""The mempool: CPU of admission by kind of transaction, memory of one, what floods do, what a journal costs.

- admission: CPU from bytes to verdict, for honest transactions and each kind of junk, with real Ed25519 signatures.
- memory: bytes of Python objects for one pooled transaction beside its own bytes.
- floods: `--junk` pieces of each kind at once, from one peer and from 40, while 8 honest peers send 50 transactions per
  second; the pool's time is the CPU that its work takes. Nobody is banned, no block is made.
- journal: submissions accepted per second and syncs for them, one after the other and 256 at once, in a temporary
  folder (or `--folder`: syncs cost what its disk takes).

    python benchmarks/bench_mempool.py [--json] [--junk 20000] [--count-max 10000] [--folder DIR]

Required: no honest transaction evicted or refused, pool within its caps, honest latency (57 ms of link and admission)
at 99 % at most 1.5 times that without a flood.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import trio

from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.mempool import Admitted, Mempool, MempoolParameters
from p2pcommerce.node.effects import AppendOwn, Submitted
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import PeerId, PublicKey, TransactionId
from p2pcommerce.runtime.collector import calm_collector
from p2pcommerce.runtime.journal import Journal
from p2pcommerce.runtime.own_disk import OwnDisk
from p2pcommerce.simulation.flood import FloodScenario, FloodWorld, run_flood
from p2pcommerce.simulation.junk import FUNDED, JUNK, NONCES

LATENCY_RATIO_MAX = 1.5
SAMPLE = 2_000
RECORD_BYTES = 300
PEER = PeerId(PublicKey(b"p" * 32))


def admit(pool: Mempool, pieces: Sequence[bytes]) -> tuple[float, int]:
    """Put pieces through admission; return CPU microseconds for each, and how many the pool took."""
    items = [(raw, transaction_id(raw)) for raw in pieces]
    taken = 0
    begun = time.process_time()
    for start in range(0, len(items), 64):
        for raw, tx_id in items[start : start + 64]:
            pool.submit(raw, PEER, tx_id, 1)
        taken += sum(isinstance(effect, Admitted) for effect in pool.on_deadline(1))
    return (time.process_time() - begun) / len(items) * 1e6, taken


def admission(world: FloodWorld, junk: dict[str, list[bytes]]) -> dict[str, object]:
    """Return CPU for one transaction of each kind, each kind in a pool of its own."""
    figures: dict[str, object] = {}
    for kind, pieces in {"honest": world.honest(SAMPLE), **junk}.items():
        pool = world.mempool(MempoolParameters())
        took_us, taken = admit(pool, pieces[:SAMPLE])
        figures[kind] = {"cpu_us": round(took_us, 1), "admitted": taken, "of": len(pieces[:SAMPLE])}
    return figures


def memory(world: FloodWorld) -> dict[str, object]:
    """Return the memory of one pooled transaction, its own bytes left aside."""
    pieces = world.honest(SAMPLE)
    pool = world.mempool(MempoolParameters())
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for start in range(0, len(pieces), 64):
        for raw in pieces[start : start + 64]:
            pool.submit(bytes(bytearray(raw)), PEER, TransactionId(transaction_id(raw)), 1)
        pool.on_deadline(1)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    own = sum(map(len, pieces)) / len(pieces)
    return {"bytes": round((after - before) / len(pool)), "of_these_signed_bytes": round(own), "unit": "bytes each"}


def floods(world: FloodWorld, junk: dict[str, list[bytes]], options: argparse.Namespace) -> dict[str, object]:
    """Return what each flood did to honest transactions."""
    parameters = MempoolParameters(count_max=options.count_max)
    base = FloodScenario(kind="none", parameters=parameters)
    quiet = run_flood(world, base, stopwatch=time.process_time)
    figures: dict[str, object] = {"none": {"latency_p99_ms": quiet.latency_p99_us / 1e3}}
    for kind, pieces in junk.items():
        for flooders in (1, 40):
            scenario = replace(base, kind=kind, junk=len(pieces), flooders=flooders)
            result = run_flood(world, scenario, pieces=pieces, stopwatch=time.process_time)
            ratio = result.latency_p99_us / quiet.latency_p99_us
            figures[f"{kind} from {flooders}"] = {
                "honest_admitted": result.admitted,
                "honest_met_flood": result.met_flood,
                "honest_refused": result.refused,
                "honest_evicted": result.evicted,
                "latency_p99_ms": result.latency_p99_us / 1e3,
                "latency_p99_over_quiet": round(ratio, 2),
                "wait_p99_ms": result.wait_p99_us / 1e3,
                "transactions_max": result.transactions_max,
                "bytes_max": result.bytes_max,
                "waiting_bytes_max": result.waiting_bytes_max,
                "junk_admitted": result.junk_admitted,
                "cpu_us_per_junk": None if result.cpu_us is None else round(result.cpu_us, 1),
                "good": not result.refused and not result.evicted and ratio <= LATENCY_RATIO_MAX,
            }
    return figures


async def journal(folder: Path, at_once: int, count: int) -> dict[str, object]:
    """Return what it costs to make submissions durable, so many at once."""
    file, _ = Journal.open(folder / f"own-{at_once}")
    done: dict[int, trio.Event] = {}
    disk = OwnDisk(file, lambda verdict: done.pop(verdict.request).set(), lambda: None)

    async def submit(number: int, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            durable = done[number] = trio.Event()
            disk.give(AppendOwn(random.Random(number).randbytes(RECORD_BYTES)))
            disk.give(Submitted(number, TransactionId(bytes(32)), RejectionCode.OK, ""))
            await durable.wait()

    limiter = trio.CapacityLimiter(at_once)
    wall, cpu = time.perf_counter(), time.process_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.run)
        async with trio.open_nursery() as submitters:
            for number in range(count):
                submitters.start_soon(submit, number, limiter)
        nursery.cancel_scope.cancel()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    file.close()
    return {
        "submissions": count,
        "syncs": disk.syncs,
        "cpu_us_each": round(cpu / count * 1e6, 1),
        "wall_ms_per_sync": round(wall / disk.syncs * 1e3, 2),
        "per_second_of_wall": round(count / wall),
    }


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Run everything."""
    print("signing junk", file=sys.stderr)
    world = FloodWorld(ED25519, funded=min(FUNDED, options.junk // NONCES + 1))
    junk = {kind: list(world.junk(FloodScenario(kind=kind, junk=options.junk))) for kind in JUNK}
    result: dict[str, object] = {
        "unit": "microseconds of CPU for one transaction, unless said otherwise",
        "admission": admission(world, junk),
        "memory": memory(world),
        "junk": options.junk,
        "count_max": options.count_max,
        "floods": floods(world, junk, options),
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result["journal"] = {
            "one after the other": trio.run(journal, Path(folder), 1, 500),
            "256 at once": trio.run(journal, Path(folder), 256, 5_000),
        }
    return result


def main() -> int:
    """Parse options, measure, print; 1 if a flood did harm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--junk", type=int, default=20_000, help="pieces of each kind")
    parser.add_argument("--count-max", type=int, default=10_000, help="transactions in the pool at most")
    parser.add_argument("--folder", type=Path, help="where the journal is written")
    options = parser.parse_args()
    calm_collector()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
    else:
        print(json.dumps(result, indent=2))
    figures = result["floods"]
    harmed = isinstance(figures, dict) and any(not figure.get("good", True) for figure in figures.values())
    return 1 if harmed else 0


if __name__ == "__main__":
    sys.exit(main())
