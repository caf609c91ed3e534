"""`p2pcommerce message`: sealed messages to a store, and those that came for one's own."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from p2pcommerce.cli.blob import hash_of, read_input, write_output
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import add_json, add_node_folder, print_json, public_key_of
from p2pcommerce.commerce.sealed import CONTENT_BYTES_MAX
from p2pcommerce.runtime.control_client import connect_control

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "message",
        help="send and read sealed messages",
        description="Send a message that only a store can read (a delivery address), or read those for one's own node.",
        epilog="example: p2pcommerce message send <store's account> address.txt --dir buyer",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    send = actions.add_parser("send", help="seal a file to a store; print the address hash", allow_abbrev=False)
    send.add_argument("store", metavar="STORE", help="the owner's account: 64 hexadecimal digits, or a key file")
    send.add_argument("file", metavar="FILE", help=f"at most {CONTENT_BYTES_MAX} bytes; - for stdin")
    send.set_defaults(handler=_send)
    listing = actions.add_parser("list", help="list the messages for this node", allow_abbrev=False)
    listing.set_defaults(handler=_list)
    read = actions.add_parser("read", help="print a message", allow_abbrev=False)
    read.add_argument("id", metavar="ID", help="64 hexadecimal digits, the order's address hash")
    read.add_argument("-o", "--output", metavar="FILE", help="where to (default: stdout)")
    read.add_argument("--drop", action="store_true", help="forget it afterwards")
    read.set_defaults(handler=_read)
    for action in (send, listing, read):
        add_node_folder(action)
    for action in (send, listing):
        add_json(action)


def _send(args: argparse.Namespace) -> int:
    store, content = public_key_of(args.store), read_input(args.file, CONTENT_BYTES_MAX)
    return run_async(lambda: _send_content(args, store, content))


async def _send_content(args: argparse.Namespace, store: bytes, content: bytes) -> int:
    async with connect_control(args.dir) as control:
        address_hash = await control.send_message(store, content)
    if args.json:
        print_json({"address_hash": address_hash.hex()})
    else:
        print(address_hash.hex())
    return 0


def _list(args: argparse.Namespace) -> int:
    return run_async(lambda: _list_messages(args))


async def _list_messages(args: argparse.Namespace) -> int:
    async with connect_control(args.dir) as control:
        found = json.loads(await control.list_messages())
    if args.json:
        print_json({"messages": found})
        return 0
    for message in found:
        size = "sealed to another key" if message["bytes"] is None else f"{message['bytes']} bytes"
        until = datetime.fromtimestamp(message["expires_ms"] / 1_000, UTC)
        print(f"{message['id']}  {size}, until {until:%Y-%m-%d %H:%M} UTC")
    return 0


def _read(args: argparse.Namespace) -> int:
    message_id = hash_of(args.id, "id of a message")
    return run_async(lambda: _read_message(args, message_id))


async def _read_message(args: argparse.Namespace, message_id: bytes) -> int:
    async with connect_control(args.dir) as control:
        content = await control.read_message(message_id)
        write_output(args.output, content)
        if args.drop:
            await control.drop_message(message_id)
    return 0
