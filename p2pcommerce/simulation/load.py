"""What users do in a simulated world: transfers between accounts, and the life of orders.

Each account has at most one transaction on its way, so that no nonce ever overtakes another. A few accounts keep
stores; buyers place orders, merchants ship or refund them, buyers confirm. What is not final after a while is handed to
another node, as a careful wallet does. Which account acts, what it does and where it goes is drawn from one stream.

Source: the commerce specification; `sim network` of the interface specification.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from p2pcommerce.commerce import (
    Body,
    ListingSet,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderShip,
    StoreSet,
    TermsSet,
    Transfer,
    build_transaction,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR, Genesis
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import HEIGHT_MAX, MICROSECONDS, PublicKey, TransactionId
from p2pcommerce.simulation.host import Host

__all__ = ["ACCOUNTS_MAX", "BALANCE_MINOR", "Load", "LoadOwner", "account_seed", "accounts_for"]

E = TypeVar("E")

ACCOUNTS_MAX: Final = 2_000
"""Accounts of one world at most."""
BALANCE_MINOR: Final = 10_000 * TOKEN_MINOR
_STALE_US: Final = 6 * MICROSECONDS
"""A transaction that is not final after so long is handed to another node, too."""
_STORES_SHARE: Final = 8
"""One account in this many keeps a store."""
_ORDERS_OPEN_MAX: Final = 512
_STORE_STEPS: Final = 3
"""Transactions that open a store: itself, its terms, a listing."""
_REFUNDED_SHARE: Final = 6
"""One order in this many is refunded and not shipped."""
_LOOKED_AT_MAX: Final = 8
"""Orders that are looked at for somebody to act."""
_TERMS: Final = 1
_LISTING: Final = 1


def account_seed(number: int) -> bytes:
    """Return the key seed (32 bytes) of an account of the load."""
    return blake2b_256(f"account {number}".encode())


def accounts_for(load_tps: int) -> int:
    """Return how many accounts carry a load: enough for each to wait some seconds for finality."""
    return min(ACCOUNTS_MAX, max(16, 12 * load_tps)) if load_tps else 0


class LoadOwner(Protocol):
    """What the load needs of its world."""

    hosts: list[Host]
    genesis: Genesis
    scheme: SignatureScheme

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    def at_world(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let something happen at a moment, whatever lives."""
        ...

    def hand_in(self, host: Host, transaction: Transaction, told: Callable[[RejectionCode], None]) -> bool:
        """Submit a transaction; `told` hears the verdict. False: the node takes nothing now."""
        ...


@dataclass(slots=True, eq=False)
class _Account:
    """One user."""

    number: int
    seed: bytes
    key: PublicKey
    nonce: int = 0
    store_steps: int = 0
    revision: TransactionId | None = None


@dataclass(slots=True, eq=False)
class _Pending:
    """A transaction on its way."""

    transaction: Transaction
    account: _Account
    since_us: int
    handed_us: int
    accepted: bool = False
    done: Callable[[TransactionId], None] = field(default=lambda _: None)


