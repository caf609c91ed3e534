"""What the router keeps of one connected peer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.score import Score
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.primitives.quick import quick
from p2pcommerce.wire.messages import (
    ANNOUNCE_ENTRIES_MAX,
    TRANSACTIONS_ITEMS_MAX,
    Announce,
    AnnounceEntry,
    Transactions,
)

__all__ = ["ITEM_OVERHEAD_BYTES", "Link", "batched"]

ITEM_OVERHEAD_BYTES = 3
"""What msgpack puts before the bytes of one transaction, at most."""
_HASH_COST = 16
"""Entries of a table that are read in the time of one keyed hash, about."""
_send_to = quick(SendTo)
_transactions = quick(Transactions)
_PUSH_BYTES_MAX = Transactions.BYTES_MAX - 16
"""What one message takes, less its kind and the head of its array."""


def batched(items: Sequence[bytes], count_max: int, bytes_max: int) -> list[tuple[bytes, ...]]:
    """Return items in rows of at most `count_max`, and of `bytes_max` bytes with what msgpack puts before each."""
    rows: list[tuple[bytes, ...]] = []
    row: list[bytes] = []
    room = bytes_max
    for item in items:
        room -= len(item) + ITEM_OVERHEAD_BYTES
        if row and (room < 0 or len(row) == count_max):
            rows.append(tuple(row))
            row = []
            room = bytes_max - len(item) - ITEM_OVERHEAD_BYTES
        row.append(item)
    return [*rows, tuple(row)] if row else rows


class Link:
    """One connected peer: its roles, its record as a sender, and what waits to be sent to it.

    Attributes:
        peer: 32 bytes.
        number: rises with each connection: the tie-breaker of rankings.
        key: its announcement key, 16 bytes.
        outbound: this node dialled it.
        score: what it did.
        rtt_us: round-trip time, None while not measured.
        is_sender: this node chose it.
        chosen_us: when.
        has_refused: it refused to be a sender since the last re-rank.
        is_chooser: it chose this node.
        lag_us: sum of its samples of lag.
        lag_count: their number.
        penalty_us: lag on top for replacements and broken promises.
        shown_us: when it last showed a transaction.
        heard_mark: how many transactions the router had heard by then.
        asked: promises that were called in; halved at each re-rank.
        broken: those of them that it broke.
        broken_as_sender: promises broken since it was chosen.
        asks: short ids asked of it and not delivered, with the time at which the promise is broken.
        announced: ids that it announced and nobody delivered yet.
        waiting: short ids that it announced, and for which neither it nor another announcer has a place.
        told: what was announced to it and not pulled: short id under its key -> id.
        pushes: transactions that go out with the next flush.
        push_bytes: their size in a message.
        news: announcements that go out with the next flush, by id.
    """

    __slots__ = (
        "announced",
        "asked",
        "asks",
        "broken",
        "broken_as_sender",
        "chosen_us",
        "has_refused",
        "heard_mark",
        "is_chooser",
        "is_sender",
        "key",
        "lag_count",
        "lag_us",
        "news",
        "number",
        "outbound",
        "peer",
        "penalty_us",
        "push_bytes",
        "pushes",
        "rtt_us",
        "score",
        "shown_us",
        "told",
        "waiting",
    )

    def __init__(self, peer: PeerId, number: int, key: bytes, score: Score, *, outbound: bool) -> None:
        """Start without any role."""
        self.peer = peer
        self.number = number
        self.key = key
        self.outbound = outbound
        self.score = score
        self.rtt_us: int | None = None
        self.is_sender = self.has_refused = self.is_chooser = False
        self.chosen_us = self.shown_us = self.heard_mark = 0
        self.lag_us = self.lag_count = self.penalty_us = 0
        self.asked = self.broken = self.broken_as_sender = self.announced = 0
        self.asks: dict[bytes, int] = {}
        self.waiting: dict[bytes, None] = {}
        self.told: dict[bytes, TransactionId] = {}
        self.pushes: list[bytes] = []
        self.push_bytes = 0
        self.news: dict[TransactionId, AnnounceEntry] = {}

    def push(self, raw: bytes) -> None:
        """Send a transaction with the next flush."""
        self.pushes.append(raw)
        self.push_bytes += len(raw) + ITEM_OVERHEAD_BYTES

    def tell(self, tx_id: TransactionId, size: int, fee: int, told_max: int) -> None:
        """Announce a transaction with the next flush, and remember it for pulls (the last `told_max` of them)."""
        short = short_id(self.key, tx_id)
        self.offer(short, tx_id, told_max)
        self.news[tx_id] = (short, size, fee)

    def offer(self, short: bytes, tx_id: TransactionId, told_max: int) -> None:
        """Remember for pulls what the peer is told of, by its short id (8 bytes) under the peer's key."""
        told = self.told
        if short not in told and len(told) >= told_max:
            del told[next(iter(told))]
        told[short] = tx_id

    def has_shown(self, tx_id: TransactionId) -> None:
        """Announce a transaction no more, if its announcement still waits: the peer has it."""
        entry = self.news.pop(tx_id, None)
        if entry is not None:
            self.told.pop(entry[0], None)

    def untell(self, tx_ids: Collection[TransactionId]) -> None:
        """Forget that transactions were announced; `tx_ids` is asked for membership, so no list."""
        told = self.told
        if len(tx_ids) * _HASH_COST < len(told):
            for tx_id in tx_ids:
                told.pop(short_id(self.key, tx_id), None)
        elif told:
            self.told = {short: tx_id for short, tx_id in told.items() if tx_id not in tx_ids}

    def take_pushes(self) -> list[SendTo]:
        """Return the messages that carry all pushes."""
        pushes, size = self.pushes, self.push_bytes
        self.pushes, self.push_bytes = [], 0
        if len(pushes) <= TRANSACTIONS_ITEMS_MAX and size <= _PUSH_BYTES_MAX:
            return [_send_to(self.peer, _transactions(tuple(pushes)))] if pushes else []
        return [
            SendTo(self.peer, Transactions(batch)) for batch in batched(pushes, TRANSACTIONS_ITEMS_MAX, _PUSH_BYTES_MAX)
        ]

    def take_news(self) -> list[SendTo]:
        """Return the messages that carry all announcements."""
        news, self.news = list(self.news.values()), {}
        if 0 < len(news) <= ANNOUNCE_ENTRIES_MAX:
            return [SendTo(self.peer, Announce(tuple(news)))]
        return [
            SendTo(self.peer, Announce(tuple(news[start : start + ANNOUNCE_ENTRIES_MAX])))
            for start in range(0, len(news), ANNOUNCE_ENTRIES_MAX)
        ]
