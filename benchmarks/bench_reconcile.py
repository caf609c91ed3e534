"""Set reconciliation: bytes each way, coded symbols per difference and CPU, against the list of ids.

Method, code: two sets of random short ids, half of the differences on either side; coded symbols of one are compared
with the other one by one until all differences are found; the mean of some runs. Method, protocol: two routers talk
over a link by the bytes of their messages (with 21 bytes for frame and record each) until both pools are equal; counted
are all bytes but the transactions themselves: symbols, ids lacked and found, and pulls; the worst of some runs. CPU
seconds of this process are those of both sides together. The list of ids costs 8 bytes for each transaction of the
answerer.

    python benchmarks/bench_reconcile.py [--json] [--sizes 1000,10000,50000] [--differences 0,20,100,1000] [--runs 10]

Required: two pools of 10,000 that differ by 100 are equal after at most 3 kB each way (one run in ten may need some
5 % more: how many symbols are enough is a matter of luck); 1.35 coded symbols for each
difference of large sets, 1.7 for 20.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import deque
from collections.abc import Sequence

from p2pcommerce.gossip import GossipParameters, Offer, ReconcileMessage, Router, SendTo
from p2pcommerce.gossip.coding import CodedSymbols
from p2pcommerce.gossip.peeling import Peeling
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.wire.messages import (
    SHORT_ID_BYTES,
    Choose,
    Message,
    Pull,
    Transactions,
    decode_message,
    encode_message,
)
from p2pcommerce.wire.records import RECORD_OVERHEAD_BYTES

FRAMING_BYTES = 3 + RECORD_OVERHEAD_BYTES
DELAY_US = 20_000
BYTES_MAX = 3_000
PER_DIFFERENCE_MAX = 1.45
PEERS = (PublicKey(b"\x01" * 32), PublicKey(b"\x02" * 32))


class Side:
    """One of two routers, with a pool that takes everything."""

    def __init__(self, own: int, raws: Sequence[bytes], rng: random.Random) -> None:
        """Hold some transactions."""
        self.own, self.other = own, PEERS[1 - own]
        self.pool: dict[TransactionId, bytes] = {}
        self.index = IdIndex()
        self.router = Router(GossipParameters(), rng, self.pool.get, self.index, _id_of)
        self.add(raws)

    def add(self, raws: Sequence[bytes]) -> None:
        """Take transactions into the pool."""
        for raw in raws:
            self.pool[_id_of(raw)] = raw
            self.index.add(_id_of(raw))

    def take(self, message: Message, now: int) -> list[object]:
        """Take a message of the other side; what is delivered is accepted at once."""
        router, peer = self.router, self.other
        if isinstance(message, Transactions):
            effects = router.on_transactions(peer, message.items, now)
            fresh = [item for effect in effects if isinstance(effect, Offer) for item in effect.items]
            self.add([raw for _, raw in fresh])
            return [*router.on_verdicts([(tx_id, raw, Verdict.ACCEPT, peer, 1) for tx_id, raw in fresh], now)]
        if isinstance(message, Pull):
            return [*router.on_pull(peer, message.short_ids, now)]
        if isinstance(message, ReconcileMessage):
            return [*router.on_reconcile(peer, message, now)]
        return []


def _id_of(raw: bytes) -> TransactionId:
    """Return a transaction's id: these here are nothing else."""
    return TransactionId(raw)


def split(size: int, differences: int, seed: int, length: int) -> tuple[list[bytes], list[bytes]]:
    """Return two lists of random strings of `length` bytes, each of `size`, that differ in so many."""
    rng = random.Random(seed)
    first = differences // 2
    common = [rng.randbytes(length) for _ in range(size - first)]
    return (
        common + [rng.randbytes(length) for _ in range(first)],
        common + [rng.randbytes(length) for _ in range(differences - first)],
    )


