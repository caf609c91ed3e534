"""`p2pcommerce init`: the folder of a node."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pcommerce.cli.shared import ArgumentError, add_json, print_json, public_key_of
from p2pcommerce.discovery import parse_address
from p2pcommerce.finality import ENGINES
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.config import Setting, write_config
from p2pcommerce.runtime.durable_file import create_file
from p2pcommerce.runtime.identity import KEY_FILE_BYTES_MAX

__all__ = ["add"]


class InitError(UsageError):
    """A node's folder that cannot be made."""

    code = "INIT"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "init",
        help="make a node's folder",
        description="Make a node's folder: configuration, genesis, key. `p2pcommerce run DIR` starts it.",
        epilog="example: p2pcommerce init shop --genesis genesis.json --key shop.key --bootstrap tcp://192.0.2.7:7400",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="made if there is none")
    parser.add_argument("--genesis", type=Path, required=True, metavar="FILE", help="of the network")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the node's key file; it is copied")
    parser.add_argument(
        "--bootstrap",
        action="append",
        default=[],
        metavar="ADDR",
        help="address of a node to begin with; once for each",
    )
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="ADDR",
        help="where to accept connections (default tcp://0.0.0.0:7400)",
    )
    parser.add_argument("--name", default="", help="of the node, for people")
    parser.add_argument("--engine", choices=tuple(ENGINES), help="the one that the genesis must name")
    add_json(parser)
    parser.set_defaults(handler=_init)


def _check_addresses(listen: list[str], bootstrap: list[str]) -> None:
    for address in listen:
        parse_address(address)
    for address in bootstrap:
        if not parse_address(address).can_be_dialled:
            raise InitError(f"--bootstrap {address}: names no place that can be dialled; give a host and its port")


def _init(args: argparse.Namespace) -> int:
    folder: Path = args.folder
    for name in ("config.toml", "genesis.json", "node.key"):
        if (folder / name).exists():
            raise InitError(f"{folder / name}: exists already; choose another folder")
    _check_addresses(args.listen, args.bootstrap)
    genesis = Genesis.load(args.genesis)
    if args.engine not in {None, genesis.engine}:
        raise InitError(f"--engine {args.engine}: the network of {args.genesis} runs {genesis.engine}; leave it out")
    public_key = public_key_of(str(args.key))
    settings: dict[str, Setting] = {"bootstrap": tuple(args.bootstrap)}
    if args.listen:
        settings["listen"] = tuple(args.listen)
    if args.name:
        settings["name"] = args.name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = args.key.read_bytes()
        if len(key) > KEY_FILE_BYTES_MAX:
            raise ArgumentError(f"{args.key}: is no key file; make one with `p2pcommerce key new FILE`")
        write_config(folder / "config.toml", settings)
        genesis.save(folder / "genesis.json")
        create_file(folder / "node.key", key, 0o600)
    except OSError as error:
        raise InitError(f"{folder}: cannot be made: {error.strerror or error}; choose another folder") from error
    if args.json:
        print_json({"folder": str(folder), "public_key": public_key.hex(), "genesis_hash": genesis.hash.hex()})
    else:
        print(
            f'{folder}: a node of "{genesis.network}" with the key {public_key.hex()}\n'
            f"start it: p2pcommerce run {folder}"
        )
    return 0
