"""Messages by which two peers find out which transactions one has and the other lacks.

The asker takes coded symbols of the answerer's set (`GetSymbols`, `Symbols`) or pages of its ids (`GetIds`, `Ids`)
until it knows what differs; then it says what it lacks (`Lacking`), and tells what the answerer lacks (`Found`). All
short ids are 8 bytes under the announcement key of the answerer, except in the `Found` that answers `Lacking`, where
they are under the asker's: `Found` has them under the key of whoever receives it, as `Announce` has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.primitives.codec import BOOL, U32, Shape, blob, packed, raw, uint
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = [
    "RECONCILE_IDS_MAX",
    "SYMBOLS_COUNT_MAX",
    "SYMBOL_BYTES_MAX",
    "Found",
    "GetIds",
    "GetSymbols",
    "Ids",
    "Lacking",
    "Symbols",
    "short_ids",
]

_SHORT_ID_BYTES: Final = 8
RECONCILE_IDS_MAX: Final = 4_096
"""Short ids in one message."""
SYMBOLS_COUNT_MAX: Final = 512
"""Coded symbols in one message."""
SYMBOL_BYTES_MAX: Final = 16
_SYMBOLS_BYTES_MAX: Final = SYMBOLS_COUNT_MAX * SYMBOL_BYTES_MAX
_IDS_BYTES_MAX: Final = RECONCILE_IDS_MAX * _SHORT_ID_BYTES


def short_ids(count_max: int, count_min: int = 0) -> Shape[tuple[bytes, ...]]:
    """Return the shape of short ids (8 bytes each), which are one string of bytes on the wire."""
    return packed(_SHORT_ID_BYTES, count_max, count_min)


def _packed_ids() -> Shape[bytes]:
    """Return the shape of short ids that stay one string of bytes."""
    inner = blob(_IDS_BYTES_MAX)

    def read(value: Any) -> bytes:  # noqa: ANN401 - untrusted: any type may come
        data = inner.read(value)
        if len(data) % _SHORT_ID_BYTES:
            raise CodecError(f"must be short ids of {_SHORT_ID_BYTES} bytes")
        return data

    return Shape(read, inner.plain, f"packed 0..{RECONCILE_IDS_MAX} of {_SHORT_ID_BYTES}")


@kind(0x13, Lane.TRANSACTIONS, 16, first=U32, count=uint(SYMBOLS_COUNT_MAX, 1))
@dataclass(frozen=True, slots=True)
class GetSymbols(WireMessage):
    """Asks for coded symbols of the receiver's set, from one of them on; `first` 0 begins anew."""

    first: int
    count: int


@kind(0x14, Lane.TRANSACTIONS, _SYMBOLS_BYTES_MAX + 32, first=U32, size=U32, data=blob(_SYMBOLS_BYTES_MAX))
@dataclass(frozen=True, slots=True)
class Symbols(WireMessage):
    """Answers `GetSymbols`: coded symbols (bytes as in `gossip.coding`) of the sender's set of `size` short ids."""

    first: int
    size: int
    data: bytes


@kind(0x15, Lane.TRANSACTIONS, 32, after=raw(_SHORT_ID_BYTES), count=uint(RECONCILE_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class GetIds(WireMessage):
    """Asks for up to `count` short ids of the receiver's set that are above `after` (8 bytes), in rising order."""

    after: bytes
    count: int


@kind(0x16, Lane.TRANSACTIONS, _IDS_BYTES_MAX + 32, after=raw(_SHORT_ID_BYTES), is_last=BOOL, data=_packed_ids())
@dataclass(frozen=True, slots=True)
class Ids(WireMessage):
    """Answers `GetIds`: short ids (8 bytes each) above `after`, in rising order; `is_last`: none are above these."""

    after: bytes
    is_last: bool
    data: bytes


@kind(0x17, Lane.TRANSACTIONS, _IDS_BYTES_MAX + 16, data=_packed_ids())
@dataclass(frozen=True, slots=True)
class Lacking(WireMessage):
    """Ends what `GetSymbols` or `GetIds` began: the asker lacks these of the receiver's (8 bytes each), if any."""

    data: bytes


@kind(0x18, Lane.TRANSACTIONS, _IDS_BYTES_MAX + 16, data=_packed_ids())
@dataclass(frozen=True, slots=True)
class Found(WireMessage):
    """Says that the sender has these transactions (8 bytes each, the receiver's key), which the receiver lacked."""

    data: bytes