def measure_code(size: int, differences: int, runs: int) -> dict[str, float]:
    """Return symbols per difference, and CPU of making and of comparing symbols."""
    used = 0
    making_s = comparing_s = 0.0
    length = max(64, 2 * differences)
    for seed in range(runs):
        ours, theirs = split(size, differences, seed, SHORT_ID_BYTES)
        known = set(ours)
        begun = time.process_time()
        local = CodedSymbols(length)
        local.add(ours)
        making_s += time.process_time() - begun
        remote = CodedSymbols(length)
        remote.add(theirs)
        begun = time.process_time()
        peeling = Peeling(local, known)
        while not peeling.is_done:
            if peeling.received == length:
                raise SystemExit(f"{differences} differences need more than {length} symbols")
            peeling.receive([(remote.values[peeling.received], remote.counts[peeling.received])])
        comparing_s += time.process_time() - begun
        used += peeling.received
    return {
        "symbols_per_difference": round(used / runs / max(1, differences), 3),
        "making_ms": round(making_s / runs * 1e3, 2),
        "comparing_ms": round(comparing_s / runs * 1e3, 2),
    }


def measure_talk(size: int, differences: int, seed: int) -> dict[str, float]:
    """Return the bytes that each side sent and the CPU that both took until their pools were equal."""
    pools = split(size, differences, seed, 32)
    sides = [Side(own, pools[own], random.Random(f"{seed}.{own}")) for own in (0, 1)]
    now = 1_000_000
    begun = time.process_time()
    wire: deque[tuple[int, int, bytes]] = deque()
    sent = [0, 0]

    def send(own: int, effects: Sequence[object]) -> None:
        for effect in effects:
            if isinstance(effect, SendTo) and not isinstance(effect.message, Choose):
                data = encode_message(effect.message)
                if not isinstance(effect.message, Transactions):
                    sent[own] += len(data) + FRAMING_BYTES
                wire.append((now + DELAY_US, 1 - own, data))

    for own, side in enumerate(sides):
        keys = (bytes([own]) * 16, bytes([1 - own]) * 16)
        send(own, side.router.on_connected(side.other, own_key=keys[0], peer_key=keys[1], outbound=not own, now=now))
    while len(sides[0].pool) + len(sides[1].pool) < 2 * size + differences or wire or _is_asking(sides[0]):
        due = [(side.router.deadline or now, 1, own) for own, side in enumerate(sides)]
        when, _, own = min([*due, *((when, 0, own) for when, own, _ in list(wire)[:1])])
        now = max(now, when)
        if wire and wire[0][0] <= now:
            _, own, data = wire.popleft()
            send(own, sides[own].take(decode_message(data), now))
        else:
            send(own, sides[own].router.on_deadline(now))
        if now > 30_000_000:
            break
    counts = [side.router.statistics() for side in sides]
    return {
        "asker_bytes": sent[0],
        "answerer_bytes": sent[1],
        "cpu_ms": round((time.process_time() - begun) * 1e3, 2),
        "symbols": counts[0].get("reconcile_symbols", 0),
        "took_list": counts[0].get("reconcile_lists", 0),
        "equal": int(set(sides[0].pool) == set(sides[1].pool)),
        "delivered_twice": sum(count.get("duplicates", 0) for count in counts),
    }


def _is_asking(side: Side) -> bool:
    counts = side.router.statistics()
    return not counts.get("reconcile_done", 0)


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return every figure."""
    code = []
    for differences in (20, 100, 1_000, 10_000):
        runs = max(1, min(options.runs, 20_000 // differences))
        figures = measure_code(max(10_000, differences), differences, runs)
        code.append({"size": max(10_000, differences), "differences": differences, "runs": runs, **figures})
    for size in (10_000, 50_000):
        figures = measure_code(size, 20, 1)
        code.append({"size": size, "differences": 20, "runs": 1, **figures})
    talks = []
    for size in options.sizes:
        for differences in options.differences:
            if differences > size:
                continue
            runs = [measure_talk(size, differences, seed) for seed in range(max(1, options.runs // 2))]
            worst = {name: max(run[name] for run in runs) for name in runs[0]} | {
                "equal": min(run["equal"] for run in runs)
            }
            talks.append({"size": size, "differences": differences, "runs": len(runs), **worst, "list_bytes": 8 * size})
    required = {"bytes_each_way_max": BYTES_MAX, "symbols_per_difference_max": PER_DIFFERENCE_MAX}
    return {"code": code, "talks": talks, "required": required}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What set reconciliation costs.")
    parser.add_argument("--sizes", type=_numbers, default=[1_000, 10_000, 50_000])
    parser.add_argument("--differences", type=_numbers, default=[0, 20, 100, 1_000])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return 0
    for name in ("code", "talks"):
        rows = result[name]
        assert isinstance(rows, list)
        print(name)
        for row in rows:
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
