"""Messages about what is final or on its way to it, for those whom the validators do not tell straight.

A block that is final goes to everybody (`FinalBlock`). Messages of the finality engine go from validator to validator
where these are too many to be connected with all others: by push (`Relayed`) to those that asked for it
(`RelayRole`), by announcement and pull (`RelayIds`) to the others, as transactions do. Short ids are 8 bytes of a
message's BLAKE2b-256 under the receiver's announcement key.

Source: the networking specification (Proposals, votes, certificates; followers get certificates by the router).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import BOOL, array, blob, packed, uint
from p2pcommerce.wire.archive_messages import FINALITY_BYTES_MAX, HEADER_BYTES_MAX
from p2pcommerce.wire.block_messages import GET_TRANSACTIONS_IDS_MAX
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane
from p2pcommerce.wire.reconcile_messages import short_ids

__all__ = [
    "RELAYED_ITEMS_MAX",
    "RELAYED_ITEM_BYTES_MAX",
    "RELAY_IDS_MAX",
    "ROLE_CHOSEN",
    "ROLE_NONE",
    "ROLE_REFUSED",
    "FinalBlock",
    "RelayIds",
    "RelayRole",
    "Relayed",
]

RELAYED_ITEM_BYTES_MAX: Final = 256 * 1024
"""Of one message of the finality engine."""
RELAYED_ITEMS_MAX: Final = 256
RELAY_IDS_MAX: Final = 512
ROLE_NONE: Final = 0
"""Announce finality messages to me instead of pushing them."""
ROLE_CHOSEN: Final = 1
"""Push finality messages to me at once."""
ROLE_REFUSED: Final = 2
"""The answer to `ROLE_CHOSEN` of one that serves as many as it can."""

_ID_BYTES: Final = 32
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


@kind(
    0x4D,
    Lane.FINALITY,
    RELAYED_ITEM_BYTES_MAX + 1_024,
    items=array(blob(RELAYED_ITEM_BYTES_MAX, 1), RELAYED_ITEMS_MAX, 1),
)
@dataclass(frozen=True, slots=True)
class Relayed(WireMessage):
    """Messages of the finality engine, as those who signed them sent them; whoever fills it keeps it under its cap."""

    items: tuple[bytes, ...]


@kind(0x4E, Lane.FINALITY, 8 * 1024, is_pull=BOOL, short_ids=short_ids(RELAY_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class RelayIds(WireMessage):
    """Finality messages (short ids, 8 bytes each) that the sender has or, `is_pull`, asks for after such a telling."""

    is_pull: bool
    short_ids: tuple[bytes, ...]


@kind(0x4F, Lane.FINALITY, 16, role=uint(ROLE_REFUSED))
@dataclass(frozen=True, slots=True)
class RelayRole(WireMessage):
    """What the receiver is to the sender from now on: `ROLE_NONE`, `ROLE_CHOSEN` or `ROLE_REFUSED`."""

    role: int
