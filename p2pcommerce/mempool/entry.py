"""One pooled transaction, and the queue of one sender's, ordered by nonce."""

from __future__ import annotations

from bisect import bisect_left

from p2pcommerce.ledger.application import Admission
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.fee_floor import price_of
from p2pcommerce.mempool.verdicts import Origin
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Entry", "SenderQueue"]


class Entry:
    """A pooled transaction and what the pool knows of it.

    Attributes:
        transaction: decoded and verified.
        origin: who brought it.
        weight: what its fee pays for.
        payer: whose balance pays, 32 bytes.
        spend_minor: the most it takes from the payer.
        price: fee per weight, fixed point.
        bottleneck: the least price among it and the sender's earlier ones: it cannot be had without them.
        order: rises with each admission.
        added_us: when it was admitted.
    """

    __slots__ = (
        "added_us",
        "bottleneck",
        "order",
        "origin",
        "payer",
        "price",
        "spend_minor",
        "transaction",
        "weight",
    )

    def __init__(self, transaction: Transaction, admission: Admission, origin: Origin) -> None:
        """Build from what the application said of it; the pool sets `order`, `added_us` and `bottleneck`."""
        self.transaction = transaction
        self.origin = origin
        self.weight = admission.weight
        self.payer = admission.payer
        self.spend_minor = admission.spend_minor
        self.price = self.bottleneck = price_of(transaction.fee, admission.weight)
        self.order = 0
        self.added_us = 0


class SenderQueue:
    """The pooled transactions of one sender.

    Attributes:
        state_nonce: the sender's next nonce in the final state.
        run_end: the first nonce from `state_nonce` on that is not here.
        nonces: of the entries, rising.
        entries: nonce -> entry.
        ready_count: how many of them the pool counts as ready.
        spend_minor: the most that those of them may take from the sender for which it pays itself.
    """

    __slots__ = ("entries", "nonces", "ready_count", "run_end", "sender", "spend_minor", "state_nonce")

    def __init__(self, sender: PublicKey, state_nonce: int) -> None:
        """Start empty for a sender (32 bytes) with this next nonce."""
        self.sender = sender
        self.state_nonce = state_nonce
        self.run_end = state_nonce
        self.ready_count = 0
        self.spend_minor = 0
        self.nonces: list[int] = []
        self.entries: dict[int, Entry] = {}

    @property
    def head(self) -> Entry:
        """The entry of least nonce."""
        return self.entries[self.nonces[0]]

    @property
    def tail(self) -> Entry:
        """The entry of greatest nonce."""
        return self.entries[self.nonces[-1]]

    def insert(self, entry: Entry) -> None:
        """Add an entry, or replace the one of its nonce."""
        nonce = entry.transaction.nonce
        nonces, entries = self.nonces, self.entries
        if not nonces or nonce > nonces[-1]:
            if nonces:
                entry.bottleneck = min(entry.price, entries[nonces[-1]].bottleneck)
            nonces.append(nonce)
            entries[nonce] = entry
        else:
            index = bisect_left(nonces, nonce)
            if nonces[index] != nonce:
                nonces.insert(index, nonce)
            entries[nonce] = entry
            self._find_bottlenecks(index, at_least=index + 1)
        while self.run_end in entries:
            self.run_end += 1

    def remove(self, nonce: int) -> None:
        """Take an entry out; `settle` must follow once all that goes is out."""
        del self.entries[nonce]
        del self.nonces[bisect_left(self.nonces, nonce)]

    def is_gapped(self, nonce: int) -> bool:
        """Tell whether a nonce lies behind a missing one: nothing with it can be included before that one comes."""
        return nonce > self.run_end

    def settle(self) -> None:
        """Bring `run_end` and the bottlenecks up to date after removals or a new `state_nonce`."""
        self.run_end = self.state_nonce
        while self.run_end in self.entries:
            self.run_end += 1
        self._find_bottlenecks(0)

    def remove_tail(self) -> None:
        """Take the last entry out; nothing need be settled after it."""
        nonce = self.nonces.pop()
        del self.entries[nonce]
        self.run_end = min(self.run_end, max(nonce, self.state_nonce))

    def _find_bottlenecks(self, start: int, at_least: int | None = None) -> None:
        """Find bottlenecks anew from a place on; from `at_least` on stop where nothing changes any more."""
        entries, nonces = self.entries, self.nonces
        least = entries[nonces[start - 1]].bottleneck if start else None
        for index in range(start, len(nonces)):
            entry = entries[nonces[index]]
            least = entry.price if least is None or entry.price < least else least
            if at_least is not None and index >= at_least and entry.bottleneck == least:
                return
            entry.bottleneck = least
