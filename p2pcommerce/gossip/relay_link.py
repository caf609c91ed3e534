"""What is kept of one connected validator for the relaying of finality messages."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link, batched
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.gossip.score import Score
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.finality_messages import RELAY_IDS_MAX, RELAYED_ITEMS_MAX, Relayed, RelayIds

__all__ = ["RelayLink", "RelayPeer"]

_ITEMS_BYTES_MAX = Relayed.BYTES_MAX - 64
"""What one message takes, less its kind, the head of its array, and what one item above 64 KiB has more before it."""


@dataclass(slots=True)
class RelayPeer:
    """A connected peer, validator or not.

    Attributes:
        peer: 32 bytes.
        number: rises with each connection.
        key: its announcement key, 16 bytes.
        score: what it did.
        outbound: this node dialled it.
        rtt_us: round-trip time, microseconds; None while not measured.
    """

    peer: PeerId
    number: int
    key: bytes
    score: Score
    outbound: bool
    rtt_us: int | None = None


class RelayLink(Link):
    """A validator's roles, announcements, promises and queues, apart from those of transactions.

    The score is that in which its transactions count.

    Attributes:
        budget: new messages that may yet be taken of it.
    """

    __slots__ = ("budget",)

    def __init__(self, peer: RelayPeer, parameters: RelayParameters, validators: int, now: int) -> None:
        """Begin without any role; `validators`: how many there are."""
        super().__init__(peer.peer, peer.number, peer.key, peer.score, outbound=peer.outbound)
        self.rtt_us = peer.rtt_us
        self.shown_us = now
        self.budget = Budget(
            parameters.rate * validators,
            parameters.burst * validators,
            parameters.bytes_rate,
            parameters.bytes_burst,
            now,
        )

    @override
    def take_pushes(self) -> list[SendTo]:
        """Return the messages that carry all pushes."""
        pushes, self.pushes, self.push_bytes = self.pushes, [], 0
        return [SendTo(self.peer, Relayed(row)) for row in batched(pushes, RELAYED_ITEMS_MAX, _ITEMS_BYTES_MAX)]

    @override
    def take_news(self) -> list[SendTo]:
        """Return the messages that carry all announcements."""
        shorts = [short for short, _, _ in self.news.values()]
        self.news = {}
        return [
            SendTo(self.peer, RelayIds(is_pull=False, short_ids=tuple(shorts[start : start + RELAY_IDS_MAX])))
            for start in range(0, len(shorts), RELAY_IDS_MAX)
        ]
