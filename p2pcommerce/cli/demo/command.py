"""`p2pcommerce demo`: the command line of the demo."""

from __future__ import annotations

import argparse
import importlib.util
import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, TextIO

from p2pcommerce.cli.demo.abuse.police import FRAUDS
from p2pcommerce.cli.demo.byzantine.offender import NODES_MIN as HONEST_MIN
from p2pcommerce.cli.demo.demo import View, run_demo
from p2pcommerce.cli.demo.folder import NODES_MAX
from p2pcommerce.cli.demo.founding_story import tell_story
from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.demo.outage import NODES_MIN
from p2pcommerce.cli.demo.plain import PlainView
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, print_json
from p2pcommerce.finality import ENGINES, Simplex, Solo
from p2pcommerce.workload import SCALES

__all__ = ["add"]

_ALL: Final = "all"
_RATE: Final = 50.0
_RATE_MAX: Final = 5_000.0
_PEAK_MAX: Final = 20.0
_DURATION_S: Final = 60.0
_DURATION_MAX_S: Final = 7 * 86_400.0


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="watch a network of real processes make real orders final",
        description="Found a network of validators on this machine, each a process of its own, trade on it, and check "
        "at the end that all hold the same state and that one product's history can be proven offline.",
        epilog="example: p2pcommerce demo --nodes 4 --rate 100 --duration 30 --kill-one",
        allow_abbrev=False,
    )
    parser.add_argument("--nodes", type=int, metavar="N", help="validators (default 4)")
    parser.add_argument("--engine", choices=tuple(ENGINES), help="finality engine (default simplex; of one node solo)")
    parser.add_argument(
        "--orders", type=Path, metavar="CSV", help="retail orders, a file or a folder of them (default: made up)"
    )
    parser.add_argument("--epcis", type=Path, metavar="FOLDER", help="EPCIS documents (default: made-up custody)")
    parser.add_argument(
        "--workload",
        choices=tuple(SCALES),
        help="a whole market: 50, 1,000 or 10,000 stores, with its rate and its peaks",
    )
    parser.add_argument(
        "--flash-sale", action="store_true", help="three of ten orders are for one listing, of which there are too few"
    )
    parser.add_argument(
        "--abuse",
        choices=(*FRAUDS, _ALL),
        help="try a fraud on the running network, or all of them, and tell what it gained",
    )
    parser.add_argument(
        "--rate", type=float, metavar="TX", help="transactions per second (default 50, or that of the workload)"
    )
    parser.add_argument(
        "--peak",
        type=float,
        metavar="X",
        help="X times the rate in the last 5 s of every 30 s (default 1, or that of the workload)",
    )
    parser.add_argument("--duration", type=float, metavar="S", help=f"seconds of load (default {_DURATION_S:g})")
    parser.add_argument("--forever", action="store_true", help="until Ctrl-C")
    parser.add_argument("--kill-one", action="store_true", help="kill -9 a validator in the middle, and start it again")
    parser.add_argument(
        "--byzantine",
        type=int,
        default=0,
        metavar="N",
        help="1: a newcomer bonds, validates, signs two blocks for one place, and is slashed (default 0)",
    )
    parser.add_argument("--dir", type=Path, metavar="DIR", help="keep the network in DIR, and go on with the one there")
    parser.add_argument("--seed", type=int, metavar="N", help="of all that is made up (default: random)")
    parser.add_argument(
        "--story",
        action="store_true",
        help="no load: tell one story step by step, from the origin of some goods to a scanned proof",
    )
    add_json(parser)
    parser.set_defaults(handler=_demo)


