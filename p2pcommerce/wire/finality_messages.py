"""Messages about what is final or on its way to it, for those whom the validators do not tell straight.

A block that is final goes to everybody (`FinalBlock`). Messages of the finality engine go from validator to validator
where these are too many to be connected with all others: by push (`Relayed`) to those that asked for it
(`RelayRole`), by announcement and pull (`RelayIds`) to the others, as transactions do. Short ids are 8 bytes of a
message's BLAKE2b-256 under the receiver's announcement key; votes are named by what they say (8 bytes in the same way)
and a bit for each voter.

Source: the networking specification (Proposals, votes, certificates; followers get certificates by the router).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

from p2pcommerce.primitives.codec import BOOL, Shape, array, blob, packed, pair, raw, uint
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire.archive_messages import FINALITY_BYTES_MAX, HEADER_BYTES_MAX
from p2pcommerce.wire.block_messages import GET_TRANSACTIONS_IDS_MAX
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane
from p2pcommerce.wire.reconcile_messages import short_ids

__all__ = [
    "RELAYED_ITEMS_MAX",
    "RELAYED_ITEM_BYTES_MAX",
    "RELAYED_SHARED_BYTES_MAX",
    "RELAY_HEARS_MAX",
    "RELAY_IDS_MAX",
    "RELAY_PLACES_MAX",
    "ROLE_CHOSEN",
    "ROLE_NONE",
    "ROLE_REFUSED",
    "FinalBlock",
    "Places",
    "RelayIds",
    "RelayRole",
    "Relayed",
    "shared_bytes",
]

RELAYED_ITEM_BYTES_MAX: Final = 256 * 1024
"""Of one message of the finality engine."""
RELAYED_ITEMS_MAX: Final = 256
RELAYED_SHARED_BYTES_MAX: Final = 255
"""Bytes that an item may take over from the one before it: more than a ballot, and little beside a message's cap."""
RELAY_IDS_MAX: Final = 512
RELAY_PLACES_MAX: Final = 512
"""Votes named by one message, whatever the number of ballots."""
RELAY_HEARS_MAX: Final = 255
"""All other validators."""
ROLE_NONE: Final = 0
"""Announce finality messages to me instead of pushing them."""
ROLE_CHOSEN: Final = 1
"""Push finality messages to me at once."""
ROLE_REFUSED: Final = 2
"""The answer to `ROLE_CHOSEN` of one that serves as many as it can."""

_ID_BYTES: Final = 32
_SHORT_ID_BYTES: Final = 8
_PLACES_BYTES_MAX: Final = 32
"""A bit for each of 256 validators."""
Places: TypeAlias = tuple[bytes, bytes]
"""What votes say, as 8 bytes, and whose they are: bit i of byte i // 8 is validator i; the last byte is not zero."""
_CAP: Final = HEADER_BYTES_MAX + FINALITY_BYTES_MAX + _ID_BYTES * GET_TRANSACTIONS_IDS_MAX + 32


@kind(
    0x4C,
    Lane.FINALITY,
    _CAP,
    header=blob(HEADER_BYTES_MAX, 1),
    proof=blob(FINALITY_BYTES_MAX, 1),
    transaction_ids=packed(_ID_BYTES, GET_TRANSACTIONS_IDS_MAX),
)
@dataclass(frozen=True, slots=True)
class FinalBlock(WireMessage):
    """A block that has just become final: its header, the proof, and the ids (32 bytes each) of its transactions."""

    header: bytes
    proof: bytes
    transaction_ids: tuple[bytes, ...]


def _shared(item: bytes, before: bytes) -> int:
    """Return how many bytes an item takes over from the one before it."""
    size = min(len(item), len(before), RELAYED_SHARED_BYTES_MAX)
    difference = int.from_bytes(item[:size], "big") ^ int.from_bytes(before[:size], "big")
    return size - (difference.bit_length() + 7) // 8


