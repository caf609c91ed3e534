"""What an engine wants done: the effects of the seam (`finality.engine`).

Source: the seam of the finality specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TypeAlias

from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash, Epoch, Height, PeerId, TransactionId

__all__ = [
    "Blame",
    "Build",
    "Effect",
    "Evidence",
    "Fetch",
    "Finalized",
    "Forget",
    "Halt",
    "Head",
    "Persist",
    "PersistBlock",
    "Recall",
    "Rewrite",
    "Send",
    "Sign",
    "Target",
    "Validate",
]


@unique
class Target(Enum):
    """Whom a message is for, other than one peer."""

    VALIDATORS = "validators"
    """Every validator of the present and of the next set but this node."""
    NETWORK = "network"
    """Everybody this node is connected to."""


@dataclass(frozen=True, slots=True)
class Persist:
    """Append a record to the engine's write-ahead log, durably."""

    record: bytes


@dataclass(frozen=True, slots=True)
class PersistBlock:
    """Append the whole block to the write-ahead log, durably; the node has it."""

    block_hash: BlockHash


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign `data` with the validator's key, if the signing guard allows; the answer is `on_signed`.

    Attributes:
        request: number by which the answer is known.
        kind: domain tag ("vote", "proposal"); "vrf" asks for the proof of a random output instead, which is always
            allowed.
        data: the fixed-width message; what is signed is `signed_bytes(kind, genesis_hash, data)`. Of "vrf": the input.
    """

    request: int
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send an engine message (at most 256 KiB)."""

    to: PeerId | Target
    data: bytes


@dataclass(frozen=True, slots=True)
class Build:
    """Build a block on an executed parent; the answer is `on_built`.

    Attributes:
        request: number by which the answer is known.
        parent: hash of the parent, 32 bytes.
        epoch: for the header.
        seal: the header's `engine_data`.
        time_ms: the header's time, Unix milliseconds, above the parent's.
        empty: a carrier, on the last block of an epoch or on another carrier: the parent's height and state, and no
            transactions. Otherwise the block's height is above the parent's.
    """

    request: int
    parent: BlockHash
    epoch: Epoch
    seal: bytes
    time_ms: int
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Validate:
    """Execute a block (its body is here, its parent is executed) and compare; the answer is `on_validated`."""

    block_hash: BlockHash


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a block; the answer is `on_block`, once header and body are here. Asking twice is harmless.

    Attributes:
        block_hash: 32 bytes.
        header: its header, if the engine has it.
        transaction_ids: the ids of its body in order, if known: bodies then come from the own pool first.
        peers: who should have it, most likely first.
    """

    block_hash: BlockHash
    header: Header | None = None
    transaction_ids: tuple[TransactionId, ...] | None = None
    peers: tuple[PeerId, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """A gadget's fork choice: the block to build on, not final yet."""

    block_hash: BlockHash


@dataclass(frozen=True, slots=True)
class Finalized:
    """This block is final: deliver it, after its parent and exactly once.

    Attributes:
        block_hash: 32 bytes.
        proof: what `verify` accepts for its header; empty if the deciding certificate stands more headers above than a
            proof may hold (serve a range that ends at a block that has one).
        justify: what the engine keeps of why the block was allowed on its parent, to be compared with what it hears
            later; empty: nothing is known. It is kept as long as the block.
    """

    block_hash: BlockHash
    proof: bytes
    justify: bytes = b""


@dataclass(frozen=True, slots=True)
class Recall:
    """Read stored final blocks, one above the other; the answer is `on_recalled`.

    Attributes:
        request: number by which the answer is known.
        from_height: of the first.
        count: at most so many.
    """

    request: int
    from_height: int
    count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Somebody signed two messages that no honest validator signs together."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer broke the engine's protocol."""

    peer: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Blocks below this height, and unfinal ones at or below it, are not needed by the engine any more."""

    below: Height


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace the write-ahead log, atomically and durably, by what the engine still needs of it.

    Attributes:
        records: its own records, oldest first.
        blocks: hashes of the blocks whose bodies must stay in the log.
    """

    records: tuple[bytes, ...]
    blocks: tuple[BlockHash, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """The engine must never act again: a second instance signs with this key, or the log contradicts the network."""

    reason: str


Effect: TypeAlias = (
    Persist
    | PersistBlock
    | Sign
    | Send
    | Build
    | Validate
    | Fetch
    | Head
    | Finalized
    | Recall
    | Evidence
    | Blame
    | Forget
    | Rewrite
    | Halt
)
