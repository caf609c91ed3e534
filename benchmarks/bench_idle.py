"""A node at rest: memory, CPU and wake-ups with ten peers and nothing to do.

Method: the measured node is a process of its own, and so is the group of its peers. It is one of four validators (three
are among the peers), with the parameters of a wide network: at rest they still make an empty block each 5 s. CPU is the
process's own (`process_time`: all its threads, user and system), memory its resident set at the end, a wake-up a return
of the event loop from waiting. Nothing is measured before every peer is connected and a few seconds have passed.

    python benchmarks/bench_idle.py [--json] [--peers 10] [--seconds 20] [--settle 5] [--local]

Required: under 60 MB, under 1 % of a core.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

import p2pcommerce as p2p
from p2pcommerce.primitives.compat import override
from p2pcommerce.runtime.collector import calm_collector

RSS_MB_MAX = 60
CPU_PERCENT_MAX = 1.0
VALIDATORS = 4
DAY_S = 86_400
STAKE_MINOR = 1_000_000_000
CONNECT_S = 30.0


class WakeUps(trio.abc.Instrument):
    """Counts how often the event loop returns from waiting."""

    def __init__(self) -> None:
        """Begin at none."""
        self.count = 0

    @override
    def after_io_wait(self, timeout: float) -> None:
        """Count one that had to wait."""
        self.count += timeout > 0


def identity(number: int) -> p2p.Identity:
    """Return the key of a node; the first is measured, the first four are validators."""
    return p2p.Identity.from_seed(number.to_bytes(32, "big"))


def configuration(number: int, folder: Path, *, local: bool, bootstrap: tuple[str, ...] = ()) -> p2p.NodeConfig:
    """Return the configuration of a node."""
    make = p2p.Genesis.local if local else p2p.Genesis.new
    # The same in both processes, and no network so old that nobody would trust it.
    today_s = int(time.time()) // DAY_S * DAY_S
    config = p2p.NodeConfig(
        identity=identity(number),
        genesis=make(
            "idle", {identity(member).public_key: STAKE_MINOR for member in range(VALIDATORS)}, time_ms=today_s * 1_000
        ),
        data_dir=folder / str(number),
        listen=("tcp://127.0.0.1:0",),
        bootstrap=bootstrap,
    )
    # Peers reach the measured node alone, and other validators: what they do among themselves is not measured.
    return replace(config, outbound_peers=0) if number else config


def resident_bytes() -> int:
    """Return the resident set of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


async def measured(options: argparse.Namespace) -> None:
    """Run the measured node: tell its address, wait for its peers, measure, tell the figures."""
    wakes = WakeUps()
    async with p2p.open_node(configuration(0, Path(options.node), local=options.local)) as node:
        print(json.dumps(node.listen_addresses), flush=True)
        with trio.fail_after(CONNECT_S):
            await node.wait_peers(options.peers)
        calm_collector()
        await trio.sleep(options.settle)
        trio.lowlevel.add_instrument(wakes)
        height, switches = node.height, resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        wall, cpu = time.perf_counter(), time.process_time()
        await trio.sleep(options.seconds)
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - switches
        rss_bytes = resident_bytes()
        figures = {
            "peers": len(node.peers()),
            "blocks": node.height - height,
            "measured": {"value": round(wall_s, 1), "unit": "s"},
            "rss": {"value": round(rss_bytes / 2**20, 1), "unit": "MiB"},
            "rss_mb": {"value": round(rss_bytes / 1e6, 1), "unit": "MB", "required": RSS_MB_MAX},
            "cpu": {"value": round(cpu_s / wall_s * 100, 2), "unit": "% of a core", "required": CPU_PERCENT_MAX},
            "wake_ups": {"value": round(wakes.count / wall_s, 1), "unit": "1/s"},
            "context_switches": {"value": round(switches / wall_s, 1), "unit": "1/s, voluntary, all threads"},
            "cpu_per_wake_up": {"value": round(cpu_s / max(1, wakes.count) * 1e6), "unit": "us"},
        }
    print(json.dumps(figures), flush=True)


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Start the measured node, be its peers, and return what it says."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--node", folder]
        command += [f"--{name}={getattr(options, name)}" for name in ("peers", "seconds", "settle")]
        command += ["--local"] if options.local else []
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        try:
            lines = _lines(process.stdout)
            addresses = tuple(json.loads(await anext(lines)))
            async with AsyncExitStack() as stack:
                for number in range(1, options.peers + 1):
                    config = configuration(number, Path(folder), local=options.local, bootstrap=addresses)
                    await stack.enter_async_context(p2p.open_node(config))
                figures: dict[str, object] = json.loads(await anext(lines))
            return figures
        finally:
            process.terminate()
            await process.wait()


async def _lines(stream: trio.abc.ReceiveStream | None) -> AsyncIterator[bytes]:
    """Yield the lines of a process's output.

    Raises:
        SystemExit: it ended too early.
    """
    rest = b""
    while stream is not None and (data := await stream.receive_some()):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line
    raise SystemExit("the measured node ended before it told its figures")


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description="Memory and CPU of a node at rest.")
    parser.add_argument("--peers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=5.0)
    parser.add_argument("--local", action="store_true", help="parameters of demos instead of a wide network's")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--node", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.node:
        trio.run(partial(measured, options))
        return 0
    result = trio.run(partial(run, options))
    if options.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        text = f"{value['value']} {value['unit']}" if isinstance(value, dict) else str(value)
        print(f"{name:>20}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
