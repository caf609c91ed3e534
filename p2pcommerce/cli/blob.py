"""`p2pcommerce blob`: keep and fetch data beside the chain, by their SHA-256."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any, Final

from p2pcommerce.blobs.parameters import BlobParameters
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.durable_file import replace_file

__all__ = ["add", "hash_of", "read_input", "write_output"]

_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_BYTES_MAX: Final = BlobParameters().blob_bytes_max
_LIFE_S_MAX: Final = 2**32 - 1


class FileError(UsageError):
    """A file that cannot be read, written or used."""

    code = "FILE"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "blob",
        help="keep and fetch data beside the chain",
        description="Keep data at a running node, or fetch them from its peers, by their SHA-256.",
        epilog="example: p2pcommerce blob put photo.jpg --dir shop",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    put = actions.add_parser("put", help="keep a file and print its hash", allow_abbrev=False)
    put.add_argument("file", metavar="FILE", help=f"at most {_BYTES_MAX} bytes; - for stdin")
    put.add_argument("--life", type=_seconds, metavar="S", help="seconds for which it is kept (default: for ever)")
    put.set_defaults(handler=_put)
    get = actions.add_parser("get", help="fetch a blob", allow_abbrev=False)
    get.add_argument("hash", metavar="HASH", help="SHA-256, 64 hexadecimal digits")
    get.add_argument("-o", "--output", metavar="FILE", help="where to (default: stdout)")
    get.add_argument("--bytes-max", type=_seconds, metavar="N", help=f"most bytes taken (default {_BYTES_MAX})")
    get.set_defaults(handler=_get)
    for action in (put, get):
        add_node_folder(action)
        add_json(action)


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:20]) <= _LIFE_S_MAX:
        raise argparse.ArgumentTypeError(f'"{text:.40}" is no whole number from 1 to {_LIFE_S_MAX}')
    return int(text)


def hash_of(text: str, what: str) -> bytes:
    """Return 32 bytes of 64 hexadecimal digits.

    Raises:
        ArgumentError: it is something else.
    """
    if not _HASH.fullmatch(text):
        raise ArgumentError(f'"{text:.80}" is no {what}; write its 64 hexadecimal digits')
    return bytes.fromhex(text)


def read_input(name: str, bytes_max: int) -> bytes:
    """Read a file, or stdin for "-".

    Raises:
        FileError: it cannot be read, is empty, or larger than that.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(bytes_max + 1)
    except OSError as error:
        raise FileError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not 0 < len(data) <= bytes_max:
        raise FileError(f"{name}: is {'empty' if not data else 'too large'}; 1 to {bytes_max} bytes are taken")
    return data


def write_output(name: str | None, data: bytes) -> None:
    """Write a file whole, or to stdout.

    Raises:
        FileError: it cannot be written.
    """
    if name is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        replace_file(Path(name), data)
    except OSError as error:
        raise FileError(f"{name}: cannot be written: {error.strerror or error}") from error


def _put(args: argparse.Namespace) -> int:
    data = read_input(args.file, _BYTES_MAX)
    return run_async(lambda: _put_data(args, data))


async def _put_data(args: argparse.Namespace, data: bytes) -> int:
    async with connect_control(args.dir) as control:
        blob_hash = await control.put_blob(data, args.life)
    if args.json:
        print_json({"hash": blob_hash.hex(), "bytes": len(data)})
    else:
        print(blob_hash.hex())
    return 0


def _get(args: argparse.Namespace) -> int:
    blob_hash = hash_of(args.hash, "hash of a blob")
    if args.json and args.output is None:
        raise ArgumentError("--json writes to stdout, as the blob would; name a file with -o")
    return run_async(lambda: _get_blob(args, blob_hash))


async def _get_blob(args: argparse.Namespace, blob_hash: bytes) -> int:
    async with connect_control(args.dir) as control:
        data = await control.get_blob(blob_hash, args.bytes_max)
    write_output(args.output, data)
    if args.json:
        print_json({"hash": blob_hash.hex(), "bytes": len(data), "file": args.output})
    return 0
