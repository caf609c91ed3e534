"""`p2pcommerce genesis new`: the file that founds a network."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from p2pcommerce.cli.shared import ArgumentError, add_json, minor_of_tokens, print_json, public_key_of
from p2pcommerce.commerce import Commerce
from p2pcommerce.finality import ENGINES, Solo
from p2pcommerce.ledger.epochs import EPOCHS_KEPT_MAX
from p2pcommerce.ledger.genesis import ChainParameters, Genesis, GenesisError
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["add"]


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser("genesis", help="found a network", description="The file that founds a network.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    new = actions.add_parser(
        "new",
        help="make a genesis file",
        description="Make a genesis file: first validators, balances, parameters; the same for all nodes.",
        epilog="example: p2pcommerce genesis new --local --validator a.key:1000 --validator b.key:1000 "
        "--balance shop.key:50000 genesis.json",
        allow_abbrev=False,
    )
    new.add_argument("out", type=Path, metavar="OUT", help="where to; an existing file is never overwritten")
    new.add_argument(
        "--validator",
        action="append",
        default=[],
        metavar="KEY:STAKE",
        help="a validator: public key or key file, and its stake in tokens; once for each",
    )
    new.add_argument(
        "--balance",
        action="append",
        default=[],
        metavar="KEY:TOKENS",
        help="an account that begins with tokens; once for each",
    )
    new.add_argument("--network", default="p2pcommerce", metavar="NAME", help="its name, at most 32 bytes")
    new.add_argument(
        "--engine", choices=tuple(ENGINES), default="simplex", help="finality engine of all its nodes (default simplex)"
    )
    new.add_argument("--local", action="store_true", help="fast parameters, for one machine")
    new.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="a parameter of the chain, as in done_order_s=600; once for each",
    )
    add_json(new)
    new.set_defaults(handler=_new)


def _new(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise GenesisError(f"{args.out}: exists already; choose another name")
    validators = _amounts(args.validator, "--validator")
    if not validators:
        raise ArgumentError("a network needs a validator; give --validator KEY:STAKE, once for each")
    balances = _amounts(args.balance, "--balance")
    if args.engine == Solo.name and len(validators) > 1:
        raise ArgumentError(f"--engine {Solo.name} is one validator's: give one, or choose another engine")
    genesis = Genesis.new(
        args.network,
        validators,
        balances,
        time_ms=time.time_ns() // 1_000_000,
        parameters=_parameters(ChainParameters.local() if args.local else ChainParameters(), args.set),
        engine=args.engine,
    )
    _check_evidence(genesis.parameters)
    Commerce().genesis(genesis)  # what no node would start from is not written
    genesis.save(args.out)
    if args.json:
        print_json(
            {
                "file": str(args.out),
                "genesis_hash": genesis.hash.hex(),
                "validators": len(validators),
                "engine": genesis.engine,
            }
        )
    else:
        print(
            f'network "{genesis.network}" with {len(validators)} validators in {args.out}\nchain {genesis.hash.hex()}'
        )
    return 0


def _parameters(usual: ChainParameters, changes: list[str]) -> ChainParameters:
    names = [field.name for field in dataclasses.fields(usual)]
    values: dict[str, int] = {}
    for text in changes:
        name, _, number = text.partition("=")
        if name not in names:
            raise ArgumentError(f'--set "{text}": the parameters are {", ".join(names)}')
        if not (number.isascii() and number.isdigit()):
            raise ArgumentError(f'--set "{text}": write NAME=NUMBER with a whole number, as in done_order_s=600')
        if name in values:
            raise ArgumentError(f"--set: {name} is given twice")
        values[name] = int(number)
    return dataclasses.replace(usual, **values)


def _check_evidence(chain: ChainParameters) -> None:
    blocks = -(-chain.unbonding_s * 1_000 // (chain.block_interval_ms * EPOCHS_KEPT_MAX))
    if chain.epoch_blocks < blocks:
        raise ArgumentError(
            f"with epochs of {chain.epoch_blocks} blocks the records by which offenders are convicted, which go after "
            f"{EPOCHS_KEPT_MAX} epochs, would not last for unbonding_s={chain.unbonding_s}: set epoch_blocks to "
            f"{blocks} or more, or unbonding_s lower"
        )


def _amounts(pairs: list[str], option: str) -> dict[PublicKey, int]:
    amounts: dict[PublicKey, int] = {}
    for text in pairs:
        who, colon, amount = text.rpartition(":")
        if not colon:
            raise ArgumentError(f'{option} "{text}": write KEY:TOKENS, as in a.key:1000')
        key = public_key_of(who)
        if key in amounts:
            raise ArgumentError(f"{option}: {who} is given twice")
        amounts[key] = minor_of_tokens(amount)
    return amounts
