"""The pool: what is admitted, bounded in bytes and count, ordered by sender and nonce, by price, and by expiry.

Rules:

1. Per sender the nonces from the state's next one to the first missing one plus `nonce_gap_max` are kept.
2. What all transactions of one payer may spend together never exceeds the payer's balance in the final state.
3. A transaction replaces the one of its sender and nonce if its fee is `replacement_bps` above it and its fee per
   weight not below it.
4. When the pool is full, the tail of the cheapest sender goes: the sender whose cheapest transaction pays least per
   weight, as nothing behind that one can be had without it. A transaction never drives out another of its own sender or
   payer, nor anything at its own price or above; no transaction goes before those of its sender behind it have gone.
5. A transaction behind a missing nonce is promised a fee that nobody may ever collect. So it never drives out one that
   could be included, it goes before all of those whatever it offers, and it does not move the fee floor.
6. What was submitted here is never driven out: `submit` has accepted it.
7. What was driven out, and could have been included, raises the fee floor.

It judges nothing itself: formats, signatures and the application's rules are admission's.

Source: the mempool rules of the networking specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from p2pcommerce.ledger.application import Admission, Rejection
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.mempool.entry import Entry, SenderQueue
from p2pcommerce.mempool.eviction import Eviction
from p2pcommerce.mempool.expiry import Expiry
from p2pcommerce.mempool.fee_floor import FeeFloor, price_of
from p2pcommerce.mempool.heads import Heads
from p2pcommerce.mempool.lazy_heap import LazyHeap
from p2pcommerce.mempool.parameters import MempoolParameters
from p2pcommerce.mempool.payers import Payers
from p2pcommerce.mempool.verdicts import Dropped, Origin
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import Height, PublicKey, TransactionId

__all__ = ["Pool"]

_BPS = 10_000


class Pool:
    """Admitted transactions.

    Attributes:
        floor: the fee floor.
        total_bytes: of all transactions here.
        index: the ids, for gossip.
        payers: who pays for what.
        ready_count: transactions here without a gap before them, as seen from the final state.
        evicted: how many were driven out so far.
        replaced: how many were replaced so far.
    """

    __slots__ = (
        "_by_id",
        "_dirty",
        "_eviction",
        "_expiry",
        "_heads",
        "_order",
        "_parameters",
        "_queues",
        "evicted",
        "floor",
        "index",
        "payers",
        "ready_count",
        "replaced",
        "total_bytes",
    )

    def __init__(self, parameters: MempoolParameters, fee_floor_minor: int) -> None:
        """Start empty.

        Args:
            parameters: the bounds.
            fee_floor_minor: the chain's own fee floor, minor units per weight.
        """
        self._parameters = parameters
        self._by_id: dict[TransactionId, Entry] = {}  # in order of admission
        self.index = IdIndex()
        self._queues: dict[PublicKey, SenderQueue] = {}
        self.payers = Payers(self._queues)
        self._eviction = Eviction(self._queues, parameters.eviction_search_max)
        self._expiry = Expiry(self._by_id)
        self._dirty: dict[PublicKey, SenderQueue] = {}
        self._order = 0
        self._heads = Heads()
        self.floor = FeeFloor(fee_floor_minor, parameters.floor_half_life_us)
        self.total_bytes = 0
        self.ready_count = 0
        self.evicted = 0
        self.replaced = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, tx_id: TransactionId) -> bool:
        return tx_id in self._by_id

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_id.values())

    def get(self, tx_id: TransactionId) -> Entry | None:
        """Return an entry by its id (32 bytes)."""
        return self._by_id.get(tx_id)

    def queue(self, sender: PublicKey) -> SenderQueue | None:
        """Return what is kept of one sender (32 bytes)."""
        return self._queues.get(sender)

    @property
    def heads(self) -> LazyHeap[PublicKey]:
        """Senders by the price of their first transaction, dearest first."""
        return self._heads.order()

    # --- adding ---

    def objection(
        self, transaction: Transaction, admission: Admission, ahead: int = 0, ahead_spend_minor: int = 0
    ) -> Rejection | None:
        """Say what nonce, fee or balance hold against a transaction, None if nothing.

        Args:
            transaction: decoded.
            admission: what the application said of it.
            ahead: transactions of its sender that will probably be added before it.
            ahead_spend_minor: what those of its payer that will probably be added before it may spend.
        """
        nonce, payer = transaction.nonce, admission.payer
        expected = run_end = admission.nonce
        replaced: Entry | None = None
        queue = self._queues.get(transaction.sender)
        if queue is not None:
            expected = max(expected, queue.state_nonce)
            run_end = max(run_end, queue.run_end)
            replaced = queue.entries.get(nonce)
        if nonce < expected:
            return Rejection(RejectionCode.BAD_NONCE, f"nonce {nonce} is used, the next is {expected}")
        if nonce > run_end + ahead + self._parameters.nonce_gap_max:
            return Rejection(RejectionCode.BAD_NONCE, f"nonce {nonce} is too far ahead, {run_end} is missing")
        spend = admission.spend_minor + ahead_spend_minor
        if replaced is not None:
            refused = self._replacement(transaction, admission, replaced)
            if refused is not None:
                return refused
            if replaced.payer == payer:
                spend -= replaced.spend_minor
        spend += self.payers.spend_minor(payer)
        if spend > admission.balance_minor:
            return Rejection(
                RejectionCode.NO_FUNDS,
                f"waiting transactions and this one may spend {spend}, the payer has {admission.balance_minor}",
            )
        return None

    def has_room(self, count: int, size: int) -> bool:
        """Tell whether so many transactions, of `size` bytes in all, can come in without any having to go."""
        parameters = self._parameters
        return len(self._by_id) + count <= parameters.count_max and self.total_bytes + size <= parameters.bytes_max

    def is_too_cheap(self, transaction: Transaction, admission: Admission, ahead: int = 0) -> bool:
        """Tell whether the pool is so full that this transaction would find no cheaper one to drive out.

        Args:
            transaction: decoded.
            admission: what the application said of it.
            ahead: transactions of its sender that will probably be added before it.
        """
        if self.has_room(1, len(transaction.raw)):
            return False
        queue = self._queues.get(transaction.sender)
        if queue is not None and transaction.nonce in queue.entries:
            return False
        run_end = admission.nonce if queue is None else max(admission.nonce, queue.run_end)
        price = price_of(transaction.fee, admission.weight)
        return not self._eviction.has_below(price, gapped=transaction.nonce > run_end + ahead)

    def add(
        self, transaction: Transaction, admission: Admission, origin: Origin, now: int, *, is_judged: bool = False
    ) -> Rejection | list[Dropped]:
        """Add a verified transaction; return why not, or what had to go for it.

        Args:
            transaction: decoded and verified.
            admission: what the application said of it.
            origin: who brought it.
            now: microseconds.
            is_judged: `objection` had none, and nothing of its sender or payer has come or gone since.
        """
        tx_id = transaction.id
        if tx_id in self._by_id:
            return Rejection(RejectionCode.DUPLICATE, "is in the pool already")
        objection = None if is_judged else self.objection(transaction, admission)
        if objection is not None:
            return objection
        entry = Entry(transaction, admission, origin)
        queue = self._queues.get(transaction.sender)
        replaced = None if queue is None else queue.entries.get(transaction.nonce)
        victims = self._victims(entry, queue, replaced, admission.nonce)
        if victims is None:
            return Rejection(RejectionCode.POOL_FULL, "the pool is full, and nothing cheaper in it can go: pay more")
        dropped = [self._evict(victim, now) for victim in victims] if victims else []
        if queue is not None and replaced is not None:
            self._forget(replaced, queue)
            self.replaced += 1
            detail = f"replaced by {tx_id.hex()}, which pays more"
            dropped.append(Dropped(replaced.transaction.id, RejectionCode.BAD_NONCE, detail, replaced_by=tx_id))
        if queue is None:
            queue = self._queues[transaction.sender] = SenderQueue(transaction.sender, admission.nonce)
        self._remember(entry, queue, now)
        self._index(queue)
        if admission.nonce > queue.state_nonce:
            self.advance(queue, admission.nonce)
            dropped += self.settle()
        return dropped

    def _replacement(self, transaction: Transaction, admission: Admission, replaced: Entry) -> Rejection | None:
        least = -(-replaced.transaction.fee * (_BPS + self._parameters.replacement_bps) // _BPS)
        if transaction.fee >= least and price_of(transaction.fee, admission.weight) >= replaced.price:
            return None
        return Rejection(
            RejectionCode.NO_FEE,
            f"replaces a transaction of the same nonce: the fee must be at least {least}, and not less per weight",
        )

    def _victims(
        self, entry: Entry, queue: SenderQueue | None, replaced: Entry | None, first_missing: int
    ) -> list[Entry] | None:
        """Return what must go for `entry`, tails first; None if there is not enough that may go.

        Args:
            entry: to be added.
            queue: of its sender.
            replaced: what it replaces.
            first_missing: its sender's next nonce in the final state.
        """
        parameters = self._parameters
        count = len(self._by_id) + (replaced is None) - parameters.count_max
        size = self.total_bytes + len(entry.transaction.raw) - parameters.bytes_max
        if replaced is not None:
            size -= len(replaced.transaction.raw)
        if count <= 0 and size <= 0:
            return []
        price, nonce = entry.price, entry.transaction.nonce
        if queue is not None and queue.nonces and queue.nonces[-1] < nonce:
            price = min(price, queue.tail.bottleneck)
        gapped = nonce > (first_missing if queue is None else max(first_missing, queue.run_end))
        tails = self._eviction.tails(price, entry.transaction.sender, entry.payer, gapped=gapped)
        victims: list[Entry] = []
        for victim in tails:
            victims.append(victim)
            count -= 1
            size -= len(victim.transaction.raw)
            if count <= 0 and size <= 0:
                tails.close()
                return victims
        return None

    def _evict(self, victim: Entry, now: int) -> Dropped:
        queue = self._queues[victim.transaction.sender]
        if queue.is_gapped(victim.transaction.nonce):
            detail = f"driven out of a full pool while nonce {queue.run_end} was missing before it: send that first"
        else:
            self.floor.raise_above(victim.bottleneck, now)
            detail = "driven out of a full pool: pay more"
        queue.remove_tail()
        self._forget(victim, queue)
        self._index(queue)
        self.evicted += 1
        return Dropped(victim.transaction.id, RejectionCode.POOL_FULL, detail)

    # --- removing: `remove` and `advance` as often as needed, then `settle` ---

    def remove(self, entry: Entry) -> None:
        """Take an entry out."""
        queue = self._queues[entry.transaction.sender]
        queue.remove(entry.transaction.nonce)
        self._forget(entry, queue)
        self._dirty[queue.sender] = queue

    def remove_final(self, tx_id: TransactionId) -> None:
        """Take out a transaction that became final, if it is here: its sender's next nonce is known by it."""
        entry = self._by_id.get(tx_id)
        if entry is not None:
            self.remove(entry)
            queue = self._queues[entry.transaction.sender]
            queue.state_nonce = max(queue.state_nonce, entry.transaction.nonce + 1)

    def advance(self, queue: SenderQueue, state_nonce: int) -> None:
        """Learn a sender's next nonce in the final state."""
        if state_nonce > queue.state_nonce:
            queue.state_nonce = state_nonce
            self._dirty[queue.sender] = queue

    def settle(self) -> list[Dropped]:
        """Finish removals: drop what lost its place by them, and bring the indices up to date."""
        dropped: list[Dropped] = []
        for queue in self._dirty.values():
            while queue.nonces and queue.nonces[0] < queue.state_nonce:
                dropped.append(self._lose(queue, queue.head, f"nonce used, the next is {queue.state_nonce}"))
            queue.settle()
            while queue.nonces and queue.nonces[-1] > queue.run_end + self._parameters.nonce_gap_max:
                dropped.append(self._lose(queue, queue.tail, f"nonce too far ahead since {queue.run_end} was dropped"))
            self._index(queue)
        self._dirty.clear()
        return dropped

    def spends(self, entry: Entry, spend_minor: int) -> None:
        """Learn anew what an entry may spend."""
        self.payers.spends(entry, spend_minor)

    def overspent(self, payer: PublicKey, balance_minor: int) -> list[Entry]:
        """Return what must go, newest first, so that a payer's (32 bytes) transactions fit its balance."""
        excess = self.payers.spend_minor(payer) - balance_minor
        entries: list[Entry] = []
        for entry in reversed(self.payers.paid_by(payer)) if excess > 0 else ():
            if excess <= 0:
                break
            entries.append(entry)
            excess -= entry.spend_minor
        return entries

    def expired(self, height: Height) -> list[Entry]:
        """Return what can no longer be included now that `height` is final; each must be removed."""
        return self._expiry.take(height)

    def outlived(self, now: int) -> list[Entry]:
        """Return what has been here for all of its life."""
        limit = now - self._parameters.life_us
        return list(takewhile(lambda entry: entry.added_us <= limit, self._by_id.values()))

    @property
    def oldest_us(self) -> int | None:
        """When the oldest entry was admitted."""
        entry = next(iter(self._by_id.values()), None)
        return None if entry is None else entry.added_us

    def _lose(self, queue: SenderQueue, entry: Entry, detail: str) -> Dropped:
        queue.remove(entry.transaction.nonce)
        self._forget(entry, queue)
        return Dropped(entry.transaction.id, RejectionCode.BAD_NONCE, detail)

    # --- indices ---

    def _remember(self, entry: Entry, queue: SenderQueue, now: int) -> None:
        transaction = entry.transaction
        tx_id = transaction.id
        self._order += 1
        entry.order, entry.added_us = self._order, now
        self._by_id[tx_id] = entry
        self.index.add(tx_id)
        self.total_bytes += len(transaction.raw)
        self.payers.add(entry, queue)
        self._expiry.put(tx_id, transaction.expires_height)
        queue.insert(entry)

    def _forget(self, entry: Entry, queue: SenderQueue) -> None:
        transaction = entry.transaction
        del self._by_id[transaction.id]
        self.index.discard(transaction.id)
        self.total_bytes -= len(transaction.raw)
        self.payers.remove(entry, queue)

    def _index(self, queue: SenderQueue) -> None:
        """Count what is ready, and let the orders find a sender's new head and tail when somebody asks for them."""
        ready_count = queue.run_end - queue.state_nonce
        self.ready_count += ready_count - queue.ready_count
        queue.ready_count = ready_count
        sender = queue.sender
        if queue.nonces:
            self._heads.put(queue)
            self._eviction.put(queue)
        else:
            self._heads.discard(sender)
            self._eviction.discard(sender)
            self._queues.pop(sender, None)
