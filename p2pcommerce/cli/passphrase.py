"""Where passphrases come from: a prompt, a file, or the first line of stdin."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Final

from p2pcommerce.cli.shared import ArgumentError

__all__ = ["add_passphrase", "read_passphrase"]

_BYTES_MAX: Final = 4_096
_STDIN: Final = 0


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add `--passphrase-file`."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help="take the passphrase from the first line of FILE, - for stdin, instead of asking for it",
    )


def read_passphrase(file: str | None, what: str, *, confirm: bool = False) -> str:
    """Return a passphrase.

    Args:
        file: as given on the command line; None: ask.
        what: for whose key, as the prompt says it.
        confirm: ask twice, and refuse an empty one.

    Raises:
        ArgumentError: the file cannot be read, nobody can be asked, or the two answers differ.
    """
    if file is not None:
        passphrase = _decoded(_stdin_line() if file == "-" else _file_line(file), file)
    elif not sys.stdin.isatty():
        raise ArgumentError(
            "there is no terminal to ask for the passphrase; give --passphrase-file FILE, or - for stdin"
        )
    else:
        passphrase = getpass.getpass(f"passphrase for {what}: ")
        if confirm and getpass.getpass("once more: ") != passphrase:
            raise ArgumentError("the two passphrases differ; try again")
    if confirm and not passphrase:
        raise ArgumentError("an empty passphrase protects nothing; choose another")
    return passphrase


def _file_line(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            return stream.readline(_BYTES_MAX + 1)
    except OSError as error:
        raise ArgumentError(f"{file}: cannot be read: {error.strerror or error}") from error


def _stdin_line() -> bytes:
    """Read one line and not a byte more: what follows is for others."""
    line = b""
    while len(line) <= _BYTES_MAX and not line.endswith(b"\n"):
        byte = os.read(_STDIN, 1)
        if not byte:
            break
        line += byte
    return line


def _decoded(line: bytes, file: str) -> str:
    where = "stdin" if file == "-" else file
    if len(line) > _BYTES_MAX:
        raise ArgumentError(f"{where}: the first line is longer than {_BYTES_MAX} bytes, which no passphrase is")
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{where}: the first line is not UTF-8 text") from error
