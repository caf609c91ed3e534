"""The journal: an append-only file whose records are on the disk before `append` returns.

The finality engine's write-ahead log and the signing guard are such files. One `append` is one frame with one checksum
and one `fdatasync`; the next frame follows only after that. So a power loss can tear the last frame only, in any way
(pages of it may be missing in the middle): a torn tail was never acted upon, and is cut at the next start. A bad frame
with a good one after it is no torn tail but damage: the file is refused, because a validator that forgets a vote may
contradict it.

    file    = "p2pcwal" | version (1 byte) | salt (8 bytes, random) | crc32 of what is before it (u32) | frame*
    frame   = marker (4 bytes) | length (u32) | crc32(salt | length | payload) (u32) | payload
    payload = (length (u32) | record)*

All integers are big-endian. The marker is the first half of the salt: it makes a search for later frames cheap, and
nobody can plant a false frame inside a record (a transaction's body, say) without knowing this file's salt.

What cannot be told from a torn tail is a last frame whose bits rotted after it was synced: that is why the log and the
guard are two files, and why a validator asks the others before it signs again.

Source: write-ahead log and signing guard of the finality specification.
Deviations: a marker and a salt in each frame, for the search above.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from p2pcommerce.primitives.errors import LocalProtocolError, UsageError
from p2pcommerce.runtime.durable_file import remove_leftovers, replace_file, write_all
from p2pcommerce.runtime.log import Log

__all__ = [
    "FRAME_BYTES_MAX",
    "JOURNAL_BYTES_MAX",
    "JOURNAL_VERSION",
    "Journal",
    "JournalDamagedError",
    "JournalFullError",
    "JournalVersionError",
    "JournalWriteError",
]

JOURNAL_VERSION: Final = 1
JOURNAL_BYTES_MAX: Final = 256 * 2**20
"""Size of the file at most; the node compacts it long before."""
FRAME_BYTES_MAX: Final = 8 * 2**20
"""Payload of one frame at most: several of the largest blocks."""
_MAGIC: Final = b"p2pcwal"
_SALT_BYTES: Final = 8
_HEADER_BYTES: Final = len(_MAGIC) + 1 + _SALT_BYTES + 4
_WHAT_TO_DO: Final = (
    "what this node signed is not known for sure, so it will not sign. Never put an older copy in its place; to go on "
    "without the file, move it away once the other validators have finalized beyond this node's last vote"
)
_PASSED: Final = "a damaged place was passed over; what stood there is lost, the rest is kept"
_FRAME: Final = struct.Struct(">4sII")
_LENGTH: Final = struct.Struct(">I")
# macOS has no fdatasync; a full fsync does what is needed there, and more.
_sync = getattr(os, "fdatasync", os.fsync)


class JournalDamagedError(UsageError):
    """A journal with damage in the middle: what was signed is no longer known for sure."""

    code = "JOURNAL_DAMAGED"


class JournalFullError(UsageError):
    """A journal that is at its size limit."""

    code = "JOURNAL_FULL"


class JournalVersionError(UsageError):
    """A journal written by a newer program."""

    code = "JOURNAL_VERSION"


class JournalWriteError(UsageError):
    """A journal that cannot be read, written or synced."""

    code = "JOURNAL_WRITE"


class Journal:
    """An open journal; not safe for use from two threads at once.

    Attributes:
        path: the file.
        size_bytes: its present size.
        cut_bytes: length of the torn tail that was cut at opening.
    """

    def __init__(self, path: Path, descriptor: int, salt: bytes, bytes_max: int) -> None:
        """Take over an open file; use `open`."""
        self.path = path
        self.size_bytes = 0
        self.cut_bytes = 0
        self._descriptor: int | None = descriptor
        self._salt = salt
        self._bytes_max = bytes_max

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bytes_max: int = JOURNAL_BYTES_MAX,
        log: Log | None = None,
        is_passable: bool = False,
    ) -> tuple[Journal, list[bytes]]:
        """Open or create a journal; a torn tail is cut, and said in the log.

        Args:
            path: the file; the caller holds the lock of its directory.
            bytes_max: size of the file at most.
            log: where a cut tail is reported.
            is_passable: damage is passed over, and said in the log: for records that do not need each other.

        Returns:
            The journal and its records, oldest first.

        Raises:
            JournalDamagedError: a bad frame before a good one that may not be passed, or a file that is no journal.
            JournalFullError: the file is larger than `bytes_max`.
            JournalVersionError: a newer program wrote it.
            JournalWriteError: the file cannot be read or written.
        """
        path = Path(path)
        try:
            remove_leftovers(path)
            if not path.exists():
                replace_file(path, _header(secrets.token_bytes(_SALT_BYTES)), 0o600)
            if path.stat().st_size > bytes_max:
                raise JournalFullError(
                    f"{path}: has {path.stat().st_size} bytes, at most {bytes_max} are read; is it a journal?"
                )
            data = path.read_bytes()
            damaged: list[tuple[int, int]] | None = [] if is_passable else None
            salt, records, end = _read(path, data, damaged)
            journal = cls(path, os.open(path, os.O_WRONLY | os.O_APPEND), salt, bytes_max)
            try:
                journal._keep(end, len(data))
            except OSError:
                journal.close()
                raise
        except OSError as error:
            raise _write_error(path, error) from error
        if journal.cut_bytes and log is not None:
            log.write("warning", "journal", "a torn tail was cut", file=path.name, offset=end, bytes=journal.cut_bytes)
        for start, stop in damaged or ():
            if log is not None:
                log.write("warning", "journal", _PASSED, file=path.name, offset=start, bytes=stop - start)
        if damaged:
            journal.compact(records)
        return journal, records

    def append(self, records: Sequence[bytes]) -> None:
        """Append records, all or none of them, and return when they are on the disk.

        Args:
            records: each of any length; together at most 8 MiB less 4 bytes for each.

        Raises:
            JournalFullError: the file would pass its size limit; nothing was written.
            JournalWriteError: the disk is full or failed: the journal is closed, and the node must stop.
            LocalProtocolError: too much for one frame, or the journal is closed.
        """
        if not records:
            return
        frame = _frame(self._salt, records)
        if self.size_bytes + len(frame) > self._bytes_max:
            raise JournalFullError(
                f"{self.path}: is at its limit of {self._bytes_max} bytes; it should have been compacted"
            )
        descriptor = self._open_descriptor()
        try:
            write_all(descriptor, frame)
            _sync(descriptor)
        except OSError as error:
            # After a failed sync nobody knows what is on the disk, and another try may report success for lost pages.
            self.close()
            raise _write_error(self.path, error) from error
        self.size_bytes += len(frame)

    def compact(self, records: Sequence[bytes]) -> None:
        """Replace everything by `records`, in one step: after a crash the file is the old one or the new one.

        Raises:
            JournalFullError: the records alone pass the size limit; nothing was changed.
            JournalWriteError: the disk is full or failed; the journal is closed.
            LocalProtocolError: one record is too large, or the journal is closed.
        """
        descriptor = self._open_descriptor()
        salt = secrets.token_bytes(_SALT_BYTES)
        data = b"".join([_header(salt), *(_frame(salt, batch) for batch in _batches(records))])
        if len(data) > self._bytes_max:
            raise JournalFullError(f"{self.path}: {len(data)} bytes to keep, at most {self._bytes_max} allowed")
        try:
            replace_file(self.path, data, 0o600)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            os.close(descriptor)
        except OSError as error:
            self.close()
            raise _write_error(self.path, error) from error
        self._salt = salt
        self.size_bytes = len(data)

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise LocalProtocolError(f"{self.path}: the journal is closed")
        return self._descriptor

    def _keep(self, end: int, size: int) -> None:
        """Cut what follows `end`, so that the next frame follows a good one."""
        self.size_bytes = end
        self.cut_bytes = size - end
        if self.cut_bytes:
            descriptor = self._open_descriptor()
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)


def _complaint(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"the disk is full, or a limit is reached ({error.strerror})"
    return f"cannot be read or written: {error.strerror or error}"


def _write_error(path: Path, error: OSError) -> JournalWriteError:
    return JournalWriteError(f"{path}: {_complaint(error)}; see to the disk, then start the node again")


def _header(salt: bytes) -> bytes:
    head = _MAGIC + bytes([JOURNAL_VERSION]) + salt
    return head + _LENGTH.pack(zlib.crc32(head))


def _frame(salt: bytes, records: Sequence[bytes]) -> bytes:
    payload = b"".join([part for record in records for part in (_LENGTH.pack(len(record)), record)])
    if len(payload) > FRAME_BYTES_MAX:
        raise LocalProtocolError(f"{len(payload)} bytes of records in one frame, at most {FRAME_BYTES_MAX} allowed")
    return _FRAME.pack(salt[:4], len(payload), _checksum(salt, payload)) + payload


def _checksum(salt: bytes, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(salt + _LENGTH.pack(len(payload))))


def _batches(records: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Split records into the payloads of frames."""
    batch: list[bytes] = []
    size = 0
    for record in records:
        cost = _LENGTH.size + len(record)
        if batch and size + cost > FRAME_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += cost
    if batch:
        yield batch


