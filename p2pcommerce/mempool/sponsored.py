"""What sponsors pay for in the pool: the transactions of others.

Most senders pay for themselves, and what they may spend stands in their queues; only who pays for others is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pcommerce.mempool.entry import Entry
from p2pcommerce.primitives.ids import PublicKey, TransactionId

__all__ = ["Sponsored"]


class _Sponsor:
    """What one account pays for, in order of admission, and how much that may take."""

    __slots__ = ("entries", "spend_minor")

    def __init__(self) -> None:
        self.entries: dict[TransactionId, Entry] = {}
        self.spend_minor = 0


class Sponsored:
    """Sponsors and the pooled transactions that they pay for."""

    __slots__ = ("_sponsors",)

    def __init__(self) -> None:
        """Start empty."""
        self._sponsors: dict[PublicKey, _Sponsor] = {}

    def __len__(self) -> int:
        return len(self._sponsors)

    def add(self, entry: Entry) -> None:
        """Enter a transaction whose payer is not its sender."""
        sponsor = self._sponsors.get(entry.payer)
        if sponsor is None:
            sponsor = self._sponsors[entry.payer] = _Sponsor()
        sponsor.entries[entry.transaction.id] = entry
        sponsor.spend_minor += entry.spend_minor

    def remove(self, entry: Entry) -> None:
        """Take out what `add` has entered."""
        sponsor = self._sponsors[entry.payer]
        del sponsor.entries[entry.transaction.id]
        sponsor.spend_minor -= entry.spend_minor
        if not sponsor.entries:
            del self._sponsors[entry.payer]

    def spends(self, entry: Entry, more_minor: int) -> None:
        """Learn that a transaction that is here may spend so much more."""
        self._sponsors[entry.payer].spend_minor += more_minor

    def spend_minor(self, payer: PublicKey) -> int:
        """Return what the transactions of others that an account (32 bytes) pays for may spend together."""
        sponsor = self._sponsors.get(payer)
        return 0 if sponsor is None else sponsor.spend_minor

    def of(self, payer: PublicKey) -> Iterable[Entry]:
        """Return the transactions of others that an account (32 bytes) pays for, in order of admission."""
        sponsor = self._sponsors.get(payer)
        return () if sponsor is None else sponsor.entries.values()
