"""What one simulated host keeps on its disk: write-ahead log, signing guard, chain, own transactions, address book.

The chain's file holds a frame for each final block, with its height and hash; the blocks themselves are objects beside
it, found by hash: what a crash leaves of the file decides which of them are there.

Source: "A node's folder" of the interface specification.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from p2pcommerce.ledger.state import StateChanges
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.ids import HEIGHT_MAX, BlockHash
from p2pcommerce.simulation.disks import SimulatedDisk, SimulatedDiskError
from p2pcommerce.simulation.journal import JournalDamageError, SimulatedJournal

__all__ = ["Storage"]

_ROW: Final = struct.Struct(">I32s")
_RESTORED: Final = struct.Struct(">I32sx")
"""The row of a block whose whole state was restored: one byte longer."""


class Storage:
    """Open files of one host.

    Attributes:
        log: the write-ahead log.
        guard: the signing guard's file.
        own: the journal of own transactions.
        blocks: the stored final blocks, from height 1 on, or from a restored one on.
        was_rebuilt: the chain's file was damaged and begun anew.
    """

    def __init__(self, disk: SimulatedDisk, rng: random.Random, contents: Mapping[BlockHash, CommittedBlock]) -> None:
        """Open what a crash has left.

        Args:
            disk: of the host.
            rng: draws markers of new files.
            contents: every block that was ever stored here, by hash.

        Raises:
            JournalDamageError: log or guard is damaged: this validator must not sign.
            SimulatedDiskError: the disk failed.
        """
        self._disk = disk
        self._rng = rng
        self.log = SimulatedJournal(disk, "finality.wal", rng)
        self.guard = SimulatedJournal(disk, "guard", rng)
        self.own = self._open_own()
        self.was_rebuilt = False
        self._chain = self._open_chain()
        self.blocks: list[CommittedBlock] = []
        self._is_restored = False
        for row in self._chain.records:
            is_restored = len(row) == _RESTORED.size
            height, digest = (_RESTORED if is_restored else _ROW).unpack(row)
            if is_restored:
                self._begin_with(contents[BlockHash(digest)])
            elif height != self.height + 1:
                break
            else:
                self.blocks.append(contents[BlockHash(digest)])

    def _open_chain(self) -> SimulatedJournal:
        try:
            return SimulatedJournal(self._disk, "chain", self._rng)
        except JournalDamageError:
            # A person moves a damaged store away; the node catches up from its peers.
            self._disk.remove("chain")
            self._disk.sync_directory()
            self.was_rebuilt = True
            return SimulatedJournal(self._disk, "chain", self._rng)

    def _open_own(self) -> SimulatedJournal:
        try:
            return SimulatedJournal(self._disk, "own", self._rng)
        except JournalDamageError:
            # The runtime passes over the damaged place alone; here all of it is lost.
            self._disk.remove("own")
            self._disk.sync_directory()
            return SimulatedJournal(self._disk, "own", self._rng)

    @property
    def height(self) -> int:
        """Height of the last stored block."""
        return self.blocks[-1].block.header.height if self.blocks else 0

    def _begin_with(self, restored: CommittedBlock) -> None:
        self.blocks = [restored]
        self._is_restored = True

    def write_restored(self, restored: CommittedBlock) -> None:
        """Write a whole state in one atomic step; durable after `sync_restored`.

        Raises:
            SimulatedDiskError: of the disk.
        """
        self._chain.append([_RESTORED.pack(restored.block.header.height, restored.block.hash)])

    def sync_restored(self, restored: CommittedBlock) -> None:
        """Make a whole state durable and readable.

        Raises:
            SimulatedDiskError: of the disk.
        """
        self._chain.sync()
        self._begin_with(restored)

    def write_blocks(self, blocks: Sequence[CommittedBlock]) -> None:
        """Write final blocks in one atomic step; durable after `sync_blocks`.

        Raises:
            SimulatedDiskError: of the disk.
        """
        self._chain.append([_ROW.pack(each.block.header.height, each.block.hash) for each in blocks])

    def sync_blocks(self, blocks: Sequence[CommittedBlock]) -> None:
        """Make these blocks durable and readable.

        Raises:
            SimulatedDiskError: of the disk.
        """
        self._chain.sync()
        self.blocks += blocks

    def rows(self, from_height: int, count: int) -> list[tuple[bytes, bytes]]:
        """Return bytes and proof of stored blocks."""
        first = (self.blocks[0].block.header.height if self.blocks else 1) + self._is_restored
        if from_height < first:
            return []
        start = from_height - first + self._is_restored
        return [(each.block.raw, each.proof) for each in self.blocks[start : start + count]]

    def state(self, founded: StateChanges, up_to: int = HEIGHT_MAX) -> dict[bytes, bytes]:
        """Return the state after the stored blocks up to a height, from that at genesis."""
        values: StateChanges = {} if self._is_restored else dict(founded)
        for committed in self.blocks:
            if committed.block.header.height > up_to:
                break
            values.update(committed.changes)
        return {key: value for key, value in values.items() if value is not None}

    def try_save_book(self, data: bytes) -> str:
        """Write the address book; return why it could not be, empty: it was. The runtime says so in its log, too."""
        try:
            self._disk.replace("peers", data)
            self._disk.sync_directory()
        except SimulatedDiskError as error:
            return str(error)
        return ""

    def book(self) -> bytes | None:
        """Return the saved address book, None if there is none."""
        return self._disk.read("peers") if self._disk.exists("peers") else None