def _read(path: Path, data: bytes, damaged: list[tuple[int, int]] | None = None) -> tuple[bytes, list[bytes], int]:
    """Return the salt, the records, and where the last good frame ends; what is passed over goes into `damaged`."""
    if data.startswith(_MAGIC) and len(data) >= _HEADER_BYTES and data[len(_MAGIC)] > JOURNAL_VERSION:
        raise JournalVersionError(
            f"{path}: is a journal of version {data[len(_MAGIC)]}, this program reads {JOURNAL_VERSION}: update it"
        )
    salt = data[len(_MAGIC) + 1 : len(_MAGIC) + 1 + _SALT_BYTES]
    # The header is put in place in one step with the file, so that a bad one is never a torn one.
    if data[:_HEADER_BYTES] != _header(salt):
        raise JournalDamagedError(f"{path}: damaged at byte 0: {_WHAT_TO_DO}")
    records: list[bytes] = []
    offset = _HEADER_BYTES
    while offset < len(data):
        payload = _frame_at(salt, data, offset)
        if payload is None:
            following = _next_frame(salt, data, offset)
            if damaged is not None and following is not None:
                damaged.append((offset, following))
                offset = following
                continue
            if damaged is None and (following is not None or len(data) - offset > _FRAME.size + FRAME_BYTES_MAX):
                raise JournalDamagedError(
                    f"{path}: damaged at byte {offset}, with good records after it: {_WHAT_TO_DO}"
                )
            break
        records += _split(payload)
        offset += _FRAME.size + len(payload)
    return salt, records, min(offset, len(data))


def _frame_at(salt: bytes, data: bytes, offset: int) -> memoryview | None:
    """Return the payload of the good frame at `offset`, None if there is none."""
    if offset + _FRAME.size > len(data):
        return None
    marker, length, checksum = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    if marker != salt[:4] or length > FRAME_BYTES_MAX or start + length > len(data):
        return None
    payload = memoryview(data)[start : start + length]
    return payload if _checksum(salt, payload) == checksum else None


def _next_frame(salt: bytes, data: bytes, offset: int) -> int | None:
    """Return where the first good frame after `offset` begins, None if there is none: a torn tail begins there."""
    candidate = data.find(salt[:4], offset + 1)
    while candidate != -1:
        if _frame_at(salt, data, candidate) is not None:
            return candidate
        candidate = data.find(salt[:4], candidate + 1)
    return None


def _split(payload: memoryview) -> list[bytes]:
    """Return the records of a frame whose checksum is good."""
    records: list[bytes] = []
    offset = 0
    while offset < len(payload):
        (length,) = _LENGTH.unpack_from(payload, offset)
        offset += _LENGTH.size
        records.append(bytes(payload[offset : offset + length]))
        offset += length
    return records
