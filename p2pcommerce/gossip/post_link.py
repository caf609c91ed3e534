"""What is kept of one connected peer for the topics of applications."""

from __future__ import annotations

from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link, batched
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.compat import override
from p2pcommerce.wire.topic_messages import POST_IDS_MAX, POSTS_ITEMS_MAX, AnnouncePosts, Posts

__all__ = ["PostLink"]

_POSTS_BYTES_MAX = Posts.BYTES_MAX - 16
"""What one message takes, less its kind and the head of its array."""


class PostLink(Link):
    """A peer's announcements, promises and queues of posts, apart from those of transactions.

    The choice of senders and the score are those of `gossip`, the peer's link for transactions.

    Attributes:
        gossip: that link.
        topics: what the peer listens to.
        budget: new posts that may yet be taken of it.
    """

    __slots__ = ("budget", "gossip", "topics")

    def __init__(self, gossip: Link, parameters: GossipParameters, now: int) -> None:
        """Stand beside the peer's link for transactions."""
        super().__init__(gossip.peer, gossip.number, gossip.key, gossip.score, outbound=gossip.outbound)
        self.gossip = gossip
        self.topics: frozenset[str] = frozenset()
        self.budget = Budget(
            parameters.post_peer_rate,
            parameters.post_peer_burst,
            parameters.post_peer_bytes_rate,
            parameters.post_peer_bytes_burst,
            now,
        )

    @override
    def take_pushes(self) -> list[SendTo]:
        """Return the messages that carry all pushes."""
        pushes, self.pushes, self.push_bytes = self.pushes, [], 0
        return [SendTo(self.peer, Posts(row)) for row in batched(pushes, POSTS_ITEMS_MAX, _POSTS_BYTES_MAX)]

    @override
    def take_news(self) -> list[SendTo]:
        """Return the messages that carry all announcements."""
        shorts = [short for short, _, _ in self.news.values()]
        self.news = {}
        return [
            SendTo(self.peer, AnnouncePosts(tuple(shorts[start : start + POST_IDS_MAX])))
            for start in range(0, len(shorts), POST_IDS_MAX)
        ]
