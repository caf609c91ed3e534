"""What each peer's full pool asks for, so that it is not sent what it would refuse; and what this one's does.

A pool that had to drive something out takes nothing cheaper for a while. It says so to its peers (`FeeFloor`), which
then neither push nor announce to it what pays less. What is told is the price to which the floor will have fallen by
the next time that it may be told; it is told again when it has moved by an eighth, at most once in a second, and when
it is gone.

A floor concerns only what is sent to the peer that told it: one that lies starves itself and nobody else.

Source: the networking specification (a decaying fee floor ... is told to peers); the idea of BIP 133 (feefilter).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommerce.mempool import Mempool
from p2pcommerce.node.effects import Effect, Transmit
from p2pcommerce.primitives.ids import MICROSECONDS, U64_MAX, PeerId, TransactionId
from p2pcommerce.wire.messages import FeeFloor

__all__ = ["TELL_US", "FeeFloors"]

TELL_US: Final = MICROSECONDS
"""Between two tellings at least, microseconds; no source."""
_SHARE: Final = 8
"""A floor that has moved by one in so many is told again."""


class FeeFloors:
    """The floors of the connected peers, and what they were told of this node's own."""

    def __init__(self, mempool: Mempool) -> None:
        """Begin without floors."""
        self._mempool = mempool
        self._floors: dict[PeerId, int] = {}  # one for each connected peer at most
        self._told = 0
        self._told_us = 0

    def on_connected(self, peer: PeerId) -> list[Effect]:
        """Tell a new peer (32 bytes) of the floor, if there is one."""
        return [Transmit(peer, FeeFloor(self._told))] if self._told else []

    def on_disconnected(self, peer: PeerId) -> None:
        """Forget a peer's (32 bytes) floor."""
        self._floors.pop(peer, None)

    def on_message(self, peer: PeerId, message: FeeFloor) -> None:
        """Learn a peer's (32 bytes) floor."""
        if message.price:
            self._floors[peer] = message.price
        else:
            self._floors.pop(peer, None)

    def unwilling(self, tx_id: TransactionId) -> tuple[PeerId, ...]:
        """Return the peers whose pools would refuse a pooled transaction (id of 32 bytes) as too cheap."""
        if not self._floors:
            return ()
        price = self._mempool.price(tx_id)
        if price is None:
            return ()
        return tuple([peer for peer, floor in self._floors.items() if price < floor])

    @property
    def deadline(self) -> int | None:
        """When it should be looked whether there is something to tell, microseconds."""
        return self._told_us + TELL_US if self._told or self._mempool.has_raised_floor else None

    def on_deadline(self, peers: Iterable[PeerId], now: int) -> list[Effect]:
        """Tell all peers (32 bytes each) of the floor if it has moved."""
        self._told_us = now
        price = min(self._mempool.raised_floor(now, TELL_US), U64_MAX)
        if abs(price - self._told) * _SHARE < max(self._told, 1):
            return []
        self._told = price
        return [Transmit(peer, FeeFloor(price)) for peer in peers]

    def statistics(self) -> dict[str, int]:
        """Return counters by name."""
        return {"floors_of_peers": len(self._floors), "floor_told": self._told}
