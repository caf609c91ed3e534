"""The history of an item, packed: columns instead of rows, signers and types as numbers, times as differences.

An event takes about 80 bytes: its transaction's id and its event hash, which nothing can shorten, and a few more.

Source: the history entry of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from p2pcommerce.commerce import HISTORY_ENTRY, HistoryEntry
from p2pcommerce.ledger.transaction import TYPE_BYTES_MAX
from p2pcommerce.primitives.codec import I64, Shape, array, blob, record_of, text, uint
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import HASH_BYTES, PublicKey, TransactionId

__all__ = ["COMPACT_HISTORY", "ENTRIES_MAX", "CompactHistory"]

ENTRIES_MAX: Final = 4_096
"""Events of one item in a proof at most."""
_TYPES: Final = (
    "trace.commission",
    "trace.ship",
    "trace.receive",
    "trace.reject",
    "trace.observe",
    "trace.pack",
    "trace.unpack",
    "trace.split",
    "trace.transform",
    "trace.decommission",
    "order.ship",
    "order.confirm",
    "order.cancel",
    "order.refund",
    "order.dispute",
    "order.resolve",
    "order.settle",
)
"""Types by number: a part of the format, to which new ones are never added; any other type is written as text."""
_NUMBERS: Final = {name: number for number, name in enumerate(_TYPES)}
_TYPE_TEXT: Final = text(TYPE_BYTES_MAX)
_TYPE_NUMBER: Final = uint(len(_TYPES) - 1)


def _read_type(value: Any) -> int | str:  # noqa: ANN401 - untrusted: any type may come
    return _TYPE_TEXT.read(value) if isinstance(value, str) else _TYPE_NUMBER.read(value)


_TYPE: Final[Shape[int | str]] = Shape(_read_type, lambda value: value, f"{_TYPE_NUMBER.form} or {_TYPE_TEXT.form}")


@dataclass(frozen=True, slots=True)
class CompactHistory:
    """The events of an item, column by column.

    Attributes:
        tx_ids: 32 bytes each, end to end.
        types: a number of the format's table, or the type's name.
        signers: each signer once, in the order in which they first signed; 32 bytes each, end to end.
        signed_by: for each event the signer's number.
        event_hashes: 32 bytes each, end to end.
        times_ms: of each event's block, milliseconds after the one before; the first is the Unix time.
        event_times_ms: of each event, milliseconds before its block.
    """

    tx_ids: bytes
    types: tuple[int | str, ...]
    signers: bytes
    signed_by: tuple[int, ...]
    event_hashes: bytes
    times_ms: tuple[int, ...]
    event_times_ms: tuple[int, ...]

    @classmethod
    def of(cls, entries: Sequence[HistoryEntry]) -> CompactHistory:
        """Pack the events of an item, first event first."""
        numbers: dict[bytes, int] = {}
        for entry in entries:
            numbers.setdefault(entry.signer, len(numbers))
        times, before = list[int](), 0
        for entry in entries:
            times.append(entry.time_ms - before)
            before = entry.time_ms
        return cls(
            tx_ids=b"".join(entry.tx_id for entry in entries),
            types=tuple(_NUMBERS.get(entry.type, entry.type) for entry in entries),
            signers=b"".join(numbers),
            signed_by=tuple(numbers[entry.signer] for entry in entries),
            event_hashes=b"".join(entry.event_hash for entry in entries),
            times_ms=tuple(times),
            event_times_ms=tuple(entry.time_ms - entry.event_time_ms for entry in entries),
        )

    def keys(self) -> tuple[bytes, ...]:
        """Return the signers, 32 bytes each.

        Raises:
            CodecError: they have another length.
        """
        return _hashes(self.signers, len(self.signers) // HASH_BYTES)

    def entries(self) -> tuple[HistoryEntry, ...]:
        """Return the events, first event first.

        Raises:
            CodecError: the columns do not fit each other, or give an event that is none.
        """
        count, signers = len(self.types), self.keys()
        if {len(self.signed_by), len(self.times_ms), len(self.event_times_ms)} != {count}:
            raise CodecError("the columns of a history must be of one length")
        if any(number >= len(signers) for number in self.signed_by):
            raise CodecError("a history's event must name one of its signers")
        found, time_ms = list[HistoryEntry](), 0
        for tx_id, type_, by, event_hash, later, sooner in zip(
            _hashes(self.tx_ids, count),
            self.types,
            self.signed_by,
            _hashes(self.event_hashes, count),
            self.times_ms,
            self.event_times_ms,
            strict=True,
        ):
            time_ms += later
            name = _TYPES[type_] if isinstance(type_, int) else type_
            entry = HistoryEntry(
                TransactionId(tx_id), name, PublicKey(signers[by]), event_hash, time_ms - sooner, time_ms
            )
            HISTORY_ENTRY.read(HISTORY_ENTRY.plain(entry))  # times that leave their range
            found.append(entry)
        return tuple(found)


COMPACT_HISTORY: Final[Shape[CompactHistory]] = record_of(
    CompactHistory,
    tx_ids=blob(ENTRIES_MAX * HASH_BYTES),
    types=array(_TYPE, ENTRIES_MAX),
    signers=blob(ENTRIES_MAX * HASH_BYTES),
    signed_by=array(uint(ENTRIES_MAX - 1), ENTRIES_MAX),
    event_hashes=blob(ENTRIES_MAX * HASH_BYTES),
    times_ms=array(I64, ENTRIES_MAX),
    event_times_ms=array(I64, ENTRIES_MAX),
)


def _hashes(data: bytes, count: int) -> tuple[bytes, ...]:
    if len(data) != count * HASH_BYTES:
        raise CodecError(f"a history's hashes and keys have {HASH_BYTES} bytes each, as many as there are events")
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))
