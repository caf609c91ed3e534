"""Who publishes, how much of it is taken, and which of its sequence numbers have come.

An origin's budget is spent only by posts that it signed: nobody can use up another's. A replayed or a repeated sequence
number is no news; a late one within the window is. The origins that were silent for longest are forgotten first, which
an attacker with many keys can bring about; until their posts expire the seen-cache stands against replays, too.
"""

from __future__ import annotations

from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.post import Post
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Origins"]


class _Origin:
    """One of them: its highest sequence number, and as bits which ones below came."""

    __slots__ = ("bits", "budget", "highest")

    def __init__(self, budget: Budget) -> None:
        self.highest = -1
        self.bits = 0
        self.budget = budget


class Origins:
    """The origins of accepted posts, the longest silent first."""

    __slots__ = ("_origins", "_parameters")

    def __init__(self, parameters: GossipParameters) -> None:
        """Know nobody."""
        self._parameters = parameters
        self._origins: dict[PublicKey, _Origin] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def is_new(self, post: Post) -> bool:
        """Tell whether a post's sequence number has not come and is not too old."""
        origin = self._origins.get(post.origin)
        if origin is None or post.sequence > origin.highest:
            return True
        behind = origin.highest - post.sequence
        return behind < self._parameters.post_window and not origin.bits >> behind & 1

    def has_budget(self, post: Post, now: int) -> bool:
        """Tell whether a post is within its origin's budget."""
        origin = self._origins.get(post.origin)
        return origin is None or origin.budget.has(len(post.raw), now)

    def note(self, post: Post, now: int) -> None:
        """Spend for a post that its origin signed, and remember its sequence number."""
        origin = self._origins.pop(post.origin, None)
        if origin is None:
            origin = _Origin(self._budget(now))
            if len(self._origins) >= self._parameters.post_origins_max:
                del self._origins[next(iter(self._origins))]
        self._origins[post.origin] = origin
        origin.budget.spend(len(post.raw), now)
        ahead = post.sequence - origin.highest
        window = self._parameters.post_window
        if ahead > 0:
            origin.bits = (origin.bits << min(ahead, window) | 1) & ((1 << window) - 1)
            origin.highest = post.sequence
        elif -ahead < window:
            origin.bits |= 1 << -ahead

    def _budget(self, now: int) -> Budget:
        parameters = self._parameters
        return Budget(
            parameters.post_origin_rate,
            parameters.post_origin_burst,
            parameters.post_origin_bytes_rate,
            parameters.post_origin_bytes_burst,
            now,
        )
