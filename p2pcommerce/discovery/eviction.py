"""Places for ordinary peers, and protected eviction: who makes room for a caller when all inbound places are taken.

Of the connections that this node dials there is one in an address group: another one is closed again.

Of those that call, whoever is hard to imitate is protected: some by the keyed hash of their address group, which no
attacker can aim at; the nearest; those that brought useful transactions, and useful blocks, last; of the rest the half
that is connected longest. Of the others, one of the most populous address group makes room, the one that came last.

Source: Bitcoin Core's `SelectNodeToEvict`; the numbers of the networking specification.

Deviations: the caller counts as one of its group, and is refused if that is the most populous one; between groups of
one size the keyed hash decides. In Bitcoin a caller is never refused while somebody is unprotected, so that a swarm
which calls without end turns out every honest caller a moment after it came (measured: `sim gossip --attack poison`
left a node without any honest peer). Here it holds as many places as it has groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from p2pcommerce.discovery.connections import Connection, Connections
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.primitives.crypto import keyed_hash
from p2pcommerce.primitives.ids import PeerId

__all__ = ["INBOUND_FULL", "Places", "choose_evicted"]

INBOUND_FULL: Final = "INBOUND_FULL"
"""The code of a caller for whom there is no place."""
_HASH_BYTES: Final = 8


class Places:
    """The ordinary places of a node."""

    __slots__ = ("_connections", "_parameters", "_secret")

    def __init__(self, connections: Connections, parameters: DiscoveryParameters, secret: bytes) -> None:
        """Keep places among the connections; the secret (32 bytes) is known to this node alone."""
        self._connections = connections
        self._parameters = parameters
        self._secret = secret

    def make_room(self, peer: PeerId, fresh: Connection) -> tuple[PeerId | None, str]:
        """Return who must leave for a new connection, and the reason.

        Args:
            peer: whose connection it is, 32 bytes; it has no place of its own.
            fresh: the connection, not counted yet.

        Returns:
            The peer itself, or another one (32 bytes); None: there is room.
        """
        limits = self._parameters
        if fresh.outbound:
            is_alone = self._connections.in_group(fresh.group) < limits.outbound_per_group_max
            return (None, "") if is_alone else (peer, "GROUP_FULL")
        inbound = dict(self._connections.ordinary(outbound=False))
        if len(inbound) < limits.inbound_max:
            return None, ""
        evicted = choose_evicted(inbound, fresh, limits, self._secret)
        return (peer, INBOUND_FULL) if evicted is None else (evicted, "EVICTED")


def choose_evicted(
    inbound: Mapping[PeerId, Connection], fresh: Connection, parameters: DiscoveryParameters, secret: bytes
) -> PeerId | None:
    """Return who makes room, 32 bytes; None: nobody, the caller is refused.

    Args:
        inbound: the ordinary inbound peers.
        fresh: the caller.
        parameters: how many are protected for what.
        secret: the key of the hash of groups, 32 bytes, known to this node alone.
    """

    def rank(group: bytes) -> bytes:
        return keyed_hash(secret, group, _HASH_BYTES)

    left = dict(inbound)
    _protect(left, parameters.protected_by_group, lambda at: rank(at.group))
    _protect(left, parameters.protected_by_latency, lambda at: -at.rtt_us if at.rtt_us else None)
    _protect(left, parameters.protected_by_transactions, lambda at: at.transaction_us or None)
    _protect(left, parameters.protected_by_blocks, lambda at: at.block_us or None)
    _protect(left, len(left) // 2, lambda at: -at.since_us)
    crowds = Counter(connection.group for connection in inbound.values())
    crowds[fresh.group] += 1
    groups = dict.fromkeys([fresh.group, *(connection.group for connection in left.values())])
    crowd = max(groups, key=lambda group: (crowds[group], rank(group)))
    if crowd == fresh.group:
        return None
    return max((peer for peer in left if left[peer].group == crowd), key=lambda peer: left[peer].since_us)


def _protect(left: dict[PeerId, Connection], count: int, merit: Callable[[Connection], Any]) -> None:
    """Take those of the greatest merit out; who has none (None) is not protected for it."""
    ranked = [(value, peer) for peer, connection in left.items() if (value := merit(connection)) is not None]
    ranked.sort(key=lambda item: item[0], reverse=True)
    for _, peer in ranked[:count]:
        del left[peer]
