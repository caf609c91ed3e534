"""What the restoring of a state wants done, and what it needs to know of validators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from p2pcommerce.ledger.block import Header
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.sync.effects import Blame
from p2pcommerce.wire.messages import GetChunk, GetLinks, GetSnapshot

__all__ = ["Ask", "BadOfferError", "Broken", "GaveUp", "Progress", "RestoreEffect", "Restored", "Trail"]


class BadOfferError(RemoteProtocolError):
    """A snapshot whose header is malformed, of another network, or not shown to be final."""

    code = "SNAPSHOT_OFFER"


class Trail(Protocol):
    """Leads from what this node trusts to the validators of later epochs."""

    @property
    def epoch(self) -> int:
        """The newest epoch whose validators are known."""
        ...

    def follow(self, links: Sequence[bytes], now: int) -> None:
        """Take links from a peer.

        Raises:
            RemoteProtocolError: one does not hold.
        """
        ...

    @property
    def is_doubtful(self) -> bool:
        """Whether it begins with what an operator named, and nothing that a peer sent has agreed with that yet."""
        ...

    def believes(self, epoch: int, now: int) -> bool:
        """Tell whether the validators of an epoch that is not above `epoch` are known and still count."""
        ...

    def is_final(self, header: Header, proof: bytes, now: int) -> bool:
        """Tell whether a header of a known epoch is final."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request to a connected peer."""

    peer: PeerId
    message: GetLinks | GetSnapshot | GetChunk


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: chunks that are here, of how many, and the time that the rest may take (µs; None: not known)."""

    height: int
    done: int
    total: int
    left_us: int | None


@dataclass(frozen=True, slots=True)
class Restored:
    """The whole state after a final block.

    Attributes:
        header: of the block.
        proof: its proof.
        state: key to value.
    """

    header: Header
    proof: bytes
    state: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class GaveUp:
    """No snapshot can be had now: catch up by blocks."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The network contradicts itself or what the operator trusts: nothing can be believed, and the node must stop."""

    reason: str


RestoreEffect: TypeAlias = Ask | Blame | Progress | Restored | GaveUp | Broken
