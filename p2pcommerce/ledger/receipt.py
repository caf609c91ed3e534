"""What came of a transaction.

An `Outcome` is what execution gives and what the block commits to: a code and the events. A `Receipt` is the outcome at
its place in the chain, as the embedding application gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import Shape, array, blob, encode, record, record_of, text, without_controls
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import CodecError, RejectionCode
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Height, TransactionId
from p2pcommerce.primitives.merkle import root as merkle_root

__all__ = [
    "DETAIL_BYTES_MAX",
    "EVENT_IDS_MAX",
    "OUTCOME",
    "Event",
    "Outcome",
    "Receipt",
    "outcome_hash",
    "receipts_root",
]

EVENT_IDS_MAX: Final = 1_024
"""Ids that the event of one transaction touches at most."""
EVENT_ID_BYTES_MAX: Final = 96
DETAIL_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a transaction.

    Attributes:
        name: the transaction type ("order.place").
        ids: what it touched: accounts, orders, items; each at most 96 bytes, as the application's state keys name them.
    """

    name: str
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What execution of one transaction gave.

    Attributes:
        code: OK, or why it failed (a failed one costs its fee and nonce and changes nothing else).
        events: one event if it succeeded, none otherwise.
        detail: a sentence for people; not committed to by the block.
    """

    code: RejectionCode
    events: tuple[Event, ...] = ()
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code is RejectionCode.OK


@dataclass(frozen=True, slots=True)
class Receipt:
    """A final transaction's outcome and place.

    Attributes:
        height: of its block.
        index: its position in the block.
        block_hash: 32 bytes.
        tx_id: 32 bytes.
        code: OK, or why it failed.
        events: what happened.
        detail: a sentence for people, empty if all went well.
    """

    height: Height
    index: int
    block_hash: BlockHash
    tx_id: TransactionId
    code: RejectionCode
    events: tuple[Event, ...]
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code is RejectionCode.OK


def _read_code(value: object) -> RejectionCode:
    try:
        return RejectionCode(value)
    except ValueError:
        raise CodecError("is no known code") from None


def _clip(detail: str) -> str:
    """Return what of a sentence can be stored: it is for people, and nothing depends on its end."""
    return without_controls(detail).encode()[:DETAIL_BYTES_MAX].decode(errors="ignore")


_DETAIL: Final[Shape[str]] = Shape(text(DETAIL_BYTES_MAX).read, _clip, text(DETAIL_BYTES_MAX).form)
_CODE: Final[Shape[RejectionCode]] = Shape(_read_code, lambda code: code.value, text(32).form)
EVENT: Final = record_of(Event, name=text(32), ids=array(blob(EVENT_ID_BYTES_MAX), EVENT_IDS_MAX))
OUTCOME: Final = record_of(Outcome, code=_CODE, events=array(EVENT, 16), detail=_DETAIL)
"""The stored form of an outcome; a longer detail is cut."""
_COMMITTED: Final = record(Outcome, code=_CODE, events=array(EVENT, 16))


def outcome_hash(outcome: Outcome) -> bytes:
    """Return the hash (32 bytes) under which a block commits to an outcome."""
    return blake2b_256(encode(_COMMITTED, outcome))


def receipts_root(outcomes: Sequence[Outcome]) -> bytes:
    """Return the Merkle root (32 bytes) over the outcomes of a block; zeros for none."""
    return merkle_root([outcome_hash(outcome) for outcome in outcomes]) if outcomes else ZERO_HASH
