"""A stream of transactions in the mix of the commerce specification, each of which succeeds, signed beforehand.

Only what the executor is measured by counts here: signatures are stand-ins of the right size.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from p2pcommerce.commerce import (
    Arbiter,
    AttestIssue,
    Body,
    Bond,
    CampaignSet,
    ListingSet,
    OrderConfirm,
    OrderDispute,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    PointsGrant,
    PointsOpen,
    ProductId,
    ProductSet,
    ReviewPost,
    StoreSet,
    Subject,
    SubjectKind,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    build_transaction,
    item_id,
)
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.simulation.scheme import STAND_IN

HASH = bytes(32)
GTIN = "09520001000010"
MIX = {
    "place": 210,
    "ship": 200,
    "confirm": 160,
    "settle": 30,
    "refund": 16,
    "dispute": 2,
    "resolve": 2,
    "review": 80,
    "commission": 20,
    "send": 100,
    "receive": 100,
    "stock": 30,
    "transfer": 30,
    "points": 10,
    "campaign": 3,
    "stake": 6,
    "attest": 1,
}
"""Of 1,000 transactions. Source: "Workload" of the commerce specification."""
BALANCE_MINOR = 10**12
SERIALS = 20


@dataclass(slots=True)
class Person:
    """Somebody with an account."""

    seed: bytes
    key: PublicKey
    nonce: int = 0


@dataclass(slots=True)
class Open:
    """An order on its way."""

    id: TransactionId
    buyer: Person
    store: Person
    block: int
    is_traced: bool
    is_disputed: bool = False


class Load:
    """Draws transactions that succeed, in order.

    Attributes:
        genesis: of the chain.
        block: number of the block for which transactions are drawn.
    """

    def __init__(self, stores: int, buyers: int, seed: int = 1) -> None:
        """Let so many stores sell to so many buyers."""
        self._rng = random.Random(seed)
        self._stores = [self._person(b"store", number) for number in range(stores)]
        self._buyers = [self._person(b"buyer", number) for number in range(buyers)]
        self._judge, self._validator = self._person(b"judge", 0), self._person(b"validator", 0)
        people = (*self._stores, *self._buyers, self._judge)
        self.genesis = Genesis.new(
            "ledger",
            {self._validator.key: 10**12},
            {person.key: BALANCE_MINOR for person in people},
            parameters=replace(ChainParameters.local(), done_order_s=86_400),
        )
        self.block = 0
        self._revisions: dict[tuple[PublicKey, int], TransactionId] = {}
        self._campaigns: dict[PublicKey, bytes] = {}
        self._items: dict[PublicKey, list[bytes]] = {store.key: [] for store in self._stores}
        self._serial = 0
        self._placed: deque[Open] = deque()
        self._shipped: deque[Open] = deque()
        self._done: deque[Open] = deque()
        self._sent: deque[tuple[Person, bytes]] = deque()
        self._draws: dict[str, Callable[[], Transaction | None]] = {name: getattr(self, f"_{name}") for name in MIX}

    @property
    def proposer(self) -> PublicKey:
        """The validator's key, 32 bytes."""
        return self._validator.key

    @staticmethod
    def _person(kind: bytes, number: int) -> Person:
        seed = blake2b_256(kind + b"%d" % number)
        return Person(seed, STAND_IN.public_key(seed))

    def opening(self) -> list[Transaction]:
        """Return what opens the stores."""
        opened = []
        for store in self._stores:
            opened.append(self._sign(store, StoreSet("Store", HASH, HASH)))
            opened.append(self._sign(store, ProductSet(GTIN, HASH)))
            opened.append(self._sign(store, PointsOpen(1_000)))
            opened.append(self._sign(store, CampaignSet(None, 10**9, 0, 10**15)))
            self._campaigns[store.key] = opened[-1].id
            opened.append(
                self._sign(
                    store,
                    TermsSet(
                        *(1, 86_400, 1, 86_400, 0, 100, 100, (Arbiter(self._judge.key, 100),)),
                        *(self._campaigns[store.key], 50, 50),
                    ),
                )
            )
            for number in (1, 2):
                traced = number == 2
                product = ProductId(store.key, GTIN) if traced else None
                opened.append(self._sign(store, ListingSet(number, product, 1_000_000, 10**9, traced, 1)))
                self._revisions[store.key, number] = opened[-1].id
            opened.append(self._commission_of(store))
        return opened

    def draw(self, count: int) -> list[Transaction]:
        """Return the transactions of the next block."""
        drawn: list[Transaction] = []
        names, weights = list(MIX), list(MIX.values())
        while len(drawn) < count:
            made = self._draws[self._rng.choices(names, weights)[0]]()
            if made is not None:
                drawn.append(made)
        self.block += 1
        return drawn

    def _sign(self, person: Person, payload: Body) -> Transaction:
        made = build_transaction(payload, self.genesis, person.seed, person.nonce, 2**31, scheme=STAND_IN)
        person.nonce += 1
        return made

    # --- what happens, in the names of the mix ---

    def _place(self) -> Transaction:
        store, buyer = self._rng.choice(self._stores), self._rng.choice(self._buyers)
        referrer = self._rng.choice(self._buyers)
        number = 2 if not self._rng.randrange(3) else 1
        made = self._sign(
            buyer,
            OrderPlace(
                store.key,
                (OrderLine(number, self._revisions[store.key, number], 1),),
                referrer=None if referrer is buyer else referrer.key,
                arbiter=self._judge.key,
            ),
        )
        self._placed.append(Open(made.id, buyer, store, self.block, number == 2))
        return made

    def _ship(self) -> Transaction | None:
        if not self._placed:
            return None
        order = self._placed.popleft()
        held = self._items[order.store.key]
        if order.is_traced and not held:
            self._placed.appendleft(order)
            return self._commission_of(order.store)
        order.block = self.block
        self._shipped.append(order)
        return self._sign(order.store, OrderShip(order.id, (held.pop(),) if order.is_traced else ()))

    def _confirm(self) -> Transaction | None:
        if not self._shipped:
            return None
        order = self._shipped.popleft()
        self._done.append(order)
        return self._sign(order.buyer, OrderConfirm(order.id))

    def _settle(self) -> Transaction | None:
        # Application time moves on by two seconds with each block, and the buyer has one.
        if not self._shipped or self._shipped[0].block >= self.block - 1 or self._shipped[0].is_disputed:
            return None
        order = self._shipped.popleft()
        self._done.append(order)
        return self._sign(self._rng.choice(self._buyers), OrderSettle(order.id))

    def _refund(self) -> Transaction | None:
        if not self._placed:
            return None
        order = self._placed.popleft()
        return self._sign(order.store, OrderRefund(order.id))

    def _dispute(self) -> Transaction | None:
        if not self._shipped or self._shipped[-1].block != self.block or self._shipped[-1].is_disputed:
            return None
        self._shipped[-1].is_disputed = True
        return self._sign(self._shipped[-1].buyer, OrderDispute(self._shipped[-1].id))

    def _resolve(self) -> Transaction | None:
        for order in self._shipped:
            if order.is_disputed:
                self._shipped.remove(order)
                self._done.append(order)
                return self._sign(self._judge, OrderResolve(order.id, 5_000))
        return None

    def _review(self) -> Transaction | None:
        if not self._done:
            return None
        order = self._done.popleft()
        return self._sign(order.buyer, ReviewPost(order.id, self._rng.randint(1, 5)))

    def _commission(self) -> Transaction:
        return self._commission_of(self._rng.choice(self._stores))

    def _commission_of(self, store: Person) -> Transaction:
        serials = tuple(f"{self._serial + number:09d}" for number in range(SERIALS))
        self._serial += SERIALS
        self._items[store.key] += [item_id(store.key, GTIN, serial=serial) for serial in serials]
        return self._sign(store, TraceCommission(GTIN, serials, None, HASH, 1))

    def _send(self) -> Transaction | None:
        store, to = self._rng.sample(self._stores, 2)
        held = self._items[store.key]
        if not held:
            return self._commission_of(store)
        self._sent.append((to, held.pop()))
        return self._sign(store, TraceShip((self._sent[-1][1],), to.key, HASH, 1))

    def _receive(self) -> Transaction | None:
        if not self._sent:
            return None
        to, item = self._sent.popleft()
        return self._sign(to, TraceReceive((item,), HASH, 1))

    def _stock(self) -> Transaction:
        store = self._rng.choice(self._stores)
        return self._sign(store, ListingSet(1, None, 1_000_000, 5, traced=False, terms=1))

    def _transfer(self) -> Transaction:
        first, second = self._rng.sample(self._buyers, 2)
        return self._sign(first, Transfer(second.key, 1_000))

    def _points(self) -> Transaction:
        store = self._rng.choice(self._stores)
        return self._sign(store, PointsGrant(self._rng.choice(self._buyers).key, 3))

    def _campaign(self) -> Transaction:
        store = self._rng.choice(self._stores)
        return self._sign(store, CampaignSet(self._campaigns[store.key], 1_000, 0, 10**15))

    def _stake(self) -> Transaction:
        return self._sign(self._rng.choice(self._buyers), Bond(self._validator.key, 10**6))

    def _attest(self) -> Transaction:
        subject = Subject(SubjectKind.STORE, self._rng.choice(self._stores).key)
        return self._sign(self._rng.choice(self._buyers), AttestIssue(subject, f"s{self.block}", HASH, 10**15))
