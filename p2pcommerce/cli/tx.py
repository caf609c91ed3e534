"""`p2pcommerce tx`: build, sign and submit a transaction."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from p2pcommerce.cli.fields import describe_types, read_payload
from p2pcommerce.cli.interrupt import run_async
from p2pcommerce.cli.passphrase import add_passphrase, read_passphrase
from p2pcommerce.cli.shared import ArgumentError, add_json, add_node_folder, print_json, public_key_of
from p2pcommerce.cli.tx_status import QUESTIONS, ask
from p2pcommerce.commerce import Body, Sponsor, build_transaction
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.runtime.control_client import Control, connect_control
from p2pcommerce.runtime.identity import Identity

__all__ = ["add"]

_EXPIRY_BLOCKS: Final = 1_000
_U64_MAX: Final = 2**64 - 1


class WrongNetworkError(UsageError):
    """The running node belongs to another network than the folder's genesis."""

    code = "WRONG_NETWORK"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "tx",
        help="submit a transaction",
        description="Build a transaction, sign it, submit it to a running node, and wait until it is final.",
        epilog="example: p2pcommerce tx token.transfer to=<64 hex digits> amount_minor=12500000 --dir shop\n"
        "without tokens: p2pcommerce tx order.place ... --key me.key --sponsor friend.key --sponsor-pays --dir shop\n"
        "where one stands: p2pcommerce tx status <id> --dir shop (tx watch <id>: until nothing changes any more)\n\n"
        f"types and their fields ([...]: may be left out):\n{describe_types()}\n\n"
        "values: bytes as hexadecimal; lists with commas, records with colons (lines=1:<revision>:3,2:<revision>:1), "
        "or both as JSON arrays",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("type", metavar="TYPE", help="of the transaction, as listed below; or status, or watch")
    parser.add_argument("fields", nargs="*", metavar="NAME=VALUE", help="its fields; the id after status and watch")
    add_node_folder(parser)
    parser.add_argument("--key", type=Path, metavar="FILE", help="who signs (default: the node's key)")
    parser.add_argument("--account", metavar="KEY", help="for whom the key signs as its active key (default: itself)")
    parser.add_argument("--sponsor", type=Path, metavar="FILE", help="key file of who pays the fee instead")
    parser.add_argument("--sponsor-pays", action="store_true", help="the sponsor pays escrow and deposits, too")
    parser.add_argument("--sponsor-passphrase-file", metavar="FILE", help="of the sponsor's key file")
    parser.add_argument("--fee", type=_number, metavar="MINOR", help="minor units (default: the least possible)")
    parser.add_argument("--nonce", type=_number, metavar="N", help="default: the account's next one")
    parser.add_argument(
        "--private", action="store_true", help="hide which node it comes from: others make it public, seconds later"
    )
    parser.add_argument("--no-wait", action="store_true", help="return once it is in the node's mempool")
    add_passphrase(parser)
    add_json(parser)
    parser.set_defaults(handler=_tx)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(_U64_MAX)) or int(text) > _U64_MAX:
        raise argparse.ArgumentTypeError(f'"{text:.40}" is no whole number from 0 to {_U64_MAX}')
    return int(text)


def _tx(args: argparse.Namespace) -> int:
    if args.type in QUESTIONS:
        return ask(args.type, args.fields, args.dir, as_json=args.json)
    payload = read_payload(args.type, args.fields)
    genesis = Genesis.load(args.dir / "genesis.json")
    key = args.dir / "node.key" if args.key is None else args.key
    if not (args.dir / "control.json").exists():
        raise ArgumentError(f"{args.dir}: no node runs here; start it with `p2pcommerce run {args.dir}`, or give --dir")
    if args.sponsor is None and (args.sponsor_pays or args.sponsor_passphrase_file):
        raise ArgumentError("--sponsor-pays and --sponsor-passphrase-file need --sponsor FILE")
    identity = Identity.load(key, read_passphrase(args.passphrase_file, str(key)))
    account = identity.public_key if args.account is None else public_key_of(args.account)
    sponsor: Sponsor | None = None
    if args.sponsor is not None:
        passphrase = read_passphrase(args.sponsor_passphrase_file, str(args.sponsor))
        sponsor = Sponsor(Identity.load(args.sponsor, passphrase).seed, args.sponsor_pays)
    return run_async(lambda: _submit(args, payload, genesis, _Signer(identity, account, sponsor)))


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signs: `identity` for `account` (32 bytes), and who pays instead."""

    identity: Identity
    account: PublicKey
    sponsor: Sponsor | None


async def _submit(args: argparse.Namespace, payload: Body, genesis: Genesis, signer: _Signer) -> int:
    async with connect_control(args.dir) as control:
        if control.genesis_hash != genesis.hash:
            raise WrongNetworkError(f"{args.dir}: its node runs on another network than its genesis.json")
        height, nonce = await _account(control, signer.account)
        transaction = build_transaction(
            payload,
            genesis,
            signer.identity.seed,
            nonce if args.nonce is None else args.nonce,
            height + _EXPIRY_BLOCKS,
            fee=args.fee,
            sponsor=signer.sponsor,
            account=signer.account,
        )
        started = trio.current_time()
        tx_id = await control.submit(transaction.raw, private=args.private)
        if args.no_wait:
            if args.json:
                print_json({"tx_id": tx_id.hex(), "final": False})
            else:
                print(f"submitted {tx_id.hex()}")
            return 0
        receipt = await control.wait(tx_id)
    return _show(receipt, round((trio.current_time() - started) * 1_000), as_json=args.json)


async def _account(control: Control, account: PublicKey) -> tuple[int, int]:
    """Return the final height and the account's next nonce."""
    answer = await control.query("account", account=account.hex())
    nonce = answer.value.get("nonce") if isinstance(answer.value, dict) else 0
    return answer.height, nonce if isinstance(nonce, int) else 0


def _show(receipt: Receipt, took_ms: int, *, as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "tx_id": receipt.tx_id.hex(),
                "final": True,
                "height": receipt.height,
                "index": receipt.index,
                "block_hash": receipt.block_hash.hex(),
                "code": receipt.code.value,
                "detail": receipt.detail,
                "events": [{"name": event.name, "ids": [i.hex() for i in event.ids]} for event in receipt.events],
                "took_ms": took_ms,
            }
        )
    elif receipt.ok:
        print(f"final at height {receipt.height} after {took_ms} ms\ntransaction {receipt.tx_id.hex()}")
    else:
        print(f"failed at height {receipt.height}: {receipt.code.value}: {receipt.detail}\n{receipt.tx_id.hex()}")
    return 0 if receipt.ok else 1
