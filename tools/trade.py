"""Worlds of random trade on the real application, until so many operations were executed; one JSON line for each world.

    python tools/trade.py [--operations 1000000] [--world 4000] [--seed 1] [--out FILE]

Properties are checked after every transaction, and each world ends with nobody cooperating and a stranger settling
everything. A world that breaks one is named with its seed, and the program ends with status 1. With `--out` the worlds
that the file holds already are not run again, so that a long run can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.simulation.trade import run_trade


def main(arguments: Sequence[str] | None = None) -> int:
    """Run worlds; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000, help="transactions to execute in all worlds")
    parser.add_argument("--world", type=int, default=4_000, help="transactions of one world")
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--out", type=Path, help="file of results, one line for each world; a run goes on with it")
    options = parser.parse_args(arguments)
    lines = options.out.read_text().splitlines() if options.out is not None and options.out.exists() else []
    rows = [json.loads(line) for line in lines]
    done, seed = sum(row["operations"] for row in rows), options.seed + len(rows)
    while done < options.operations:
        started = time.process_time()
        try:
            result = run_trade(seed, options.world)
        except KeyboardInterrupt:
            return 130
        except P2PError as error:
            sys.stderr.write(f"seed {seed}, {options.world} operations: {type(error).__name__}: {error}\n")
            return 1
        row = dataclasses.asdict(result) | {"cpu_s": round(time.process_time() - started, 1)}
        done, seed = done + result.operations, seed + 1
        _write(options.out, json.dumps(row))
    sys.stdout.write(
        f"{done} operations in {seed - options.seed} worlds; every property held after every transaction\n"
    )
    return 0


def _write(out: Path | None, line: str) -> None:
    if out is None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return
    with out.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
