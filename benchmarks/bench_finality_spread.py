"""How finality travels where not everybody is connected with everybody: to followers, and among many validators.

Simulated, without faults, whole nodes at the latencies of AWS regions. `followers`: 10 validators and 40 followers,
20 tx/s, after 5 s of settling; how long after the first node, and after the median validator, each follower has a block
final; what statuses, pushed blocks and catching up it took.

    python benchmarks/bench_finality_spread.py [--json] [--part all] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict

from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.simulation import Scenario, World, WorldOptions
from p2pcommerce.simulation.message_sizes import size_of
from p2pcommerce.simulation.result import quantile

PARTS = ("followers",)
WARM_UP_US = 5_000_000
VALIDATORS, FOLLOWERS = 10, 40
LOAD_TPS = 20
SECONDS = 30


class Watch:
    """What a world shows while it runs.

    Attributes:
        final_us: height -> node -> when it had the block final.
        sent, sent_bytes: messages by kind and sender, after the warm-up.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.final_us: dict[int, dict[int, int]] = defaultdict(dict)
        self.sent: Counter[tuple[str, int]] = Counter()
        self.sent_bytes: Counter[tuple[str, int]] = Counter()

    def __call__(self, kind: str, world_us: int, node: int, what: object) -> None:
        """Hear of one event."""
        if world_us < WARM_UP_US:
            return
        if kind == "final":
            height = getattr(getattr(getattr(what, "block", what), "header", None), "height", None)
            if isinstance(height, int):
                self.final_us[height][node] = world_us
        elif kind == "send" and isinstance(what, tuple):
            name = type(what[-1]).__name__
            self.sent[name, node] += 1
            self.sent_bytes[name, node] += size_of(what[-1])

    def count(self, name: str) -> int:
        """Return how many messages of a kind all nodes sent."""
        return sum(count for (kind, _), count in self.sent.items() if kind == name)

    def bytes_of(self, name: str) -> int:
        """Return their bytes."""
        return sum(count for (kind, _), count in self.sent_bytes.items() if kind == name)


def followers(seed: int) -> dict[str, object]:
    """Measure how long after the validators followers have a block."""
    watch = Watch()
    scenario = Scenario(
        seed=seed,
        nodes=VALIDATORS + FOLLOWERS,
        stakes=(1,) * VALIDATORS,
        load_tps=LOAD_TPS,
        horizon_us=SECONDS * 1_000_000,
        liveness_us=0,
    )
    chain = ChainParameters(base_delay_ms=1_000, term_s_min=1)
    world = World(scenario, WorldOptions(orders=False, chain=chain, watcher=watch))
    start = time.process_time()
    world.run_until(scenario.horizon_us)
    cpu_s = time.process_time() - start
    lags: list[int] = []
    lags_first: list[int] = []
    for by_node in watch.final_us.values():
        voters = sorted(at_us for node, at_us in by_node.items() if node < VALIDATORS)
        if len(voters) < VALIDATORS or len(by_node) < VALIDATORS + FOLLOWERS:
            continue  # of the end: not everybody has it yet
        for node, at_us in by_node.items():
            if node >= VALIDATORS:
                lags.append(at_us - voters[len(voters) // 2])
                lags_first.append(at_us - voters[0])
    blocks = max(1, len(watch.final_us))
    kinds = (
        "Status",
        "FinalBlock",
        "GetBlocks",
        "Blocks",
        "GetTransactions",
        "BlockTransactions",
        "GetBlock",
        "BlockBody",
    )
    return {
        "validators": VALIDATORS,
        "followers": FOLLOWERS,
        "blocks": blocks,
        "ok": world.result().is_good,
        "lag_ms_after_median_validator": {
            share: quantile(lags, bps) / 1e3 for share, bps in (("p50", 5_000), ("p90", 9_000), ("p99", 9_900))
        },
        "lag_ms_after_first_validator": {
            share: quantile(lags_first, bps) / 1e3 for share, bps in (("p50", 5_000), ("p90", 9_000), ("p99", 9_900))
        },
        "per_block_and_node": {
            name: {
                "messages": round(watch.count(name) / blocks / (VALIDATORS + FOLLOWERS), 3),
                "bytes": round(watch.bytes_of(name) / blocks / (VALIDATORS + FOLLOWERS), 1),
            }
            for name in kinds
        },
        "simulator_cpu_s": round(cpu_s, 1),
    }


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="How finality travels to those who are not connected with everybody.")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = {"followers": followers(options.seed)}
    if options.json:
        print(json.dumps(result))
    else:
        for part, figures in result.items():
            print(part)
            for name, value in figures.items():
                print(f"{name:>32}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
