"""Who is connected, and what each connection is good for.

Source: the discovery section of the networking specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from p2pcommerce.discovery.dialling import Purpose
from p2pcommerce.discovery.group import group_of, is_local, known_place, source_group_of
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Connection", "Connections"]


@dataclass(slots=True)
class Connection:
    """One connection.

    Attributes:
        outbound: this node chose the peer: it dialled, or had it asked to dial (`reverse`).
        address: what was dialled; None: it is an inbound one, or was dialled because the peer asked for it.
        group: the address group of the other end.
        source: the other end as a source of records.
        purpose: why it was dialled.
        since_us: since when it stands.
        asked_us: when the peer was last asked for records; None: never.
        rtt_us: the least round-trip time; None: not known yet.
        transaction_us: when it last brought a transaction that was new and good; 0: never.
        block_us: when it last brought a block that was needed; 0: never.
        dialled: this end made the connection, whoever wanted it.
    """

    outbound: bool
    address: str | None
    group: bytes
    source: Source
    purpose: Purpose
    since_us: int
    asked_us: int | None = None
    rtt_us: int | None = None
    transaction_us: int = 0
    block_us: int = 0
    dialled: bool = False

    @classmethod
    def of(cls, peer: PeerId, address: str | None, remote: str | None, purpose: Purpose, now: int) -> Connection:
        """Return a connection that has just come to stand.

        Args:
            peer: 32 bytes.
            address: what was dialled, canonical; None: the peer dialled.
            remote: the other end's address as the transport sees it; None: not known.
            purpose: why it was dialled.
            now: microseconds.
        """
        seen_at = (None if remote is None else known_place(remote)) or address
        if address is None:
            group = b"peer " + peer if seen_at is None else source_group_of(seen_at)
        else:
            # A name counts as the place that it led to.
            group = group_of(address if seen_at is None or is_local(seen_at) else seen_at)
        return cls(address is not None, address, group, Source.of_peer(peer, seen_at), purpose, now)


class Connections(dict[PeerId, Connection]):
    """Every connection by peer (32 bytes), in the order in which they came to stand.

    Attributes:
        is_reserved: tells whether a peer has a place of its own.
    """

    def __init__(self, is_reserved: Callable[[PeerId], bool]) -> None:
        """Begin without any."""
        super().__init__()
        self.is_reserved = is_reserved

    def ordinary(self, *, outbound: bool) -> Iterator[tuple[PeerId, Connection]]:
        """Go through those that take an ordinary place."""
        for peer, connection in self.items():
            if connection.outbound == outbound and not self.is_reserved(peer):
                yield peer, connection

    def count(self, *, outbound: bool) -> int:
        """Return how many take an ordinary place."""
        return sum(1 for _ in self.ordinary(outbound=outbound))

    @property
    def outbound(self) -> int:
        """How many this node has dialled, ordinary or not."""
        return sum(connection.outbound for connection in self.values())

    def on_rtt(self, peer: PeerId, rtt_us: int) -> None:
        """Learn a peer's (32 bytes) round-trip time, microseconds."""
        connection = self.get(peer)
        if connection is not None:
            connection.rtt_us = rtt_us if connection.rtt_us is None else min(rtt_us, connection.rtt_us)

    def on_useful_transactions(self, peers: Iterable[PeerId], now: int) -> None:
        """These peers (32 bytes each) brought transactions that were new and good."""
        for peer in peers:
            connection = self.get(peer)
            if connection is not None:
                connection.transaction_us = now

    def on_useful_block(self, peer: PeerId, now: int) -> None:
        """A peer (32 bytes) brought blocks that were needed."""
        connection = self.get(peer)
        if connection is not None:
            connection.block_us = now

    def in_group(self, group: bytes) -> int:
        """Return how many ordinary ones this node has dialled in an address group."""
        return sum(connection.group == group for _, connection in self.ordinary(outbound=True))