class Load:
    """The users of one world.

    Attributes:
        submitted, finalized, failed, refused: counts.
        latencies_us: from submission until the first node had it stored.
        codes: of what failed or was refused.
    """

    def __init__(self, owner: LoadOwner, rng: random.Random, load_tps: int, *, orders: bool = True) -> None:
        """Prepare `load_tps` transactions each second; `orders`: not only transfers."""
        self._owner = owner
        self._rng = rng
        self._interval_us = MICROSECONDS // load_tps if load_tps else 0
        self._with_orders = orders
        seeds = [account_seed(number) for number in range(accounts_for(load_tps))]
        self._accounts = [_Account(number, seed, owner.scheme.public_key(seed)) for number, seed in enumerate(seeds)]
        self._idle = dict.fromkeys(self._accounts)
        self._pending: dict[TransactionId, _Pending] = {}
        self._stores: list[_Account] = []
        stores = [account for account in self._accounts if account.number % _STORES_SHARE == 0]
        self._to_open: deque[_Account] = deque(stores if orders else ())
        self._to_ship: deque[tuple[_Account, _Account, TransactionId]] = deque()
        self._to_confirm: deque[tuple[_Account, TransactionId]] = deque()
        self.submitted = self.finalized = self.failed = self.refused = 0
        self.latencies_us: list[int] = []
        self.codes: Counter[str] = Counter()

    @property
    def balances(self) -> Mapping[PublicKey, int]:
        """What the accounts have at genesis."""
        return {account.key: BALANCE_MINOR for account in self._accounts}

    @property
    def pending(self) -> int:
        """Transactions that are neither final nor refused."""
        return len(self._pending)

    @property
    def waiting(self) -> list[int]:
        """Since when users wait for each of these, microseconds of world time."""
        return [pending.since_us for pending in self._pending.values()]

    def begin(self, world_us: int) -> None:
        """Start at a moment."""
        if self._interval_us:
            self._owner.at_world(world_us, self._beat)
            self._owner.at_world(world_us + _STALE_US, self._look_for_stale)

    def _beat(self) -> None:
        if self._idle:
            account = self._pick()
            del self._idle[account]
            self._act(account)
        wait_us = self._rng.randint(self._interval_us // 2, self._interval_us * 3 // 2)
        self._owner.at_world(self._owner.now_us + max(1, wait_us), self._beat)

    def _pick(self) -> _Account:
        """Return who acts: in every second case somebody for whom an order waits, or who has a store to open."""
        if self._rng.randrange(2):
            while self._to_open and self._to_open[0].store_steps >= _STORE_STEPS:
                self._to_open.popleft()
            opener = next((account for account in self._first(self._to_open) if account in self._idle), None)
            if opener is not None:
                return opener
            waiting = [order[0] for order in (*self._first(self._to_confirm), *self._first(self._to_ship))]
            actor = next((account for account in waiting if account in self._idle), None)
            if actor is not None:
                return actor
        return next(iter(self._idle))

    @staticmethod
    def _first(entries: deque[E]) -> list[E]:
        return list(islice(entries, _LOOKED_AT_MAX))

    def _act(self, account: _Account) -> None:
        payload, done = self._next(account)
        transaction = build_transaction(
            payload, self._owner.genesis, account.seed, account.nonce, HEIGHT_MAX, scheme=self._owner.scheme
        )
        now_us = self._owner.now_us
        self._pending[transaction.id] = pending = _Pending(transaction, account, now_us, now_us, done=done)
        self.submitted += 1
        self._hand_in(pending)

    # --- what an account does ---

    def _next(self, account: _Account) -> tuple[Body, Callable[[TransactionId], None]]:
        if self._with_orders and account.number % _STORES_SHARE == 0 and account.store_steps < _STORE_STEPS:
            return self._open_store(account)
        if self._with_orders and self._stores and self._rng.randrange(4):
            return self._trade(account)
        return self._transfer(account)

    def _transfer(self, account: _Account) -> tuple[Body, Callable[[TransactionId], None]]:
        other = self._accounts[self._rng.randrange(len(self._accounts))]
        return Transfer(other.key, self._rng.randint(1, TOKEN_MINOR)), lambda _: None

    def _open_store(self, account: _Account) -> tuple[Body, Callable[[TransactionId], None]]:
        digest = hashlib.sha256(account.seed).digest()
        step = account.store_steps
        payload: Body
        if step == 0:
            payload = StoreSet(name=f"Store {account.number}", box_key=digest, profile_hash=digest)
        elif step == 1:
            seconds = self._owner.genesis.parameters.term_s_min
            payload = TermsSet(
                number=_TERMS, ship_s=60 * seconds, confirm_s=60 * seconds, dispute_s=seconds, cancel_s=60 * seconds
            )
        else:
            payload = ListingSet(
                number=_LISTING, product=None, price_minor=100_000, stock_delta=10**6, traced=False, terms=_TERMS
            )

        def done(tx_id: TransactionId) -> None:
            account.store_steps = step + 1
            if step == 2:
                account.revision = tx_id
                self._stores.append(account)

        return payload, done

    def _trade(self, account: _Account) -> tuple[Body, Callable[[TransactionId], None]]:
        shipped = self._take(self._to_ship, lambda entry: entry[0] is account)
        if shipped is not None:
            _, buyer, order = shipped
            if not self._rng.randrange(_REFUNDED_SHARE):
                return OrderRefund(order=order), lambda _: None
            return OrderShip(order=order), lambda _: self._to_confirm.append((buyer, order))
        received = self._take(self._to_confirm, lambda entry: entry[0] is account)
        if received is not None:
            return OrderConfirm(order=received[1]), lambda _: None
        store = self._stores[self._rng.randrange(len(self._stores))]
        if store is account or store.revision is None or len(self._to_ship) >= _ORDERS_OPEN_MAX:
            return self._transfer(account)
        line = OrderLine(_LISTING, store.revision, self._rng.randint(1, 5))
        return (
            OrderPlace(store=store.key, lines=(line,)),
            lambda tx_id: self._to_ship.append((store, account, tx_id)),
        )

    @staticmethod
    def _take(entries: deque[E], is_wanted: Callable[[E], bool]) -> E | None:
        """Remove and return the first entry that is wanted; None: there is none."""
        for index, entry in enumerate(entries):
            if is_wanted(entry):
                del entries[index]
                return entry
        return None

    # --- what becomes of it ---

    def _hand_in(self, pending: _Pending) -> None:
        up = [host for host in self._owner.hosts if host.is_up and host.behaviour is None]
        pending.handed_us = self._owner.now_us
        if up:
            host = up[self._rng.randrange(len(up))]
            self._owner.hand_in(host, pending.transaction, lambda code: self._on_verdict(pending, code))

    def _on_verdict(self, pending: _Pending, code: RejectionCode) -> None:
        if code is RejectionCode.OK:
            pending.accepted = True
        elif code not in {RejectionCode.DUPLICATE, RejectionCode.BAD_NONCE, RejectionCode.POOL_FULL}:
            # A node that is behind says BAD_NONCE of what it cannot know yet; a later attempt finds another node.
            self.refused += 1
            self._end(pending, code)

    def _end(self, pending: _Pending, code: RejectionCode) -> None:
        if self._pending.pop(pending.transaction.id, None) is not None:
            if code is not RejectionCode.OK:
                self.codes[code.value] += 1
            self._idle[pending.account] = None

    def on_stored(self, committed: CommittedBlock) -> None:
        """The first node has stored a block."""
        for tx_id, outcome in zip(committed.block.transaction_ids, committed.outcomes, strict=True):
            pending = self._pending.get(tx_id)
            if pending is None:
                continue
            pending.account.nonce = pending.transaction.nonce + 1
            self.finalized += 1
            self.latencies_us.append(self._owner.now_us - pending.since_us)
            if outcome.code is RejectionCode.OK:
                pending.done(tx_id)
            else:
                self.failed += 1
            self._end(pending, outcome.code)

    def _look_for_stale(self) -> None:
        """Hand in again what is not final after a while."""
        limit_us = self._owner.now_us - _STALE_US
        for pending in list(self._pending.values()):
            if pending.handed_us <= limit_us:
                self._hand_in(pending)
        self._owner.at_world(self._owner.now_us + _STALE_US // 4, self._look_for_stale)
