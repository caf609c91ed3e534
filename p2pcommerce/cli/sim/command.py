"""`p2pcommerce sim`: the command line of the simulator.

What runs a world is imported when it is to run: other commands do not wait for the simulator.
"""

from __future__ import annotations

import argparse
from typing import Any

from p2pcommerce.cli.shared import add_json
from p2pcommerce.cli.sim.options import add_gossip, add_picture, add_twins, add_worlds

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "sim",
        help="run the same code in simulated worlds: links, clocks, disks, faults and adversaries",
        description="The deterministic simulator: one seed decides a world, and the same seed is the same world again.",
        epilog="example: p2pcommerce sim finality --seeds 100 --faults all",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="WORLD", required=True)
    spread = actions.add_parser(
        "gossip",
        help="how transactions spread among many nodes",
        description="Let transactions spread by the product's router or by a baseline, over the same links.",
        epilog="example: p2pcommerce sim gossip --nodes 200 --transactions 500 --strategy gossipsub",
        allow_abbrev=False,
    )
    add_gossip(spread)
    add_json(spread)
    spread.set_defaults(handler=_gossip)
    for name, text in (
        ("finality", "validators agree on blocks while faults strike"),
        ("network", "the full stack: orders, encrypted sessions, gossip, finality"),
    ):
        worlds = actions.add_parser(
            name,
            help=text,
            description=f"Many seeds: {text}. Oracles look at each step; after the faults finality must resume.",
            epilog=f"example: p2pcommerce sim {name} --first-seed 1 --seeds 100 --faults all --json",
            allow_abbrev=False,
        )
        add_worlds(worlds, name)
        add_json(worlds)
        worlds.set_defaults(handler=_worlds, stack=name)
    twins = actions.add_parser(
        "twins",
        help="every small scenario of leaders and partitions in which one validator runs twice",
        description="Two copies of one validator, in every arrangement of leaders and partitions over some rounds.",
        epilog="example: p2pcommerce sim twins --validators 4 --rounds 4 --sample 1000",
        allow_abbrev=False,
    )
    add_twins(twins)
    add_json(twins)
    twins.set_defaults(handler=_twins)
    pictures = actions.add_parser(
        "picture",
        help="draw what was measured, as a paper prints it",
        description="Run the worlds of a picture and draw it, as PNG and SVG.",
        epilog="example: p2pcommerce sim picture latency --out pictures",
        allow_abbrev=False,
    )
    add_picture(pictures)
    add_json(pictures)
    pictures.set_defaults(handler=_picture)


def _gossip(args: argparse.Namespace) -> int:
    from p2pcommerce.cli.sim import gossip  # noqa: PLC0415 - see above

    return gossip.run(args)


def _worlds(args: argparse.Namespace) -> int:
    from p2pcommerce.cli.sim import finality  # noqa: PLC0415 - see above

    return finality.run(args)


def _twins(args: argparse.Namespace) -> int:
    from p2pcommerce.cli.sim import twins  # noqa: PLC0415 - see above

    return twins.run(args)


def _picture(args: argparse.Namespace) -> int:
    from p2pcommerce.cli.sim import picture  # noqa: PLC0415 - see above

    return picture.run(args)
