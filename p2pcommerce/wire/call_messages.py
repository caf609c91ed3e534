"""How a node that nobody can dial is reached: a peer of both passes a signed request on, and it dials out.

| kind | message | honest rate of one peer | what is beyond it |
| --- | --- | --- | --- |
| 0x48 | `TakesCalls` | when it changes | left aside |
| 0x49 | `CallBack` | 4 at once, then one in 10 s, as a requester and as a relay | left aside |

A relay passes a request on as it came, to a peer that said `TakesCalls`, once: what is not for the receiver itself must
come from who signed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import BOOL, KEY, SIGNATURE, U64, blob
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = ["CALL_RECORD_BYTES_MAX", "CallBack", "TakesCalls"]

CALL_RECORD_BYTES_MAX: Final = 1_024
"""A peer record's cap."""


@kind(0x48, Lane.EXCHANGE, 16, is_willing=BOOL)
@dataclass(frozen=True, slots=True)
class TakesCalls(WireMessage):
    """Says whether the sender wants to be passed the requests of those that cannot dial it."""

    is_willing: bool


@kind(
    0x49,
    Lane.EXCHANGE,
    1_184,
    target=KEY,
    issued_ms=U64,
    peer_record=blob(CALL_RECORD_BYTES_MAX, 1),
    signature=SIGNATURE,
)
@dataclass(frozen=True, slots=True)
class CallBack(WireMessage):
    """Asks `target` (32 bytes) to dial whoever signed `peer_record` and, with 64 bytes, this request.

    `issued_ms` is Unix milliseconds, higher in each request of one node.
    """

    target: bytes
    issued_ms: int
    peer_record: bytes
    signature: bytes
