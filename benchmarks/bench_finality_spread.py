"""How finality travels where not everybody is connected with everybody: to followers, and among many validators.

Simulated, whole nodes at the latencies of AWS regions, a stand-in for Ed25519, base delay 1 s.

`followers`: 10 validators and 40 followers, 20 tx/s, after 5 s of settling: how long after the first validator, and
after the median one, each follower has a block final, and what messages of which kinds it took.

`validators`: `--validators` of them, 5 tx/s, told straight up to `--direct-max`, relayed beyond; `--mute` of them
connect and then say and pass on nothing; `--faults` crash them and part the network (`simulation.FAULTS`) for the first
two thirds of the time. After 3 s: message delays to finality (of the median pair of regions), connections, bytes of
finality messages and signatures verified by validators and views, and CPU, the simulator's own part included.

    python benchmarks/bench_finality_spread.py [--json] [--part followers|validators] [--seed 1]
        [--validators 80] [--direct-max 64] [--seconds 10] [--mute 0] [--faults crash=0.1,partition=0.1]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict

from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.simulation import STAND_IN, Scenario, World, WorldOptions
from p2pcommerce.simulation.message_sizes import size_of
from p2pcommerce.simulation.result import quantile
from p2pcommerce.simulation.scenario import Adversary
from p2pcommerce.wire.messages import Engine, Relayed, RelayIds

PARTS = ("followers", "validators")
VALIDATORS, FOLLOWERS = 10, 40
FOLLOWERS_S = 30
FOLLOWERS_WARM_UP_US = 5_000_000
WARM_UP_US = 3_000_000
KINDS_OF_BLOCKS = ("Status", "FinalBlock", "GetBlocks", "Blocks", "GetTransactions", "BlockTransactions")
KINDS_OF_FINALITY = ("Engine", "Relayed", "RelayIds", "RelayRole")
SHARES = (("p50", 5_000), ("p90", 9_000), ("p99", 9_900))


TAGS = {1: "votes", 2: "certificates", 3: "proposals"}
"""What messages of Simplex are, by their first byte."""


class Watch:
    """What a world shows while it runs.

    Attributes:
        final_us: height -> node -> when it had the block final.
        sent, sent_bytes: messages by kind, after the warm-up.
    """

    def __init__(self, warm_up_us: int) -> None:
        """Begin with nothing seen; leave out what is before `warm_up_us`."""
        self.final_us: dict[int, dict[int, int]] = defaultdict(dict)
        self.sent: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self._warm_up_us = warm_up_us

    def __call__(self, kind: str, world_us: int, node: int, what: object) -> None:
        """Hear of one event."""
        if world_us < self._warm_up_us:
            return
        if kind == "final":
            height = getattr(getattr(getattr(what, "block", what), "header", None), "height", None)
            if isinstance(height, int):
                self.final_us[height][node] = world_us
        elif kind == "send" and isinstance(what, tuple):
            name = type(what[-1]).__name__
            self.sent[name] += 1
            self.sent_bytes[name] += size_of(what[-1])
            self._look_into(what[-1])

    def _look_into(self, message: object) -> None:
        """Count what is in a message of finality, by what it is."""
        if isinstance(message, Engine):
            self._count(f"straight.{TAGS.get(message.data[0], 'other')}", len(message.data))
        elif isinstance(message, Relayed):
            for item in message.items:
                self._count(f"pushed.{TAGS.get(item[0], 'other')}", len(item) + 3)
        elif isinstance(message, RelayIds):
            way = "pulled" if message.is_pull else "told"
            self._count(f"{way}.ids", 8 * len(message.short_ids), len(message.short_ids))
            votes = sum(int.from_bytes(bitmap, "little").bit_count() for _, bitmap in message.places)
            self._count(f"{way}.votes", sum(13 + len(bitmap) for _, bitmap in message.places), votes)

    def _count(self, name: str, size: int, count: int = 1) -> None:
        self.sent[name] += count
        self.sent_bytes[name] += size

    def each(self, kinds: tuple[str, ...], count: int) -> dict[str, object]:
        """Return messages and bytes of some kinds, divided by `count`."""
        return {
            name: {
                "messages": round(self.sent[name] / count, 3),
                "bytes": round(self.sent_bytes[name] / count, 1),
            }
            for name in kinds
        }


def followers(seed: int) -> dict[str, object]:
    """Measure how long after the validators followers have a block."""
    watch = Watch(FOLLOWERS_WARM_UP_US)
    scenario = Scenario(
        seed=seed,
        nodes=VALIDATORS + FOLLOWERS,
        stakes=(1,) * VALIDATORS,
        load_tps=20,
        horizon_us=FOLLOWERS_S * 1_000_000,
        liveness_us=0,
    )
    chain = ChainParameters(base_delay_ms=1_000, term_s_min=1, confirm_s_min=1)
    world = World(scenario, WorldOptions(orders=False, chain=chain, scheme=STAND_IN, watcher=watch))
    start = time.process_time()
    world.run_until(scenario.horizon_us)
    cpu_s = time.process_time() - start
    after_median: list[int] = []
    after_first: list[int] = []
    for by_node in watch.final_us.values():
        voters = sorted(at_us for node, at_us in by_node.items() if node < VALIDATORS)
        if len(by_node) < VALIDATORS + FOLLOWERS:
            continue  # of the end: not everybody has it yet
        of_followers = [at_us for node, at_us in by_node.items() if node >= VALIDATORS]
        after_median += [at_us - voters[len(voters) // 2] for at_us in of_followers]
        after_first += [at_us - voters[0] for at_us in of_followers]
    blocks = max(1, len(watch.final_us))
    return {
        "validators": VALIDATORS,
        "followers": FOLLOWERS,
        "blocks": blocks,
        "is_good": world.result().is_good,
        "ms_after_median_validator": {name: quantile(after_median, share) / 1e3 for name, share in SHARES},
        "ms_after_first_validator": {name: quantile(after_first, share) / 1e3 for name, share in SHARES},
        "per_block_and_node": watch.each(KINDS_OF_BLOCKS, blocks * (VALIDATORS + FOLLOWERS)),
        "cpu_s": round(cpu_s, 1),
    }


def counted(world: World, room: str, name: str) -> int:
    """Return the sum of a counter over all nodes that run."""
    return sum(host.node.statistics()[room].get(name, 0) for host in world.hosts if host.is_up)


def validators(options: argparse.Namespace) -> dict[str, object]:
    """Measure what finality costs among many validators."""
    watch = Watch(WARM_UP_US)
    count, horizon_us = options.validators, round(options.seconds * 1e6)
    faults = {
        name: float(share) for name, _, share in (each.partition("=") for each in options.faults.split(",")) if name
    }
    mute = (Adversary("mute", tuple(range(count - options.mute, count))),) if options.mute else ()
    scenario = Scenario(
        seed=options.seed,
        nodes=count,
        stakes=(1,) * count,
        load_tps=5,
        horizon_us=horizon_us,
        liveness_us=horizon_us // 3 if faults else 0,
        faults=faults,
        adversaries=mute,
    )
    parameters = NodeParameters(relay=RelayParameters(direct_max=options.direct_max))
    chain = ChainParameters(base_delay_ms=1_000, term_s_min=1, confirm_s_min=1)
    world = World(
        scenario, WorldOptions(orders=False, chain=chain, scheme=STAND_IN, watcher=watch, parameters=parameters)
    )
    world.run_until(WARM_UP_US)
    start, views = time.process_time(), counted(world, "finality", "views")
    signatures = counted(world, "finality", "signatures_verified")
    world.run_until(horizon_us)
    cpu_s = time.process_time() - start
    views = max(1, counted(world, "finality", "views") - views)
    signatures = counted(world, "finality", "signatures_verified") - signatures
    result = world.result()
    peers = [len(host.attached) for host in world.hosts if host.is_up]
    return {
        "validators": count,
        "mute": options.mute,
        "faults": faults,
        "is_relayed": count > options.direct_max,
        "is_good": result.is_good,
        "heights": [min(result.heights), max(result.heights)],
        "views_of_all": views,
        "views_nullified": counted(world, "finality", "views_nullified"),
        "message_delay_ms": world.delay_us / 1e3,
        "delays_to_finality": {name: round(result.finality_delays(share), 2) for name, share in SHARES},
        "peers": {"mean": round(sum(peers) / len(peers), 1), "most": max(peers)},
        "per_view_and_validator": {
            **watch.each(KINDS_OF_FINALITY, views),
            "of_these": watch.each(tuple(sorted(name for name in watch.sent if "." in name)), views),
            "bytes": round(sum(watch.sent_bytes[name] for name in KINDS_OF_FINALITY) / views),
            "signatures_verified": round(signatures / views, 1),
            "cpu_ms": round(cpu_s / views * 1e3, 2),
        },
        "relays_rejected": counted(world, "gossip", "relayed_reject"),
        "promises_broken": counted(world, "gossip", "relay_promises_broken"),
    }


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="How finality travels to those who are not connected with everybody.")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--validators", type=int, default=80)
    parser.add_argument("--direct-max", type=int, default=RelayParameters().direct_max)
    parser.add_argument("--seconds", type=float, default=10.0, help="of world time")
    parser.add_argument("--mute", type=int, default=0)
    parser.add_argument("--faults", default="", help="kind=intensity, with commas between")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result: dict[str, dict[str, object]] = {}
    if options.part in {"all", "followers"}:
        result["followers"] = followers(options.seed)
    if options.part in {"all", "validators"}:
        result["validators"] = validators(options)
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
