"""What a running node answers to an embedding application."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import Height, PeerId

__all__ = ["PeerInfo", "QueryResult"]


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connected peer.

    Attributes:
        peer: its key, 32 bytes.
        address: as dialled, or as seen.
        outbound: this node dialled.
        rtt_us: round-trip time in microseconds, None if it is not known yet.
    """

    peer: PeerId
    address: str
    outbound: bool
    rtt_us: int | None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query.

    Attributes:
        height: the final height whose state was asked.
        value: plain values: dict, list, str, int, bool, None.
    """

    height: Height
    value: object
