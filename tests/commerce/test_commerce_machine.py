"""Random trade, checked after every transaction against the properties of the specification, by their numbers there.

Each run ends with "nobody cooperates, a stranger settles": no escrow, no lock and no order survives.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2pcommerce.commerce import (
    KINDS,
    ItemStatus,
    ListingSet,
    Lot,
    OrderCancel,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    ProductId,
    ProductSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    entry_from,
    fold,
    item_id,
    scan,
    verify_history,
)
from p2pcommerce.commerce.item import ITEM
from p2pcommerce.commerce.listing import LISTING
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, OrderStatus
from p2pcommerce.commerce.terms import numbered
from p2pcommerce.ledger.application import Admission, InvalidTransactionError
from p2pcommerce.ledger.state import State
from tests.commerce.world import GTIN, HASH, Operator, World, key

SHOPS = ("shop", "rival")
ACTORS = (*SHOPS, "buyer", "friend", "helper")
FEE = 3_000
NUMBERS = (1, 2, 3)
SERIALS = tuple("abcdef")
PRICES = (1, 199, 200, 777, 50_000)

actors = st.sampled_from(ACTORS)
shops = st.sampled_from(SHOPS)
indices = st.integers(0, 30)
amounts = st.sampled_from((1, 700, 10**6, 10**9))
shippers = st.sampled_from(("store", "store", "store", "helper", "buyer"))
refunders = st.sampled_from(("store", "store", "helper"))


OPERATIONS = []


def operation(weight, needs=None, **strategies):
    """Make a method one of the things that happen; without a record of the kind it needs, an order is placed.

    One rule chooses among them by weight: rules of their own would be chosen evenly, and few orders would live long.
    """

    def decorate(method):
        OPERATIONS.extend([(method.__name__, needs, strategies)] * weight)
        return method

    return decorate


class Trade(RuleBasedStateMachine):
    @initialize()
    def found(self):
        self.world = World(*ACTORS, "stranger", balance=50_000_000)
        self.histories = {}
        self.paid = {}
        self.offered = {}
        for shop in SHOPS:
            operators = [Operator(key("helper"), 7)]
            self.world.open_shop(shop, operators=operators, traced=True, terms=self.terms(1))
            self.world.do(shop, self.terms(2, cancel_s=0, ship_s=3))
            self.world.do(shop, ListingSet(2, None, 777, 30, False, 2))
            self.offered[numbered(key(shop), 1)] = 10
            self.offered[numbered(key(shop), 2)] = 30
            self.send(shop, TraceCommission(GTIN, SERIALS[:4], None, HASH, 1))

    @staticmethod
    def terms(number, *, cancel_s=2, ship_s=5):
        return TermsSet(number=number, ship_s=ship_s, confirm_s=4, dispute_s=1, cancel_s=cancel_s)

    # --- reading the state ---

    def records(self, kind):
        return {k[1:]: kind.read(v) for k, v in self.world.chain.values.items() if k[:1] == kind.tag}

    def pick(self, kind, index, wanted=lambda record: True):
        """Return the id of a record, of one that is wanted if there is one."""
        records = self.records(kind)
        found = sorted(identifier for identifier, record in records.items() if wanted(record)) or sorted(records)
        return found[index % len(found)] if found else HASH

    def balances(self):
        return {name: self.world.balance(name) for name in (*ACTORS, "stranger")}

    def dry(self, name, payload):
        """Tell whether a transaction would succeed now."""
        state, context = State(self.world.chain.final), self.world.context()
        transaction = self.world.build(name, payload, fee=FEE)
        try:
            return self.world.app.apply(transaction, state, context).ok
        except InvalidTransactionError:
            return False

    def name_of(self, account):
        return next(name for name in ACTORS if key(name) == account)

    # --- one transaction ---

    def send(self, name, payload, **options):
        world = self.world
        transaction = world.build(name, payload, fee=FEE, **options)
        verdict = world.app.check(transaction, world.chain.final, world.height + 1)
        if not isinstance(verdict, Admission):
            return None
        before = dict(world.chain.values)
        balances = self.balances()
        outcome = world.block(transaction, step_ms=7)[0]
        world.last = transaction
        payer = self.name_of(transaction.payer) if name != "stranger" else "stranger"
        balances[payer] -= FEE
        if not outcome.ok:
            # Property 4.
            assert self.balances() == balances
            kept = {k: v for k, v in world.chain.values.items() if k[0] not in (0, 2, 3)}
            assert kept == {k: v for k, v in before.items() if k[0] not in (0, 2, 3)}
            return outcome
        assert verdict.spend_minor >= balances[payer] + FEE - world.balance(payer)
        self.follow_items(before, transaction, outcome)
        self.follow_balances(payload, balances)
        return outcome

    def follow_items(self, before, transaction, outcome):
        """Property 5: every change extends history, and the event names what changed."""
        entry = entry_from(transaction, self.world.time_ms)
        for k, v in self.world.chain.values.items():
            if k[:1] == ITEM.tag and before.get(k) != v:
                self.histories.setdefault(k[1:], []).append(entry)
                assert k[1:] in outcome.events[0].ids

    def follow_balances(self, payload, balances):
        """Property 2: closing an order never charges anyone."""
        if isinstance(payload, OrderConfirm | OrderCancel | OrderRefund | OrderSettle):
            after = self.balances()
            assert all(after[name] >= balances[name] for name in after)

    # --- what people do ---

    @operation(2, seconds=st.integers(1, 4))
    def wait(self, seconds):
        self.world.wait(seconds)

    @operation(1, name=actors, to=st.sampled_from((*ACTORS, "new1", "new2")), amount=amounts)
    def transfer(self, name, to, amount):
        self.send(name, Transfer(key(to), amount))

    @operation(
        2,
        shop=shops,
        by=st.sampled_from((None, "helper")),
        number=st.sampled_from(NUMBERS),
        price=st.sampled_from((0, *PRICES)),
        delta=st.integers(-5, 8),
        traced=st.booleans(),
        terms=st.sampled_from((1, 1, 2, 3)),
    )
    def list(self, shop, by, number, price, delta, traced, terms):
        product = ProductId(key(shop), GTIN) if traced else None
        identifier = numbered(key(shop), number)
        store = None if by is None else key(shop)
        outcome = self.send(by or shop, ListingSet(number, product, price, delta, traced, terms, None, store))
        if outcome is not None and outcome.ok:
            if price:
                self.offered[identifier] = self.offered.get(identifier, self.promised(identifier)) + delta
            else:
                del self.offered[identifier]

    @operation(2, shop=shops, delta=st.integers(1, 5))
    def restock(self, shop, delta):
        identifier = numbered(key(shop), 1)
        listing = self.world.get(LISTING, identifier)
        if listing is not None:
            body = ListingSet(1, listing.product, listing.price_minor, delta, listing.traced, listing.terms)
            if self.send(shop, body).ok:
                self.offered[identifier] += delta

    @operation(
        7,
        buyer=actors,
        shop=shops,
        numbers=st.sets(st.sampled_from(NUMBERS), min_size=1, max_size=2),
        quantity=st.integers(1, 4),
        sponsored=st.sampled_from((None, "fee", "all")),
        stale=st.integers(0, 9),
    )
    def place(self, buyer, shop, numbers, quantity, sponsored, stale):
        lines = []
        for number in sorted(numbers):
            listing = self.world.get(LISTING, numbered(key(shop), number))
            if listing is not None:
                lines.append(OrderLine(number, HASH if not stale else listing.revision, quantity))
        if not lines:
            return
        options = {} if sponsored is None or buyer == "friend" else {"sponsor": "friend", "pays": sponsored == "all"}
        payer = "friend" if options.get("pays") else buyer
        fee_payer = "friend" if options else buyer
        before = self.world.balance(payer) - (FEE if fee_payer == payer else 0)
        outcome = self.send(buyer, OrderPlace(key(shop), tuple(lines)), **options)
        if outcome is not None and outcome.ok:
            self.paid[self.world.last.id] = before - self.world.balance(payer)

    @operation(
        6,
        needs=ORDER,
        index=indices,
        by=shippers,
        match=st.integers(0, 5),
    )
    def ship(self, index, by, match):
        order_id = self.pick(ORDER, index, lambda order: order.status == OrderStatus.PLACED or not match)
        order = self.world.get(ORDER, order_id)
        items = self.matching(order) if match else ()
        name = by if by in ACTORS else self.name_of(order.store)
        outcome = self.send(name, OrderShip(order_id, items))
        if outcome is not None and outcome.ok:
            for line in order.lines:
                identifier = numbered(order.store, line.listing)
                if identifier in self.offered:
                    self.offered[identifier] -= line.quantity

    def matching(self, order):
        """Return items that match an order's traced lines, as far as the store has them."""
        wanted = sum(line.quantity for line in order.lines if line.product is not None)
        chosen = []
        for identifier, item in sorted(self.records(ITEM).items()):
            free = item.owner == item.custodian == order.store and item.status == ItemStatus.RESTING
            if free and item.quantity <= wanted and identifier[1:33] == order.store:
                wanted -= item.quantity
                chosen.append(identifier)
        return tuple(sorted(chosen))

    @operation(4, needs=ORDER, index=indices, by=st.sampled_from(("buyer of it", "buyer of it", "shop", "friend")))
    def confirm(self, index, by):
        order_id = self.pick(ORDER, index, lambda order: order.status == OrderStatus.SHIPPED or by == "shop")
        order = self.world.get(ORDER, order_id)
        self.send(by if by in ACTORS else self.name_of(order.buyer), OrderConfirm(order_id))

    @operation(1, needs=ORDER, index=indices)
    def cancel(self, index):
        order_id = self.pick(ORDER, index)
        self.undone(order_id, self.name_of(self.world.get(ORDER, order_id).buyer), OrderCancel(order_id))

    @operation(
        2,
        needs=ORDER,
        index=indices,
        part=st.sampled_from((0, 0, 1, 150, 10**6)),
        by=refunders,
    )
    def refund(self, index, part, by):
        order_id = self.pick(ORDER, index)
        name = by if by in ACTORS else self.name_of(self.world.get(ORDER, order_id).store)
        self.undone(order_id, name, OrderRefund(order_id, part))

    def undone(self, order_id, name, payload):
        """Property 11: what the payer got back adds up to what the payer paid."""
        order = self.world.get(ORDER, order_id)
        payer = self.name_of(order.payer)
        before = self.world.balance(payer) - (FEE if name == payer else 0)
        outcome = self.send(name, payload)
        if outcome is None or not outcome.ok:
            return
        self.paid[order_id] -= self.world.balance(payer) - before
        if self.world.get(ORDER, order_id) is None:
            assert self.paid.pop(order_id) == 0

    @operation(3, index=indices, kind=st.sampled_from((ORDER, DONE_ORDER)), by=st.sampled_from((*ACTORS, "stranger")))
    def settle(self, index, kind, by):
        order_id = self.pick(kind, index, lambda one: getattr(one, "deadline_ms", 0) < self.world.now_ms())
        order = self.world.get(ORDER, order_id)
        if order is not None and by != "stranger" and order.status == OrderStatus.PLACED:
            self.undone(order_id, by, OrderSettle(order_id))
        else:
            self.send(by, OrderSettle(order_id))

    @operation(
        3,
        name=st.sampled_from((*SHOPS, "helper")),
        serials=st.sets(st.sampled_from(SERIALS), max_size=3),
        quantity=st.integers(1, 5),
        shop=shops,
    )
    def commission(self, name, serials, quantity, shop):
        lot = None if serials else Lot(f"lot{quantity}", quantity)
        store = key(shop) if name == "helper" else None
        self.send(name, TraceCommission(GTIN, tuple(sorted(serials)), lot, HASH, 1, store))

    @operation(2, needs=ITEM, index=indices, to=actors, owner=st.booleans(), stray=st.integers(0, 9))
    def send_item(self, index, to, owner, stray):
        identifier = self.pick(ITEM, index)
        item = self.world.get(ITEM, identifier)
        name = "friend" if not stray else self.name_of(item.custodian)
        self.send(name, TraceShip((identifier,), key(to), HASH, 2, transfers_owner=owner))

    @operation(2, needs=ITEM, index=indices, stray=st.integers(0, 9))
    def receive_item(self, index, stray):
        identifier = self.pick(ITEM, index, lambda item: item.status == ItemStatus.IN_TRANSIT)
        item = self.world.get(ITEM, identifier)
        name = "friend" if not stray or item.pending_to is None else self.name_of(item.pending_to)
        self.send(name, TraceReceive((identifier,), HASH, 3))

    @operation(1, name=actors)
    def describe(self, name):
        self.send(name, ProductSet(GTIN, HASH, name))

    @rule(data=st.data(), index=st.sampled_from(range(len(OPERATIONS))))
    def act(self, data, index):
        name, needs, strategies = OPERATIONS[index]
        if needs is not None and not self.records(needs):
            name, _, strategies = next(one for one in OPERATIONS if one[0] == "place")
        getattr(self, name)(**{argument: data.draw(strategy, argument) for argument, strategy in strategies.items()})

    # --- properties ---

    @invariant()
    def property_1_and_2_money_and_deposits_are_conserved(self):
        totals = scan(self.world.chain.values)
        assert totals.fee_pot_minor == 0
        assert totals.escrow_minor == sum(order.cash_minor for order in self.records(ORDER).values())

    @invariant()
    def property_5_items(self):
        for identifier, item in self.records(ITEM).items():
            assert (item.status == ItemStatus.IN_TRANSIT) == (item.pending_to is not None)
            assert (item.status == ItemStatus.IN_ORDER) == (item.within is not None)
            assert item.pending_to != item.custodian
            verify_history(self.histories[identifier], self.world.chain.values[ITEM.key(identifier)])
            assert fold(self.histories[identifier]) == item.head

    @invariant()
    def property_6_stock(self):
        listings = self.records(LISTING)
        assert set(listings) == set(self.offered)
        for identifier, listing in listings.items():
            assert listing.stock + self.promised(identifier) == self.offered[identifier]

    def promised(self, identifier):
        return sum(
            line.quantity
            for order in self.records(ORDER).values()
            for line in order.lines
            if order.status == OrderStatus.PLACED and numbered(order.store, line.listing) == identifier
        )

    @invariant()
    def property_7_locked_items_are_those_of_open_orders(self):
        locked = {identifier: item.within for identifier, item in self.records(ITEM).items() if item.within is not None}
        held = {item: order_id for order_id, order in self.records(ORDER).items() for item in order.items}
        assert locked == held

    @invariant()
    def property_8_a_party_and_settle_never_both(self):
        for order_id, order in list(self.records(ORDER).items())[:3]:
            if self.dry("stranger", OrderSettle(order_id)):
                store, buyer = self.name_of(order.store), self.name_of(order.buyer)
                assert not self.dry(store, OrderRefund(order_id))
                assert not self.dry(store, OrderShip(order_id, self.matching(order)))
                assert not self.dry(buyer, OrderCancel(order_id))

    @invariant()
    def every_record_is_of_a_kind_and_within_its_size(self):
        for k, v in self.world.chain.values.items():
            kind = KINDS[k[0]]
            if kind.size(kind.read(v)):
                assert len(k) + len(v) <= kind.size(kind.read(v))

    def teardown(self):
        """Property 9: a stranger empties every escrow."""
        if not hasattr(self, "world"):
            return
        world = self.world
        for kind in (ORDER, DONE_ORDER):
            world.wait(20)
            for identifier in sorted(self.records(kind)):
                world.do("stranger", OrderSettle(identifier))
        assert self.records(ORDER) == self.records(DONE_ORDER) == {}
        assert scan(world.chain.values).escrow_minor == 0
        assert all(item.status != ItemStatus.IN_ORDER for item in self.records(ITEM).values())


Trade.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTrade = Trade.TestCase


def test_an_item_id_is_of_its_issuer():
    assert item_id(key("shop"), GTIN, serial="a")[1:33] == key("shop")
