"""What a node is told of a new link."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import PeerId

__all__ = ["Connected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A peer has proven who it is over a new link.

    Attributes:
        peer: its key, 32 bytes.
        link: the connection's number.
        outbound: this node dialled.
        address: what was dialled; None if the peer dialled.
        own_key: this node's announcement key, 16 bytes, the same on all links.
        peer_key: the peer's, 16 bytes.
        peer_record: the peer's signed record, not checked yet.
        remote: the other end's address as the transport sees it; None: not known.
    """

    peer: PeerId
    link: int
    outbound: bool
    address: str | None
    own_key: bytes
    peer_key: bytes
    peer_record: bytes
    remote: str | None = None
