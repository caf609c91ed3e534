"""Pings: is a peer alive, and how far away is it.

A peer that leaves pings unanswered is closed; the round-trip time of those that answer ranks senders of gossip.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.ids import MICROSECONDS, U64_MAX, PeerId
from p2pcommerce.wire.messages import Ping

__all__ = ["PING_INTERVAL_US", "PING_TIMEOUT_US", "Pulse"]

PING_INTERVAL_US: Final = 20 * MICROSECONDS
PING_TIMEOUT_US: Final = 20 * MICROSECONDS
"""A peer that has not answered for so long is gone."""


@dataclass(slots=True)
class _Beat:
    nonce: int
    sent_at: int
    answered: bool
    next_at: int
    rtt_us: int | None = None


class Pulse:
    """The pings of all connected peers."""

    def __init__(self, rng: random.Random) -> None:
        """Draw nonces and jitter from `rng`."""
        self._rng = rng
        self._beats: dict[PeerId, _Beat] = {}
        self._deadline: int | None = None

    @property
    def deadline(self) -> int | None:
        """When the next ping is due, or an answer overdue, microseconds."""
        return self._deadline

    def _plan(self) -> None:
        """Find the deadline anew: it is asked for after every input of the node, and changes with few of them."""
        self._deadline = earliest(*[beat.next_at for beat in self._beats.values()])

    def on_connected(self, peer: PeerId, now: int) -> Ping:
        """Begin with a ping at once."""
        beat = self._beats[peer] = _Beat(0, now, answered=True, next_at=now)
        ping = self._ping(beat, now)
        self._plan()
        return ping

    def on_disconnected(self, peer: PeerId) -> None:
        """Forget a peer."""
        self._beats.pop(peer, None)
        self._plan()

    def on_pong(self, peer: PeerId, nonce: int, now: int) -> int | None:
        """Return the round-trip time in microseconds; None for an answer to nothing."""
        beat = self._beats.get(peer)
        if beat is None or beat.answered or beat.nonce != nonce:
            return None
        beat.answered = True
        beat.rtt_us = max(1, now - beat.sent_at)
        beat.next_at = now + PING_INTERVAL_US + self._rng.randrange(PING_INTERVAL_US // 4)
        self._plan()
        return beat.rtt_us

    def on_deadline(self, now: int) -> tuple[list[tuple[PeerId, Ping]], list[PeerId]]:
        """Return the pings to send, and the peers that have not answered theirs."""
        pings: list[tuple[PeerId, Ping]] = []
        silent: list[PeerId] = []
        for peer, beat in self._beats.items():
            if beat.next_at > now:
                continue
            if beat.answered:
                pings.append((peer, self._ping(beat, now)))
            else:
                silent.append(peer)
                beat.next_at = now + PING_TIMEOUT_US
        self._plan()
        return pings, silent

    def rtt_us(self, peer: PeerId) -> int | None:
        """Return the last round-trip time in microseconds, None if there is none yet."""
        beat = self._beats.get(peer)
        return None if beat is None else beat.rtt_us

    def _ping(self, beat: _Beat, now: int) -> Ping:
        beat.nonce = self._rng.randrange(U64_MAX)
        beat.sent_at = now
        beat.answered = False
        beat.next_at = now + PING_TIMEOUT_US
        return Ping(beat.nonce)
