"""How a transaction travels before it is public: from peer to peer along a stem.

| kind | message | honest rate of one peer | what is beyond it |
| --- | --- | --- | --- |
| 0x60 | `Stem` | 1,000 transactions and 2 MiB at once, then 100 and 256 KiB a second | is not taken, and counted |

An invalid transaction counts against who sent it, as a pushed one does: an honest peer has examined what it passes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import array, blob
from p2pcommerce.wire.block_messages import TRANSACTION_BYTES_MAX
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = ["STEM_ITEMS_MAX", "Stem"]

STEM_ITEMS_MAX: Final = 64
"""Transactions in one message."""


@kind(0x60, Lane.TRANSACTIONS, 64 * 1024, items=array(blob(TRANSACTION_BYTES_MAX, 1), STEM_ITEMS_MAX, 1))
@dataclass(frozen=True, slots=True)
class Stem(WireMessage):
    """Transactions that the receiver passes on to one peer, or makes public: nobody else is to hear of them before."""

    items: tuple[bytes, ...]
