"""What is kept of one connected validator for the relaying of finality messages."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link, batched
from p2pcommerce.gossip.relay_names import Names, names_message
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.gossip.score import Score
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.finality_messages import RELAY_IDS_MAX, RELAYED_ITEMS_MAX, Relayed

__all__ = ["RelayLink", "RelayPeer"]

_ITEMS_BYTES_MAX = Relayed.BYTES_MAX - 64 - 3 * RELAYED_ITEMS_MAX
"""What one message takes, less its kind, the head of its array, what one item above 64 KiB has more before it, and for
each item the head of its pair and what it shares."""


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
        hears: whom it hears straight, as it says.
    """

    __slots__ = ("_names", "_owed", "budget", "hears")

    def __init__(self, peer: RelayPeer, parameters: RelayParameters, validators: int, names: Names, now: int) -> None:
        """Begin without any role; `validators`: how many there are; `names`: of messages."""
        super().__init__(peer.peer, peer.number, peer.key, peer.score, outbound=peer.outbound)
        self.rtt_us = peer.rtt_us
        self.shown_us = now
        self.hears: frozenset[PeerId] = frozenset()
        self._names = names
        self._owed: dict[TransactionId, bytes] = {}
        self.budget = Budget(
            parameters.rate * validators,
            parameters.burst * validators,
            parameters.bytes_rate,
            parameters.bytes_burst,
            now,
        )

    def name(self, item_id: TransactionId, raw: bytes) -> bytes:
        """Return a message's name under the peer's key."""
        return self._names.name(self.key, item_id, raw)

    def owe(self, item_id: TransactionId, raw: bytes) -> None:
        """Push a message with the next flush, unless the peer shows it first."""
        self._owed[item_id] = raw

    def spread(self, item_id: TransactionId, raw: bytes, told_max: int) -> None:
        """Announce a message with the next flush, unless the peer shows it first."""
        name = self.name(item_id, raw)
        self.offer(name, item_id, told_max)
        self.news[item_id] = (name, len(raw), 0)

    @property
    def is_owing(self) -> bool:
        """Whether there is something to push."""
        return bool(self._owed)

    @override
    def has_shown(self, tx_id: TransactionId) -> None:
        """Neither announce nor push a message any more: the peer has it."""
        self._owed.pop(tx_id, None)
        super().has_shown(tx_id)

    @override
    def take_pushes(self) -> list[SendTo]:
        """Return the messages that carry all pushes; sorted, so that votes on one ballot share what they say."""
        owed, self._owed = sorted(self._owed.values()), {}
        return [SendTo(self.peer, Relayed(row)) for row in batched(owed, RELAYED_ITEMS_MAX, _ITEMS_BYTES_MAX)]

    @override
    def take_news(self) -> list[SendTo]:
        """Return the messages that carry all announcements."""
        names = [name for name, _, _ in self.news.values()]
        self.news = {}
        return [
            SendTo(self.peer, names_message(names[start : start + RELAY_IDS_MAX], is_pull=False))
            for start in range(0, len(names), RELAY_IDS_MAX)
        ]
