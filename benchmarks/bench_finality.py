"""How fast blocks become final: in message delays, in CPU, and in milliseconds between real processes.

Simulated, without faults (`--part delays|slow|idle|cpu`): whole nodes, every message takes the same time. Finality and
the distance of blocks are in message delays; relays and nullified views are those of all engines. `slow`: delays six
times as long as D0, the engine's first guess, on every link, or on the slowest with the others up to twice as fast.
`cpu`: real Ed25519, 4, 21 and 64 validators in one process: its CPU, by validators and views, the simulator's own part
included. `certificates`: 100 signatures, as bytes and as work.

Real (`--part processes`): four validator processes on this machine, their load from this one (see `finality_load`):
rates of 200 and 1,000 tx/s, then higher ones until something is lost or p99 is above a second: the saturation point is
the highest rate before. CPU per transaction is that of a validator; it holds on a busy machine, the latencies do not.

    python benchmarks/bench_finality.py [--json] [--part all] [--seconds 60] [--rates 200,1000] [--out DIR]

With `--out` the latencies are drawn against the load, as DIR/latency-load.png (needs the extra `sim`).
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import math
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import trio
from finality_load import Measured, open_network

from p2pcommerce.finality.certificates import CERTIFICATE, Vote, VoteVerifier, make_certificate
from p2pcommerce.finality.simplex.messages import Proposal, decode_message
from p2pcommerce.finality.voting import VOTE_DOMAIN, Ballot, VoteKind
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.codec import encode
from p2pcommerce.primitives.crypto import ED25519, blake2b_256, signed_bytes
from p2pcommerce.primitives.ids import GenesisHash, Stake
from p2pcommerce.simulation import Scenario, World, WorldOptions
from p2pcommerce.simulation.result import quantile
from p2pcommerce.simulation.tables import LatencyTable, uniform
from p2pcommerce.wire.messages import Engine

PARTS = ("delays", "slow", "idle", "certificates", "cpu", "processes")
DELAY_US = 500_000
"""Long enough that the simulated disks (some ms for each sync) do not count."""
D0_US = 3_000_000
SLOW_D0_US = 50_000
SLOW_FACTOR = 6
SLOW_SEEDS = (1, 2, 3)
SLOW_S = 60
WARM_UP_US = 5_000_000
SIGNERS = 100
CPU_SIZES = {4: 30, 21: 12, 64: 6}
"""Validators -> seconds of world time."""
CPU_LOAD_TPS = 5
CPU_DELAY_US = 100_000
SEARCH_RATES = (400, 600, 800, 1_000, 1_200, 1_500, 2_000, 3_000)
REQUIRED_P50_MS = {200: 150, 1_000: 400}
REQUIRED_P99_MS = 1_000


def figure(value: float | None, unit: str, required: float | None = None) -> dict[str, object]:
    """Return one figure with its unit, and what is required of it."""
    if value is None or math.isnan(value):
        told: dict[str, object] = {"value": None, "unit": unit}
    else:
        told = {"value": round(value, 3) if value < 100 else round(value), "unit": unit}
    return told if required is None else {**told, "required": required}


class Watch:
    """What a world shows while it runs."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.final_us: dict[int, int] = {}
        self.justifies: Counter[int] = Counter()
        self._seen: set[bytes] = set()

    def __call__(self, kind: str, world_us: int, node: int, what: object) -> None:
        """Hear of one event."""
        if kind == "final":
            height = getattr(getattr(getattr(what, "block", what), "header", None), "height", None)
            if isinstance(height, int):
                self.final_us.setdefault(height, world_us)
        elif kind == "send" and isinstance(what, tuple) and isinstance(what[-1], Engine):
            self._read(what[-1].data)

    def _read(self, data: bytes) -> None:
        """Count the certificates of a proposal's justify, once."""
        if data in self._seen:
            return
        self._seen.add(data)
        message = decode_message(data)
        if isinstance(message, Proposal):
            parts = (message.justify.parent, message.justify.nullification)
            self.justifies[sum(part is not None for part in parts)] += 1


