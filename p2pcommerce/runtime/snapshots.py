"""The snapshots that this node offers: the state after the last boundary blocks, in chunks, one file each.

A snapshot is taken from a frozen read of the store, on a connection of its own, in a thread of its own, with rests
(`pace`): commits and votes go on meanwhile. It is checked against the state root that the validators signed before it
is offered. The last two are kept, so that who fetches one when the next is taken can finish. Each chunk has a checksum:
who sent one that the disk has changed would be taken for a liar.

Source: sqlite.org/isolation.html (a reader sees the database as it was when its transaction began).
"""

from __future__ import annotations

import re
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Final
from zlib import crc32

from p2pcommerce.ledger.block import Header, decode_header
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import GenesisHash
from p2pcommerce.runtime.durable_file import sync_directory
from p2pcommerce.runtime.pace import Pace
from p2pcommerce.runtime.store_error import StoreError, translated
from p2pcommerce.sync import Cut

__all__ = ["SNAPSHOTS_KEPT", "FrozenState", "Snapshots", "StateConflictError"]

SNAPSHOTS_KEPT: Final = 2
_ROWS_AT_ONCE: Final = 250
_NAME: Final = re.compile(r"snapshot-(\d{1,10})\.sqlite3")
_SCHEMA: Final = """
CREATE TABLE head (header BLOB NOT NULL, proof BLOB NOT NULL, depths BLOB NOT NULL) STRICT;
CREATE TABLE chunks (number INTEGER PRIMARY KEY, data BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
"""


class StateConflictError(StoreError):
    """The stored state is not the one that the validators signed: the node must stop."""

    code = "STATE_CONFLICT"


class FrozenState:
    """The state of a store as it is now, to be read while the store goes on."""

    def __init__(self, path: Path) -> None:
        """Begin to read the store at `path`.

        Raises:
            StoreError: it cannot be read.
        """
        self.path = path
        with translated(path):
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("BEGIN")
                # Only a read makes the transaction begin.
                self._connection.execute("SELECT 1 FROM meta").fetchone()
            except BaseException:
                self._connection.close()
                raise

    def pairs(self) -> Generator[tuple[bytes, bytes], None, None]:
        """Yield every key and value."""
        with translated(self.path), closing(self._connection.execute("SELECT key, value FROM state")) as cursor:
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows

    def close(self) -> None:
        """Let go of the past; closing twice does nothing."""
        self._connection.close()


class Snapshots:
    """The snapshots in a node's folder. Its calls block, and are made one at a time."""

    def __init__(self, folder: Path, genesis_hash: GenesisHash) -> None:
        """Find what an earlier run has left; files that are unfinished, damaged or of another network are removed.

        Raises:
            StoreError: one cannot be opened.
        """
        self._folder = folder
        self._genesis_hash = genesis_hash
        self._open: OrderedDict[int, sqlite3.Connection] = OrderedDict()
        for leftover in sorted(folder.glob(".snapshot-*.tmp*")):
            leftover.unlink()
        found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        try:
            for height, path in sorted(found):
                self._find(height, path)
        except BaseException:
            self.close()
            raise

    def write(self, frozen: FrozenState, header: Header, proof: bytes, rest: Callable[[float], None]) -> float:
        """Write a snapshot; `offer` follows. Others may read meanwhile.

        Args:
            frozen: the state after `header`; it is closed.
            header: of the last stored block when it was frozen.
            proof: its proof.
            rest: waits for so many seconds; what it raises ends the work, and nothing is left of the snapshot.

        Returns:
            The processor time that it took, seconds.

        Raises:
            StateConflictError: the stored state is not the one that the validators signed.
            StoreError: the disk is full or failed; nothing is left of the snapshot.
            CutError: the state makes no snapshot.
        """
        pace = Pace(rest)
        try:
            with closing(frozen.pairs()) as pairs:  # before the connection that it reads
                cut = Cut(pace.over(pairs, _ROWS_AT_ONCE))
        finally:
            frozen.close()
        if cut.root != header.state_root:
            raise StateConflictError(
                f"{frozen.path}: its state at height {header.height} is not the one that the validators signed; move "
                "it away and start again: the node then catches up from its peers"
            )
        path = self._path(header.height)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            with translated(path), closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute("BEGIN")
                connection.execute("INSERT INTO head VALUES (?, ?, ?)", (header.raw, proof, cut.depths))
                rows = ((number, data, crc32(data)) for number, data in enumerate(pace.over(cut.chunks())))
                connection.executemany("INSERT INTO chunks VALUES (?, ?, ?)", rows)
                connection.execute("COMMIT")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(self._folder)
        for _ in pace.over(cut.forget()):
            pass  # the rests are what this is for
        return pace.spent_s

    def offer(self, height: int) -> None:
        """Offer the snapshot that was written from now on, and no longer the third last.

        Raises:
            StoreError: it cannot be opened.
        """
        path = self._path(height)
        with translated(path):
            self._keep(height, sqlite3.connect(path, isolation_level=None, check_same_thread=False))

    def newest(self) -> list[bytes]:
        """Return header, proof and depths of the newest snapshot; nothing if there is none."""
        if not self._open:
            return []
        height = max(self._open)
        with translated(self._path(height)):
            row = self._open[height].execute("SELECT header, proof, depths FROM head").fetchone()
        return [] if row is None else list(row)

    def chunk(self, height: int, index: int) -> list[bytes]:
        """Return a chunk; nothing if it is not here. One that the disk has changed ends the offer of its snapshot."""
        connection = self._open.get(height)
        if connection is None:
            return []
        with translated(self._path(height)):
            row = connection.execute("SELECT data, checksum FROM chunks WHERE number = ?", (index,)).fetchone()
        if row is None:
            return []
        if crc32(row[0]) != row[1]:
            self._drop(height)
            return []
        return [bytes(row[0])]

    def close(self) -> None:
        """Close every file."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _path(self, height: int) -> Path:
        return self._folder / f"snapshot-{height}.sqlite3"

    def _find(self, height: int, path: Path) -> None:
        with translated(path):
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if self._is_usable(connection, height):
            self._keep(height, connection)
        else:
            connection.close()
            path.unlink()

    def _keep(self, height: int, connection: sqlite3.Connection) -> None:
        before = self._open.pop(height, None)
        if before is not None:
            before.close()
        self._open[height] = connection
        while len(self._open) > SNAPSHOTS_KEPT:
            self._drop(min(self._open))

    def _drop(self, height: int) -> None:
        self._open.pop(height).close()
        self._path(height).unlink(missing_ok=True)

    def _is_usable(self, connection: sqlite3.Connection, height: int) -> bool:
        try:
            row = connection.execute("SELECT header FROM head").fetchone()
            connection.execute("SELECT checksum FROM chunks LIMIT 1").fetchone()  # files of older versions have none
            header = None if row is None else decode_header(row[0])
        except (sqlite3.Error, CodecError):
            return False
        return header is not None and header.height == height and header.genesis_hash == self._genesis_hash
