"""How announcements are written: three columns instead of one array for each transaction.

    entries = [short ids (8 bytes each) | sizes (u16 each) | fees (1 to 8 bytes each)]

Numbers are big-endian. All fees have one width, the least that holds the greatest of them, so that a message has one
form. Against arrays of (short id, size, fee) it takes 12 bytes for a transaction instead of 17: a byte less for the
array, two for the head of its string, and two for those of the numbers.

Source: the networking specification (announces ids ... with fee and size); columns are the usual way to write rows of
one form.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import starmap
from typing import Any, Final, TypeAlias

from p2pcommerce.primitives.codec import Shape
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import U64_MAX
from p2pcommerce.wire.block_messages import TRANSACTION_BYTES_MAX

__all__ = ["ANNOUNCE_ENTRIES_MAX", "ENTRIES", "SHORT_ID_BYTES", "AnnounceEntry"]

SHORT_ID_BYTES: Final = 8
ANNOUNCE_ENTRIES_MAX: Final = 1_024
_FEE_BYTES_MAX: Final = 8

AnnounceEntry: TypeAlias = tuple[bytes, int, int]
"""Short id (8 bytes), size in bytes, fee in minor units."""


def _read(value: Any) -> tuple[AnnounceEntry, ...]:  # noqa: ANN401 - untrusted: any type may come
    if type(value) is not tuple or len(value) != 3 or any(type(column) is not bytes for column in value):
        raise CodecError("must be three strings of bytes")
    ids, sizes, fees = value
    count, rest = divmod(len(ids), SHORT_ID_BYTES)
    if rest or not 1 <= count <= ANNOUNCE_ENTRIES_MAX:
        raise CodecError(f"must have 1 to {ANNOUNCE_ENTRIES_MAX} short ids of {SHORT_ID_BYTES} bytes")
    width, rest = divmod(len(fees), count)
    if len(sizes) != 2 * count or rest or not 1 <= width <= _FEE_BYTES_MAX:
        raise CodecError(f"must have a size of 2 bytes and a fee of 1 to {_FEE_BYTES_MAX} for each short id")
    told_sizes = struct.unpack(f">{count}H", sizes)
    if min(told_sizes) < 1 or max(told_sizes) > TRANSACTION_BYTES_MAX:
        raise CodecError(f"must have sizes from 1 to {TRANSACTION_BYTES_MAX}")
    told_fees = [int.from_bytes(fees[start : start + width], "big") for start in range(0, len(fees), width)]
    if _width(max(told_fees)) != width:
        raise CodecError("must have fees of the least width that holds the greatest of them")
    shorts = [ids[start : start + SHORT_ID_BYTES] for start in range(0, len(ids), SHORT_ID_BYTES)]
    return tuple(zip(shorts, told_sizes, told_fees, strict=True))


def _plain(entries: Sequence[AnnounceEntry]) -> object:
    if not all(starmap(_can_be_written, entries)):
        raise CodecError(f"has an entry that is not {SHORT_ID_BYTES} bytes, a size and a fee that can be written")
    width = _width(max((fee for _, _, fee in entries), default=0))
    return (
        b"".join([short for short, _, _ in entries]),
        struct.pack(f">{len(entries)}H", *[size for _, size, _ in entries]),
        b"".join([fee.to_bytes(width, "big") for _, _, fee in entries]),
    )


def _can_be_written(short: bytes, size: int, fee: int) -> bool:
    return len(short) == SHORT_ID_BYTES and 0 < size <= TRANSACTION_BYTES_MAX and 0 <= fee <= U64_MAX


def _width(fee: int) -> int:
    """Return how many bytes a fee takes."""
    return max(1, (fee.bit_length() + 7) // 8)


ENTRIES: Final = Shape(
    _read,
    _plain,
    f"[short_ids: packed 1..{ANNOUNCE_ENTRIES_MAX} of {SHORT_ID_BYTES}, sizes: packed 1..{ANNOUNCE_ENTRIES_MAX} of 2, "
    f"fees: bytes 1..{ANNOUNCE_ENTRIES_MAX * _FEE_BYTES_MAX}]",
)
"""1 to 1,024 entries."""
