"""Who is pushed a transaction, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from p2pcommerce.gossip.effects import Effect
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import PeerId, TransactionId

__all__ = ["Spreading"]


class Spreading:
    """Pushes to the choosers at the end of each call, and announcements to the others some milliseconds later.

    Attributes:
        news_us: when announcements are due, microseconds; None: there are none.
    """

    __slots__ = ("_links", "_parameters", "_unwilling", "news_us")

    def __init__(
        self,
        parameters: GossipParameters,
        links: Mapping[PeerId, Link],
        unwilling: Callable[[TransactionId], Sequence[PeerId]],
    ) -> None:
        """Spread over `links`, which the router fills; `unwilling` as there."""
        self._parameters = parameters
        self._links = links
        self._unwilling = unwilling
        self.news_us: int | None = None

    def spread(
        self, tx_id: TransactionId, raw: bytes, fee: int, shown: Sequence[PeerId], now: int, *, everybody: bool
    ) -> None:
        """Push to the choosers (or to everybody) and announce to the others, except to those who showed it."""
        size, told_max, unwilling = len(raw), self._parameters.announced_max, self._unwilling(tx_id)
        has_news = False
        for peer, link in self._links.items():
            if peer in shown or peer in unwilling:
                continue
            if everybody or link.is_chooser:
                link.push(raw)
            else:
                link.tell(tx_id, size, fee, told_max)
                has_news = True
        if has_news and self.news_us is None:
            self.news_us = now + self._parameters.announce_us

    def take_pushes(self) -> list[Effect]:
        """Return the messages that carry all pushes."""
        effects: list[Effect] = []
        for link in self._links.values():
            if link.pushes:
                effects += link.take_pushes()
        return effects

    def on_deadline(self, now: int) -> list[Effect]:
        """Return the messages that carry all pushes, and all announcements if they are due."""
        effects: list[Effect] = []
        flush_news = self.news_us is not None and self.news_us <= now
        for link in self._links.values():
            if link.pushes:
                effects += link.take_pushes()
            if flush_news and link.news:
                effects += link.take_news()
        if flush_news:
            self.news_us = None
        return effects
