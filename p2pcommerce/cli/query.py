"""`p2pcommerce query`: read the last final state of a running node."""

from __future__ import annotations

import argparse
import json
from typing import Any

from p2pcommerce.cli.fields import read_pairs
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import add_json, add_node_folder, print_json
from p2pcommerce.commerce import QUERIES
from p2pcommerce.runtime.control_client import connect_control

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    listed = "\n".join(
        f"  {name} {' '.join(f'{argument}=' for argument in names)}" for name, (names, _) in QUERIES.items()
    )
    parser = commands.add_parser(
        "query",
        help="read the state",
        description="Read the last final state of a running node.",
        epilog=f"example: p2pcommerce query account account=<64 hex digits> --dir shop\n\nqueries:\n{listed}\n"
        "  statistics (what the node counts)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", help="of the query, as listed below")
    parser.add_argument("fields", nargs="*", metavar="NAME=VALUE", help="its arguments")
    add_node_folder(parser)
    add_json(parser)
    parser.set_defaults(handler=_query)


def _query(args: argparse.Namespace) -> int:
    pairs = read_pairs(args.fields)
    return run_async(lambda: _ask(args, pairs))


async def _ask(args: argparse.Namespace, pairs: dict[str, str]) -> int:
    async with connect_control(args.dir) as control:
        if args.name == "statistics" and not pairs:
            value: object = await control.statistics()
            height = value["height"] if isinstance(value, dict) else 0
        else:
            answer = await control.query(args.name, **pairs)
            height, value = answer.height, answer.value
    if args.json:
        print_json({"height": height, "value": value})
    else:
        print(f"at height {height}:\n{json.dumps(value, indent=2)}")
    return 0
