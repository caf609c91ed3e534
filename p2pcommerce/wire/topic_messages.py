"""Messages of the topics that embedding applications open: who listens to what, and what is published.

A peer says which topics it listens to (`Listening`, the whole list each time); of others it is sent nothing. What is
published goes by push (`Posts`) to those that chose the sender, and by announcement (`AnnouncePosts`) and pull
(`PullPosts`) to the others, as transactions do. A post is opaque here; `gossip.post` reads it. Short ids are 8 bytes of
the post's id under the receiver's announcement key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.codec import array, blob, text
from p2pcommerce.wire.kinds import WireMessage, kind
from p2pcommerce.wire.lanes import Lane
from p2pcommerce.wire.reconcile_messages import short_ids

__all__ = [
    "POSTS_ITEMS_MAX",
    "POST_BYTES_MAX",
    "POST_IDS_MAX",
    "TOPICS_COUNT_MAX",
    "TOPIC_BYTES_MAX",
    "AnnouncePosts",
    "Listening",
    "Posts",
    "PullPosts",
]

TOPIC_BYTES_MAX: Final = 64
"""Of a topic's name in UTF-8."""
TOPICS_COUNT_MAX: Final = 64
"""Topics that one node listens to."""
POST_BYTES_MAX: Final = 16 * 1024 + 256
"""16 KiB of an application's bytes, and what is around them."""
POSTS_ITEMS_MAX: Final = 256
POST_IDS_MAX: Final = 256


@kind(0x58, Lane.CONTROL, 8 * 1024, topics=array(text(TOPIC_BYTES_MAX), TOPICS_COUNT_MAX))
@dataclass(frozen=True, slots=True)
class Listening(WireMessage):
    """The topics that the sender listens to from now on, in rising order, each once; none: it wants no posts."""

    topics: tuple[str, ...]


@kind(0x59, Lane.TRANSACTIONS, 256 * 1024, items=array(blob(POST_BYTES_MAX, 1), POSTS_ITEMS_MAX, 1))
@dataclass(frozen=True, slots=True)
class Posts(WireMessage):
    """Posts as their origins signed them; whoever fills it keeps the message under its cap."""

    items: tuple[bytes, ...]


@kind(0x5A, Lane.TRANSACTIONS, 4 * 1024, short_ids=short_ids(POST_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class AnnouncePosts(WireMessage):
    """Posts that the sender has, of topics that the receiver listens to: short ids, 8 bytes each."""

    short_ids: tuple[bytes, ...]


@kind(0x5B, Lane.TRANSACTIONS, 4 * 1024, short_ids=short_ids(POST_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class PullPosts(WireMessage):
    """Asks for announced posts by their short ids (8 bytes each)."""

    short_ids: tuple[bytes, ...]
