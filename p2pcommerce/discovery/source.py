"""Where records and addresses come from: the seam for everything that finds peers.

A peer, a configured list, a DNS seed, a beacon of the local network: each is a source with a group. What one group of
sources tells reaches a bounded part of the address book, however much it tells.

Source: Bitcoin's addrman (the source group of an address); Heilman et al., Eclipse Attacks on Bitcoin's Peer-to-Peer
Network, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.discovery.group import is_local, source_group_of
from p2pcommerce.primitives.ids import PeerId

__all__ = ["SOURCE_GROUP_BYTES_MAX", "Source"]

SOURCE_GROUP_BYTES_MAX = 320


@dataclass(frozen=True, slots=True)
class Source:
    """Who told of a peer.

    Attributes:
        group: what it has in common with others of one hand, at most 320 bytes.
        is_local: it is on this machine or in this local network: its local addresses mean something here.
        peer: the peer that told, 32 bytes; None: it was no peer.
    """

    group: bytes
    is_local: bool = False
    peer: PeerId | None = None

    @classmethod
    def of_peer(cls, peer: PeerId, remote: str | None) -> Source:
        """Return a connected peer as a source.

        Args:
            peer: 32 bytes.
            remote: its address as this end sees it; None: not known (it then counts as local, by its key).

        Raises:
            AddressError: `remote` is malformed.
        """
        if remote is None:
            return cls(b"peer " + peer, is_local=True, peer=peer)
        return cls(source_group_of(remote), is_local(remote), peer)

    @classmethod
    def of_name(cls, name: str, *, is_local: bool = False) -> Source:
        """Return a source that is no peer.

        Args:
            name: what it is, such as "dns seed.example"; at most 300 bytes of it count.
            is_local: its local addresses mean something here, as those of a beacon of the local network do.
        """
        return cls(b"named " + name.encode()[:300], is_local)
