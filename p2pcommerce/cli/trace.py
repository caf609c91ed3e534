"""`p2pcommerce trace`: EPCIS documents in and out of the ledger, and the hashes of their events."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pcommerce.cli.passphrase import add_passphrase
from p2pcommerce.cli.shared import add_json, add_node_folder, print_json
from p2pcommerce.cli.trace_archive import read_file
from p2pcommerce.cli.trace_export import run_export
from p2pcommerce.cli.trace_import import run_import
from p2pcommerce.commerce.epcis import event_hash_id, event_lines

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "trace", help="EPCIS documents in and out", description="EPCIS 2.0 documents in and out of the ledger."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_hash(actions)
    _add_import(actions)
    _add_export(actions)


def _add_hash(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "hash",
        help="hash events",
        description="Print the EPCIS Event Hash ID (CBV 2.0) of each event of a document.",
        epilog="example: p2pcommerce trace hash shipping.jsonld --json",
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="an EPCIS 2.0 document in JSON-LD")
    add_json(parser)
    parser.set_defaults(handler=_hash)


def _hash(args: argparse.Namespace) -> int:
    data, document = read_file(args.file)
    lines = event_lines(data, len(document.events))
    hashes = [event_hash_id(event) for event in document.events]
    if args.json:
        listed = zip(document.events, lines, hashes, strict=True)
        print_json(
            {
                "file": str(args.file),
                "event_hash_ids": hashes,
                "events": [
                    {"event": place, "line": line, "type": event.type, "event_hash_id": found}
                    for place, (event, line, found) in enumerate(listed, 1)
                ],
            }
        )
        return 0
    for found in hashes:
        print(found)
    return 0


def _add_import(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "import",
        help="put events on the ledger",
        description="Turn the events of an EPCIS document into transactions at a running node. What the ledger forbids "
        "is refused with line and reason, and then nothing is sent, unless --partial. What is on the chain already is "
        "left out, so that the same command goes on where it was cut off. Exit code 1: events were refused; with "
        "--partial 3: the rest was imported.",
        epilog="example: p2pcommerce trace import day.jsonld --dir shop --key maker.key --key carrier.key "
        "--party urn:epc:id:pgln:9521321.00001=carrier.key",
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="an EPCIS 2.0 document in JSON-LD")
    add_node_folder(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and send nothing")
    parser.add_argument("--partial", action="store_true", help="leave out what is refused, and import the rest")
    parser.add_argument(
        "--key", type=Path, action="append", metavar="FILE", help="who may sign; repeat it (default: the node's key)"
    )
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="ACCOUNT",
        help="for whom one of the keys signs as the active one (`key.set`); repeat it",
    )
    parser.add_argument(
        "--party",
        action="append",
        default=[],
        metavar="URI=ACCOUNT",
        help="whose account a party of the document is: 64 hex digits or a key file; repeat it",
    )
    parser.add_argument(
        "--issuer", action="append", default=[], metavar="ACCOUNT", help="under whose products goods are; repeat it"
    )
    parser.add_argument("--to", metavar="ACCOUNT", help="who receives what is shipped to nobody in the document")
    parser.add_argument("--store", metavar="ACCOUNT", help="the store whose operator the first key is")
    add_passphrase(parser)
    add_json(parser)
    parser.set_defaults(handler=run_import)


def _add_export(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "export",
        help="get an item's events",
        description="Write the whole history of an item as an EPCIS 2.0 document, with the event hashes as ids.",
        epilog="example: p2pcommerce trace export https://id.gs1.org/01/09520001000010/21/7 --dir shop",
        allow_abbrev=False,
    )
    parser.add_argument("item", metavar="ITEM", help="a GS1 Digital Link or EPC URN of a serial, a lot or an SSCC")
    add_node_folder(parser)
    parser.add_argument("--issuer", metavar="ACCOUNT", help="of the product, or packer of the unit (default: the node)")
    parser.add_argument(
        "--documents", type=Path, nargs="+", default=[], metavar="FILE", help="documents that hold the events"
    )
    parser.add_argument(
        "--partial", action="store_true", help="leave out events that are not here (exit code 3 if there are any)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: stdout)")
    add_json(parser)
    parser.set_defaults(handler=run_export)
