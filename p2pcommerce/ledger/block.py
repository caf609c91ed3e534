"""Blocks: a header that commits to everything, and the transactions' bytes.

The header carries the state root *after* the block, the receipts root, and bytes that belong to the finality engine.
The block's hash is the hash of its header; the transactions are committed through `tx_root`, over their ids.

Source: the header of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX, transaction_id
from p2pcommerce.primitives.codec import HASH, KEY, U32, U64, Shape, array, blob, decode, encode, record_of, uint
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import ZERO_HASH, BlockHash, Epoch, GenesisHash, Height, PublicKey, TransactionId
from p2pcommerce.primitives.merkle import root as merkle_root

__all__ = [
    "BLOCK_BYTES_MAX",
    "BLOCK_TRANSACTIONS_MAX",
    "BLOCK_VERSION",
    "ENGINE_DATA_BYTES_MAX",
    "HEADER",
    "HEADER_BYTES_MAX",
    "Block",
    "Header",
    "decode_block",
    "decode_header",
    "tx_root",
]

BLOCK_VERSION: Final = 1
ENGINE_DATA_BYTES_MAX: Final = 512
HEADER_BYTES_MAX: Final = 1_024
BLOCK_TRANSACTIONS_MAX: Final = 1_500
"""Transactions in a block at most, to start. Source: finality specification, rule 11."""
BLOCK_BYTES_MAX: Final = 1_000_000 + HEADER_BYTES_MAX + 8 * BLOCK_TRANSACTIONS_MAX
"""Bytes of an encoded block at most: 1 MB of transactions, the header and msgpack's framing."""


@dataclass(frozen=True)
class Header:
    """The header of one block.

    Attributes:
        version: 1.
        genesis_hash: 32 bytes.
        epoch: of the validators that decide it.
        height: parent's height + 1; the genesis header has 0.
        parent_hash: 32 bytes; zeros at genesis.
        proposer: public key, 32 bytes; zeros at genesis.
        time_ms: Unix milliseconds, above the parent's.
        tx_root: Merkle root over the transaction ids, 32 bytes.
        receipts_root: Merkle root over the hashes of the outcomes, 32 bytes.
        state_root: root of the state after this block, 32 bytes.
        validators_hash: hash of the validator set of `epoch`, 32 bytes.
        next_validators_hash: hash of the set of `epoch + 1` as announced, 32 bytes.
        engine_data: at most 512 bytes that the finality engine owns.
    """

    version: int
    genesis_hash: GenesisHash
    epoch: Epoch
    height: Height
    parent_hash: BlockHash
    proposer: PublicKey
    time_ms: int
    tx_root: bytes
    receipts_root: bytes
    state_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    engine_data: bytes

    @cached_property
    def raw(self) -> bytes:
        """The canonical bytes, at most 1,024."""
        return encode(HEADER, self)

    @cached_property
    def hash(self) -> BlockHash:
        """BLAKE2b-256 of the canonical bytes: the block's hash."""
        return BlockHash(blake2b_256(self.raw))


HEADER: Final[Shape[Header]] = record_of(
    Header,
    version=uint(BLOCK_VERSION, BLOCK_VERSION),
    genesis_hash=HASH,
    epoch=U32,
    height=U32,
    parent_hash=HASH,
    proposer=KEY,
    time_ms=U64,
    tx_root=HASH,
    receipts_root=HASH,
    state_root=HASH,
    validators_hash=HASH,
    next_validators_hash=HASH,
    engine_data=blob(ENGINE_DATA_BYTES_MAX),
)


@dataclass(frozen=True)
class Block:
    """A header and its transactions.

    Attributes:
        header: the header.
        transactions: each transaction's bytes, in order of execution.
    """

    header: Header
    transactions: tuple[bytes, ...]

    @property
    def hash(self) -> BlockHash:
        """The header's hash, 32 bytes."""
        return self.header.hash

    @cached_property
    def transaction_ids(self) -> tuple[TransactionId, ...]:
        """The ids (32 bytes each) of the transactions, in order."""
        return tuple([transaction_id(raw) for raw in self.transactions])

    @cached_property
    def raw(self) -> bytes:
        """The canonical bytes of header and transactions."""
        return encode(BLOCK, self)

    @property
    def body_is_committed(self) -> bool:
        """Whether `header.tx_root` commits to these transactions."""
        return tx_root(self.transaction_ids) == self.header.tx_root


BLOCK: Final[Shape[Block]] = record_of(
    Block, header=HEADER, transactions=array(blob(TRANSACTION_BYTES_MAX), BLOCK_TRANSACTIONS_MAX)
)


def tx_root(ids: tuple[TransactionId, ...]) -> bytes:
    """Return the Merkle root (32 bytes) over transaction ids; zeros for none."""
    return merkle_root(ids) if ids else ZERO_HASH


def decode_header(raw: bytes) -> Header:
    """Read a header from untrusted bytes.

    Raises:
        CodecError: over 1,024 bytes, malformed or not canonical.
    """
    return decode(HEADER, raw, HEADER_BYTES_MAX)


def decode_block(raw: bytes) -> Block:
    """Read a block from untrusted bytes; that the header commits to the body is for the caller to check.

    Raises:
        CodecError: over the size cap, malformed or not canonical.
    """
    return decode(BLOCK, raw, BLOCK_BYTES_MAX)
