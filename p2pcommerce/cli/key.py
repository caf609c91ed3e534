"""`p2pcommerce key new`: a new key file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pcommerce.cli.passphrase import add_passphrase, read_passphrase
from p2pcommerce.cli.shared import add_json, print_json
from p2pcommerce.runtime.identity import Identity, KeyFileError

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser("key", help="make a key file", description="Key files: who a node or account is.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    new = actions.add_parser(
        "new",
        help="make a new key",
        description="Make a new key, seal it with a passphrase, and print its public key.",
        epilog="example: p2pcommerce key new shop.key",
        allow_abbrev=False,
    )
    new.add_argument("file", type=Path, metavar="FILE", help="where to; an existing file is never overwritten")
    add_passphrase(new)
    add_json(new)
    new.set_defaults(handler=_new)


def _new(args: argparse.Namespace) -> int:
    if args.file.exists():
        raise KeyFileError(f"{args.file}: exists already; choose another name")
    passphrase = read_passphrase(args.passphrase_file, str(args.file), confirm=True)
    identity = Identity.generate()
    identity.save(args.file, passphrase)
    if args.json:
        print_json({"file": str(args.file), "public_key": identity.public_key.hex()})
    else:
        print(f"public key {identity.public_key.hex()}\nkept in {args.file}; without its passphrase it is lost")
    return 0
