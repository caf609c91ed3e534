"""What can be wrong with a store, and the one table that says so of SQLite's errors.

Source: SQLite's result codes, https://www.sqlite.org/rescode.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from p2pcommerce.primitives.errors import UsageError

__all__ = [
    "StoreDamagedError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreNetworkError",
    "StoreVersionError",
    "damaged",
    "translated",
]


class StoreError(UsageError):
    """A store that cannot be used; one line names the file, the reason and what to do."""

    code = "STORE"


class StoreFullError(StoreError):
    """The disk, or the database's size limit, is full; the commit that met it left nothing behind."""

    code = "STORE_FULL"


class StoreDamagedError(StoreError):
    """The file is no database of this program, or its content contradicts itself."""

    code = "STORE_DAMAGED"


class StoreLockedError(StoreError):
    """Another program has the database locked."""

    code = "STORE_LOCKED"


class StoreNetworkError(StoreError):
    """The store belongs to another network."""

    code = "STORE_NETWORK"


class StoreVersionError(StoreError):
    """The store was written by a newer program."""

    code = "STORE_VERSION"


_DAMAGED: Final = (
    StoreDamagedError,
    "is damaged",
    "move it away and start again: the node then fetches the chain from its peers",
)
_TABLE: Final = {
    sqlite3.SQLITE_FULL: (StoreFullError, "the disk is full", "free some space, then start the node again"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: (StoreLockedError, "is locked by another program", "close that program, then try again"),
    sqlite3.SQLITE_LOCKED: (StoreLockedError, "is locked by another program", "close that program, then try again"),
    sqlite3.SQLITE_READONLY: (StoreError, "cannot be written to", "see to the permissions of file and folder"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "cannot be opened", "see to the permissions of file and folder"),
    sqlite3.SQLITE_IOERR: (StoreError, "cannot be read or written", "see to the disk, then start the node again"),
}
_PRIMARY_MASK: Final = 0xFF
"""An extended result code holds the primary one in its lowest byte."""


def damaged(path: Path, what: str) -> StoreDamagedError:
    """Return the error for content that contradicts itself."""
    kind, reason, advice = _DAMAGED
    return kind(f"{path}: {reason} ({what}); {advice}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors in the block into the store's.

    Raises:
        StoreError: or a subclass of it, instead of `sqlite3.Error`.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_MASK
        if code not in _TABLE:
            raise StoreError(f"{path}: {error}; start the node again, and see its log if this goes on") from error
        kind, reason, advice = _TABLE[code]
        raise kind(f"{path}: {reason} ({error}); {advice}") from error
