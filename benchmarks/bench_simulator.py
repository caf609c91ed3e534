"""Speed of the simulator: how many events and how many worlds a core works off in a second.

Four parts, from bare to whole. `links`: the event queue and the links alone; each message that arrives sends the next,
and nobody looks at it: the cost of simulating without anything to simulate. `finality`: worlds of 4 validators over 60
simulated seconds, messages passed as objects. `network`: worlds of 7 nodes, 4 of them validators, with real sessions,
encryption and orders. Both once without faults and once with those that each seed draws. `gossip`: one world of 1,000
nodes, 10 messages a second, by the product's router.

    python benchmarks/bench_simulator.py [--json] [--first-seed 1] [--seeds 4] [--load 5] [--nodes 1000] [--part all]

CPU is that of this one process: one core. The seeds of a part give the same worlds, and the same trace hash, in each
run of the same sources: compare figures only where the hashes agree, or where it is known why they do not.

Required: 40,000 events/s of CPU; 50 seeds/min and core of `finality`, 15 of `network`, in their worlds without faults;
0.25 of real time for `gossip`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass

from p2pcommerce.simulation import EventQueue, Links, Scenario, Streams, table
from p2pcommerce.simulation.campaign import Campaign
from p2pcommerce.simulation.gossip import GossipScenario, run_gossip
from p2pcommerce.simulation.outcome import run_seed
from p2pcommerce.simulation.tally import Tally

PARTS = ("links", "finality", "network", "gossip")
LINK_NODES = 100
LINK_MESSAGES = 2_000
"""On their way at any time."""
LINK_BYTES = 300
LINK_EVENTS = 300_000
VALIDATORS = 4
NODES = {"finality": 4, "network": 7}
FAULTS = ("none", "all")
GOSSIP_RATE = 10.0
"""Messages per second of world time, the warm-up's too."""
GOSSIP_WARMUP_S = 2.0
GOSSIP_MESSAGES = 30
REQUIRED_EVENTS_PER_S = 40_000
REQUIRED_SEEDS_PER_MIN = {"finality": 50, "network": 15}
REQUIRED_REALTIME = 0.25


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work took.

    Attributes:
        cpu_s: CPU seconds of this process.
        wall_s: seconds.
    """

    cpu_s: float
    wall_s: float


class Stopwatch:
    """CPU and wall time since it was made."""

    def __init__(self) -> None:
        """Start."""
        self._cpu_s = time.process_time()
        self._wall_s = time.perf_counter()

    def read(self) -> Cost:
        """Return what was spent so far."""
        return Cost(time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s)


def figure(value: float, unit: str, required: float | None = None) -> dict[str, object]:
    """Return one figure with its unit, and what is required of it."""
    told: dict[str, object] = {"value": round(value, 3) if value < 100 else round(value), "unit": unit}
    return told if required is None else {**told, "required": required}


def links(seed: int) -> dict[str, object]:
    """Let messages bounce between nodes that do nothing."""
    streams = Streams(seed)
    net = Links(table("aws"), streams, nodes=LINK_NODES)
    queue: EventQueue[int] = EventQueue()
    hops = streams.of("hops").choices(range(1, LINK_NODES), k=LINK_EVENTS)
    for number in range(LINK_MESSAGES):
        queue.push(number, number % LINK_NODES, number)
    watch = Stopwatch()
    for hop in hops:
        now_us, _, node, message = queue.pop()
        target = (node + hop) % LINK_NODES
        for arrives_us in net.transmit(node, target, LINK_BYTES, now_us):
            queue.push(arrives_us, target, message)
    cost = watch.read()
    return {
        "seed": seed,
        "nodes": LINK_NODES,
        "events": LINK_EVENTS,
        "events_per_s": figure(LINK_EVENTS / cost.cpu_s, "1/s of CPU", REQUIRED_EVENTS_PER_S),
        "cpu_per_event": figure(cost.cpu_s / LINK_EVENTS * 1e6, "us"),
        "wall": figure(cost.wall_s, "s"),
    }


def worlds(stack: str, faults: str, first_seed: int, seeds: int, load_tps: int) -> dict[str, object]:
    """Run the worlds of some seeds, one after the other, as a worker of a sweep does."""
    base = Scenario(seed=0, nodes=NODES[stack], stakes=(1,) * VALIDATORS, load_tps=load_tps)
    campaign = Campaign.of(base, stack, first_seed, seeds, faults=faults)
    tally = Tally()
    watch = Stopwatch()
    for task in campaign.tasks():
        tally.add(run_seed(task))
    cost = watch.read()
    world_s = seeds * base.horizon_us / 1e6
    required = REQUIRED_SEEDS_PER_MIN[stack] if faults == "none" else None
    return {
        "seeds": f"{first_seed}-{first_seed + seeds - 1}",
        "nodes": base.nodes,
        "load": figure(load_tps, "transactions/s of world time"),
        "trace_hash": tally.trace_hash,
        "failed_seeds": tally.violated + tally.stalled,
        "finalized": tally.finalized,
        "events_per_seed": tally.events // seeds,
        "events_per_s": figure(tally.events / cost.cpu_s, "1/s of CPU", REQUIRED_EVENTS_PER_S),
        "cpu_per_event": figure(cost.cpu_s / tally.events * 1e6, "us"),
        "cpu_per_seed": figure(cost.cpu_s / seeds, "s"),
        "seeds_per_min": figure(60 * seeds / cost.cpu_s, "1/min of CPU", required),
        "realtime_factor": figure(world_s / cost.cpu_s, "s of world time per s of CPU"),
        "wall": figure(cost.wall_s, "s"),
    }


def gossip(seed: int, nodes: int) -> dict[str, object]:
    """Run one world of gossip."""
    scenario = GossipScenario(
        seed=seed,
        nodes=nodes,
        rate=GOSSIP_RATE,
        transactions=GOSSIP_MESSAGES,
        warmup_s=GOSSIP_WARMUP_S,
        warmup_rate=GOSSIP_RATE,
    )
    watch = Stopwatch()
    result = run_gossip(scenario)
    cost = watch.read()
    return {
        "seed": seed,
        "nodes": nodes,
        "rate": figure(GOSSIP_RATE, "messages/s of world time"),
        "trace_hash": result.trace_hash,
        "delivered": figure(result.delivered, "share"),
        "events": result.events,
        "events_per_s": figure(result.events / cost.cpu_s, "1/s of CPU", REQUIRED_EVENTS_PER_S),
        "cpu_per_event": figure(cost.cpu_s / result.events * 1e6, "us"),
        "world": figure(result.world_s, "s"),
        "realtime_factor": figure(result.world_s / cost.cpu_s, "s of world time per s of CPU", REQUIRED_REALTIME),
        "wall": figure(cost.wall_s, "s"),
    }


def run(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Run the chosen parts and return their figures."""
    parts = PARTS if options.part == "all" else (options.part,)
    found: dict[str, dict[str, object]] = {}
    if "links" in parts:
        found["links"] = links(options.first_seed)
    for stack in NODES:
        if stack in parts:
            for faults in FAULTS:
                found[f"{stack}, faults {faults}"] = worlds(
                    stack, faults, options.first_seed, options.seeds, options.load
                )
    if "gossip" in parts:
        found["gossip"] = gossip(options.first_seed, options.nodes)
    found["process"] = {"rss_max": figure(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")}
    return found


def shown(value: object) -> str:
    """Return a figure in words."""
    if not isinstance(value, dict):
        return str(value)
    required = f"  (required: {value['required']})" if "required" in value else ""
    return f"{value['value']} {value['unit']}{required}"


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="Events and worlds that the simulator works off.")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=4, help="worlds of each kind")
    parser.add_argument("--load", type=int, default=5, help="transactions per second of world time")
    parser.add_argument("--nodes", type=int, default=1_000, help="of the gossip world")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    result = run(options)
    if options.json:
        print(json.dumps(result))
    else:
        for part, figures in result.items():
            print(part)
            for name, value in figures.items():
                print(f"{name:>20}  {shown(value)}")
    return 1 if any(figures.get("failed_seeds") for figures in result.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
