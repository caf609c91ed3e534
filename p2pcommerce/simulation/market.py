"""What the users of a simulated world want: to pay, to trade, to hand goods over, to stake, and sometimes to cheat.

A market is a list of tasks, each for one user or for anybody, some of them not before a moment of application time. A
store is of one of four kinds, which decides how its orders (`demand` says what they are for) end:

- plain: shipped and confirmed, refunded in full, or in part and then shipped and confirmed
- traced: the same with items that were commissioned; others of its items are handed on to somebody
- hasty: never shipped in time: the buyer cancels, or anybody settles
- patient: shipped and never confirmed: anybody settles

One deed in a few is a *meddler's*: it ends another's order, receives another's goods, spends what nobody has, or comes
after its expiry. None of these may have an effect; the second set of books tells.

Source: the commerce specification; the oracles of the simulator specification.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from p2pcommerce.commerce import (
    Body,
    Bond,
    ListingSet,
    OrderCancel,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    ProductId,
    ProductSet,
    StoreSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    Unbond,
    item_id,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR, ChainParameters
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.simulation.demand import Demand

__all__ = ["MEDDLED_ONE_IN", "POOR_ONE_IN", "Deed", "Market", "User"]

MEDDLED_ONE_IN: Final = 12
"""One deed in so many is a meddler's."""
POOR_ONE_IN: Final = 16
"""One user in so many has nothing: others sponsor what it does."""
_STORES_SHARE: Final = 8
"""One user in this many keeps a store."""
_KINDS: Final = ("plain", "traced", "hasty", "patient")
_OPEN_MAX: Final = 512
"""Tasks with which no more orders are placed."""
_LOOKED_AT_MAX: Final = 8
_SERIALS: Final = 24
_HANDED_ON: Final = 6
"""Of these are not for sale."""
_PRICE_MINOR: Final = 100_000
_LONG_S: Final = 60
_SHORT_S: Final = 12
_MARGIN_S: Final = 4
"""Nobody begins what must be final before a deadline that is so near."""
_GTIN: Final = "04006381333931"
_TERMS: Final = 1
_LISTING: Final = 1
_BONDS_EPOCH_BLOCKS_MIN: Final = 1_000
"""Users stake only where no epoch ends within a world: their stake is far above that of the validators at genesis."""
_STAKED_ONE_IN: Final = 40
_NEVER_MINOR: Final = 2**62


