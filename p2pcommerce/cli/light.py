"""`p2pcommerce light`: follow a network's validators without running a node."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.light import Conflict, ConflictError, LightClient
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.runtime.anchor import anchor_of_folder
from p2pcommerce.runtime.config import read_network
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.control_file import NodeNotRunningError
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
    anchor = actions.add_parser(
        "anchor",
        help="make a trust anchor at a node of one's own",
        description="Write what the last final block of a node, running or stopped, lets others trust: for "
        "`light sync`, `proof verify`, and as the checkpoint of another node.",
        epilog="example: p2pcommerce light anchor --dir shop --out anchor.json",
        allow_abbrev=False,
    )
    add_node_folder(anchor)
    anchor.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to; an older one is replaced")
    anchor.add_argument(
        "--vouch",
        action="store_true",
        help="give it the present time: you have compared this node's last block with others and know it to be the "
        "network's, however old it is",
    )
    add_json(anchor)
    anchor.set_defaults(handler=_anchor)


def _anchor(args: argparse.Namespace) -> int:
    return run_async(lambda: _make_anchor(args))


async def _make_anchor(args: argparse.Namespace) -> int:
    found = await _own_anchor(args.dir)
    if args.vouch:
        found = replace(found, time_ms=time.time_ns() // 1_000_000)
    _write(args.out, found.to_json())
    if args.json:
        print_json({"file": str(args.out), "epoch": found.epoch, "time_ms": found.time_ms})
    else:
        print(f"{args.out}: trusts the validators of epoch {found.epoch}")
    return 0


async def _own_anchor(folder: Path) -> TrustAnchor:
    """Return the anchor of a running node, or of one that is stopped."""
    try:
        async with connect_control(folder) as control:
            return await control.anchor()
    except NodeNotRunningError:
        genesis, data_dir = read_network(folder / "config.toml")
        return anchor_of_folder(data_dir, genesis)


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error


def _sync(args: argparse.Namespace) -> int:
    return run_async(lambda: _follow(args))


async def _follow(args: argparse.Namespace) -> int:
    genesis = Genesis.load(args.genesis)
    client = LightClient.of(genesis, None if args.trust is None else TrustAnchor.load(args.trust))
    out = args.out or args.trust
    try:
        followed = await follow(client, genesis, args.peer)
    except ConflictError as error:
        conflict = error.conflict
        path = (Path() if out is None else out.parent) / f"conflict-{conflict.first.header.height}.json"
        _write(path, json.dumps(_plain_conflict(conflict), indent=1) + "\n")
        print(f"both blocks, with their proofs, are in {path}", file=sys.stderr)
        raise
    if out is not None:
        _write(out, client.anchor.to_json())
    if args.json:
        print_json(_plain(client, followed))
    else:
        height = "" if followed.head is None else f", final height {followed.head.header.height}"
        print(f"epoch {client.epoch} ({followed.epochs} further){height}, shown by {len(followed.agreed)} node(s)")
        for address, reason in followed.failed.items():
            print(f"  {address} does not count: {reason}")
    return 0


def _plain_conflict(conflict: Conflict) -> dict[str, object]:
    """Return what convinces anybody who trusts the same validators, in hexadecimal."""
    shown = {
        name: {
            "block_hash": final.header.hash.hex(),
            "header": final.header.raw.hex(),
            "finality": final.finality.hex(),
        }
        for name, final in (("first", conflict.first), ("second", conflict.second))
    }
    return {"height": conflict.first.header.height, **shown, "evidence": [each.hex() for each in conflict.evidence]}


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
