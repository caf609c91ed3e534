"""The entry point of the `p2pcommerce` command: it only makes sure that Ctrl-C is quiet from the first moment on.

Importing the commands takes a part of a second; nothing is open yet, so a signal then simply ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments without the program's name; None: the process's.

    Returns:
        The exit code; see `p2pcommerce.cli.commands`.
    """
    is_imported = "p2pcommerce.cli.commands" in sys.modules
    before = None if is_imported else signal.signal(signal.SIGINT, _leave)
    from p2pcommerce.cli.commands import run_command  # noqa: PLC0415 - the point of this room

    if before is not None:
        signal.signal(signal.SIGINT, before)
    return run_command(sys.argv[1:] if argv is None else list(argv))


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
