"""The justifies of final blocks, in the store beside them: kept as long as evidence counts, then dropped.

Evidence of an epoch counts from the first block of the next one on (`ledger.epochs`), and so do the justifies of its
blocks: those of an epoch stay as long as the last of them does. Their age is measured by the chain's time, as that of
evidence: by the time of headers, the first blocks after a long halt would drop what still convicts.

    epoch_starts: the chain's time at the first block of each epoch, from the newest whose predecessors count no more

They are what a certificate that is heard late is compared with. A block that this node took by catching up has none;
nor is the first block of an epoch known that a restored snapshot leaves out: then that of a later one counts.

Source: the evidence of the finality specification ("justifies are kept 21 days").
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from p2pcommerce.ledger.epochs import boundary_of, chain_time_in, epoch_of, is_boundary
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.runtime.store_error import translated

__all__ = ["DROPPED_AT_ONCE", "JUSTIFIES_SCHEMA", "Justifies"]

JUSTIFIES_SCHEMA: Final = """
CREATE TABLE justifies (height INTEGER PRIMARY KEY, justify BLOB NOT NULL) STRICT;
CREATE TABLE epoch_starts (epoch INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL) STRICT;
"""
_AGE_MS_MIN: Final = 21 * 86_400_000
DROPPED_AT_ONCE: Final = 4
"""Of too old ones, so many go with each block: they go faster than they come, and no commit is held up."""
_DROP: Final = (
    "DELETE FROM justifies WHERE height IN (SELECT height FROM justifies WHERE height <= ? ORDER BY height LIMIT ?)"
)
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
        self._epoch_blocks = genesis.parameters.epoch_blocks

    def put(self, committed: CommittedBlock) -> None:
        """Keep a block's justify, in the transaction of the block, and drop some that are too old."""
        height, run = committed.block.header.height, self._connection.execute
        now_ms = chain_time_in(committed.changes)
        if is_boundary(height - 1, self._epoch_blocks):
            run("INSERT INTO epoch_starts VALUES (?, ?)", (epoch_of(height, self._epoch_blocks), now_ms))
        if committed.justify:
            run("INSERT INTO justifies VALUES (?, ?)", (height, committed.justify))
        self._drop(now_ms)

    def _drop(self, now_ms: int) -> None:
        """Drop some justifies of epochs from which evidence counts no more, and the starts that tell nothing more."""
        run = self._connection.execute
        starts = run("SELECT epoch, time_ms FROM epoch_starts ORDER BY epoch LIMIT 2").fetchall()
        old = [epoch for epoch, time_ms in starts if time_ms + self._age_ms <= now_ms]
        if not old:
            return
        last = boundary_of(old[-1] - 1, self._epoch_blocks)
        run(_DROP, (last, DROPPED_AT_ONCE))
        run("DELETE FROM epoch_starts WHERE epoch < ?", (old[-1],))

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
