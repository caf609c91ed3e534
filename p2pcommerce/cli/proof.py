"""`p2pcommerce proof`: make a proof at a running node, check one without any, and print one as a QR code.

    p2pcommerce proof make item issuer=... gtin=... serial=7 | p2pcommerce proof verify

Through a pipe a proof travels as text; `verify` and `qr` take either form, and what a scanner read. In a node's folder
neither needs more: `make` finds the node there, and `verify` the genesis.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from p2pcommerce.cli.fields import read_pairs
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.proof_item import item_lines, plain_item
from p2pcommerce.cli.proof_qr import LEVELS, write_qr
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json
from p2pcommerce.ledger.block import HEADER_BYTES_MAX, Header, decode_header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.proof import (
    PROOF_TEXT_BYTES_MAX,
    Proof,
    ProofError,
    Proven,
    Subject,
    TrustAnchor,
    proof_bytes,
    require_proof,
    verify_proof,
    verify_proof_by,
    verify_proof_by_header,
)
from p2pcommerce.node.subjects import SUBJECTS, describe_record, subject_of
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import Height
from p2pcommerce.runtime.control_client import connect_control
from p2pcommerce.runtime.durable_file import create_file

__all__ = ["add"]

_FIELDS: Final = "account=; order=; store=; issuer= gtin= serial= (or lot=), issuer= sscc=, or id=; attestation=; key="
_PIPE: Final = "-"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser("proof", help="make or check a proof", description="Proofs that hold offline.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_make(actions)
    _add_verify(actions)
    _add_qr(actions)


def _add_make(actions: argparse._SubParsersAction[Any]) -> None:
    make = actions.add_parser(
        "make",
        help="make a proof",
        description="Let a running node prove an account's balance, an order, an item's whole history, a store's "
        "score, a certificate, or any record of the state; or that there is none. Without --out it is printed as text.",
        epilog="example: p2pcommerce proof make item issuer=<64 hex digits> gtin=09520001000010 serial=7 --out a.proof",
        allow_abbrev=False,
    )
    make.add_argument("name", metavar="SUBJECT", help=", ".join(SUBJECTS))
    make.add_argument("fields", nargs="*", metavar="NAME=VALUE", help=_FIELDS)
    make.add_argument("--out", type=Path, metavar="FILE", help="where to (default: text on stdout)")
    since = make.add_mutually_exclusive_group()
    since.add_argument(
        "--compact", action="store_true", help="for a verifier with an anchor of the newest epoch (`light sync`)"
    )
    since.add_argument("--trust", type=Path, metavar="FILE", help="for a verifier with this anchor")
    make.add_argument(
        "--with-validators", action="store_true", help="carry the validators, for a verifier with a trusted header"
    )
    add_node_folder(make)
    add_json(make)
    make.set_defaults(handler=_make)


def _add_verify(actions: argparse._SubParsersAction[Any]) -> None:
    verify = actions.add_parser(
        "verify",
        help="check a proof",
        description="Check a proof with nothing but the network's genesis, trust anchors, or a header: no node, no "
        "network. Name what it must be about, so that a good proof of something else is refused. What is trusted is "
        "genesis.json in the current folder, if nothing else is said.",
        epilog="example: p2pcommerce proof make item issuer=<64 hex digits> gtin=09520001000010 serial=7 | "
        "p2pcommerce proof verify",
        allow_abbrev=False,
    )
    verify.add_argument("file", type=Path, nargs="?", default=Path(_PIPE), metavar="FILE", help="the proof; -: stdin")
    verify.add_argument("subject", nargs="*", metavar="SUBJECT", help="and NAME=VALUE: what it must be about")
    trust = verify.add_mutually_exclusive_group()
    trust.add_argument("--dir", type=Path, metavar="DIR", help="folder with the genesis.json that is trusted")
    trust.add_argument("--genesis", type=Path, metavar="FILE", help="of the network that is trusted")
    trust.add_argument(
        "--trust", type=Path, action="append", metavar="FILE", help="a trust anchor, as `light sync` writes it; repeat"
    )
    trust.add_argument("--header", type=Path, metavar="FILE", help="a trusted header, as hexadecimal digits")
    add_json(verify)
    verify.set_defaults(handler=_verify)


def _add_qr(actions: argparse._SubParsersAction[Any]) -> None:
    qr = actions.add_parser(
        "qr",
        help="print a proof as a QR code",
        description="Print a proof as one QR code: text that any scanner hands on, for `proof verify -`. Needs the "
        "extra qr.",
        epilog="example: p2pcommerce proof qr item.proof --out item.svg",
        allow_abbrev=False,
    )
    qr.add_argument("file", type=Path, nargs="?", default=Path(_PIPE), metavar="FILE", help="the proof; -: stdin")
    qr.add_argument("--out", type=Path, metavar="FILE", help="ends in .svg or .png (default: the terminal)")
    qr.add_argument("--level", choices=LEVELS, default="l", help="error correction; l holds the most (default)")
    qr.add_argument(
        "--binary", action="store_true", help="bytes instead of text: 2,953 instead of 2,861, but not for all scanners"
    )
    add_json(qr)
    qr.set_defaults(handler=_qr)


def _make(args: argparse.Namespace) -> int:
    pairs = read_pairs(args.fields)
    if args.out is not None and args.out.exists():
        raise ArgumentError(f"{args.out}: exists already; choose another name")
    if args.compact:
        pairs["since_epoch"] = "head"
    elif args.trust is not None:
        pairs["since_epoch"] = str(TrustAnchor.load(args.trust).epoch)
    if args.with_validators:
        pairs |= {"since_epoch": "head", "validators": "yes"}
    return run_async(lambda: _fetch(args, pairs))


async def _fetch(args: argparse.Namespace, pairs: dict[str, str]) -> int:
    async with connect_control(args.dir) as control:
        raw = await control.prove(args.name, **pairs)
    if args.out is not None:
        _create(args.out, raw)
    if args.json:
        found: dict[str, object] = {"file": None if args.out is None else str(args.out), "bytes": len(raw)}
        print_json(found if args.out is not None else found | {"text": Proof(raw, Height(0)).text})
    elif args.out is None:
        print(Proof(raw, Height(0)).text)
    else:
        print(f"{args.out}: {len(raw)} bytes; check it with `p2pcommerce proof verify {args.out} --genesis FILE`")
    return 0


def _create(path: Path, data: bytes) -> None:
    try:
        create_file(path, data)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    """Return the bytes of a proof from a file or stdin, whichever form it has there."""
    try:
        if str(path) == _PIPE:
            data = sys.stdin.buffer.read(PROOF_TEXT_BYTES_MAX + 1)
        else:
            with path.open("rb") as file:
                data = file.read(PROOF_TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    return proof_bytes(data)


def _verify(args: argparse.Namespace) -> int:
    subject: Subject | None = None
    if args.subject:
        subject = subject_of(args.subject[0], read_pairs(args.subject[1:]))
    try:
        proven = _check(args, subject)
    except ProofError as error:
        raise type(error)(f"{args.file}: {error}") from error
    if args.json:
        print_json(_plain(proven))
    else:
        for line in _lines(proven):
            print(line)
    return 0


def _check(args: argparse.Namespace, subject: Subject | None) -> Proven:
    if args.header is not None:
        return verify_proof_by_header(_read(args.file), _header(args.header), subject=subject)
    if args.trust is None:
        anchor = TrustAnchor.of(_genesis(args))
        return verify_proof(_read(args.file), anchor, subject=subject)
    anchors = [TrustAnchor.load(path) for path in args.trust]
    if len({anchor.genesis_hash for anchor in anchors}) > 1:
        raise ArgumentError("--trust: the anchors are of different networks")
    return verify_proof_by(_read(args.file), partial(_best, anchors), ED25519, subject)


def _genesis(args: argparse.Namespace) -> Genesis:
    """Return the genesis that is trusted: what was named, or that of the folder."""
    if args.genesis is not None:
        return Genesis.load(args.genesis)
    path = (Path() if args.dir is None else args.dir) / "genesis.json"
    if not path.exists():
        raise ArgumentError(
            f"{path}: is not there; say what is trusted: --genesis, --trust or --header FILE, or --dir; "
            "see `p2pcommerce proof verify --help`"
        )
    return Genesis.load(path)


def _best(anchors: list[TrustAnchor], epoch: int) -> TrustAnchor:
    """Return the newest anchor that is not of a later epoch; if there is none, the oldest."""
    earlier = [anchor for anchor in anchors if anchor.epoch <= epoch]
    if earlier:
        return max(earlier, key=lambda anchor: anchor.epoch)
    return min(anchors, key=lambda anchor: anchor.epoch)


def _header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            digits = file.read(3 * HEADER_BYTES_MAX)
        return decode_header(bytes.fromhex(digits.decode("ascii")))
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, CodecError) as error:
        raise ArgumentError(f"{path}: is no header in hexadecimal digits: {error}") from error


def _qr(args: argparse.Namespace) -> int:
    try:
        raw = _read(args.file)
        require_proof(raw)
    except ProofError as error:
        raise ArgumentError(f"{args.file}: {error}") from error
    content: bytes | str = raw if args.binary else Proof(raw, Height(0)).text
    version = write_qr(content, args.level, args.out)
    if args.json:
        file = None if args.out is None else str(args.out)
        print_json({"file": file, "bytes": len(raw), "version": version, "level": args.level, "binary": args.binary})
    elif args.out is not None:
        print(f"{args.out}: version {version}-{args.level.upper()}, {len(raw)} bytes; scan it into `proof verify -`")
    return 0


def _plain(proven: Proven) -> dict[str, object]:
    item = proven.item
    return {
        "verified": True,
        "height": proven.height,
        "time_ms": proven.time_ms,
        "block_hash": proven.block_hash.hex(),
        "header": proven.header.raw.hex(),
        "key": proven.key.hex(),
        "value": None if proven.value is None else proven.value.hex(),
        "record": describe_record(proven.key, proven.value),
        "item": None if item is None else plain_item(item),
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
    record = describe_record(proven.key, proven.value)
    if proven.value is None:
        lines.append(f"there is no such record ({record['kind']} {record.get('id', proven.key.hex())})")
    elif proven.item is None:
        lines += [f"  {name}: {value}" for name, value in record.items()]
    if proven.item is not None:
        lines += item_lines(proven.item)
        lines += [
            f"  {_moment(entry.event_time_ms)} {entry.type:<18} signed by {entry.signer.hex()[:16]}..."
            for entry in proven.history
        ]
    return lines


def _moment(time_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ms / 1_000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
