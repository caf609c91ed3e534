"""An address book without buckets: one bounded table, drawn from evenly. A baseline: what buckets are there against.

A full one gives up an entry of the source that has brought the most entries never reached, so that a flooder evicts
itself first; when all were reached, the one reached longest ago.

Source: the project's own first address book.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.entry import Entry
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.discovery.record import PeerRecord
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = ["FLAT_RECORDS_MAX", "FlatBook"]

FLAT_RECORDS_MAX: Final = 4_096


class FlatBook(Book):
    """The baseline; what is not overridden here it never asks for."""

    def __init__(self, genesis_hash: GenesisHash, parameters: DiscoveryParameters, rng: random.Random) -> None:
        """Start empty."""
        super().__init__(genesis_hash, parameters, rng)
        self._lists: dict[bool, list[PeerId]] = {True: [], False: []}
        self._told: Counter[bytes] = Counter()

    @override
    def hear_again(self, parsed: PeerRecord, source: Source, now: int) -> None:
        """Take no note."""

    @override
    def add(self, parsed: PeerRecord, source: Source, now: int) -> None:
        """Take a record, and give up another one if the book is full."""
        entry = self._entries.get(parsed.public_key)
        if not parsed.addresses:
            self.remove(parsed.public_key)
        elif entry is not None:
            entry.record, entry.failures = parsed, 0
        else:
            if len(self._entries) >= FLAT_RECORDS_MAX:
                self._give_up_one()
            self._insert(Entry(parsed, source))

    @override
    def remove(self, peer: PeerId) -> None:
        """Forget a peer."""
        entry = self._entries.pop(peer, None)
        if entry is not None:
            self._lists[bool(entry.reached_ms)].remove(peer)
            if not entry.reached_ms:
                self._told[entry.source.group] -= 1

    @override
    def on_reached(self, peer: PeerId, address: str, now: int) -> None:
        """Note it."""
        entry = self._entries.get(peer)
        if entry is not None:
            self.remove(peer)
            entry.reached_ms, entry.failures, entry.reached_at = now // 1_000, 0, address
            self._insert(entry)

    @override
    def on_failed(self, peer: PeerId, now: int) -> None:
        """Count it, and forget who failed too often."""
        entry = self._entries.get(peer)
        if entry is not None:
            entry.failures += 1
            if entry.failures >= self._parameters.failures_max:
                self.remove(peer)

    @override
    def draw(self, *, tried: bool) -> Entry | None:
        """Return one evenly."""
        peers = self._lists[tried]
        return self._entries[peers[self._rng.randrange(len(peers))]] if peers else None

    @override
    def load(self, data: bytes, now: int) -> int:
        """Add what was saved."""
        saved = Book(self._genesis_hash, self._parameters, self._rng)
        saved.load(data, now)
        for entry in saved:
            entry.tried, entry.new = None, []
            self._insert(entry)
        return len(self)

    def _insert(self, entry: Entry) -> None:
        self._entries[entry.peer] = entry
        self._lists[bool(entry.reached_ms)].append(entry.peer)
        if not entry.reached_ms:
            self._told[entry.source.group] += 1

    def _give_up_one(self) -> None:
        loudest, count = self._told.most_common(1)[0] if self._told else (b"", 0)
        if count:
            self.remove(next(peer for peer in self._lists[False] if self._entries[peer].source.group == loudest))
        else:
            self.remove(min(self._entries.values(), key=lambda entry: entry.reached_ms).peer)
