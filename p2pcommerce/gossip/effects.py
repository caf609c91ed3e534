"""What the router wants done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p2pcommerce.gossip.post import Post
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.finality_messages import Relayed, RelayIds, RelayRole
from p2pcommerce.wire.messages import (
    Announce,
    Choose,
    Found,
    GetIds,
    GetSymbols,
    Ids,
    Lacking,
    Pull,
    Refuse,
    Stem,
    Symbols,
    Transactions,
    Unchoose,
)
from p2pcommerce.wire.topic_messages import AnnouncePosts, Listening, Posts, PullPosts

__all__ = ["Deliver", "Effect", "Examine", "Fluff", "Judged", "Misbehaving", "Offer", "SendTo"]

Judged: TypeAlias = tuple[TransactionId, bytes, Verdict, PeerId | None, int]
"""What admission said of one transaction: id (32 bytes), its bytes (needed if accepted), verdict, the peer that it came
from (None: submitted here), fee in minor units. A plain tuple, as there is one per delivery."""


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send a message to a connected peer (32 bytes)."""

    peer: PeerId
    message: (
        Transactions
        | Announce
        | Pull
        | Choose
        | Unchoose
        | Refuse
        | GetSymbols
        | Symbols
        | GetIds
        | Ids
        | Lacking
        | Found
        | Listening
        | Posts
        | AnnouncePosts
        | PullPosts
        | Stem
        | Relayed
        | RelayIds
        | RelayRole
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """Hand transactions to admission; the router waits for a verdict on each.

    Attributes:
        items: id (32 bytes) and bytes of each.
        origin: the peer that they came from, 32 bytes.
    """

    items: tuple[tuple[TransactionId, bytes], ...]
    origin: PeerId


@dataclass(frozen=True, slots=True)
class Examine:
    """Have admission examine private transactions as if for the pool, and put them nowhere.

    Attributes:
        items: id (32 bytes) and bytes of each.
        origin: the peer that they came from, 32 bytes; None: a user of this node.
    """

    items: tuple[tuple[TransactionId, bytes], ...]
    origin: PeerId | None


@dataclass(frozen=True, slots=True)
class Fluff:
    """Hand transactions that have been private to admission, as `Offer` does; the router makes them public then.

    Attributes:
        items: id (32 bytes), bytes, and the peer that each came from (32 bytes; None: a user of this node).
    """

    items: tuple[tuple[TransactionId, bytes, PeerId | None], ...]


@dataclass(frozen=True, slots=True)
class Misbehaving:
    """A peer (32 bytes) fell to the ban threshold: close the connection; `Router.is_banned` says for how long."""

    peer: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a post to the application's listeners of its topic."""

    post: Post


Effect: TypeAlias = SendTo | Offer | Examine | Fluff | Misbehaving | Deliver
