"""A journal on a simulated disk: records in frames, each with a checksum; a torn tail is cut, damage is refused.

It keeps the promises of the runtime's journal on a disk that can lose power: one `append` is one frame, which counts
once `sync` has returned; of a torn frame nothing is read; a bad frame with a good one after it is damage, no torn tail.

    file  = "p2psim1" | marker (8 bytes, drawn) | frame*
    frame = marker | length (u32) | crc32(marker | length | payload) (u32) | payload
    payload = (length (u32) | record)*

Source: write-ahead log and signing guard of the finality specification.
Deviations: what was found at opening is synced before anything acts on it: a process that died may have left bytes in
the page cache that a later loss of power would take away.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from typing import Final

from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.simulation.disks import SimulatedDisk

__all__ = ["JournalDamageError", "SimulatedJournal"]

_MAGIC: Final = b"p2psim1"
_MARKER_BYTES: Final = 8
_HEADER_BYTES: Final = len(_MAGIC) + _MARKER_BYTES
_FRAME: Final = struct.Struct(">8sII")
_LENGTH: Final = struct.Struct(">I")


class JournalDamageError(P2PError):
    """A journal with damage before its last frame: what was signed is no longer known for sure."""

    code = "JOURNAL_DAMAGE"


class SimulatedJournal:
    """An open journal.

    Attributes:
        name: of its file.
        records: what it held when it was opened, oldest first.
        cut_bytes: length of the torn tail that was cut at opening.
    """

    def __init__(self, disk: SimulatedDisk, name: str, rng: random.Random) -> None:
        """Open or make a file.

        Args:
            disk: where.
            name: of the file.
            rng: draws the marker of a new file.

        Raises:
            JournalDamageError: a bad frame before a good one, or a bad header.
            SimulatedDiskError: of the disk.
        """
        self.name = name
        self.records: list[bytes] = []
        self.cut_bytes = 0
        self._disk = disk
        self._rng = rng
        if not disk.exists(name):
            self.compact(())
        data = disk.read(name)
        self._marker = data[len(_MAGIC) : _HEADER_BYTES]
        if data[: len(_MAGIC)] != _MAGIC or len(data) < _HEADER_BYTES:
            raise JournalDamageError(f"{name} has no good header; the node cannot know what it signed")
        end = self._read(data)
        self.cut_bytes = len(data) - end
        if self.cut_bytes:
            disk.replace(name, data[:end])
            disk.sync_directory()
        else:
            disk.sync(name)

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self._disk.size(self.name)

    def append(self, records: Sequence[bytes]) -> None:
        """Write records as one frame; durable after `sync`.

        Raises:
            SimulatedDiskError: ENOSPC or EIO.
        """
        self._disk.append(self.name, _frame(self._marker, records))

    def sync(self) -> None:
        """Make what was appended durable.

        Raises:
            SimulatedDiskError: EIO.
        """
        self._disk.sync(self.name)

    def compact(self, records: Sequence[bytes]) -> None:
        """Replace everything by `records`, in one durable step.

        Raises:
            SimulatedDiskError: of the disk.
        """
        marker = self._rng.randbytes(_MARKER_BYTES)
        frames = [_frame(marker, [record]) for record in records]
        self._disk.replace(self.name, b"".join([_MAGIC, marker, *frames]))
        self._disk.sync_directory()
        self._marker = marker

    def _read(self, data: bytes) -> int:
        """Take up the good frames; return where the last of them ends."""
        offset = _HEADER_BYTES
        while offset < len(data):
            payload = self._payload(data, offset)
            if payload is None:
                if self._has_frame_after(data, offset):
                    raise JournalDamageError(f"{self.name} is damaged at byte {offset}, with good records after it")
                break
            self.records += _split(payload)
            offset += _FRAME.size + len(payload)
        return min(offset, len(data))

    def _payload(self, data: bytes, offset: int) -> bytes | None:
        if offset + _FRAME.size > len(data):
            return None
        marker, length, checksum = _FRAME.unpack_from(data, offset)
        payload = data[offset + _FRAME.size : offset + _FRAME.size + length]
        is_good = marker == self._marker and len(payload) == length and _checksum(marker, payload) == checksum
        return payload if is_good else None

    def _has_frame_after(self, data: bytes, offset: int) -> bool:
        candidate = data.find(self._marker, offset + 1)
        while candidate != -1:
            if self._payload(data, candidate) is not None:
                return True
            candidate = data.find(self._marker, candidate + 1)
        return False


def _frame(marker: bytes, records: Sequence[bytes]) -> bytes:
    payload = b"".join([part for record in records for part in (_LENGTH.pack(len(record)), record)])
    return _FRAME.pack(marker, len(payload), _checksum(marker, payload)) + payload


def _checksum(marker: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(marker + _LENGTH.pack(len(payload))))


def _split(payload: bytes) -> list[bytes]:
    records: list[bytes] = []
    offset = 0
    while offset < len(payload):
        (length,) = _LENGTH.unpack_from(payload, offset)
        offset += _LENGTH.size
        records.append(payload[offset : offset + length])
        offset += length
    return records
