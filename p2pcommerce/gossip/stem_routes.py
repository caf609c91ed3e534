"""Where stems go: the node's role in the present epoch, its two relays, and which of them serves which edge.

Source: Fanti et al., Dandelion++ (arXiv 1805.11060), the anonymity graph and the forwarding of algorithms 1 and 2.
Deviations: a new epoch is drawn when the first transaction needs it, and a relay that is gone is replaced by another
peer within the epoch; a transaction does not go back where it comes from.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import PeerId

__all__ = ["StemRoutes"]

_PERCENT = 100
_JITTER = 4
"""An epoch is up to one part in so many longer or shorter than the mean."""


class StemRoutes:
    """The draw of one epoch."""

    __slots__ = ("_edges", "_ends_us", "_is_diffuser", "_links", "_parameters", "_relays", "_rng")

    def __init__(self, parameters: GossipParameters, links: Mapping[PeerId, Link], rng: random.Random) -> None:
        """Choose among `links`, which the router fills."""
        self._parameters = parameters
        self._links = links
        self._rng = rng
        self._ends_us = 0
        self._is_diffuser = False
        self._relays: list[PeerId] = []
        self._edges: dict[PeerId | None, PeerId] = {}

    def is_diffuser(self, now: int) -> bool:
        """Tell whether this node fluffs whatever others pass to it in the present epoch."""
        self._turn(now)
        return self._is_diffuser

    def relay(self, edge: PeerId | None, now: int, *, by_anybody: bool = False) -> PeerId | None:
        """Return to whom a transaction goes that came over an edge (peer of 32 bytes; None: own); None: to nobody.

        Args:
            edge: where it came from.
            now: microseconds.
            by_anybody: take a peer that dialled this node if there is no other.
        """
        self._turn(now)
        relay = self._edges.get(edge)
        if relay is not None and relay in self._relays:
            return relay
        self._fill()
        able = [peer for peer in self._relays if peer != edge]
        if able:
            relay = self._edges[edge] = self._rng.choice(able)
            return relay
        return self._rng.choice(list(self._links)) if by_anybody and self._links else None

    def forget(self, peer: PeerId) -> None:
        """A peer (32 bytes) is gone."""
        self._edges.pop(peer, None)
        if peer in self._relays:
            self._relays.remove(peer)

    def _turn(self, now: int) -> None:
        """Draw anew if the epoch is over."""
        if now < self._ends_us:
            return
        epoch_us = self._parameters.stem_epoch_us
        self._ends_us = now + epoch_us - epoch_us // _JITTER + self._rng.randrange(max(1, 2 * epoch_us // _JITTER))
        self._is_diffuser = self._rng.randrange(_PERCENT) < self._parameters.stem_fluff_percent
        self._relays.clear()
        self._edges.clear()
        self._fill()

    def _fill(self) -> None:
        lacking = self._parameters.stem_relays - len(self._relays)
        if lacking > 0:
            others = [peer for peer, link in self._links.items() if link.outbound and peer not in self._relays]
            self._relays += self._rng.sample(others, min(lacking, len(others)))
