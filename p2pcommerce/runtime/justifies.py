"""The justifies of final blocks, in the store beside them: kept as long as evidence counts, then dropped.

Their age is measured by the chain's time, as that of evidence (`ledger.epochs`): by the time of headers, the first
blocks after a long halt would drop what still convicts.

They are what a certificate that is heard late is compared with. A block that this node took by catching up has none.

Source: the evidence of the finality specification ("justifies are kept 21 days").
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from p2pcommerce.ledger.epochs import chain_time_in
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.runtime.store_error import translated

__all__ = ["DROPPED_AT_ONCE", "JUSTIFIES_SCHEMA", "Justifies"]

JUSTIFIES_SCHEMA: Final = """
CREATE TABLE justifies (height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, justify BLOB NOT NULL) STRICT;
"""
_AGE_MS_MIN: Final = 21 * 86_400_000
DROPPED_AT_ONCE: Final = 4
"""Of too old ones, so many go with each block: they go faster than they come, and no commit is held up."""
_READ: Final = (
    "SELECT b.height, b.header, b.proof, coalesce(j.justify, x'') FROM blocks b LEFT JOIN justifies j "
    "ON j.height = b.height WHERE b.height >= ? AND b.block != x'' ORDER BY b.height LIMIT ?"
)


class Justifies:
    """The justifies of one open store."""

    def __init__(self, path: Path, connection: sqlite3.Connection, genesis: Genesis) -> None:
        """Keep them for 21 days of the chain's time, or as long as stake is bound, if that is longer."""
        self._path = path
        self._connection = connection
        self._age_ms = max(_AGE_MS_MIN, genesis.parameters.unbonding_s * 1_000)

    def put(self, committed: CommittedBlock) -> None:
        """Keep a block's justify, in the transaction of the block, and drop some that are too old."""
        height, run = committed.block.header.height, self._connection.execute
        now_ms = chain_time_in(committed.changes)
        if committed.justify:
            run("INSERT INTO justifies VALUES (?, ?, ?)", (height, now_ms, committed.justify))
        oldest = run("SELECT height, time_ms FROM justifies ORDER BY height LIMIT ?", (DROPPED_AT_ONCE,)).fetchall()
        too_old = [(low,) for low, time_ms in oldest if time_ms < now_ms - self._age_ms]
        self._connection.executemany("DELETE FROM justifies WHERE height = ?", too_old)

    def history(self, from_height: int, count: int) -> list[bytes]:
        """Return header, proof and justify of blocks, one after the other, the first of `from_height`, without gaps.

        A block without a body ends them; a justify that is not kept is empty.
        """
        found: list[bytes] = []
        with translated(self._path), closing(self._connection.execute(_READ, (from_height, count))) as rows:
            for height, header, proof, justify in rows:
                if height != from_height + len(found) // 3:
                    break
                found += [header, proof, justify]
        return found
