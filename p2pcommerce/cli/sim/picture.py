"""`p2pcommerce sim picture`: run the worlds of a picture, and draw it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from p2pcommerce.cli.shared import ArgumentError, print_json
from p2pcommerce.cli.sim.progress import Progress
from p2pcommerce.cli.sim.workers import terminable, workers_of
from p2pcommerce.simulation.pictures import ALBUM, Picture, PictureSize, Task, measure, picture

__all__ = ["run"]

_SEED_MAX: Final = 2**63 - 1
_LIMITS: Final = {
    "seed": (-_SEED_MAX, _SEED_MAX),
    "seeds": (1, 1_000),
    "nodes": (20, 10_000),
    "transactions": (10, 100_000),
}


def run(args: argparse.Namespace) -> int:
    """Run the worlds, keep their data, and draw."""
    wanted = list(ALBUM.values()) if args.name == "all" else [picture(args.name)]
    size = _size(args)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{args.out}: no folder can be made there: {error.strerror or error}") from error
    if not args.redraw:
        _measure(args, wanted, size)
    paths: list[Path] = []
    for each in wanted:
        paths += each.render(_load(args.out, each), args.out)
    if args.json:
        print_json({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            print(path)
    return 0


def _size(args: argparse.Namespace) -> PictureSize:
    chosen = {name: getattr(args, name) for name in _LIMITS if getattr(args, name) is not None}
    for name, value in chosen.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise ArgumentError(f"--{name} must be {low} to {high}")
    return PictureSize(**chosen)


def _measure(args: argparse.Namespace, wanted: Sequence[Picture], size: PictureSize) -> None:
    """Run what the pictures need, each world once, and keep the data of each picture."""
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
