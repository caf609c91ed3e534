"""The address that others see this node at.

Each node tells whoever dials it from which address the call came. One lie is cheap, so only what peers say counts that
this node chose to dial; those of one address group have one vote, and it takes a strict majority of at least three
groups. The port of a call says nothing, so what is learnt is a host.

Source: the discovery section of the networking specification (the address that a majority of peers observe).
"""

from __future__ import annotations

from collections import Counter

from p2pcommerce.discovery.connections import Connections
from p2pcommerce.discovery.group import host_of
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Observed"]


class Observed:
    """What the peers that this node dialled say."""

    __slots__ = ("_connections", "_observers_min", "_seen")

    def __init__(self, connections: Connections, observers_min: int) -> None:
        """Watch the connections; `observers_min` groups at least must have spoken."""
        self._connections = connections
        self._observers_min = observers_min
        self._seen: dict[PeerId, str] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def on_observed(self, peer: PeerId, address: str) -> None:
        """Take what a peer (32 bytes) says; of one that this node did not dial, or of a local address, nothing counts.

        Raises:
            AddressError: no address at all.
        """
        host = host_of(address)
        connection = self._connections.get(peer)
        if host is not None and connection is not None and connection.outbound and not connection.source.is_local:
            self._seen[peer] = host

    def on_disconnected(self, peer: PeerId) -> None:
        """Forget what a peer (32 bytes) said."""
        self._seen.pop(peer, None)

    @property
    def host(self) -> str | None:
        """The global IP address that a majority agrees on; None: there is none."""
        votes: dict[bytes, str] = {}
        for peer, host in self._seen.items():
            connection = self._connections.get(peer)
            if connection is not None:
                votes.setdefault(connection.group, host)
        if len(votes) < self._observers_min:
            return None
        host, count = Counter(votes.values()).most_common(1)[0]
        return host if 2 * count > len(votes) else None
