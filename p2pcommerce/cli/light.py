"""`p2pcommerce light`: follow a network's validators without running a node."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, print_json
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.light import LightClient
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.runtime.durable_file import replace_file
from p2pcommerce.runtime.light import Followed, follow

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "light", help="follow a network without a node", description="Follow a network's validators without a node."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    sync = actions.add_parser(
        "sync",
        help="bring a trust anchor up to date",
        description="Ask nodes for the validators of every epoch since the trusted one and check each step; of several "
        "nodes the later ones are witnesses. The new anchor is what `proof verify --trust` takes.",
        epilog="example: p2pcommerce light sync --genesis genesis.json --peer tcp://192.0.2.7:7400 --out anchor.json",
        allow_abbrev=False,
    )
    sync.add_argument("--genesis", type=Path, required=True, metavar="FILE", help="of the network")
    sync.add_argument("--peer", action="append", required=True, metavar="ADDR", help="a node; give several")
    sync.add_argument("--trust", type=Path, metavar="FILE", help="the anchor to begin with (default: the genesis)")
    sync.add_argument("--out", type=Path, metavar="FILE", help="where the new anchor goes (default: --trust's file)")
    add_json(sync)
    sync.set_defaults(handler=_sync)


def _sync(args: argparse.Namespace) -> int:
    return run_async(lambda: _follow(args))


async def _follow(args: argparse.Namespace) -> int:
    genesis = Genesis.load(args.genesis)
    client = LightClient.of(genesis, None if args.trust is None else TrustAnchor.load(args.trust))
    followed = await follow(client, genesis, args.peer)
    out = args.out or args.trust
    if out is not None:
        try:
            replace_file(out, client.anchor.to_json().encode())
        except OSError as error:
            raise ArgumentError(f"{out}: cannot be written: {error.strerror or error}") from error
    if args.json:
        print_json(_plain(client, followed))
    else:
        height = "" if followed.head is None else f", final height {followed.head.header.height}"
        print(f"epoch {client.epoch} ({followed.epochs} further){height}, shown by {len(followed.agreed)} node(s)")
        for address, reason in followed.failed.items():
            print(f"  {address} does not count: {reason}")
    return 0


def _plain(client: LightClient, followed: Followed) -> dict[str, object]:
    head = followed.head
    return {
        "epoch": client.epoch,
        "epochs_followed": followed.epochs,
        "height": None if head is None else head.header.height,
        "block_hash": None if head is None else head.header.hash.hex(),
        "agreed": list(followed.agreed),
        "failed": followed.failed,
    }
