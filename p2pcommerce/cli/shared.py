"""What commands have in common: options, the one JSON line, amounts, public keys."""

from __future__ import annotations

import argparse
import json
import re
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NoReturn

from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.runtime.identity import KEY_FILE_BYTES_MAX

__all__ = [
    "PARTIAL",
    "ArgumentError",
    "CommandParser",
    "add_json",
    "add_node_folder",
    "minor_of_tokens",
    "print_json",
    "public_key_of",
]

PARTIAL: Final = 3
"""Exit code of a command that did a part, because `--partial` allowed it to leave something out."""
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_SUPPLY_MAX_MINOR: Final = 2**63 - 1


class ArgumentError(UsageError):
    """An argument that cannot be used; one line says what to type instead."""

    code = "ARGUMENT"


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    @override
    def error(self, message: str) -> NoReturn:
        """Raise what `main` prints, instead of printing the usage."""
        raise ArgumentError(f"{message}; see `{self.prog} --help`")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on the last line of stdout; everything else on stderr"
    )


def add_node_folder(parser: argparse.ArgumentParser) -> None:
    """Add `--dir`: the folder of a running node."""
    parser.add_argument(
        "--dir", type=Path, default=Path(), metavar="DIR", help="folder of a running node (default: the current one)"
    )


def print_json(value: object) -> None:
    """Print one JSON object on one line of stdout."""
    sys.stdout.write(json.dumps(value, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def public_key_of(text: str) -> PublicKey:
    """Return a public key (32 bytes): 64 hexadecimal digits, or the path of a key file.

    Raises:
        ArgumentError: neither.
    """
    if _KEY.fullmatch(text):
        return PublicKey(bytes.fromhex(text))
    try:
        with Path(text).open("rb") as file:
            found = json.loads(file.read(KEY_FILE_BYTES_MAX))["public_key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArgumentError(f'"{text}" is neither a key of 64 hexadecimal digits nor a key file') from error
    if not isinstance(found, str) or not _KEY.fullmatch(found):
        raise ArgumentError(f"{text}: is no key file; make one with `p2pcommerce key new FILE`")
    return PublicKey(bytes.fromhex(found))


def minor_of_tokens(text: str) -> int:
    """Return minor units of an amount in tokens ("1000", "12.5").

    Raises:
        ArgumentError: it is no positive amount with at most 6 decimal places.
    """
    try:
        amount = Decimal(text) * TOKEN_MINOR
    except InvalidOperation as error:
        raise ArgumentError(f'"{text}" is no amount of tokens; write 1000 or 12.5') from error
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 < amount <= _SUPPLY_MAX_MINOR:
        raise ArgumentError(f'"{text}" is no amount of tokens; write a positive one with at most 6 decimal places')
    return int(amount)
