"""Messages about blocks: the transactions of a proposed one, one block, and a run of final ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import HASH, U16, U32, array, blob
from p2pcommerce.wire.archive_messages import FINALITY_BYTES_MAX
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane

__all__ = [
    "BLOCK_BYTES_MAX",
    "GET_TRANSACTIONS_IDS_MAX",
    "TRANSACTION_BYTES_MAX",
    "BlockBody",
    "BlockTransactions",
    "Blocks",
    "GetBlock",
    "GetBlocks",
    "GetTransactions",
    "NoBlock",
]

_KIB: Final = 1024
_MIB: Final = 1024 * 1024
TRANSACTION_BYTES_MAX: Final = 16 * _KIB
GET_TRANSACTIONS_IDS_MAX: Final = 2_000
BLOCK_BYTES_MAX: Final = _MIB + 64 * _KIB
_BLOCKS_COUNT_MAX: Final = 1_024
_TRANSACTION: Final = blob(TRANSACTION_BYTES_MAX, 1)


@kind(0x30, Lane.SYNC, 70_000, block_hash=HASH, ids=array(HASH, GET_TRANSACTIONS_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class GetTransactions(WireMessage):
    """Asks for transactions of a proposed block (hash: 32 bytes) by their ids (32 bytes each)."""

    block_hash: bytes
    ids: tuple[bytes, ...]


@kind(
    0x31,
    Lane.SYNC,
    BLOCK_BYTES_MAX + 64,
    block_hash=HASH,
    items=array(_TRANSACTION, GET_TRANSACTIONS_IDS_MAX),
)
@dataclass(frozen=True, slots=True)
class BlockTransactions(WireMessage):
    """Answers `GetTransactions`: those that the sender has, as signed."""

    block_hash: bytes
    items: tuple[bytes, ...]


@kind(0x32, Lane.SYNC, 48, block_hash=HASH)
@dataclass(frozen=True, slots=True)
class GetBlock(WireMessage):
    """Asks for one block by its hash (32 bytes)."""

    block_hash: bytes


@kind(0x33, Lane.SYNC, BLOCK_BYTES_MAX + 16, block=blob(BLOCK_BYTES_MAX, 1))
@dataclass(frozen=True, slots=True)
class BlockBody(WireMessage):
    """Answers `GetBlock`."""

    block: bytes


@kind(0x34, Lane.SYNC, 48, block_hash=HASH)
@dataclass(frozen=True, slots=True)
class NoBlock(WireMessage):
    """Answers `GetBlock` or `GetTransactions`: the sender does not have that block."""

    block_hash: bytes


@kind(0x35, Lane.SYNC, 16, from_height=U32, count=U16)
@dataclass(frozen=True, slots=True)
class GetBlocks(WireMessage):
    """Asks for up to `count` final blocks from a height on."""

    from_height: int
    count: int


@kind(
    0x36,
    Lane.SYNC,
    2 * _MIB,
    from_height=U32,
    blocks=array(blob(BLOCK_BYTES_MAX, 1), _BLOCKS_COUNT_MAX),
    proof=blob(FINALITY_BYTES_MAX),
)
@dataclass(frozen=True, slots=True)
class Blocks(WireMessage):
    """Answers `GetBlocks`: consecutive blocks from a height on, and the proof that the last of them is final."""

    from_height: int
    blocks: tuple[bytes, ...]
    proof: bytes
