"""What catching up knows of each peer: what it claims, what it was asked, how it kept its word.

A claim only says whom to ask: it is never believed. A peer that stalls or has nothing is avoided for a time that
doubles with each fault; one that lies, for the longest. A verified answer halves the faults. Faults outlast a
connection.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.sync.parameters import SyncParameters

__all__ = ["Request", "Roster", "SyncPeer"]

_EXPIRED_MAX: Final = 8
"""Requests given up whose late answer is no fault, per peer."""
_FAULTS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Request:
    """One request under way.

    Attributes:
        sent_us: when it was sent.
        deadline_us: when it is given up.
    """

    sent_us: int
    deadline_us: int


@dataclass(slots=True)
class SyncPeer:
    """One peer.

    Attributes:
        peer: 32 bytes.
        connected: whether it is.
        claimed: the height that it says it has.
        asked: first height -> the request under way.
        expired: first heights of requests given up lately.
        faults: stalls, empty answers and lies, halved by each good answer.
        avoided_until_us: it is asked nothing before.
        latency_us: smoothed time to a verified answer.
    """

    peer: PeerId
    latency_us: int
    connected: bool = True
    claimed: int = 0
    asked: dict[int, Request] = field(default_factory=dict)
    expired: deque[int] = field(default_factory=lambda: deque(maxlen=_EXPIRED_MAX))
    faults: int = 0
    avoided_until_us: int = 0


class Roster:
    """The peers, connected or remembered for their faults."""

    def __init__(self, parameters: SyncParameters, rng: random.Random) -> None:
        """Start without peers."""
        self._parameters = parameters
        self._rng = rng
        self._peers: dict[PeerId, SyncPeer] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[SyncPeer]:
        return (peer for peer in self._peers.values() if peer.connected)

    def get(self, peer: PeerId) -> SyncPeer | None:
        """Return a connected peer, None for any other."""
        known = self._peers.get(peer)
        return known if known is not None and known.connected else None

    def on_connected(self, peer: PeerId) -> None:
        """A peer connected."""
        known = self._peers.setdefault(peer, SyncPeer(peer, self._parameters.latency_us))
        known.connected = True

    def on_disconnected(self, peer: PeerId) -> SyncPeer | None:
        """A peer left; return it as it was, None if it was not connected."""
        known = self.get(peer)
        if known is None:
            return None
        del self._peers[peer]
        if known.faults:
            left = SyncPeer(peer, known.latency_us, connected=False, faults=known.faults)
            left.avoided_until_us = known.avoided_until_us
            self._peers[peer] = left
            self._forget_some()
        return known

    def on_fault(self, known: SyncPeer, now: int, *, lied: bool) -> None:
        """A peer stalled or had nothing; or it sent false data."""
        limits = self._parameters
        known.faults = min(known.faults + 1, _FAULTS_MAX)
        pause = limits.avoid_us_max if lied else min(limits.avoid_us_max, limits.avoid_us_min << (known.faults - 1))
        known.avoided_until_us = now + pause

    def on_verified(self, known: SyncPeer, latency_us: int | None) -> None:
        """A peer sent what it was asked for, in so many µs (None: too late to tell)."""
        known.faults //= 2
        if latency_us is not None:
            known.latency_us += (latency_us - known.latency_us) // 4

    def best_claim(self, now: int) -> int:
        """Return the greatest height that a peer claims which is not avoided."""
        return max((known.claimed for known in self if known.avoided_until_us <= now), default=0)

    def pick(self, first: int, now: int) -> SyncPeer | None:
        """Return who is best asked for blocks from a height on, None if nobody is free."""
        limits = self._parameters
        free = [
            (known.faults, len(known.asked), known.latency_us, self._rng.random(), known.peer)
            for known in self
            if known.claimed >= first
            and known.avoided_until_us <= now
            and len(known.asked) < limits.requests_per_peer_max
            and first not in known.asked
        ]
        return self._peers[min(free)[-1]] if free else None

    def next_forgiven_us(self, height: int, now: int) -> int | None:
        """Return when the next avoided peer that claims more than a height may be asked again, None: there is none."""
        waits = (known.avoided_until_us for known in self if known.claimed > height)
        return min((until_us for until_us in waits if until_us > now), default=None)

    def _forget_some(self) -> None:
        gone = [peer for peer, known in self._peers.items() if not known.connected]
        for peer in gone[: max(len(gone) - self._parameters.remembered_max, 0)]:
            del self._peers[peer]
