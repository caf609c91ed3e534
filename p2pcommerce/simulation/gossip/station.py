"""One node of a gossip world: its strategy, its connections, its CPU, and when it wants to be woken."""

from __future__ import annotations

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.simulation.baselines import Strategy

__all__ = ["NEVER_US", "OFFLINE", "Station"]

OFFLINE = -1
"""In place of the time since which a node is online."""
NEVER_US = 1 << 62
"""In place of the time of a wake-up."""


class Station:
    """One node.

    Attributes:
        index: its place among the nodes.
        peer_id: 32 bytes.
        strategy: its way of spreading transactions.
        connections: peer -> the peer's index, and the number of the connection, which no other one of the world has.
        busy_until_us: its CPU judges transactions until then, microseconds of world time.
        wake_us: the earliest wake-up that is in the queue, or `NEVER_US`.
        since_us: since when it is online without a break, or `OFFLINE`.
    """

    __slots__ = ("busy_until_us", "connections", "index", "peer_id", "since_us", "strategy", "wake_us")

    def __init__(self, index: int, peer_id: PeerId, strategy: Strategy) -> None:
        """Start online, without connections."""
        self.index = index
        self.peer_id = peer_id
        self.strategy = strategy
        self.connections: dict[PeerId, tuple[int, int]] = {}
        self.busy_until_us = 0
        self.wake_us = NEVER_US
        self.since_us = 0

    def restart(self, strategy: Strategy, now_us: int) -> None:
        """Come back with nothing but its identity."""
        self.strategy = strategy
        self.busy_until_us = now_us
        self.wake_us = NEVER_US
        self.since_us = now_us
