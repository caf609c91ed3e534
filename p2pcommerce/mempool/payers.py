"""Who pays for what in the pool.

Most senders pay for themselves, and what they may spend stands in their queues; only who pays for others is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping

from p2pcommerce.mempool.entry import Entry, SenderQueue
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Payers"]


class _Sponsor:
    """What one account pays for others, in order of admission, and how much that may take."""

    __slots__ = ("entries", "spend_minor")

    def __init__(self) -> None:
        self.entries: dict[TransactionId, Entry] = {}
        self.spend_minor = 0


class Payers:
    """What each account pays for, and how much that may take from it."""

    __slots__ = ("_queues", "_sponsors")

    def __init__(self, queues: Mapping[PublicKey, SenderQueue]) -> None:
        """Start empty; `queues` are those of the pool, which alone writes them."""
        self._queues = queues
        self._sponsors: dict[PublicKey, _Sponsor] = {}

    def add(self, entry: Entry, queue: SenderQueue) -> None:
        """Count an entry of a sender's queue."""
        if entry.payer == queue.sender:
            queue.spend_minor += entry.spend_minor
            return
        sponsor = self._sponsors.get(entry.payer)
        if sponsor is None:
            sponsor = self._sponsors[entry.payer] = _Sponsor()
        sponsor.entries[entry.transaction.id] = entry
        sponsor.spend_minor += entry.spend_minor

    def remove(self, entry: Entry, queue: SenderQueue) -> None:
        """Count an entry no more."""
        if entry.payer == queue.sender:
            queue.spend_minor -= entry.spend_minor
            return
        sponsor = self._sponsors[entry.payer]
        del sponsor.entries[entry.transaction.id]
        sponsor.spend_minor -= entry.spend_minor
        if not sponsor.entries:
            del self._sponsors[entry.payer]

    def spends(self, entry: Entry, spend_minor: int) -> None:
        """Learn anew what an entry that is counted may spend."""
        more_minor = spend_minor - entry.spend_minor
        if entry.payer == entry.transaction.sender:
            self._queues[entry.payer].spend_minor += more_minor
        else:
            self._sponsors[entry.payer].spend_minor += more_minor
        entry.spend_minor = spend_minor

    def spend_minor(self, payer: PublicKey) -> int:
        """Return what all transactions of one payer (32 bytes) may spend together."""
        queue = self._queues.get(payer)
        own_minor = 0 if queue is None else queue.spend_minor
        sponsor = self._sponsors.get(payer) if self._sponsors else None
        return own_minor if sponsor is None else own_minor + sponsor.spend_minor

    def paid_by(self, payer: PublicKey) -> list[Entry]:
        """Return what one payer (32 bytes) pays for, in order of admission."""
        queue, sponsor = self._queues.get(payer), self._sponsors.get(payer)
        entries = [] if queue is None else [entry for entry in queue.entries.values() if entry.payer == payer]
        if sponsor is not None:
            entries += sponsor.entries.values()
        entries.sort(key=lambda entry: entry.order)
        return entries