def shared_bytes(items: Sequence[bytes]) -> list[int]:
    """Return how many bytes each item takes over from the one before it, on the wire."""
    return [_shared(item, before) for before, item in pairwise((b"", *items))]


def _items() -> Shape[tuple[bytes, ...]]:
    """Return the shape of items each of which is written without the first bytes that the one before it has, too."""
    inner = array(
        pair(uint(RELAYED_SHARED_BYTES_MAX), blob(RELAYED_ITEM_BYTES_MAX)),
        RELAYED_ITEMS_MAX,
        1,
    )

    def read(value: Any) -> tuple[bytes, ...]:  # noqa: ANN401 - untrusted: any type may come
        items: list[bytes] = []
        before = b""
        for shared, rest in inner.read(value):
            item = before[:shared] + rest
            if not 0 < len(item) <= RELAYED_ITEM_BYTES_MAX:
                raise CodecError(f"must be items of 1 to {RELAYED_ITEM_BYTES_MAX} bytes")
            if shared != _shared(item, before):
                raise CodecError("must share with the item before it all that is the same, up to 255 bytes")
            items.append(item)
            before = item
        return tuple(items)

    def plain(items: Sequence[bytes]) -> object:
        return inner.plain(
            tuple((shared, item[shared:]) for shared, item in zip(shared_bytes(items), items, strict=True))
        )

    return Shape(read, plain, inner.form)


def _sets() -> Shape[tuple[Places, ...]]:
    """Return the shape of ballots with the voters of each, of at most `RELAY_PLACES_MAX` votes in all."""
    inner = array(pair(raw(_SHORT_ID_BYTES), blob(_PLACES_BYTES_MAX, 1)), RELAY_PLACES_MAX)

    def read(value: Any) -> tuple[Places, ...]:  # noqa: ANN401 - untrusted: any type may come
        sets = inner.read(value)
        if not all(bitmap[-1] for _, bitmap in sets):
            raise CodecError("must end with a byte that is not zero")
        if sum(int.from_bytes(bitmap, "little").bit_count() for _, bitmap in sets) > RELAY_PLACES_MAX:
            raise CodecError(f"must name at most {RELAY_PLACES_MAX} votes")
        return sets

    return Shape(read, inner.plain, inner.form)


@kind(0x4D, Lane.FINALITY, RELAYED_ITEM_BYTES_MAX + 1_024, items=_items())
@dataclass(frozen=True, slots=True)
class Relayed(WireMessage):
    """Messages of the finality engine, as those who signed them sent them; whoever fills it keeps it under its cap.

    On the wire each item is how many bytes it has in common with the start of the one before it, and the rest.
    """

    items: tuple[bytes, ...]


@kind(0x4E, Lane.FINALITY, 32 * 1024, is_pull=BOOL, short_ids=short_ids(RELAY_IDS_MAX), places=_sets())
@dataclass(frozen=True, slots=True)
class RelayIds(WireMessage):
    """Finality messages that the sender has or, `is_pull`, asks for after such a telling.

    Attributes:
        is_pull: whether it asks.
        short_ids: 8 bytes each.
        places: of votes, by what they say.
    """

    is_pull: bool
    short_ids: tuple[bytes, ...]
    places: tuple[Places, ...]


@kind(0x4F, Lane.FINALITY, 4 * 1024, role=uint(ROLE_REFUSED), hears=short_ids(RELAY_HEARS_MAX))
@dataclass(frozen=True, slots=True)
class RelayRole(WireMessage):
    """What the receiver is to the sender from now on.

    Attributes:
        role: `ROLE_NONE`, `ROLE_CHOSEN` or `ROLE_REFUSED`.
        hears: whom the sender hears straight, for `ROLE_CHOSEN`: 8 bytes of each key under the receiver's announcement
            key. It is announced what these make.
    """

    role: int
    hears: tuple[bytes, ...]
