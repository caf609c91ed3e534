"""`p2pcommerce proof`: make a proof at a running node, and check one without any."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

from p2pcommerce.cli.fields import read_pairs
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json
from p2pcommerce.commerce import ItemStatus
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.proof import PROOF_BYTES_MAX, ProofError, Proven, TrustAnchor, verify_proof
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.durable_file import create_file

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser("proof", help="make or check a proof", description="Proofs that hold offline.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser(
        "make",
        help="make a proof",
        description="Let a running node prove an account, an order, an item's history, or a record of the state.",
        epilog="example: p2pcommerce proof make item issuer=<64 hex digits> gtin=09520001000005 serial=7 --out a.proof",
        allow_abbrev=False,
    )
    make.add_argument("name", metavar="SUBJECT", help="account, order, item or state")
    make.add_argument(
        "fields", nargs="*", metavar="NAME=VALUE", help="account=, order=, issuer= gtin= serial= (or lot=), key="
    )
    make.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to")
    add_node_folder(make)
    add_json(make)
    make.set_defaults(handler=_make)
    verify = actions.add_parser(
        "verify",
        help="check a proof",
        description="Check a proof with nothing but the network's genesis, or a trust anchor: no node, no network.",
        epilog="example: p2pcommerce proof verify item.proof --genesis genesis.json",
        allow_abbrev=False,
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="the proof")
    trust = verify.add_mutually_exclusive_group(required=True)
    trust.add_argument("--genesis", type=Path, metavar="FILE", help="of the network that is trusted")
    trust.add_argument("--trust", type=Path, metavar="FILE", help="a trust anchor, as `light sync` writes it")
    add_json(verify)
    verify.set_defaults(handler=_verify)


def _make(args: argparse.Namespace) -> int:
    pairs = read_pairs(args.fields)
    if args.out.exists():
        raise ArgumentError(f"{args.out}: exists already; choose another name")
    return run_async(lambda: _fetch(args, pairs))


async def _fetch(args: argparse.Namespace, pairs: dict[str, str]) -> int:
    async with connect_control(args.dir) as control:
        raw = await control.prove(args.name, **pairs)
    try:
        create_file(args.out, raw)
    except OSError as error:
        raise ArgumentError(f"{args.out}: cannot be written: {error.strerror or error}") from error
    if args.json:
        print_json({"file": str(args.out), "bytes": len(raw)})
    else:
        print(f"{args.out}: {len(raw)} bytes; check it with `p2pcommerce proof verify {args.out} --genesis FILE`")
    return 0


def _verify(args: argparse.Namespace) -> int:
    try:
        with args.file.open("rb") as file:
            raw = file.read(PROOF_BYTES_MAX + 1)
    except OSError as error:
        raise ArgumentError(f"{args.file}: cannot be read: {error.strerror or error}") from error
    trust = TrustAnchor.load(args.trust) if args.genesis is None else TrustAnchor.of(Genesis.load(args.genesis))
    try:
        proven = verify_proof(raw, trust)
    except ProofError as error:
        raise ProofError(f"{args.file}: {error}") from error
    if args.json:
        print_json(_plain(proven))
    else:
        for line in _lines(proven):
            print(line)
    return 0


def _plain(proven: Proven) -> dict[str, object]:
    item = proven.item
    return {
        "verified": True,
        "height": proven.height,
        "time_ms": proven.time_ms,
        "block_hash": proven.block_hash.hex(),
        "key": proven.key.hex(),
        "value": None if proven.value is None else proven.value.hex(),
        "item": None
        if item is None
        else {"owner": item.owner.hex(), "custodian": item.custodian.hex(), "status": ItemStatus(item.status).name},
        "history": [
            {
                "type": entry.type,
                "signer": entry.signer.hex(),
                "event_hash": entry.event_hash.hex(),
                "event_time_ms": entry.event_time_ms,
                "tx_id": entry.tx_id.hex(),
            }
            for entry in proven.history
        ],
    }


def _lines(proven: Proven) -> list[str]:
    lines = [f"it holds: final at height {proven.height}, {_moment(proven.time_ms)}"]
    if proven.value is None:
        lines.append("there is no such record")
    if proven.item is not None:
        item = proven.item
        lines.append(f"held by {item.custodian.hex()[:16]}..., owned by {item.owner.hex()[:16]}...")
        lines += [
            f"  {_moment(entry.event_time_ms)} {entry.type:<18} signed by {entry.signer.hex()[:16]}..."
            for entry in proven.history
        ]
    return lines


def _moment(time_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ms / 1_000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
