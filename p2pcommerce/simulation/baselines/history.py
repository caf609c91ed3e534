"""What a baseline has seen: two generations of ids by age, and who showed what is being judged.

Source: the seen-cache of gossipsub (`seen_ttl`, 120 s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from p2pcommerce.gossip import Offer
from p2pcommerce.primitives.ids import MICROSECONDS, PeerId, TransactionId

__all__ = ["SEEN_IDS_MAX", "SEEN_US", "History", "Showing"]

SEEN_US: Final = 120 * MICROSECONDS
SEEN_IDS_MAX: Final = 1_000_000
"""Ids of one generation: above what any scenario publishes in two minutes."""


class Showing:
    """What one message brought.

    Attributes:
        fresh: id and bytes of what was never seen, now being judged.
        repeat_us: of each of the others, how long ago it was seen first, microseconds.
    """

    __slots__ = ("fresh", "repeat_us")

    def __init__(self) -> None:
        """Start empty."""
        self.fresh: list[tuple[TransactionId, bytes]] = []
        self.repeat_us: list[int] = []

    def offers(self, peer: PeerId) -> list[Offer]:
        """Return the offer to admission of what a peer (32 bytes) brought."""
        return [Offer(tuple(self.fresh), peer)] if self.fresh else []


class History:
    """Ids that were seen and when first, kept for 120 to 240 seconds; and what is being judged."""

    __slots__ = ("_began_us", "_flight", "_identify", "_ids_max", "_old", "_young")

    def __init__(self, identify: Callable[[bytes], TransactionId], ids_max: int = SEEN_IDS_MAX) -> None:
        """Start empty; keep at most `ids_max` ids in each of two generations; `identify` returns that of some bytes."""
        self._identify = identify
        self._ids_max = ids_max
        self._young: dict[TransactionId, int] = {}
        self._old: dict[TransactionId, int] = {}
        self._flight: dict[TransactionId, list[PeerId]] = {}
        self._began_us = 0

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._young or tx_id in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def know(self, tx_id: TransactionId, now: int) -> None:
        """Count an id (32 bytes) as seen."""
        if now - self._began_us >= SEEN_US or len(self._young) >= self._ids_max:
            self._old, self._young, self._began_us = self._young, {}, now
        self._young[tx_id] = now

    def show(self, peer: PeerId, items: Sequence[bytes], now: int) -> Showing:
        """Sort what a peer (32 bytes) shows into new and seen; the new is marked as seen before it is judged."""
        showing = Showing()
        for raw in items:
            tx_id = self._identify(raw)
            first_us = self._young.get(tx_id)
            if first_us is None:
                first_us = self._old.get(tx_id)
            if first_us is None:
                self.know(tx_id, now)
                self._flight[tx_id] = [peer]
                showing.fresh.append((tx_id, raw))
            else:
                showing.repeat_us.append(now - first_us)
                shown = self._flight.get(tx_id)
                if shown is not None and peer not in shown:
                    shown.append(peer)
        return showing

    def land(self, tx_id: TransactionId) -> Sequence[PeerId]:
        """Return who showed an id (32 bytes) before it was judged, the first of them first."""
        return self._flight.pop(tx_id, ())
