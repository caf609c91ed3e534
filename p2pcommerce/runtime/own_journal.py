"""Opens the journal of own transactions; unlike the log and the guard it never keeps a node from starting.

Its records do not need each other: a damaged place is passed over, a file that cannot be read at all is put aside, and
either is said in the log. What is lost is a transaction that its user may submit again.

Source: the networking specification (own transactions are journalled and survive a restart).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from p2pcommerce.runtime.journal import Journal, JournalDamagedError, JournalFullError
from p2pcommerce.runtime.log import Log

__all__ = ["OWN_FILE", "OWN_FILE_BYTES_MAX", "open_own"]

OWN_FILE: Final = "own.wal"
OWN_FILE_BYTES_MAX: Final = 128 * 2**20
"""Several times what the core keeps in it: it is rewritten long before."""


def open_own(folder: Path, log: Log) -> tuple[Journal, list[bytes]]:
    """Open or create the journal in a node's folder, and return it with its records, oldest first.

    Raises:
        JournalVersionError: a newer program wrote it.
        JournalWriteError: the file cannot be read or written.
    """
    path = folder / OWN_FILE
    try:
        return Journal.open(path, bytes_max=OWN_FILE_BYTES_MAX, log=log, is_passable=True)
    except (JournalDamagedError, JournalFullError):
        aside = path.with_name(f"{OWN_FILE}.damaged")
        path.replace(aside)
        log.warning("own", f"{path}: cannot be read, own transactions in it are lost: submit them again", aside=aside)
        return Journal.open(path, bytes_max=OWN_FILE_BYTES_MAX, log=log)
