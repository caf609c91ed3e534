"""What a message weighs on the wire, without encoding it.

A gossip world hands messages over as objects; only their sizes matter to its links. A message weighs what
`encode_message` would make of it, the head of its frame, and the record around it. Each message is taken to have a
record of its own: at the loads simulated here two messages for one peer seldom leave in the same moment.

Source: the networking specification (Records); `p2pcommerce.wire` (messages, lanes, records).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from p2pcommerce.simulation.baselines import GossipMessage, Graft, IDontWant, IHave, IWant, Prune
from p2pcommerce.wire.messages import (
    SHORT_ID_BYTES,
    Announce,
    Choose,
    Found,
    GetIds,
    GetSymbols,
    Ids,
    Lacking,
    Pull,
    Refuse,
    Stem,
    Symbols,
    Transactions,
    Unchoose,
    encode_message,
)
from p2pcommerce.wire.records import RECORD_OVERHEAD_BYTES

__all__ = ["FRAMING_BYTES", "wire_bytes"]

_FRAME_HEAD_BYTES: Final = 3
FRAMING_BYTES: Final = _FRAME_HEAD_BYTES + RECORD_OVERHEAD_BYTES
"""What goes around a message: the head of its frame (lane and length) and a record."""
_HEAD_BYTES: Final = FRAMING_BYTES + 2
"""The same with a message's kind and the array of its fields."""


def wire_bytes(message: GossipMessage) -> int:
    """Return the bytes that a message takes on a link."""
    return _SIZES[type(message)](message)


def _string_bytes(size: int) -> int:
    return size + (2 if size < 0x100 else 3)


def _transactions_bytes(message: Transactions | Stem) -> int:
    items = message.items
    total = _HEAD_BYTES + (1 if len(items) < 16 else 3)
    for raw in items:
        total += _string_bytes(len(raw))
    return total


def _announce_bytes(message: Announce) -> int:
    """Return the bytes of an array of three strings: short ids, sizes of two bytes, fees of one width."""
    entries = message.entries
    count = len(entries)
    fee_bytes = max(1, (max(fee for _, _, fee in entries).bit_length() + 7) // 8)
    columns = count * SHORT_ID_BYTES, 2 * count, fee_bytes * count
    return _HEAD_BYTES + 1 + sum(map(_string_bytes, columns))


def _pull_bytes(message: Pull) -> int:
    return _HEAD_BYTES + _string_bytes(len(message.short_ids) * SHORT_ID_BYTES)


def _bare_bytes(message: Choose | Unchoose | Refuse) -> int:
    del message
    return _HEAD_BYTES


def _frame_bytes(message: IHave | IWant | IDontWant | Graft | Prune) -> int:
    return FRAMING_BYTES + message.body_bytes


def _rare_bytes(message: GetSymbols | Symbols | GetIds | Ids | Lacking | Found) -> int:
    return FRAMING_BYTES + len(encode_message(message))


_SIZES: Final[dict[type[Any], Callable[[Any], int]]] = {
    **dict.fromkeys((Transactions, Stem), _transactions_bytes),
    Announce: _announce_bytes,
    Pull: _pull_bytes,
    **dict.fromkeys((Choose, Unchoose, Refuse), _bare_bytes),
    **dict.fromkeys((GetSymbols, Symbols, GetIds, Ids, Lacking, Found), _rare_bytes),
    **dict.fromkeys((IHave, IWant, IDontWant, Graft, Prune), _frame_bytes),
}
