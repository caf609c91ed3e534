"""The records of the write-ahead log, told apart by their first byte: the engine's own, whole blocks, and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.ledger.block import Block, decode_block
from p2pcommerce.primitives.errors import CodecError

__all__ = ["BLOCK_RECORD", "ENGINE_RECORD", "EVIDENCE_RECORD", "Sorted", "log_of", "sort_records"]

ENGINE_RECORD: Final = b"\x00"
BLOCK_RECORD: Final = b"\x01"
EVIDENCE_RECORD: Final = b"\x02"


@dataclass(slots=True)
class Sorted:
    """What a log holds, each kind in its order.

    Attributes:
        engine: the engine's own records.
        blocks: whole blocks.
        evidence: of offences.
    """

    engine: list[bytes] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    evidence: list[bytes] = field(default_factory=list)


def log_of(blocks: Iterable[Block | None], engine: Iterable[bytes], evidence: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the log that holds these: blocks, if they are here, before the engine's records; evidence as records."""
    return (
        *[BLOCK_RECORD + block.raw for block in blocks if block is not None],
        *[ENGINE_RECORD + record for record in engine],
        *evidence,
    )


def sort_records(records: Sequence[bytes]) -> Sorted:
    """Read a log.

    Raises:
        CodecError: a record that this version cannot read.
    """
    found = Sorted()
    for record in records:
        kind, data = record[:1], record[1:]
        if kind == ENGINE_RECORD:
            found.engine.append(data)
        elif kind == BLOCK_RECORD:
            found.blocks.append(decode_block(data))
        elif kind == EVIDENCE_RECORD:
            found.evidence.append(data)
        else:
            raise CodecError(f"the write-ahead log holds a record of an unknown kind {kind.hex()}")
    return found
