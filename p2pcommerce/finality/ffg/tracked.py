"""One block above the delivered one, with what is known of it.

Source: the finality specification (FFG).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from p2pcommerce.finality.ffg.messages import Proposal
from p2pcommerce.finality.ffg.parameters import CHECKPOINT_BLOCKS
from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.ids import BlockHash, PeerId

__all__ = ["Execution", "TrackedBlock"]


@unique
class Execution(Enum):
    """What is known of a block's validity."""

    UNKNOWN = "unknown"
    ASKED = "asked"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(slots=True)
class TrackedBlock:
    """One block.

    Attributes:
        hash: 32 bytes.
        header: None while only the hash is known.
        proposal: its leader's, if it came as one.
        peers: who should have it.
        vouched: the highest checkpoint index by which a quorum vouches for it; -1: none.
        has_body: whether the node holds all of it.
        is_logged: whether its body is in the write-ahead log.
        execution: what is known of its validity.
    """

    hash: BlockHash
    header: Header | None = None
    proposal: Proposal | None = None
    peers: tuple[PeerId, ...] = ()
    vouched: int = -1
    has_body: bool = False
    is_logged: bool = False
    execution: Execution = Execution.UNKNOWN

    @property
    def height_max(self) -> int:
        """Its height, or that of the checkpoint by which it is vouched for."""
        return self.vouched * CHECKPOINT_BLOCKS if self.header is None else self.header.height
