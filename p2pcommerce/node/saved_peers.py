"""The file of peers: the address book, and beside it the scores of peers.

Eight bytes of magic, the length of the book (u32), the book, the scores. A file without the magic is a book alone, as
versions before this one wrote it.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.gossip import SCORES_BYTES_MAX

__all__ = ["PEERS_EXTRA_BYTES_MAX", "join_peers", "split_peers"]

_MAGIC: Final = b"p2peers\x02"
_LENGTH_BYTES: Final = 4
_HEAD_BYTES: Final = len(_MAGIC) + _LENGTH_BYTES
PEERS_EXTRA_BYTES_MAX: Final = _HEAD_BYTES + SCORES_BYTES_MAX
"""What the file holds beside the book, at most."""


def join_peers(book: bytes, scores: bytes) -> bytes:
    """Return the bytes of the file."""
    return _MAGIC + len(book).to_bytes(_LENGTH_BYTES, "big") + book + scores


def split_peers(data: bytes) -> tuple[bytes, bytes | None]:
    """Return book and scores of the file's bytes; no scores if it holds none. Either may be damaged."""
    if not data.startswith(_MAGIC):
        return data, None
    end = _HEAD_BYTES + int.from_bytes(data[len(_MAGIC) : _HEAD_BYTES], "big")
    return data[_HEAD_BYTES:end], data[end:]
