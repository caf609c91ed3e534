"""Who is connected to whom: each node dials some others at random, and takes a bounded number of calls.

Source: the networking specification (Discovery): 8 outbound, 40 inbound.
"""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Topology"]

_TRIES_MAX = 200
"""Draws for one call before a node gives up: nearly everyone is connected to it, or full."""

_REACHED_SHARE = 0.5
"""How often a node that remembers dials someone it reached before: `Selection` of discovery."""


class Topology:
    """The graph of connections, which keeps within its bounds.

    Attributes:
        neighbours: of each node, the others with whether the node dialled them, in the order of connection.
    """

    __slots__ = ("_inbound", "_inbound_max", "_outbound", "_reached", "_rng", "_wanted", "neighbours")

    def __init__(self, nodes: int, *, outbound: int, inbound_max: int, rng: random.Random) -> None:
        """Start with `nodes` nodes and no connection."""
        self._rng = rng
        self._wanted = outbound
        self._inbound_max = inbound_max
        self._outbound = [0] * nodes
        self._inbound = [0] * nodes
        self._reached: dict[int, list[int]] = {}
        self.neighbours: list[dict[int, bool]] = [{} for _ in range(nodes)]

    def dial(self, node: int, allowed: Callable[[int, int], bool]) -> int | None:
        """Connect a node that lacks outbound connections to one more, at random.

        Args:
            node: which.
            allowed: whether a first node may call a second one.

        Returns:
            whom it called; None if it has all that it wants, or found nobody.
        """
        if self._outbound[node] >= self._wanted:
            return None
        neighbours, count = self.neighbours[node], len(self.neighbours)
        reached = self._reached.get(node)
        for _ in range(_TRIES_MAX):
            if reached and self._rng.random() < _REACHED_SHARE:
                target = self._rng.choice(reached)
            else:
                target = self._rng.randrange(count)
            if target != node and target not in neighbours and allowed(node, target) and self.call(node, target):
                return target
        return None

    def call(self, node: int, target: int) -> bool:
        """Let a node that lacks outbound connections dial another, which it is not connected to; False: no room."""
        if self._outbound[node] >= self._wanted or self._inbound[target] >= self._inbound_max:
            return False
        self._outbound[node] += 1
        self._inbound[target] += 1
        self.neighbours[node][target] = True
        self.neighbours[target][node] = False
        return True

    def dialled(self, node: int) -> list[int]:
        """Return whom a node has dialled and is connected to, in the order of connection."""
        return [peer for peer, outbound in self.neighbours[node].items() if outbound]

    def remember(self, node: int) -> None:
        """Let a node prefer those it has dialled until now, when it dials again."""
        self._reached[node] = self.dialled(node)

    def fill(self, node: int, allowed: Callable[[int, int], bool]) -> list[int]:
        """Dial until a node has all outbound connections that it wants; return whom it dialled."""
        dialled: list[int] = []
        while (target := self.dial(node, allowed)) is not None:
            dialled.append(target)
        return dialled

    def cut(self, node: int, peer: int) -> None:
        """Take a connection away."""
        outbound = self.neighbours[node].pop(peer)
        del self.neighbours[peer][node]
        caller, callee = (node, peer) if outbound else (peer, node)
        self._outbound[caller] -= 1
        self._inbound[callee] -= 1