def world_of(
    validators: int,
    seconds: float,
    *,
    delay_us: int,
    base_delay_us: int,
    load_tps: int,
    watch: Watch,
    real: bool = False,
    table: LatencyTable | None = None,
) -> World:
    """Return a world without faults in which every message takes the same time."""
    scenario = Scenario(
        seed=1,
        nodes=validators,
        stakes=(1,) * validators,
        load_tps=load_tps,
        base_delay_us=base_delay_us,
        horizon_us=round(seconds * 1e6),
        liveness_us=0,
    )
    # An interval of 1 ms: what is measured is the engine, not the pace it is asked to keep.
    chain = ChainParameters(base_delay_ms=base_delay_us // 1_000, block_interval_ms=1, term_s_min=1, confirm_s_min=1)
    options = WorldOptions(
        orders=False,
        table=uniform(delay_us) if table is None else table,
        chain=chain,
        watcher=watch,
        scheme=ED25519 if real else None,
    )
    return World(scenario, options)


def counted(world: World, name: str) -> int:
    """Return the sum of a counter over all engines."""
    return sum(host.engine.status().counters.get(name, 0) for host in world.hosts if host.engine is not None)


def distances(watch: Watch) -> list[int]:
    """Return the times between final blocks, once the network has settled."""
    times = [at_us for _, at_us in sorted(watch.final_us.items()) if at_us > WARM_UP_US]
    return [late - early for early, late in itertools.pairwise(times)]


def delays() -> dict[str, object]:
    """Measure message delays to finality and between blocks."""
    watch = Watch()
    world = world_of(4, 300, delay_us=DELAY_US, base_delay_us=D0_US, load_tps=5, watch=watch)
    world.run_until(world.scenario.horizon_us)
    result = world.result()
    views = max(1, counted(world, "views"))
    return {
        "validators": 4,
        "message_delay": figure(DELAY_US / 1e3, "ms"),
        "blocks": max(result.heights),
        "finality": figure(result.finality_delays(5_000), "message delays, median", 3.0),
        "finality_p99": figure(result.finality_delays(9_900), "message delays"),
        "block_distance": figure(quantile(distances(watch), 5_000) / DELAY_US, "message delays, median", 2.0),
        "relays_per_view": figure(counted(world, "relays") / views, "messages per view and validator", 0),
        "nullified_views": figure(counted(world, "views_nullified") / views, "share of views", 0),
        "justify_certificates_max": figure(max(watch.justifies, default=0), "certificates", 2),
    }


def links_between(low_us: int, high_us: int, validators: int, seed: int) -> LatencyTable:
    """Return a table in which each direction of each pair of nodes has a delay of its own, always the same."""
    rng = random.Random(seed)
    rows = tuple(tuple(rng.randint(low_us, high_us) for _ in range(validators)) for _ in range(validators))
    return LatencyTable(
        name="drawn",
        regions=tuple(str(node) for node in range(validators)),
        one_way_us=rows,
        jitter_us=tuple((0,) * validators for _ in range(validators)),
        weights=(1,) * validators,
        source=f"none: delays drawn evenly from {low_us} to {high_us} us",
    )


def slow() -> dict[str, object]:
    """Let messages take up to six times as long as the engine expects at first.

    A block takes two delays: where every delay is the longest, 50 blocks in 100 delays are all there can be.
    """
    longest_us = SLOW_FACTOR * SLOW_D0_US
    tables = {"always": uniform(longest_us)}
    tables |= {f"half to whole, {seed}": links_between(longest_us // 2, longest_us, 4, seed) for seed in SLOW_SEEDS}
    found: dict[str, object] = {"longest_delay": figure(SLOW_FACTOR, "D0")}
    for name, table in tables.items():
        watch = Watch()
        world = world_of(
            4, SLOW_S, delay_us=longest_us, base_delay_us=SLOW_D0_US, load_tps=20, watch=watch, table=table
        )
        world.run_until(world.scenario.horizon_us)
        spans = distances(watch)
        blocks = 100 * longest_us * len(spans) / sum(spans) if spans else 0.0
        views = max(1, counted(world, "views"))
        found[name] = {
            "blocks_per_100_delays": figure(blocks, "blocks", 45 if name == "always" else 60),
            "nullified_views": figure(counted(world, "views_nullified") / views, "share of views"),
            "justify_certificates_max": figure(max(watch.justifies, default=0), "certificates", 2),
        }
    return found


def idle() -> dict[str, object]:
    """Leave a network alone for two minutes."""
    watch = Watch()
    world = world_of(4, 120, delay_us=DELAY_US, base_delay_us=D0_US, load_tps=0, watch=watch)
    world.run_until(world.scenario.horizon_us)
    return {
        "blocks": max(world.result().heights),
        "nullified_views": figure(counted(world, "views_nullified"), "views", 0),
        "relays": figure(counted(world, "relays"), "messages", 0),
        "standstills": figure(counted(world, "standstills"), "repetitions", 0),
    }


def certificates() -> dict[str, object]:
    """Make and verify a certificate of 100 signatures."""
    genesis_hash = GenesisHash(blake2b_256(b"bench"))
    seeds = {ED25519.public_key(seed): seed for seed in (blake2b_256(b"%d" % number) for number in range(SIGNERS))}
    validators = ValidatorSet.of(Validator(key, Stake(1)) for key in seeds)
    ballot = Ballot(0, 7, VoteKind.FINALIZE, blake2b_256(b"block"))
    message = signed_bytes(VOTE_DOMAIN, genesis_hash, ballot.data)
    votes = [Vote(ballot, index, ED25519.sign(seeds[key], message)) for index, key in enumerate(validators.keys)]
    certificate = make_certificate(votes, validators)
    spent = []
    for _ in range(20):
        verifier = VoteVerifier(validators, genesis_hash, ED25519)
        start = time.process_time()
        verifier.check(certificate)
        spent.append(time.process_time() - start)
    return {
        "signatures": SIGNERS,
        "size": figure(len(encode(CERTIFICATE, certificate)) / 1e3, "KB", 6.6),
        "verify": figure(sorted(spent)[len(spent) // 2] * 1e3, "ms of CPU, median of 20", 6),
    }


def cpu() -> dict[str, object]:
    """Measure CPU by validators and views, with real signatures."""
    found: dict[str, object] = {}
    for validators, seconds in CPU_SIZES.items():
        watch = Watch()
        world = world_of(
            validators,
            seconds,
            delay_us=CPU_DELAY_US,
            base_delay_us=1_000_000,
            load_tps=CPU_LOAD_TPS,
            watch=watch,
            real=True,
        )
        world.run_until(2_000_000)  # connections, and the questions of the start
        start, before = time.process_time(), counted(world, "views")
        signatures = -counted(world, "signatures_verified")
        world.run_until(world.scenario.horizon_us)
        spent_s, views = time.process_time() - start, max(1, counted(world, "views") - before)
        signatures += counted(world, "signatures_verified")
        found[f"{validators} validators"] = {
            "views": round(views / validators),
            "cpu": figure(spent_s / views * 1e3, "ms of CPU per view and validator"),
            "signatures": figure(signatures / views, "verified per view and validator"),
        }
    return found


# --- real processes ---


async def processes(rates: Sequence[int], seconds: float, search_s: float, out: Path | None) -> dict[str, object]:
    """Run four validators at the given rates, and at rising ones until they cannot follow."""
    runs: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        async with open_network(Path(folder)) as network:
            runs += [await network.run(rate, seconds) for rate in rates]
            for rate in sorted(set(SEARCH_RATES) - set(rates)) if search_s else ():
                runs.append(await network.run(rate, search_s))
                if not runs[-1].sustained:
                    break
    if out is not None:
        draw(runs, out)
    carried = [run.rate for run in runs if run.sustained]
    return {
        "validators": 4,
        "transaction": figure(250, "bytes"),
        "machine": figure(len(os.sched_getaffinity(0)), "cores, shared with the load"),
        "other_load": figure(os.getloadavg()[0], "processes wanting a core at the end, these included"),
        "saturation": figure(max(carried, default=0), "tx/s: the highest rate with nothing lost and p99 of 1 s"),
        **{f"{run.rate} tx/s for {run.seconds:g} s": told(run) for run in runs},
    }


def told(run: Measured) -> dict[str, object]:
    """Return the figures of one run."""
    return {
        "submitted": run.submitted,
        "final": run.final,
        "refused": run.refused,
        **({"refusals": dict(run.refusals)} if run.refusals else {}),
        "lost": figure(run.lost, "transactions", 0),
        "carried": figure(run.final / run.spent_s if run.spent_s else None, "tx/s until the last was final"),
        "p50": figure(run.quantile_ms(0.5), "ms", REQUIRED_P50_MS.get(run.rate)),
        "p99": figure(run.quantile_ms(0.99), "ms", REQUIRED_P99_MS),
        "blocks": run.blocks,
        "cpu": figure(run.cpu_us_per_transaction, "us of CPU per transaction and validator"),
        "load_cpu": figure(run.load_cpu_s / max(1, run.final) * 1e6, "us of CPU per transaction, of the load"),
        "load_lag": figure(run.lag_ms, "ms at most, until a validator took what was due"),
    }


def draw(runs: Sequence[Measured], out: Path) -> None:
    """Draw the latencies against the load."""
    importlib.import_module("matplotlib").use("Agg")  # an extra that only this needs
    plt = importlib.import_module("matplotlib.pyplot")
    ordered = sorted((run for run in runs if run.final), key=lambda run: run.rate)
    out.mkdir(parents=True, exist_ok=True)
    figure_, axes = plt.subplots(figsize=(6, 4))
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        axes.plot([run.rate for run in ordered], [run.quantile_ms(share) for run in ordered], marker="o", label=label)
    axes.set(xlabel="load [tx/s of 250 B]", ylabel="submit to final [ms]", yscale="log", title="4 validator processes")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure_.tight_layout()
    for path in (out / "latency-load.png", out / "latency-load.svg"):
        figure_.savefig(path, dpi=150)
        print(f"wrote {path}", file=sys.stderr)


def run(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Run the chosen parts and return their figures."""
    parts = PARTS if options.part == "all" else (options.part,)
    simple = {"delays": delays, "slow": slow, "idle": idle, "certificates": certificates, "cpu": cpu}
    found = {name: part() for name, part in simple.items() if name in parts}
    if "processes" in parts:
        rates = [int(rate) for rate in options.rates.split(",") if rate]
        found["processes"] = trio.run(processes, rates, options.seconds, options.search, options.out)
    return found


def shown(value: object) -> str:
    """Return a figure in words."""
    if not isinstance(value, dict):
        return str(value)
    if "unit" not in value:
        return "; ".join(f"{name} {shown(each)}" for name, each in value.items())
    required = f"  (required: {value['required']})" if "required" in value else ""
    return f"{value['value']} {value['unit']}{required}"


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="How fast blocks become final.")
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    parser.add_argument("--rates", default="200,1000", help="tx/s, with commas between")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of these")
    parser.add_argument("--search", type=float, default=15.0, help="seconds of each higher rate; 0: no search")
    parser.add_argument("--out", type=Path, help="folder for the picture")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    result = run(options)
    if options.json:
        print(json.dumps(result))
    else:
        for part, figures in result.items():
            print(part)
            for name, value in figures.items():
                print(f"{name:>26}  {shown(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
