"""The store: the final chain and its state in one SQLite file.

One final block is one atomic, synced commit: header, body, proof, outcomes, state changes and indices, so that after a
crash there is the whole block or nothing of it. Nothing that is not final is ever in it.

Plain synchronous calls on ONE connection. They block: the runtime makes them in a worker thread, one at a time
(`CapacityLimiter(1)`). State is read once at the start, into memory; the other reads serve peers that catch up,
receipts, replayed events and proofs.

`since` excludes: `events_since(7)` begins with height 8. Lists are cut at the end of a block only, after at least
`limit` rows: the last row's height is what to ask for next, and nothing is skipped or told twice. (A block has at most
1,500 transactions, so a list is at most that much longer than `limit`.)

Source: the storage traps and "How one transaction travels" in the architecture specification; sqlite.org/wal.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from p2pcommerce.ledger.block import Header, decode_block, decode_header
from p2pcommerce.ledger.epochs import epoch_of_set_key
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.receipt import OUTCOME, Outcome, Receipt
from p2pcommerce.ledger.state import StateChanges
from p2pcommerce.ledger.validators import VALIDATORS
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.primitives.codec import decode, encode
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, Height, TransactionId
from p2pcommerce.runtime.durable_file import sync_directory
from p2pcommerce.runtime.justifies import JUSTIFIES_SCHEMA, Justifies
from p2pcommerce.runtime.snapshots import FrozenState
from p2pcommerce.runtime.store_error import StoreNetworkError, StoreVersionError, damaged, translated

__all__ = ["SCHEMA_VERSION", "STORE_FILE", "Store"]

STORE_FILE: Final = "chain.sqlite3"
SCHEMA_VERSION: Final = 5
_APPLICATION_ID: Final = 0x50325043
"""Marks the file as this program's ("P2PC"), for `file` and for `open`."""
_BUSY_MS: Final = 1_000
_STATE_ROWS: Final = 1_000
"""State rows fetched at a time while loading."""
_OUTCOME_BYTES_MAX: Final = 2 * 2**20
_INDEX_KEY_MAX: Final = 2**62
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL, header BLOB NOT NULL, block BLOB NOT NULL, proof BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocks_by_hash ON blocks (hash);
CREATE TABLE transactions (
    height INTEGER NOT NULL, position INTEGER NOT NULL, id BLOB NOT NULL, outcome BLOB NOT NULL,
    PRIMARY KEY (height, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX transactions_by_id ON transactions (id);
CREATE TABLE touched (
    id BLOB NOT NULL, height INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (id, height, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE validator_sets (epoch INTEGER PRIMARY KEY, validators BLOB NOT NULL) STRICT;
CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
_RECEIPT: Final = (
    "SELECT t.height, t.position, b.hash, t.id, t.outcome FROM transactions t JOIN blocks b ON b.height = t.height"
)


class Store:
    """An open store.

    Attributes:
        path: the file; justifies: of its blocks.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, genesis: Genesis) -> None:
        """Take over a prepared connection; use `open`."""
        self.justifies = Justifies(path, connection, genesis)
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: str | Path, genesis: Genesis, *, busy_ms: int = _BUSY_MS) -> Store:
        """Open a store, or create an empty one.

        Args:
            path: the file; the caller holds the lock of its directory.
            genesis: the network that the store must belong to.
            busy_ms: how long to wait for another program's lock, milliseconds.

        Raises:
            StoreError: or a subclass: damaged, locked, of another network, of a newer version, not to be opened.
        """
        path = Path(path)
        with translated(path):
            connection = sqlite3.connect(path, timeout=busy_ms / 1_000, isolation_level=None, check_same_thread=False)
        try:
            store = cls(path, connection, genesis)
            with translated(path):
                store._prepare(genesis)
        except BaseException:
            connection.close()
            raise
        return store

    def close(self) -> None:
        """Close the file; what was committed is on the disk already. Closing twice does nothing."""
        with translated(self.path):
            self._connection.close()

    # Writing

    def commit(self, committed: CommittedBlock) -> None:
        """Commit one block right above the head (or genesis to an empty store), all of it or nothing.

        Raises:
            LocalProtocolError: it is not the next block, or has not one outcome for each transaction.
            StoreError: or a subclass, as the disk is full, say.
        """
        self.commit_many([committed])

    def commit_many(self, committed: Sequence[CommittedBlock]) -> None:
        """Commit consecutive blocks, all of them or nothing; see `commit`."""
        with self._transaction():
            for block in committed:
                self._check_next(block)
                self._put(block)

    def restore(self, block: CommittedBlock, links: Sequence[EpochLink]) -> None:
        """Put a whole state and the header that it belongs to in the place of state and head, all of it or nothing.

        Args:
            block: of a height above the head; without transactions, with the whole state as its changes.
            links: whose headers and sets are stored too; those that lead beyond the block are left out, for above it
                the next blocks are to come.

        Raises:
            LocalProtocolError: the head is higher.
            StoreError: or a subclass, as the disk is full, say.
        """
        header, run = block.block.header, self._connection.execute
        with self._transaction():
            row = self._one("SELECT max(height) FROM blocks")
            if row is not None and row[0] is not None and row[0] >= header.height:
                raise LocalProtocolError(f"a snapshot of height {header.height} below the head at {row[0]}")
            run("DELETE FROM state")
            for link in (each for each in links if each.header.height < header.height):
                known = (link.header.height, link.header.hash, link.header.raw, b"", link.finality)
                run("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?)", known)
                following = (link.header.epoch + 1, encode(VALIDATORS, link.validators))
                run("INSERT OR REPLACE INTO validator_sets VALUES (?, ?)", following)
            run("DELETE FROM blocks WHERE height = ?", (header.height,))
            run("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)", (header.height, header.hash, header.raw, b"", block.proof))
            self._put_state(block.changes)

    # Reading

    def head(self) -> tuple[Height, Header, bytes] | None:
        """Return height, header and proof of the last block, None if the store is empty."""
        with translated(self.path):
            row = self._one("SELECT height, header, proof FROM blocks ORDER BY height DESC LIMIT 1")
        return None if row is None else (Height(row[0]), self._header(row[0], row[1]), row[2])

    def load_state(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value of the state after the head, in order of keys."""
        with translated(self.path):
            cursor = self._connection.execute("SELECT key, value FROM state ORDER BY key")
            while rows := cursor.fetchmany(_STATE_ROWS):
                yield from rows

    def freeze(self) -> FrozenState:
        """Return the state after the head as it is now, to be read on a connection of its own."""
        return FrozenState(self.path)

    def blocks(self, from_height: int, count: int, bytes_max: int) -> list[tuple[bytes, bytes, bytes]]:
        """Return consecutive blocks, the first of `from_height`.

        Args:
            from_height: at least 0; above the head there is nothing.
            count: at most so many.
            bytes_max: of headers, blocks and proofs together; the first block is returned even if it is larger.

        Returns:
            For each the header's bytes, the block's bytes (header and transactions), the proof.
        """
        found: list[tuple[bytes, bytes, bytes]] = []
        size = 0
        first = _bounded(from_height)
        statement = "SELECT height, header, block, proof FROM blocks WHERE height >= ? ORDER BY height LIMIT ?"
        with translated(self.path), closing(self._connection.execute(statement, (first, _bounded(count)))) as rows:
            for height, header, block, proof in rows:
                size += len(header) + len(block) + len(proof)
                # Before a restored snapshot there are gaps, and headers without a body.
                if height != first + len(found) or not block or (found and size > bytes_max):
                    break
                found.append((header, block, proof))
        return found

    def header_at(self, height: int) -> tuple[Header, bytes] | None:
        """Return header and proof of a final block, also of one whose body is not here; None if it is not known."""
        with translated(self.path):
            row = self._one("SELECT header, proof FROM blocks WHERE height = ?", _bounded(height))
        return None if row is None else (self._header(height, row[0]), row[1])

    def height_of(self, block_hash: BlockHash) -> Height | None:
        """Return the height of a block by its hash (32 bytes), None if it is not here."""
        with translated(self.path):
            row = self._one("SELECT height FROM blocks WHERE hash = ?", block_hash)
        return None if row is None else Height(row[0])

    def receipt(self, tx_id: TransactionId) -> Receipt | None:
        """Return the receipt of a final transaction by its id (32 bytes), None if it is not final here."""
        with translated(self.path):
            row = self._one(f"{_RECEIPT} WHERE t.id = ?", tx_id)
        return None if row is None else self._receipt(row)

    def transaction_at(self, height: int, index: int) -> bytes | None:
        """Return a final transaction's bytes by its place, None if there is no such place."""
        with translated(self.path):
            row = self._one("SELECT block FROM blocks WHERE height = ?", _bounded(height))
        if row is None or not row[0]:
            return None
        try:
            transactions = decode_block(row[0]).transactions
        except CodecError as error:
            raise damaged(self.path, f"block {height}: {error}") from error
        return transactions[index] if 0 <= index < len(transactions) else None

    def validator_set(self, epoch: int) -> bytes | None:
        """Return the validator set of an epoch as its state record had it, also once the state has it no more."""
        with translated(self.path):
            row = self._one("SELECT validators FROM validator_sets WHERE epoch = ?", _bounded(epoch))
        return None if row is None else bytes(row[0])

    def touched(self, item_id: bytes, since: int = 0, limit: int = 1_000) -> list[tuple[Height, int]]:
        """Return where an id was touched by successful transactions, oldest first.

        Args:
            item_id: as it stands in the events.
            since: only heights above this one.
            limit: see the top of this file.

        Returns:
            For each the height and the position in the block.
        """
        statement = "SELECT height, position FROM touched WHERE id = ? AND height > ? ORDER BY height, position"
        rows = self._rows(limit, statement, item_id, _bounded(since))
        return [(Height(height), position) for height, position in rows]

    def events_since(self, height: int, limit: int = 1_000) -> list[Receipt]:
        """Return the receipts of all blocks above `height`, oldest first; `limit`: see the top of this file."""
        rows = self._rows(limit, f"{_RECEIPT} WHERE t.height > ? ORDER BY t.height, t.position", _bounded(height))
        return [self._receipt(row) for row in rows]

    # Inside

    def _prepare(self, genesis: Genesis) -> None:
        run = self._connection.execute
        (version,) = self._one("PRAGMA user_version") or (0,)
        (application,) = self._one("PRAGMA application_id") or (0,)
        if application not in {0, _APPLICATION_ID}:
            raise damaged(self.path, "it is the database of another program")
        if version not in {0, SCHEMA_VERSION}:
            advice = "update the program" if version > SCHEMA_VERSION else "move it away and let the node catch up"
            raise StoreVersionError(
                f"{self.path}: has schema version {version}, this program reads {SCHEMA_VERSION}: {advice}"
            )
        if version == 0 and self._one("SELECT 1 FROM sqlite_schema LIMIT 1") is not None:
            raise damaged(self.path, "it is the database of another program")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA trusted_schema = OFF")
        with self._transaction():
            if version == 0:
                self._create(genesis)
        row = self._one("SELECT value FROM meta WHERE name = 'genesis_hash'")
        if row is None:
            raise damaged(self.path, "it does not say which network it belongs to")
        if row[0] != genesis.hash:
            raise StoreNetworkError(
                f"{self.path}: belongs to the network with genesis {row[0].hex()[:16]}, not to "
                f'"{genesis.network}" with genesis {genesis.hash.hex()[:16]}: choose another folder or genesis file'
            )

    def _create(self, genesis: Genesis) -> None:
        for statement in (_SCHEMA + JUSTIFIES_SCHEMA).split(";"):
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO meta VALUES ('genesis_hash', ?)", (bytes(genesis.hash),))
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        sync_directory(self.path.parent)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do the block in one transaction; on any error nothing of it remains."""
        with translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors (a full disk).
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _check_next(self, committed: CommittedBlock) -> None:
        header = committed.block.header
        if len(committed.outcomes) != len(committed.block.transactions):
            raise LocalProtocolError(
                f"block {header.height} has {len(committed.block.transactions)} transactions and "
                f"{len(committed.outcomes)} outcomes"
            )
        row = self._one("SELECT height, hash FROM blocks ORDER BY height DESC LIMIT 1")
        expected = (0, None) if row is None else (row[0] + 1, row[1])
        if header.height != expected[0] or (row is not None and header.parent_hash != expected[1]):
            raise LocalProtocolError(f"block {header.height} does not stand on the stored head; next is {expected[0]}")

    def _put(self, committed: CommittedBlock) -> None:
        header, height = committed.block.header, committed.block.header.height
        many = self._connection.executemany
        self._connection.execute(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)",
            (height, header.hash, header.raw, committed.block.raw, committed.proof),
        )
        self.justifies.put(committed)
        outcomes = list(enumerate(zip(committed.block.transaction_ids, committed.outcomes, strict=True)))
        many(
            "INSERT INTO transactions VALUES (?, ?, ?, ?)",
            [(height, index, tx_id, encode(OUTCOME, outcome)) for index, (tx_id, outcome) in outcomes],
        )
        many(
            "INSERT INTO touched VALUES (?, ?, ?)",
            [(item_id, height, index) for index, (_, outcome) in outcomes for item_id in _ids(outcome)],
        )
        self._put_state(committed.changes)

    def _put_state(self, changes: StateChanges) -> None:
        many = self._connection.executemany
        many("DELETE FROM state WHERE key = ?", [(key,) for key, value in changes.items() if value is None])
        sets = [(epoch_of_set_key(key), value) for key, value in changes.items() if value is not None]
        many("INSERT OR REPLACE INTO validator_sets VALUES (?, ?)", [row for row in sets if row[0] is not None])
        many(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, value) for key, value in changes.items() if value is not None],
        )

    def _one(self, statement: str, *arguments: object) -> tuple[Any, ...] | None:
        cursor = self._connection.execute(statement, arguments)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row

    def _rows(self, limit: int, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return rows that begin with a height, up to the end of the block in which the limit is reached."""
        found: list[tuple[Any, ...]] = []
        with translated(self.path), closing(self._connection.execute(statement, arguments)) as rows:
            for row in rows:
                if found and len(found) >= limit and row[0] != found[-1][0]:
                    break
                found.append(row)
        return found

    def _header(self, height: int, raw: bytes) -> Header:
        try:
            return decode_header(raw)
        except CodecError as error:
            raise damaged(self.path, f"header {height}: {error}") from error

    def _receipt(self, row: tuple[Any, ...]) -> Receipt:
        height, index, block_hash, tx_id, raw = row
        try:
            outcome = decode(OUTCOME, raw, _OUTCOME_BYTES_MAX)
        except CodecError as error:
            raise damaged(self.path, f"outcome {height}/{index}: {error}") from error
        return Receipt(
            height=Height(height),
            index=index,
            block_hash=BlockHash(block_hash),
            tx_id=TransactionId(tx_id),
            code=outcome.code,
            events=outcome.events,
            detail=outcome.detail,
        )


def _ids(outcome: Outcome) -> dict[bytes, None]:
    """Return the ids that a transaction touched, each once, in order."""
    return dict.fromkeys(item_id for event in outcome.events for item_id in event.ids)


def _bounded(number: int) -> int:
    """Return a number that SQLite can compare with: what peers ask for is not trusted to be small."""
    return max(0, min(number, _INDEX_KEY_MAX))
