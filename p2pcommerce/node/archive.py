"""Answers what other nodes and light clients ask for beside blocks: epoch links, snapshots and their chunks.

All of it is read from the store. What one peer may ask at one time is bounded; what is beyond that is not answered, and
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.node.chain import Chain
from p2pcommerce.node.effects import ChunkOf, Effect, LinksOf, LoadItems, NewestSnapshot, Offered, Transmit
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import (
    CHUNK_BYTES_MAX,
    Chunk,
    GetChunk,
    GetLinks,
    GetSnapshot,
    Links,
    Snapshot,
)

__all__ = ["ASKED_PER_PEER_MAX", "LINKS_AT_ONCE_MAX", "Archive"]

ASKED_PER_PEER_MAX: Final = 8
"""Reads under way for one peer; those of a connection that has ended count until they are done."""
LINKS_AT_ONCE_MAX: Final = 64
"""Links in one answer."""
_LINKS_BYTES_MAX: Final = 2**20
"""Bytes of links in one answer."""


@dataclass(slots=True)
class _Load:
    """A read under way."""

    peer: PeerId
    query: Offered
    is_wanted: bool = True


class Archive:
    """What this node gives to others beside blocks."""

    def __init__(self, chain: Chain) -> None:
        """Serve for `chain`."""
        self._chain = chain
        self._loads: dict[int, _Load] = {}
        self._per_peer: Counter[PeerId] = Counter()
        self._next_request = 1
        self.counters = {"links_served": 0, "chunks_served": 0, "items_refused": 0}

    def on_disconnected(self, peer: PeerId) -> None:
        """A peer is gone: what it asked for is answered to nobody."""
        for load in self._loads.values():
            if load.peer == peer:
                load.is_wanted = False

    def on_request(self, peer: PeerId, message: GetLinks | GetSnapshot | GetChunk) -> list[Effect]:
        """Read what a peer asks for; the answer follows when it has been read."""
        if self._per_peer[peer] >= ASKED_PER_PEER_MAX:
            self.counters["items_refused"] += 1
            return []
        query = self._query(message)
        request, self._next_request = self._next_request, self._next_request + 1
        self._loads[request] = _Load(peer, query)
        self._per_peer[peer] += 1
        return [LoadItems(request, query)]

    def _query(self, message: GetLinks | GetSnapshot | GetChunk) -> Offered:
        match message:
            case GetLinks(from_epoch):
                return LinksOf(from_epoch, min(max(self._chain.head.epoch - from_epoch, 0), LINKS_AT_ONCE_MAX))
            case GetSnapshot():
                return NewestSnapshot()
            case GetChunk(height, index):
                return ChunkOf(height, index)

    def on_items(self, request: int, items: Sequence[bytes]) -> list[Effect]:
        """Answer with what was read."""
        load = self._loads.pop(request, None)
        if load is None:
            return []
        peer = load.peer
        self._per_peer[peer] -= 1
        if not self._per_peer[peer]:
            del self._per_peer[peer]
        if not load.is_wanted:
            return []
        match load.query:
            case LinksOf(from_epoch):
                return [Transmit(peer, self._links(from_epoch, items))]
            case NewestSnapshot():
                header, proof, depths = items if len(items) == 3 else (b"", b"", b"")
                return [Transmit(peer, Snapshot(header, proof, depths))]
            case ChunkOf(height, index):
                data = items[0] if items and len(items[0]) <= CHUNK_BYTES_MAX else b""
                self.counters["chunks_served"] += bool(data)
                return [Transmit(peer, Chunk(height, index, data))]

    def _links(self, from_epoch: int, items: Sequence[bytes]) -> Links:
        """Return as many links as one answer holds, and the head."""
        room = _LINKS_BYTES_MAX
        fitting: list[bytes] = []
        for item in items[:LINKS_AT_ONCE_MAX]:
            room -= len(item)
            if room < 0:
                break
            fitting.append(item)
        self.counters["links_served"] += len(fitting)
        return Links(from_epoch, tuple(fitting), self._chain.head.raw, self._chain.proof)
