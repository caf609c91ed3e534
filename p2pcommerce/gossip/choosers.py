"""The peers that chose this node as a sender: so many are served by push, and the rest are refused.

Source: the networking specification (the receiver chooses its senders).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from p2pcommerce.gossip.effects import Effect, SendTo
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import Refuse

__all__ = ["Choosers"]


class Choosers:
    """Who chose this node; the links themselves remember it."""

    __slots__ = ("_counts", "_links", "_parameters")

    def __init__(self, parameters: GossipParameters, links: Mapping[PeerId, Link], counts: Counter[str]) -> None:
        """Serve peers of `links`, which the router fills; count in `counts`."""
        self._parameters = parameters
        self._links = links
        self._counts = counts

    def __len__(self) -> int:
        return sum(link.is_chooser for link in self._links.values())

    def add(self, peer: PeerId) -> list[Effect]:
        """Serve a peer (32 bytes) by push from now on, or refuse."""
        link = self._links.get(peer)
        if link is None or link.is_chooser:
            return []
        if len(self) >= self._parameters.choosers_max:
            self._counts["choosers_refused"] += 1
            return [SendTo(peer, Refuse())]
        link.is_chooser = True
        return []

    def discard(self, peer: PeerId) -> None:
        """Announce to a peer (32 bytes) from now on."""
        link = self._links.get(peer)
        if link is not None:
            link.is_chooser = False
