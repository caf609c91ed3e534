"""How many private transactions of peers are held: of each peer, and of all.

What a peer may send is a budget of its own; how many of those that it brought first are held at a time is another
bound, which outlives its connection, so that coming anew gains nothing.
"""

from __future__ import annotations

from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import PeerId

__all__ = ["StemRoom"]


class StemRoom:
    """The room that is left."""

    __slots__ = ("_budgets", "_bytes", "_count", "_held", "_parameters")

    def __init__(self, parameters: GossipParameters) -> None:
        """Hold nothing."""
        self._parameters = parameters
        self._budgets: dict[PeerId, Budget] = {}
        self._held: dict[PeerId, int] = {}
        self._count = 0
        self._bytes = 0

    def on_connected(self, peer: PeerId, now: int) -> None:
        """Give a peer (32 bytes) its budget."""
        parameters = self._parameters
        self._budgets[peer] = Budget(
            parameters.stem_peer_rate,
            parameters.stem_peer_burst,
            parameters.stem_peer_bytes_rate,
            parameters.stem_peer_bytes_burst,
            now,
        )

    def on_disconnected(self, peer: PeerId) -> None:
        """Let a peer (32 bytes) go; what it brought is still counted as its."""
        self._budgets.pop(peer, None)

    def spend(self, peer: PeerId, size: int, now: int) -> bool:
        """Take `size` bytes of a peer (32 bytes) out of its budget; False: they are beyond it."""
        budget = self._budgets[peer]
        if not budget.has(size, now):
            return False
        budget.spend(size, now)
        return True

    def has(self, peer: PeerId, size: int) -> bool:
        """Tell whether one more transaction of a peer (32 bytes) may be held."""
        parameters = self._parameters
        return (
            self._held.get(peer, 0) < parameters.stem_peer_max
            and self._count < parameters.stem_max
            and self._bytes + size <= parameters.stem_bytes_max
        )

    def take(self, peer: PeerId, size: int) -> None:
        """Hold one."""
        self._held[peer] = self._held.get(peer, 0) + 1
        self._count += 1
        self._bytes += size

    def give_back(self, peer: PeerId, size: int) -> None:
        """Hold one less."""
        left = self._held[peer] - 1
        if left:
            self._held[peer] = left
        else:
            del self._held[peer]
        self._count -= 1
        self._bytes -= size
