"""`p2pcommerce sim picture`: run the worlds of a picture, and draw it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from p2pcommerce.cli.shared import ArgumentError, print_json
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import add_workers, terminable, workers_of
from p2pcommerce.simulation.pictures import ALBUM, Picture, PictureSize, Task, measure, picture

__all__ = ["add_options", "run"]

_DEFAULT = PictureSize()
_LIMITS = {"seeds": (1, 1_000), "nodes": (20, 10_000), "transactions": (10, 100_000)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help=f"all, or one of {', '.join(ALBUM)}")
    add("--out", type=Path, default=Path("pictures"), metavar="DIR", help="where to (default: pictures)")
    add("--redraw", action="store_true", help="draw the data that an earlier run left in DIR, and run nothing")
    add("--seed", type=int, default=_DEFAULT.seed, metavar="N", help="the first one (default 1)")
    add("--seeds", type=int, default=_DEFAULT.seeds, metavar="N", help="for each point of finality (default 4)")
    add("--nodes", type=int, default=_DEFAULT.nodes, metavar="N", help="of gossip worlds (default 100)")
    add("--transactions", type=int, default=_DEFAULT.transactions, metavar="N", help="in each of them (default 200)")
    add_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Run the worlds, keep their data, and draw."""
    wanted = list(ALBUM.values()) if args.name == "all" else [picture(args.name)]
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(args, name) <= high:
            raise ArgumentError(f"--{name} must be {low} to {high}")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{args.out}: no folder can be made there: {error.strerror or error}") from error
    if not args.redraw:
        _measure(args, wanted)
    paths: list[Path] = []
    for each in wanted:
        paths += each.render(_load(args.out, each), args.out)
    if args.json:
        print_json({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            print(path)
    return 0


def _measure(args: argparse.Namespace, wanted: Sequence[Picture]) -> None:
    """Run what the pictures need, each world once, and keep the data of each picture."""
    size = PictureSize(seed=args.seed, seeds=args.seeds, nodes=args.nodes, transactions=args.transactions)
    tasks = list(dict.fromkeys(task for each in wanted for task in each.tasks(size)))
    results: dict[Task, dict[str, Any]] = {}
    with ExitStack() as stack:
        stack.enter_context(terminable())
        bar = stack.enter_context(Progress(sys.stderr, "pictures", len(tasks)))
        outcomes = stack.enter_context(closing(workers_of(args).map(measure, tasks)))
        for task, result in zip(tasks, outcomes, strict=True):
            results[task] = result
            bar.show(len(results), f"{len(results)}/{len(tasks)} worlds")
    for each in wanted:
        path = _data_path(args.out, each)
        try:
            path.write_text(json.dumps(each.data(size, results)) + "\n", encoding="utf-8")
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error


def _load(folder: Path, each: Picture) -> dict[str, Any]:
    path = _data_path(folder, each)
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{path}: no data of a picture; leave --redraw out to measure it") from error
    return data


def _data_path(folder: Path, each: Picture) -> Path:
    return folder / f"{each.name}.json"
