"""All commands: which one is run, and what errors and signals become.

Exit codes: 0 success; 1 the command ran and failed (a transaction refused, nodes that disagree, a proof that does not
hold); 2 it cannot be done so, with one line that says what is wrong and what to type instead; 3 a part was done, and
`--partial` allowed to leave out the rest (`trace import`, `trace export`); 130 after Ctrl-C, 143 after SIGTERM (of a
node: 0, it is how nodes are stopped).
"""

from __future__ import annotations

import os
import sys
from typing import Final

from p2pcommerce.cli import blob, genesis, init, key, light, message, proof, query, run, share, trace, tx
from p2pcommerce.cli.demo import command as demo
from p2pcommerce.cli.interrupt import INTERRUPTED
from p2pcommerce.cli.shared import CommandParser, print_json
from p2pcommerce.cli.sim import command as sim
from p2pcommerce.primitives.errors import P2PError, UsageError
from p2pcommerce.runtime.control_client import NodeStoppedError

__all__ = ["run_command"]

_FAILED: Final = 1
_USAGE: Final = 2
_COMMANDS: Final = (demo, key, genesis, init, run, tx, query, share, proof, trace, light, blob, message, sim)


def run_command(arguments: list[str]) -> int:
    """Run a command with its arguments (without the program's name) and return the exit code."""
    try:
        return _run(arguments)
    except P2PError as error:
        return _fail(error, arguments)
    except BaseExceptionGroup as group:
        leaf = _first(group)
        if isinstance(leaf, P2PError):
            return _fail(leaf, arguments)
        if isinstance(leaf, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(leaf, BrokenPipeError):
            return _unread()
        raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _unread()


def _run(arguments: list[str]) -> int:
    parser = CommandParser(
        prog="p2pcommerce",
        description="A decentralized merchant network: nodes, transactions, proofs, and a demo of it all.",
        epilog="example: p2pcommerce demo",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    parsed = parser.parse_args(arguments)
    code: int = parsed.handler(parsed)
    return code


def _unread() -> int:
    """End after whoever read our output has gone; what is left in the buffer must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _FAILED


def _fail(error: P2PError, arguments: list[str]) -> int:
    text = " ".join(str(error).split())
    sys.stderr.write(f"p2pcommerce: {text}\n")
    if "--json" in arguments:
        print_json({"error": {"code": error.code, "message": text}})
    is_usage = isinstance(error, UsageError) and not isinstance(error, NodeStoppedError)
    return _USAGE if is_usage else _FAILED


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of the library in a group of groups, or else the first error."""
    found: BaseException | None = None
    for error in group.exceptions:
        leaf = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(leaf, P2PError):
            return leaf
        found = found or leaf
    return group if found is None else found
