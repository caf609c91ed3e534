"""`p2pcommerce run`: the node."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any, Final

import trio

from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.passphrase import add_passphrase, read_passphrase
from p2pcommerce.cli.shared import ArgumentError, add_json, print_json
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.node import RunningNode, open_node

__all__ = ["add"]

_STDIN: Final = 0
_READ_BYTES: Final = 4_096


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="run a node",
        description="Run the node of a folder that `p2pcommerce init` made, until Ctrl-C or SIGTERM.",
        epilog="example: p2pcommerce run shop",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the node's folder")
    parser.add_argument("--log", action="store_true", help="show log lines on stderr, besides node.log")
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin, a pipe, ends")
    add_passphrase(parser)
    add_json(parser)
    parser.set_defaults(handler=_run)


def _run(args: argparse.Namespace) -> int:
    path = args.folder / "config.toml"
    if not path.is_file():
        raise ArgumentError(f"{args.folder}: is no node's folder; make one with `p2pcommerce init {args.folder} ...`")
    passphrase = read_passphrase(args.passphrase_file, f"{args.folder / 'node.key'}")
    config = NodeConfig.from_toml(path, passphrase)
    if args.log:
        config = dataclasses.replace(config, log_stderr=True)
    return run_async(lambda: _serve(config, args), terminated=0)


async def _serve(config: NodeConfig, args: argparse.Namespace) -> int:
    height: int | None = None
    try:
        async with open_node(config) as node:
            _announce(node, config, as_json=args.json)
            try:
                if args.until_eof:
                    await wait_eof()
                else:
                    await trio.sleep_forever()
            finally:
                height = node.height
    finally:
        if height is not None and args.json:
            print_json({"stopped": True, "height": height})
        elif height is not None:
            print(f"stopped at height {height}", flush=True)
    return 0


def _announce(node: RunningNode, config: NodeConfig, *, as_json: bool) -> None:
    key, genesis = node.identity.public_key.hex(), node.genesis
    if as_json:
        print_json(
            {
                "listen": list(node.listen_addresses),
                "public_key": key,
                "network": genesis.network,
                "genesis_hash": genesis.hash.hex(),
                "height": node.height,
            }
        )
        return
    print(f"listening at {', '.join(node.listen_addresses) or 'no address'}")
    print(f"key {key}")
    print(
        f'network "{genesis.network}", height {node.height}; log in {config.folder / "node.log"}; Ctrl-C stops it',
        flush=True,
    )


async def wait_eof() -> None:
    while True:
        await trio.lowlevel.wait_readable(_STDIN)
        if not os.read(_STDIN, _READ_BYTES):
            return
