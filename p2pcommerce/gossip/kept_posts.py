"""Posts that peers may still pull: those of the last seconds, bounded by count and bytes for each topic."""

from __future__ import annotations

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["KeptPosts"]


class _Shelf:
    """One topic's, the oldest first: id -> until when, and the bytes."""

    __slots__ = ("posts", "total_bytes")

    def __init__(self) -> None:
        self.posts: dict[TransactionId, tuple[int, bytes]] = {}
        self.total_bytes = 0

    def drop_oldest(self) -> None:
        _, raw = self.posts.pop(next(iter(self.posts)))
        self.total_bytes -= len(raw)


class KeptPosts:
    """The posts of all topics that are listened to."""

    __slots__ = ("_parameters", "_shelves")

    def __init__(self, parameters: GossipParameters) -> None:
        """Keep nothing yet."""
        self._parameters = parameters
        self._shelves: dict[str, _Shelf] = {}

    def __len__(self) -> int:
        return sum(len(shelf.posts) for shelf in self._shelves.values())

    @property
    def total_bytes(self) -> int:
        """Bytes of all posts that are kept."""
        return sum(shelf.total_bytes for shelf in self._shelves.values())

    @property
    def deadline(self) -> int | None:
        """When the first is kept no longer, microseconds."""
        firsts = [shelf.posts[next(iter(shelf.posts))][0] for shelf in self._shelves.values() if shelf.posts]
        return min(firsts, default=None)

    def put(self, topic: str, post_id: TransactionId, raw: bytes, now: int) -> None:
        """Keep a post (id of 32 bytes); the topic's oldest go if there are too many."""
        shelf = self._shelves.setdefault(topic, _Shelf())
        shelf.posts[post_id] = (now + self._parameters.post_kept_us, raw)
        shelf.total_bytes += len(raw)
        parameters = self._parameters
        while len(shelf.posts) > parameters.post_kept_max or shelf.total_bytes > parameters.post_kept_bytes_max:
            shelf.drop_oldest()

    def get(self, post_id: TransactionId) -> bytes | None:
        """Return a kept post's bytes by its id (32 bytes)."""
        for shelf in self._shelves.values():
            found = shelf.posts.get(post_id)
            if found is not None:
                return found[1]
        return None

    def forget(self, topic: str) -> None:
        """Keep nothing of a topic that is not listened to any more."""
        self._shelves.pop(topic, None)

    def expire(self, now: int) -> None:
        """Drop what was kept for long enough."""
        for shelf in self._shelves.values():
            while shelf.posts and shelf.posts[next(iter(shelf.posts))][0] <= now:
                shelf.drop_oldest()
