"""What catching up wants done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeAlias

from p2pcommerce.ledger.block import Block, Header
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import GetBlocks, Status

__all__ = ["Blame", "CatchingUp", "Conflict", "Effect", "Fault", "Ready", "SendTo"]


@unique
class Fault(StrEnum):
    """What a peer did wrong that is not in the data themselves."""

    STALLED = "SYNC_STALLED"
    """It did not answer in time: avoided for a while, no proof of ill will."""
    UNASKED = "SYNC_UNASKED"
    """It sent blocks that nobody had asked it for."""


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send a message to a connected peer."""

    peer: PeerId
    message: GetBlocks | Status


@dataclass(frozen=True, slots=True)
class Ready:
    """Final blocks, in order of height, right above the delivered one: execute and commit them.

    The proof of the last is the proof of all: store the blocks in one commit. The answer is `on_delivered` for the last
    of them; nothing further is handed over before.

    Attributes:
        blocks: each with its proof; empty but for the last.
    """

    blocks: tuple[tuple[Block, bytes], ...]


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer stalled (`Fault.STALLED`), or broke a rule: any other reason.

    Attributes:
        peer: 32 bytes.
        reason: a stable code: a `Fault`, or the code of a `BlocksError` or `CodecError`.
    """

    peer: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A block proven final does not stand on what this node has delivered: the store, or the network, is broken.

    Nothing more is fetched. The node must stop and say so.

    Attributes:
        delivered: header of the last delivered block.
        header: header of the block above it that another chain holds.
        proof: verified, that a block above is final there.
    """

    delivered: Header
    header: Header
    proof: bytes


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """How far catching up by blocks is: for people.

    Attributes:
        height: of the last delivered block.
        target: the highest that peers tell, which is not believed; `height`: there is nothing to fetch any more.
        blocks_per_s: of the last half minute.
        left_us: the time that the rest may take, microseconds; None: not known.
    """

    height: int
    target: int
    blocks_per_s: int
    left_us: int | None


Effect: TypeAlias = SendTo | Ready | Blame | Conflict | CatchingUp
