"""What every way of spreading transactions looks like to a gossip world.

A strategy is a core: it is handed peers, messages and verdicts with the present time, and answers with actions. The
product's router and the baselines stand behind the same seam, so that nothing but the rule itself differs between two
runs. Full transactions travel as the product's `Transactions` in every strategy, at the same size; the frames of a
baseline's own (`frames`) state theirs.

Source: the architecture specification (pure cores).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from p2pcommerce.gossip import Deliver, Examine, Fluff, Judged, Misbehaving, Offer, ReconcileMessage, SendTo
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.simulation.baselines.frames import Frame
from p2pcommerce.wire.finality_messages import Relayed, RelayIds, RelayRole
from p2pcommerce.wire.messages import Announce, Choose, Pull, Refuse, Stem, Transactions, Unchoose
from p2pcommerce.wire.topic_messages import AnnouncePosts, Listening, Posts, PullPosts

__all__ = ["Action", "GossipMessage", "SendFrame", "Strategy"]

GossipMessage: TypeAlias = (
    Transactions
    | Announce
    | Pull
    | Choose
    | Unchoose
    | Refuse
    | ReconcileMessage
    | Frame
    | Listening
    | Posts
    | AnnouncePosts
    | PullPosts
    | Stem
    | Relayed
    | RelayIds
    | RelayRole
)
"""Anything that travels over a link of a gossip world."""


@dataclass(slots=True)
class SendFrame:
    """Send a message of a baseline to a connected peer (32 bytes)."""

    peer: PeerId
    message: Transactions | Frame


Action: TypeAlias = SendTo | SendFrame | Offer | Examine | Fluff | Misbehaving | Deliver
"""What a strategy wants done: the product's effects, and the baselines' sends."""


class Strategy(Protocol):
    """One node's way of spreading transactions."""

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds; None: never."""
        ...

    def connect(self, peer: PeerId, *, outbound: bool, now: int) -> Sequence[Action]:
        """Take a new peer (32 bytes) in; `outbound`: this node dialled."""
        ...

    def measured(self, peer: PeerId, rtt_us: int, now: int) -> Sequence[Action]:
        """Learn a peer's (32 bytes) round-trip time."""
        ...

    def disconnect(self, peer: PeerId, now: int) -> Sequence[Action]:
        """Let a peer (32 bytes) go."""
        ...

    def receive(self, peer: PeerId, message: GossipMessage, now: int) -> Sequence[Action]:
        """Take a message of a connected peer (32 bytes)."""
        ...

    def judged(self, verdicts: Sequence[Judged], now: int) -> Sequence[Action]:
        """Learn what admission said of transactions that were offered."""
        ...

    def publish(self, tx_id: TransactionId, raw: bytes, now: int) -> Sequence[Action]:
        """Send a transaction (id of 32 bytes) of this node's own."""
        ...

    def retire(self, tx_ids: Iterable[TransactionId]) -> None:
        """Stop offering transactions (32 bytes each): they are final."""
        ...

    def on_deadline(self, now: int) -> Sequence[Action]:
        """Do what is due."""
        ...