def _demo(args: argparse.Namespace) -> int:
    scale = None if args.workload is None else SCALES[args.workload]
    if args.story:
        _check_story(args)
    if args.duration is None:
        args.duration = _DURATION_S
    if args.rate is None:
        args.rate = _RATE if scale is None else scale.rate_per_s
    if args.peak is None:
        args.peak = 1.0 if scale is None else scale.peak
    _check(args)
    scratch = None if args.dir is not None else Path(tempfile.mkdtemp(prefix="p2pcommerce-demo-"))
    try:
        options = DemoOptions(
            folder=args.dir if scratch is None else scratch,
            nodes=args.nodes,
            engine=args.engine,
            orders=args.orders,
            epcis=args.epcis,
            rate_per_s=args.rate,
            peak=args.peak,
            duration_s=math.inf if args.forever else args.duration,
            kill_one=args.kill_one,
            byzantine=args.byzantine,
            seed=args.seed,
            scale=scale,
            flash_sale=args.flash_sale,
            abuse=tuple(FRAUDS) if args.abuse == _ALL else tuple(filter(None, [args.abuse])),
        )
        run = _tell if args.story else _run
        return run_async(lambda: run(options, as_json=args.json))
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _check(args: argparse.Namespace) -> None:
    if args.nodes is not None and not 1 <= args.nodes <= NODES_MAX:
        raise ArgumentError(f"--nodes must be 1 to {NODES_MAX}")
    if args.engine == Solo.name and args.nodes not in {None, 1}:
        raise ArgumentError(f"--engine {Solo.name} is one validator's: give --nodes 1, or choose another engine")
    if args.kill_one and args.nodes is not None and args.nodes < NODES_MIN:
        raise ArgumentError(f"--kill-one needs --nodes {NODES_MIN} or more: of fewer none can be missed")
    _check_byzantine(args)
    _check_market(args)
    if not 0.1 <= args.rate <= _RATE_MAX:
        raise ArgumentError(f"--rate must be 0.1 to {_RATE_MAX:g} transactions per second")
    if not 1 <= args.peak <= _PEAK_MAX:
        raise ArgumentError(f"--peak must be 1 to {_PEAK_MAX:g} times the rate")
    if not 1 <= args.duration <= _DURATION_MAX_S:
        raise ArgumentError(f"--duration must be 1 to {_DURATION_MAX_S:g} seconds; --forever has no end")
    if args.orders is not None and not args.orders.exists():
        raise ArgumentError(f"{args.orders}: no such file or folder; give a CSV file of orders or a folder of them")
    if args.epcis is not None and not args.epcis.is_dir():
        raise ArgumentError(f"{args.epcis}: no such folder; give a folder of EPCIS documents")


def _check_story(args: argparse.Namespace) -> None:
    """Refuse whatever would shape a load: a story has none, and an option without an effect misleads."""
    names = ("orders", "epcis", "kill_one", "byzantine", "forever", "workload", "flash_sale", "abuse")
    given = [name for name in names if getattr(args, name)]
    given += [name for name in ("rate", "peak", "duration") if getattr(args, name) is not None]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ArgumentError(f"--story is told as it is: leave {options} out")


def _check_market(args: argparse.Namespace) -> None:
    if args.workload is not None and args.orders is not None:
        raise ArgumentError("--workload makes its orders up: leave --orders out, or --workload")
    if args.flash_sale and (args.orders is not None or args.forever):
        raise ArgumentError("--flash-sale needs made-up orders and an end: leave --orders and --forever out")
    if args.abuse and args.forever:
        raise ArgumentError("--abuse is summed up at the end: leave --forever out")


def _check_byzantine(args: argparse.Namespace) -> None:
    if args.byzantine not in {0, 1}:
        raise ArgumentError("--byzantine must be 0 or 1: one offender is less than a third of the stake")
    if args.byzantine and args.nodes is not None and args.nodes < HONEST_MIN:
        raise ArgumentError(f"--byzantine needs --nodes {HONEST_MIN} or more, for an offender to join")
    if args.byzantine and args.engine not in {None, Simplex.name}:
        raise ArgumentError(f"--byzantine needs --engine {Simplex.name}, whose validators change")
    if args.byzantine and (args.kill_one or args.forever):
        raise ArgumentError("--byzantine has an end and misses nobody: leave --forever and --kill-one out")


async def _run(options: DemoOptions, *, as_json: bool) -> int:
    stream = sys.stderr if as_json else sys.stdout
    report = await run_demo(options, _view(stream))
    for line in report.lines():
        stream.write(line + "\n")
    stream.flush()
    if as_json:
        print_json(report.to_plain())
    return 0 if report.ok else 1


async def _tell(options: DemoOptions, *, as_json: bool) -> int:
    stream = sys.stderr if as_json else sys.stdout
    report = await tell_story(options, stream)
    if report.ok:
        stream.write(f"\nall {len(report.steps)} steps came about, and every node holds the same state\n")
    else:
        stream.write(f"\nthe story broke: {report.broken or 'the nodes do not agree at its end'}\n")
    stream.flush()
    if as_json:
        print_json(report.to_plain())
    return 0 if report.ok else 1


def _view(stream: TextIO) -> View:
    if stream.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console  # noqa: PLC0415 - an extra that may be missing, and 0.1 s

        from p2pcommerce.cli.demo.table import TableView  # noqa: PLC0415 - see above

        return TableView(Console(file=stream))
    return PlainView(stream)