@dataclass(slots=True, eq=False)
class User:
    """One user.

    Attributes:
        number: index; seed: 32 bytes of its key; key: account, 32 bytes.
        nonce: of its next transaction.
        store_steps: how far its store is.
        revision: of its listing, once it is open.
        serials: items of its store that are left.
        staked_at: the validator at which it has stake.
    """

    number: int
    seed: bytes
    key: PublicKey
    nonce: int = 0
    store_steps: int = 0
    revision: TransactionId | None = None
    serials: list[bytes] = field(default_factory=list)
    staked_at: PublicKey | None = None

    @property
    def is_poor(self) -> bool:
        """Whether it has nothing at genesis."""
        return self.number % POOR_ONE_IN == POOR_ONE_IN // 2 + 1

    @property
    def kind(self) -> str:
        """Of its store; empty: it keeps none."""
        return "" if self.number % _STORES_SHARE else _KINDS[self.number // _STORES_SHARE % len(_KINDS)]


@dataclass(slots=True)
class Deed:
    """What a user is about to do.

    Attributes:
        payload: the body.
        done: called with the transaction's id once it is final and good.
        is_forbidden: it must have no effect.
        is_late: its expiry has passed.
        sponsor: who pays the fee; None: the user.
        pays_all: the sponsor pays escrow and deposits, too.
    """

    payload: Body
    done: Callable[[TransactionId], None] = lambda _: None
    is_forbidden: bool = False
    is_late: bool = False
    sponsor: User | None = None
    pays_all: bool = False


@dataclass(slots=True)
class _Order:
    """An order that is open."""

    id: TransactionId
    buyer: User
    store: User
    is_shipped: bool = False


_Task: TypeAlias = tuple[User | None, Callable[[], Deed]]
"""Who (None: anybody), and what it is about to do."""


class Market:
    """What users want, drawn from one stream."""

    def __init__(
        self, users: Sequence[User], rng: random.Random, chain: ChainParameters, validators: Sequence[PublicKey]
    ) -> None:
        """Open it, without a store."""
        self._users = users
        self._rng = rng
        self._second = max(chain.term_s_min, chain.confirm_s_min)
        self._validators = validators if chain.epoch_blocks >= _BONDS_EPOCH_BLOCKS_MIN else ()
        self._bond_minor = chain.bond_minor_min
        self._demand = Demand(rng)
        self._stores: list[User] = []
        self._to_open = deque(user for user in users if user.kind)
        self._tasks: deque[_Task] = deque()
        self._later: list[tuple[int, int, _Task]] = []
        self._made, self._now_ms = 0, 0
        self._orders: dict[TransactionId, _Order] = {}
        self._sent: dict[bytes, User] = {}

    # --- who acts ---

    def pass_time(self, now_ms: int) -> None:
        """Application time is `now_ms` (since genesis): some tasks are due."""
        self._now_ms = now_ms
        while self._later and self._later[0][0] < now_ms:
            self._tasks.append(heapq.heappop(self._later)[2])

    def wanted(self, idle: dict[User, None]) -> User | None:
        """Return a user for whom something waits, None if nobody idle is waited for."""
        while self._to_open and self._to_open[0].revision is not None:
            self._to_open.popleft()
        opener = next((user for user in islice(self._to_open, _LOOKED_AT_MAX) if user in idle), None)
        if opener is not None:
            return opener
        actors = [actor for actor, _ in islice(self._tasks, _LOOKED_AT_MAX)]
        return next((actor for actor in actors if actor is not None and actor in idle), None)

    def next(self, user: User) -> Deed:
        """Return what a user does now."""
        deed = self._choose(user)
        if deed.sponsor is None and (user.is_poor or not self._rng.randrange(POOR_ONE_IN)):
            deed.sponsor = self._other(user, lambda each: not each.is_poor)
            deed.pays_all = user.is_poor and isinstance(deed.payload, OrderPlace)
        return deed

    def again(self, user: User, deed: Deed) -> None:
        """What a user wanted did not become final in time: it wants it still."""
        if not user.kind or user.revision is not None:
            self._add(user, lambda: deed)

    def transfer(self, user: User) -> Deed:
        """Pay somebody, now and then oneself and now and then too late."""
        other = self._other(user, lambda _: True) if self._rng.randrange(POOR_ONE_IN) else user
        is_late = not self._rng.randrange(2 * MEDDLED_ONE_IN)
        payload = Transfer(other.key, self._rng.randint(TOKEN_MINOR // 100, TOKEN_MINOR))
        return Deed(payload, is_forbidden=is_late, is_late=is_late)

    def _other(self, user: User, is_fit: Callable[[User], bool]) -> User:
        while True:
            other = self._users[self._rng.randrange(len(self._users))]
            if other is not user and is_fit(other):
                return other

    def _choose(self, user: User) -> Deed:
        if user.kind and user.revision is None:
            return self._open_store(user)
        if not self._rng.randrange(MEDDLED_ONE_IN):
            return self._meddle(user)
        task = self._take(user)
        if task is not None:
            return task[1]()
        if self._validators and not user.is_poor and not self._rng.randrange(_STAKED_ONE_IN):
            return self._stake(user)
        if self._stores and (user.is_poor or self._rng.randrange(4)):
            return self._place(user)
        return self._ask(user) if user.is_poor else self.transfer(user)

    def _ask(self, user: User) -> Deed:
        # With a sponsor for the fee it stands in a block, and fails there.
        return Deed(Transfer(self._other(user, lambda _: True).key, _NEVER_MINOR), is_forbidden=True)

    def _take(self, user: User) -> _Task | None:
        """Remove and return the first task that a user may do; None: there is none."""
        for index, task in enumerate(self._tasks):
            if task[0] is user or (task[0] is None and not user.is_poor):
                del self._tasks[index]
                return task
        return None

    def _add(self, actor: User | None, deed: Callable[[], Deed], after_s: int = 0) -> None:
        self._made += 1
        if after_s:
            heapq.heappush(self._later, (self._now_ms + 1_000 * after_s, self._made, (actor, deed)))
        else:
            self._tasks.append((actor, deed))

    # --- stores ---

    def _open_store(self, user: User) -> Deed:
        digest = hashlib.sha256(user.seed).digest()
        payload: Body
        steps = [0, 1, 2, 3, 4] if user.kind == "traced" else [0, 1, 4]
        step = steps[user.store_steps]
        product = ProductId(user.key, _GTIN)
        serials = tuple(f"S{number:02}" for number in range(_SERIALS))
        if step == 0:
            payload = StoreSet(name=f"Store {user.number}", box_key=digest, profile_hash=digest)
        elif step == 1:
            payload = self._terms(user.kind)
        elif step == 2:
            payload = ProductSet(gtin14=_GTIN, content_hash=digest)
        elif step == 3:
            payload = TraceCommission(gtin14=_GTIN, serials=serials, lot=None, event_hash=digest, event_time_ms=0)
        else:
            is_traced = user.kind == "traced"
            payload = ListingSet(
                number=_LISTING,
                product=product if is_traced else None,
                price_minor=_PRICE_MINOR,
                stock_delta=_SERIALS - _HANDED_ON if is_traced else 10**6,
                traced=is_traced,
                terms=_TERMS,
            )

        def done(tx_id: TransactionId) -> None:
            user.store_steps += 1
            if step == 3:
                user.serials = [item_id(user.key, _GTIN, serial=serial) for serial in serials]
                for _ in range(_HANDED_ON):
                    self._add(user, lambda: self._hand_on(user))
            if step == 4:
                user.revision = tx_id
                self._stores.append(user)

        return Deed(payload, done)

    def _terms(self, kind: str) -> TermsSet:
        second = self._second
        ship_s = second * (_SHORT_S if kind == "hasty" else _LONG_S)
        return TermsSet(
            number=_TERMS,
            ship_s=ship_s,
            confirm_s=second * (_SHORT_S if kind == "patient" else _LONG_S),
            dispute_s=second,
            cancel_s=second if kind == "hasty" else ship_s,
        )

    # --- orders ---

    def _place(self, user: User) -> Deed:
        store, quantity = self._demand.next_order(self._stores)
        units = 1 if store.kind == "traced" else quantity
        is_sold_out = store.kind == "traced" and len(store.serials) <= _HANDED_ON
        if store is user or store.revision is None or is_sold_out or len(self._tasks) + len(self._later) >= _OPEN_MAX:
            return self._ask(user) if user.is_poor else self.transfer(user)
        items = (store.serials.pop(),) if store.kind == "traced" else ()

        def done(tx_id: TransactionId) -> None:
            order = self._orders[tx_id] = _Order(tx_id, user, store)
            self._plan(order, items)

        return Deed(OrderPlace(store=store.key, lines=(OrderLine(_LISTING, store.revision, units),)), done)

    def _plan(self, order: _Order, items: tuple[bytes, ...]) -> None:
        """Decide how an order ends."""
        is_even = bool(self._rng.randrange(2))
        if order.store.kind == "hasty":
            if is_even:
                late_ms = self._now_ms + 1_000 * (self._second * _SHORT_S - _MARGIN_S)
                self._add(order.buyer, lambda: self._cancel(order, late_ms), self._second)
            else:
                self._add(None, lambda: self._end(order, OrderSettle(order.id)), self._second * _SHORT_S)
        elif not self._demand.give_back():
            self._to_ship(order, items)
        elif is_even:
            self._add(order.store, lambda: self._end(order, OrderRefund(order.id)))
        else:
            part = Deed(OrderRefund(order.id, _PRICE_MINOR // 4), lambda _: self._to_ship(order, items))
            self._add(order.store, lambda: part)

    def _to_ship(self, order: _Order, items: tuple[bytes, ...]) -> None:
        def shipped(_: TransactionId) -> None:
            order.is_shipped = True
            if order.store.kind == "patient":
                self._add(None, lambda: self._end(order, OrderSettle(order.id)), self._second * _SHORT_S)
            else:
                self._add(order.buyer, lambda: self._end(order, OrderConfirm(order.id)))

        self._add(order.store, lambda: Deed(OrderShip(order=order.id, items=items), shipped))

    def _cancel(self, order: _Order, late_ms: int) -> Deed:
        if self._now_ms < late_ms:
            return self._end(order, OrderCancel(order.id))
        self._add(None, lambda: self._end(order, OrderSettle(order.id)), _MARGIN_S)
        return self._ask(order.buyer) if order.buyer.is_poor else self.transfer(order.buyer)

    def _end(self, order: _Order, payload: Body) -> Deed:
        # Nobody meddles with an order whose end is on its way: what fails then, fails for another reason.
        self._orders.pop(order.id, None)
        return Deed(payload)

    # --- goods and stake ---

    def _hand_on(self, user: User) -> Deed:
        item, other = user.serials.pop(), self._other(user, lambda each: not each.is_poor)
        self._sent[item] = other

        def sent(_: TransactionId) -> None:
            self._add(other, lambda: self._receive(item))

        owns = bool(self._rng.randrange(2))
        return Deed(TraceShip((item,), other.key, bytes(32), self._now_ms, transfers_owner=owns), sent)

    def _receive(self, item: bytes) -> Deed:
        del self._sent[item]
        return Deed(TraceReceive((item,), bytes(32), self._now_ms))

    def _stake(self, user: User) -> Deed:
        at = user.staked_at
        validator = self._validators[self._rng.randrange(len(self._validators))]

        def done(_: TransactionId) -> None:
            user.staked_at = validator if at is None else None

        return Deed(Bond(validator, self._bond_minor) if at is None else Unbond(at), done)

    # --- what must not be ---

    def _meddle(self, user: User) -> Deed:
        """Return a deed that must have no effect."""
        draw = self._rng.randrange(6)
        others = [order for order in self._orders.values() if user not in (order.buyer, order.store)]
        if draw == 0:
            return Deed(Transfer(self._other(user, lambda _: True).key, _NEVER_MINOR), is_forbidden=True)
        if draw == 1:
            goods = next((item for item, to in self._sent.items() if to is not user), None)
            if goods is not None:
                return Deed(TraceReceive((goods,), bytes(32), self._now_ms), is_forbidden=True)
        if not others:
            return Deed(Transfer(user.key, _NEVER_MINOR), is_forbidden=True)
        order = others[self._rng.randrange(len(others))]
        if order.is_shipped:
            choices: list[Body] = [OrderConfirm(order.id), OrderRefund(order.id), OrderCancel(order.id)]
        else:
            choices = [OrderRefund(order.id), OrderShip(order.id), OrderCancel(order.id), OrderConfirm(order.id)]
            if order.store.kind != "hasty":
                choices.append(OrderSettle(order.id))
        return Deed(choices[self._rng.randrange(len(choices))], is_forbidden=True)
