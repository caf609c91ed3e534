"""Transport records: how ciphertexts stand on the stream.

    record = length of the ciphertext (u16, big-endian) | ciphertext (the plaintext and a tag of 16 bytes)

A stream of bytes goes in, whole plaintexts come out, in pieces of any size. Both ends rekey after every 65,536 records.
What the plaintexts hold is `lanes`' matter.

Source: the networking specification (Records); the Noise Protocol Framework, revision 34, section 11.3 (rekey).
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.primitives.crypto import AEAD_TAG_BYTES
from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError
from p2pcommerce.wire.noise import CipherState

__all__ = [
    "CIPHERTEXT_BYTES_MAX",
    "PLAINTEXT_BYTES_MAX",
    "RECORD_OVERHEAD_BYTES",
    "REKEY_RECORDS",
    "EmptyRecordError",
    "RecordReader",
    "RecordWriter",
]

CIPHERTEXT_BYTES_MAX: Final = 65_535
PLAINTEXT_BYTES_MAX: Final = CIPHERTEXT_BYTES_MAX - AEAD_TAG_BYTES
RECORD_OVERHEAD_BYTES: Final = 2 + AEAD_TAG_BYTES
REKEY_RECORDS: Final = 65_536
_REKEY_MASK: Final = REKEY_RECORDS - 1


class EmptyRecordError(RemoteProtocolError):
    """A record without content: it costs a decryption and says nothing."""

    code = "EMPTY_RECORD"


class RecordWriter:
    """Seals plaintexts into records."""

    __slots__ = ("_cipher",)

    def __init__(self, cipher: CipherState) -> None:
        """Take over the cipher of the sending direction."""
        self._cipher = cipher

    @property
    def count(self) -> int:
        """Number of records sealed."""
        return self._cipher.nonce

    def seal(self, plaintext: bytes) -> bytes:
        """Return the record of 1 to PLAINTEXT_BYTES_MAX bytes of plaintext.

        Raises:
            LocalProtocolError: the plaintext is empty or too large.
        """
        size = len(plaintext)
        if not 0 < size <= PLAINTEXT_BYTES_MAX:
            raise LocalProtocolError(f"a record holds 1 to {PLAINTEXT_BYTES_MAX} bytes, not {size}")
        cipher = self._cipher
        ciphertext = cipher.seal(plaintext)
        if not cipher.nonce & _REKEY_MASK:
            cipher.rekey()
        return (size + AEAD_TAG_BYTES).to_bytes(2, "big") + ciphertext


class RecordReader:
    """Finds and opens the records of a stream; keeps at most one incomplete record."""

    __slots__ = ("_cipher", "_pending")

    def __init__(self, cipher: CipherState) -> None:
        """Take over the cipher of the receiving direction."""
        self._cipher = cipher
        self._pending: bytearray | None = None

    @property
    def count(self) -> int:
        """Number of records opened."""
        return self._cipher.nonce

    @property
    def pending_bytes(self) -> int:
        """Bytes of the incomplete record that is kept."""
        return 0 if self._pending is None else len(self._pending)

    def receive(self, data: bytes) -> list[bytes]:
        """Return the plaintexts that `data` completes.

        Raises:
            CryptoError: a record does not authenticate.
            EmptyRecordError: a record holds nothing.
        """
        if self._pending is not None:
            data = self._joined(data)
        plaintexts = []
        cipher = self._cipher
        place, end = 0, len(data)
        while end - place >= 2:
            size = data[place] << 8 | data[place + 1]
            if size <= AEAD_TAG_BYTES:
                raise EmptyRecordError(f"a record of {size} bytes holds nothing")
            start = place + 2
            if end - start < size:
                break
            place = start + size
            plaintexts.append(cipher.open(data[start:place]))
            if not cipher.nonce & _REKEY_MASK:
                cipher.rekey()
        if place < end:
            self._pending = bytearray(data[place:] if place else data)
        return plaintexts

    def _joined(self, data: bytes) -> bytes:
        """Return what is kept and `data`, or nothing while that is still no whole record.

        Until then the parts are appended in place: a record that arrives byte by byte costs no more copying.
        """
        pending = self._pending
        if pending is None:
            return data
        pending += data
        if len(pending) < 2 or len(pending) - 2 < (pending[0] << 8 | pending[1]):
            return b""
        self._pending = None
        return bytes(pending)
