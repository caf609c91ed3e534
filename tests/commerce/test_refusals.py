"""The matrix of refusals: every way in which each transaction type fails, with its code.

All cases run on one scene: a refused transaction changes nothing but fee and nonce, so that none disturbs another. The
last test compares the table with the source: a refusal that no case reaches is found by its line.
"""

import ast
import sys
from functools import partial
from pathlib import Path

import pytest

from p2pcommerce import commerce
from p2pcommerce.commerce import (
    NEW_TEAM,
    Arbiter,
    AttestIssue,
    AttestRevoke,
    Bond,
    CampaignSet,
    CampaignSettle,
    KeySet,
    ListingSet,
    Lot,
    Operator,
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderLine,
    OrderPlace,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    Output,
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
    ProductId,
    ProductSet,
    RegisterValidator,
    ReviewPost,
    Rights,
    StoreSet,
    Subject,
    SubjectKind,
    SubmitEvidence,
    Team,
    TermsSet,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceReject,
    TraceShip,
    TraceSplit,
    TraceTransform,
    TraceUnpack,
    Transfer,
    Unbond,
    Withdraw,
    attestation_id,
)
from p2pcommerce.commerce.errors import CommerceError
from p2pcommerce.commerce.gtin import check_digit
from p2pcommerce.commerce.item_ids import lot_id, serial_id, unit_id
from p2pcommerce.commerce.listing import STOCK_MAX
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.state import State
from p2pcommerce.ledger.validators import Offence
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, TOKEN, World, key

LONG_S = 5_000_000
SAID = (HASH, 1)
ABSENT = bytes([99]) * 32


def sscc(packer, number):
    digits = f"0952000100000{number:04d}"
    return unit_id(key(packer), digits + check_digit(digits))


class Scene:
    """A world in which there is something of every kind, in every state."""

    def __init__(self):
        self.world = World(
            *(
                "shop",
                "rival",
                "buyer",
                "friend",
                "judge",
                "clerk",
                "tracer",
                "packer",
                "carrier",
                "stranger",
                "lab",
                "poor",
            )
        )
        self.product = ProductId(key("shop"), GTIN)
        self.open_stores()
        self.make_goods()
        self.make_orders()
        self.make_stake()

    def open_stores(self):
        do = self.world.do
        operators = sorted(
            (
                Operator(key(name), int(right))
                for name, right in (("clerk", Rights.CATALOG), ("packer", Rights.FULFIL), ("tracer", Rights.TRACE))
            ),
            key=lambda each: each.key,
        )
        do("shop", StoreSet("Shop", HASH, HASH, "", tuple(operators)))
        do("rival", StoreSet("Rival", HASH, HASH))
        do("shop", ProductSet(GTIN, HASH))
        do("shop", PointsOpen(1_000))
        do("shop", PointsGrant(key("buyer"), 9_000))
        self.end_ms = self.world.now_ms() + 10_000
        self.ended = do("shop", CampaignSet(None, TOKEN, 0, self.end_ms))
        self.running = do("shop", CampaignSet(None, 1_000, 0, 2**62))
        self.other_campaign = do("rival", CampaignSet(None, 1_000, 0, 2**62))
        arbiters = (Arbiter(key("judge"), 100),)
        do("shop", self.terms(1, ship_s=100, confirm_s=100, dispute_s=100, cancel_s=100))
        do("shop", self.terms(2, arbiters=arbiters))
        do("shop", self.terms(3, campaign=self.running, cashback_bps=1_000))
        do("shop", self.terms(4, campaign=self.ended, cashback_bps=1_000))
        for number, price_minor, terms, traced, team in (
            (1, TOKEN, 1, False, None),
            (2, TOKEN, 2, False, Team(2, 5, LONG_S)),
            (3, TOKEN, 2, True, None),
            (4, TOKEN, 3, False, None),
            (5, 2**62, 2, False, None),
            (6, TOKEN, 2, False, Team(2, 5, 60)),
            (7, 10_000, 4, False, None),
        ):
            do("shop", ListingSet(number, self.product if traced else None, price_minor, 100, traced, terms, team))
        do("rival", TermsSet(1, 100, 100, 100, 100))

    @staticmethod
    def terms(number, *, ship_s=LONG_S, confirm_s=LONG_S, dispute_s=LONG_S, cancel_s=LONG_S, **rest):
        return TermsSet(number, ship_s, confirm_s, dispute_s, cancel_s, **rest)

    def item(self, serial):
        return serial_id(self.product, serial)

    def make_goods(self):
        do = self.world.do
        do(
            "shop",
            TraceCommission(GTIN, ("gone", "held", "owed", "packed", "rest", "sent", "sold", "way"), None, *SAID),
        )
        do("shop", TraceCommission(GTIN, (), Lot("L", 10), *SAID))
        do("shop", TraceDecommission((self.item("gone"),), "destroying", *SAID))
        do("shop", TraceShip((self.item("held"),), key("carrier"), *SAID))
        do("carrier", TraceReceive((self.item("held"),), *SAID))
        do("shop", TraceShip((self.item("sent"),), key("carrier"), *SAID))
        self.full, self.new, self.others = sscc("shop", 1), sscc("shop", 2), sscc("rival", 3)
        self.lone = sscc("shop", 4)
        do("shop", TracePack(self.full, 2, (self.item("packed"),), *SAID))
        do("rival", ProductSet(OTHER_GTIN, HASH))
        do("rival", TraceCommission(OTHER_GTIN, ("lent",), None, *SAID))
        self.lent = serial_id(ProductId(key("rival"), OTHER_GTIN), "lent")
        do("rival", TraceShip((self.lent,), key("shop"), *SAID))
        do("shop", TraceReceive((self.lent,), *SAID))
        self.certificate = attestation_id(key("lab"), Subject(SubjectKind.STORE, key("shop")), "organic")
        do("lab", AttestIssue(Subject(SubjectKind.STORE, key("shop")), "organic", HASH, 2**62))

    def order(self, number=2, quantity=1, **fields):
        return OrderPlace(key("shop"), (OrderLine(number, self.world.revision(number), quantity),), **fields)

    def make_orders(self):
        do, place = self.world.do, partial(self.world.do, "buyer")
        judge = key("judge")
        self.rewarded = place(self.order(7))
        self.late, self.late_shipped, self.unreviewed = (place(self.order(1)) for _ in range(3))
        for order in (self.late_shipped, self.unreviewed):
            do("shop", OrderShip(order))
        place(OrderConfirm(self.unreviewed))
        self.short_team = place(self.order(6, team=NEW_TEAM))
        self.world.wait(120)
        self.placed, self.plain, self.shipped, self.disputed, self.done = (
            place(self.order(arbiter=arbiter)) for arbiter in (judge, None, judge, judge, judge)
        )
        for order in (self.plain, self.shipped, self.disputed, self.done):
            do("shop", OrderShip(order))
        place(OrderDispute(self.disputed))
        place(OrderConfirm(self.done))
        self.traced = place(self.order(3))
        self.sold = place(self.order(3))
        do("shop", OrderShip(self.sold, (self.item("sold"),)))
        self.team = place(self.order(team=NEW_TEAM))
        self.full_team = place(self.order(team=NEW_TEAM))
        do("friend", self.order(team=self.full_team))

    def make_stake(self):
        do = self.world.do
        do("lab", RegisterValidator(500, 5 * TOKEN))
        do("friend", Bond(key("lab"), 5 * TOKEN))
        do("friend", Unbond(key("lab"), 2 * TOKEN))
        do("judge", Bond(key("lab"), 5 * TOKEN))
        do("judge", Unbond(key("lab")))
        do("carrier", RegisterValidator(500, 5 * TOKEN))
        self.world.offences[b"guilty"] = Offence(key("carrier"), 0, "E1")
        do("stranger", SubmitEvidence(b"guilty"))
        do("poor", Transfer(key("shop"), self.world.balance("poor") - 100_000), fee=10_000)

    def refusal(self, sender, payload, **options):
        """Return code and sentence of a transaction that must be refused; nothing of it stays."""
        transaction = self.world.build(sender, payload, **options)
        context = self.world.context()
        state = State(self.world.chain.final)
        self.world.app.begin_block(state, context)
        try:
            outcome = self.world.app.apply(transaction, state, context)
        except InvalidTransactionError as error:
            return error.rejection.value, error.detail
        assert outcome.events == ()
        return outcome.code.value, outcome.detail


@pytest.fixture(scope="module")
def scene():
    return Scene()


def ids(scene, *serials):
    return tuple(sorted(scene.item(serial) for serial in serials))


def unsorted_ids(scene):
    return tuple(reversed(ids(scene, "rest", "way")))


def listing(scene, number=2, price_minor=TOKEN, stock_delta=0, **fields):
    fields = {"product": None, "traced": False, "terms": 2, "team": Team(2, 5, LONG_S)} | fields
    return ListingSet(number, price_minor=price_minor, stock_delta=stock_delta, **fields)


def lines(scene, *numbers):
    return tuple(OrderLine(number, scene.world.revision(number), 1) for number in numbers)


def account(name):
    return Subject(SubjectKind.ACCOUNT, key(name))


MANY = tuple(f"{number:03d}" for number in range(256))

CASES = [
    # token, keys
    ("LIMIT", "a new account needs", "buyer", lambda s: Transfer(ABSENT, 639)),
    ("NO_FUNDS", "must pay", "poor", lambda s: Transfer(key("shop"), 10**6)),
    ("FORBIDDEN", "another one than the account's own", "buyer", lambda s: KeySet(key("buyer"))),
    ("NO_FUNDS", "must pay", "poor", lambda s: KeySet(key("phone")), {"fee": 89_900}),
    # stores, goods, certificates
    ("BAD_FORMAT", "must have a name", "shop", lambda s: StoreSet("", HASH, HASH)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: StoreSet("A", HASH, HASH, "", (Operator(HASH, 1),) * 2)),
    (
        "FORBIDDEN",
        "the owner is no operator",
        "shop",
        lambda s: StoreSet("A", HASH, HASH, "", (Operator(key("shop"), 1),)),
    ),
    ("NO_FUNDS", "must pay", "poor", lambda s: StoreSet("A", HASH, HASH), {"fee": 89_900}),
    ("BAD_FORMAT", "14 digits", "shop", lambda s: ProductSet("09520001000011", HASH)),
    ("FORBIDDEN", "no operator of this store", "stranger", lambda s: ProductSet(GTIN, HASH, "", key("shop"))),
    ("NOT_FOUND", "has no store", "stranger", lambda s: ProductSet(GTIN, HASH, "", ABSENT)),
    ("BAD_FORMAT", "must have a schema", "lab", lambda s: AttestIssue(account("buyer"), "", HASH, 2**62)),
    ("NOT_FOUND", "subject of the attestation", "lab", lambda s: AttestIssue(account("nobody"), "x", HASH, 2**62)),
    ("TOO_LATE", "expired already", "lab", lambda s: AttestIssue(account("buyer"), "x", HASH, 1)),
    (
        *("EXISTS", "attests this already", "lab"),
        lambda s: AttestIssue(Subject(SubjectKind.STORE, key("shop")), "organic", HASH, 2**62),
    ),
    ("NOT_FOUND", "no such attestation", "lab", lambda s: AttestRevoke(ABSENT)),
    ("FORBIDDEN", "only its issuer", "shop", lambda s: AttestRevoke(s.certificate)),
    # traceability
    ("BAD_FORMAT", "serials or a lot", "shop", lambda s: TraceCommission(GTIN, (), None, *SAID)),
    ("BAD_FORMAT", "at least one unit", "shop", lambda s: TraceCommission(GTIN, (), Lot("M", 0), *SAID)),
    ("BAD_FORMAT", "characters that GS1 allows", "shop", lambda s: TraceCommission(GTIN, ("a b",), None, *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceCommission(GTIN, ("b", "a"), None, *SAID)),
    ("BAD_FORMAT", "14 digits", "shop", lambda s: TraceCommission("09520001000011", ("a",), None, *SAID)),
    ("NOT_FOUND", "no such product", "shop", lambda s: TraceCommission(OTHER_GTIN, ("a",), None, *SAID)),
    ("EXISTS", "exists already", "shop", lambda s: TraceCommission(GTIN, ("gone",), None, *SAID)),
    ("FORBIDDEN", "right TRACE", "clerk", lambda s: TraceCommission(GTIN, ("a",), None, *SAID, key("shop"))),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceShip(unsorted_ids(s), key("carrier"), *SAID)),
    (
        "FORBIDDEN",
        "may not transfer ownership",
        "tracer",
        lambda s: TraceShip(ids(s, "rest"), HASH, *SAID, True, key("shop")),
    ),
    ("FORBIDDEN", "right TRACE", "clerk", lambda s: TraceShip(ids(s, "rest"), HASH, *SAID, False, key("shop"))),
    (
        "FORBIDDEN",
        "somebody else than their custodian",
        "shop",
        lambda s: TraceShip(ids(s, "rest"), key("shop"), *SAID),
    ),
    ("FORBIDDEN", "only its custodian sends", "stranger", lambda s: TraceShip(ids(s, "rest"), HASH, *SAID)),
    ("FORBIDDEN", "only its owner transfers", "carrier", lambda s: TraceShip(ids(s, "held"), HASH, *SAID, True)),
    ("BAD_STATE", "the item is in transit", "shop", lambda s: TraceShip(ids(s, "sent"), HASH, *SAID)),
    ("BAD_STATE", "the item is packed", "shop", lambda s: TraceShip(ids(s, "packed"), HASH, *SAID)),
    ("BAD_STATE", "the item is in order", "shop", lambda s: TraceShip(ids(s, "sold"), HASH, *SAID)),
    ("BAD_STATE", "the item is ended", "shop", lambda s: TraceShip(ids(s, "gone"), HASH, *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TraceShip(ids(s, "none"), HASH, *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceReceive(unsorted_ids(s), *SAID)),
    ("BAD_STATE", "not in transit", "carrier", lambda s: TraceReceive(ids(s, "rest"), *SAID)),
    ("FORBIDDEN", "sent to somebody else", "stranger", lambda s: TraceReceive(ids(s, "sent"), *SAID)),
    ("FORBIDDEN", "right TRACE", "clerk", lambda s: TraceReceive(ids(s, "sent"), *SAID, key("shop"))),
    ("NOT_FOUND", "there is no item", "carrier", lambda s: TraceReceive(ids(s, "none"), *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceReject(unsorted_ids(s), *SAID)),
    ("BAD_STATE", "not in transit", "carrier", lambda s: TraceReject(ids(s, "rest"), *SAID)),
    ("FORBIDDEN", "turned back by its sender", "stranger", lambda s: TraceReject(ids(s, "sent"), *SAID)),
    ("FORBIDDEN", "right TRACE", "clerk", lambda s: TraceReject(ids(s, "sent"), *SAID, key("shop"))),
    ("NOT_FOUND", "there is no item", "carrier", lambda s: TraceReject(ids(s, "none"), *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceObserve(unsorted_ids(s), "x", "", *SAID)),
    ("BAD_FORMAT", "business step or a disposition", "shop", lambda s: TraceObserve(ids(s, "rest"), "", "", *SAID)),
    ("BAD_STATE", "ended", "shop", lambda s: TraceObserve(ids(s, "gone"), "x", "", *SAID)),
    ("FORBIDDEN", "observed by its holder", "stranger", lambda s: TraceObserve(ids(s, "rest"), "x", "", *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TraceObserve(ids(s, "none"), "x", "", *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TracePack(s.new, 1, unsorted_ids(s), *SAID)),
    ("BAD_FORMAT", "packed in itself", "shop", lambda s: TracePack(s.new, 1, (s.new,), *SAID)),
    ("BAD_FORMAT", "id of a logistic unit", "shop", lambda s: TracePack(s.new[:-1] + b"x", 1, ids(s, "rest"), *SAID)),
    (
        "FORBIDDEN",
        "only its custodian packs something",
        "carrier",
        lambda s: TracePack(s.full, 2, ids(s, "held"), *SAID),
    ),
    ("FORBIDDEN", "only its custodian packs an item", "shop", lambda s: TracePack(s.new, 1, ids(s, "held"), *SAID)),
    ("LIMIT", "has the level 2, for good", "shop", lambda s: TracePack(s.full, 3, ids(s, "rest"), *SAID)),
    ("LIMIT", "goes in one of a higher level", "shop", lambda s: TracePack(s.new, 2, (s.full,), *SAID)),
    ("FORBIDDEN", "belongs to one owner", "shop", lambda s: TracePack(s.full, 2, (s.lent,), *SAID)),
    ("BAD_STATE", "the item is in transit", "shop", lambda s: TracePack(s.new, 1, ids(s, "sent"), *SAID)),
    ("NOT_FOUND", "of who packs it first", "shop", lambda s: TracePack(s.others, 1, ids(s, "rest"), *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TracePack(s.new, 1, ids(s, "none"), *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceUnpack(s.full, unsorted_ids(s), *SAID)),
    ("FORBIDDEN", "only its custodian unpacks", "carrier", lambda s: TraceUnpack(s.full, ids(s, "packed"), *SAID)),
    ("BAD_STATE", "not in this logistic unit", "shop", lambda s: TraceUnpack(s.full, ids(s, "rest"), *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TraceUnpack(s.new, ids(s, "rest"), *SAID)),
    ("BAD_FORMAT", "only a lot", "shop", lambda s: TraceSplit(s.item("rest"), (1,), *SAID)),
    ("FORBIDDEN", "only its custodian does this", "carrier", lambda s: TraceSplit(lot_id(s.product, "L"), (1,), *SAID)),
    ("LIMIT", "at least one of them stays", "shop", lambda s: TraceSplit(lot_id(s.product, "L"), (4, 6), *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TraceSplit(lot_id(s.product, "M"), (1,), *SAID)),
    (
        "BAD_FORMAT",
        "strictly increasing",
        "shop",
        lambda s: TraceTransform(unsorted_ids(s), (Output(GTIN, ("a",)),), *SAID),
    ),
    (
        "BAD_FORMAT",
        "and not made into something",
        "shop",
        lambda s: TraceTransform((s.full,), (Output(GTIN, ("a",)),), *SAID),
    ),
    (
        *("BAD_FORMAT", "at most 256 items", "shop"),
        lambda s: TraceTransform(ids(s, "rest"), (Output(GTIN, MANY), Output(GTIN, (), Lot("M", 1))), *SAID),
    ),
    (
        "FORBIDDEN",
        "only its owner makes",
        "stranger",
        lambda s: TraceTransform(ids(s, "rest"), (Output(GTIN, ("a",)),), *SAID),
    ),
    (
        "FORBIDDEN",
        "only its custodian does",
        "shop",
        lambda s: TraceTransform(ids(s, "held"), (Output(GTIN, ("a",)),), *SAID),
    ),
    (
        "BAD_STATE",
        "the item is ended",
        "shop",
        lambda s: TraceTransform(ids(s, "gone"), (Output(GTIN, ("a",)),), *SAID),
    ),
    (
        "NOT_FOUND",
        "no such product",
        "shop",
        lambda s: TraceTransform(ids(s, "rest"), (Output(OTHER_GTIN, ("a",)),), *SAID),
    ),
    ("EXISTS", "exists already", "shop", lambda s: TraceTransform(ids(s, "rest"), (Output(GTIN, ("way",)),), *SAID)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: TraceDecommission(unsorted_ids(s), "x", *SAID)),
    ("BAD_FORMAT", "has a reason", "shop", lambda s: TraceDecommission(ids(s, "rest"), "", *SAID)),
    ("FORBIDDEN", "only its owner ends", "carrier", lambda s: TraceDecommission(ids(s, "held"), "x", *SAID)),
    ("FORBIDDEN", "only its custodian does", "shop", lambda s: TraceDecommission(ids(s, "held"), "x", *SAID)),
    ("BAD_STATE", "the item is in order", "shop", lambda s: TraceDecommission(ids(s, "sold"), "x", *SAID)),
    ("BAD_STATE", "unpack them first", "shop", lambda s: TraceDecommission((s.full,), "x", *SAID)),
    ("NOT_FOUND", "there is no item", "shop", lambda s: TraceDecommission(ids(s, "none"), "x", *SAID)),
    # terms, listings
    ("LIMIT", "add up to more than 5000", "shop", lambda s: s.terms(9, referral_bps=5_001)),
    ("LIMIT", "confirm_s must be from", "shop", lambda s: s.terms(9, confirm_s=0)),
    ("LIMIT", "cancel_s must not be above", "shop", lambda s: s.terms(9, ship_s=10, cancel_s=11)),
    ("BAD_FORMAT", "a campaign go together", "shop", lambda s: s.terms(9, campaign=s.running)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: s.terms(9, arbiters=(Arbiter(HASH, 1), Arbiter(HASH, 2)))),
    ("NOT_FOUND", "has no store", "stranger", lambda s: s.terms(9)),
    ("EXISTS", "terms never change", "shop", lambda s: s.terms(1)),
    ("NOT_FOUND", "has no points", "rival", lambda s: s.terms(9, points_bps=1)),
    ("NOT_FOUND", "no such campaign", "shop", lambda s: s.terms(9, campaign=ABSENT, bonus_bps=1)),
    ("FORBIDDEN", "another store's", "shop", lambda s: s.terms(9, campaign=s.other_campaign, bonus_bps=1)),
    ("BAD_FORMAT", "a traced listing needs a product", "shop", lambda s: listing(s, traced=True)),
    ("LIMIT", "a team has", "shop", lambda s: listing(s, team=Team(1, 5, LONG_S))),
    ("LIMIT", "a team's window", "shop", lambda s: listing(s, team=Team(2, 5, 0))),
    ("FORBIDDEN", "and nothing else of it", "clerk", lambda s: listing(s, price_minor=7, store=key("shop"))),
    ("FORBIDDEN", "and nothing else of it", "clerk", lambda s: listing(s, price_minor=0, store=key("shop"))),
    ("FORBIDDEN", "right CATALOG", "tracer", lambda s: listing(s, stock_delta=1, store=key("shop"))),
    ("NOT_FOUND", "has no listing 9", "shop", lambda s: listing(s, 9, 0)),
    ("NOT_FOUND", "has no terms 9", "shop", lambda s: listing(s, terms=9)),
    ("NOT_FOUND", "no such product", "shop", lambda s: listing(s, product=ProductId(key("shop"), OTHER_GTIN))),
    ("NOT_FOUND", "has no store", "stranger", listing),
    ("NO_STOCK", "the stock would be -", "shop", lambda s: listing(s, stock_delta=-1_000)),
    ("LIMIT", "can be on offer in one listing", "shop", lambda s: listing(s, stock_delta=STOCK_MAX)),
    # orders
    ("BAD_FORMAT", "strictly increasing", "buyer", lambda s: OrderPlace(key("shop"), lines(s, 2, 2))),
    ("BAD_FORMAT", "has one line", "buyer", lambda s: OrderPlace(key("shop"), lines(s, 2, 3), team=NEW_TEAM)),
    ("FORBIDDEN", "cannot order from itself", "shop", lambda s: s.order()),
    ("NOT_FOUND", "has no store", "buyer", lambda s: OrderPlace(ABSENT, lines(s, 2))),
    ("NOT_FOUND", "has no listing 9", "buyer", lambda s: OrderPlace(key("shop"), (OrderLine(9, HASH, 1),))),
    ("BAD_STATE", "has changed since", "buyer", lambda s: OrderPlace(key("shop"), (OrderLine(2, HASH, 1),))),
    ("NO_STOCK", "are wanted", "buyer", lambda s: s.order(quantity=1_000)),
    ("BAD_STATE", "under the same terms", "buyer", lambda s: OrderPlace(key("shop"), lines(s, 1, 2))),
    ("LIMIT", "2^63", "buyer", lambda s: s.order(5, 2)),
    ("LIMIT", "points are worth more", "buyer", lambda s: s.order(points=(PointsSpent(key("shop"), 1_001),))),
    ("NO_FUNDS", "points are needed", "friend", lambda s: s.order(points=(PointsSpent(key("shop"), 1),))),
    ("NOT_FOUND", "has no points", "buyer", lambda s: s.order(points=(PointsSpent(key("rival"), 1),))),
    ("NO_FUNDS", "must pay", "poor", lambda s: s.order()),
    ("FORBIDDEN", "refer nobody", "buyer", lambda s: s.order(referrer=key("buyer"))),
    ("FORBIDDEN", "no arbiters of this order", "judge", lambda s: s.order(arbiter=key("judge"))),
    ("FORBIDDEN", "do not name this arbiter", "buyer", lambda s: s.order(arbiter=key("friend"))),
    ("NO_BUDGET", "minor units left", "buyer", lambda s: s.order(4)),
    ("BAD_STATE", "no price for teams", "buyer", lambda s: s.order(3, team=NEW_TEAM)),
    ("NOT_FOUND", "no such team", "buyer", lambda s: s.order(team=ABSENT)),
    ("BAD_STATE", "another listing", "friend", lambda s: s.order(6, team=s.team)),
    ("BAD_STATE", "the team is full", "carrier", lambda s: s.order(team=s.full_team)),
    ("TOO_LATE", "window is over", "friend", lambda s: s.order(6, team=s.short_team)),
    ("BAD_FORMAT", "strictly increasing", "shop", lambda s: OrderShip(s.traced, unsorted_ids(s))),
    ("NOT_FOUND", "no such order", "shop", lambda s: OrderShip(ABSENT)),
    ("FORBIDDEN", "order.ship is for", "stranger", lambda s: OrderShip(s.placed)),
    ("BAD_STATE", "the order is SHIPPED", "shop", lambda s: OrderShip(s.shipped)),
    ("BAD_STATE", "the order is DONE", "shop", lambda s: OrderShip(s.done)),
    ("BAD_STATE", "team is not full", "shop", lambda s: OrderShip(s.team)),
    ("TOO_LATE", "deadline has passed", "shop", lambda s: OrderShip(s.late)),
    ("BAD_STATE", "do not match the traced lines", "shop", lambda s: OrderShip(s.traced)),
    ("FORBIDDEN", "owns and holds", "shop", lambda s: OrderShip(s.traced, ids(s, "held"))),
    ("BAD_STATE", "the item is in transit", "shop", lambda s: OrderShip(s.traced, ids(s, "sent"))),
    ("NOT_FOUND", "there is no item", "shop", lambda s: OrderShip(s.traced, ids(s, "none"))),
    ("NOT_FOUND", "no such order", "buyer", lambda s: OrderConfirm(ABSENT)),
    ("FORBIDDEN", "order.confirm is for", "stranger", lambda s: OrderConfirm(s.shipped)),
    ("BAD_STATE", "the order is PLACED", "buyer", lambda s: OrderConfirm(s.placed)),
    ("NOT_FOUND", "no such order", "buyer", lambda s: OrderCancel(ABSENT)),
    ("FORBIDDEN", "order.cancel is for", "stranger", lambda s: OrderCancel(s.placed)),
    ("BAD_STATE", "the order is SHIPPED", "buyer", lambda s: OrderCancel(s.shipped)),
    ("TOO_EARLY", "give the store more time", "buyer", lambda s: OrderCancel(s.placed)),
    ("BAD_STATE", "team is not full yet", "buyer", lambda s: OrderCancel(s.team)),
    ("TOO_LATE", "deadline has passed", "buyer", lambda s: OrderCancel(s.late)),
    ("NOT_FOUND", "no such order", "shop", lambda s: OrderRefund(ABSENT)),
    ("FORBIDDEN", "order.refund is for", "buyer", lambda s: OrderRefund(s.placed)),
    ("FORBIDDEN", "this is not for the sender", "packer", lambda s: OrderRefund(s.shipped)),
    ("LIMIT", "a partial refund is less", "shop", lambda s: OrderRefund(s.placed, TOKEN)),
    ("BAD_STATE", "the order is DONE", "shop", lambda s: OrderRefund(s.done)),
    ("TOO_LATE", "deadline has passed", "shop", lambda s: OrderRefund(s.late)),
    ("NOT_FOUND", "no such order", "buyer", lambda s: OrderDispute(ABSENT)),
    ("FORBIDDEN", "order.dispute is for", "shop", lambda s: OrderDispute(s.shipped)),
    ("BAD_STATE", "names no arbiter", "buyer", lambda s: OrderDispute(s.plain)),
    ("BAD_STATE", "the order is PLACED", "buyer", lambda s: OrderDispute(s.placed)),
    ("TOO_LATE", "deadline has passed", "buyer", lambda s: OrderDispute(s.late_shipped)),
    ("NOT_FOUND", "no such order", "judge", lambda s: OrderResolve(ABSENT, 1)),
    ("FORBIDDEN", "order.resolve is for", "buyer", lambda s: OrderResolve(s.disputed, 1)),
    ("BAD_STATE", "the order is SHIPPED", "judge", lambda s: OrderResolve(s.shipped, 1)),
    ("NOT_FOUND", "no such order", "stranger", lambda s: OrderSettle(ABSENT)),
    ("TOO_EARLY", "it can be settled in", "stranger", lambda s: OrderSettle(s.placed)),
    ("TOO_EARLY", "it can be settled in", "stranger", lambda s: OrderSettle(s.done)),
    ("NOT_FOUND", "no such order", "buyer", lambda s: ReviewPost(ABSENT, 5)),
    ("FORBIDDEN", "review.post is for", "shop", lambda s: ReviewPost(s.done, 5)),
    ("BAD_STATE", "the order is SHIPPED", "buyer", lambda s: ReviewPost(s.shipped, 5)),
    ("TOO_LATE", "deadline has passed", "buyer", lambda s: ReviewPost(s.unreviewed, 5)),
    # campaigns, points
    ("BAD_FORMAT", "ends after it starts", "shop", lambda s: CampaignSet(None, 1, 5, 5)),
    ("NOT_FOUND", "has no store", "stranger", lambda s: CampaignSet(None, 1, 0, 2**62)),
    ("NOT_FOUND", "no such campaign", "shop", lambda s: CampaignSet(ABSENT, 1, 0, 2**62)),
    ("FORBIDDEN", "only its owner tops up", "rival", lambda s: CampaignSet(s.running, 1, 0, 2**62)),
    ("FORBIDDEN", "the time of a campaign", "shop", lambda s: CampaignSet(s.running, 1, 0, 2**61)),
    ("TOO_LATE", "end has passed", "shop", lambda s: CampaignSet(s.ended, 1, 0, s.end_ms)),
    ("NO_FUNDS", "must pay", "shop", lambda s: CampaignSet(None, 10**15, 0, 2**62)),
    ("NOT_FOUND", "no such campaign", "stranger", lambda s: CampaignSettle(ABSENT)),
    ("TOO_EARLY", "the campaign ends in", "stranger", lambda s: CampaignSettle(s.running)),
    ("BAD_STATE", "open orders hold", "stranger", lambda s: CampaignSettle(s.ended)),
    ("NOT_FOUND", "has no store", "stranger", lambda s: PointsOpen(1)),
    ("EXISTS", "has points already", "shop", lambda s: PointsOpen(1)),
    ("NOT_FOUND", "has no points", "rival", lambda s: PointsGrant(key("buyer"), 1)),
    ("LIMIT", "2^63", "shop", lambda s: PointsGrant(key("buyer"), 2**62)),
    ("NO_FUNDS", "must pay", "shop", lambda s: PointsGrant(key("buyer"), 10**12)),
    ("FORBIDDEN", "to somebody else", "buyer", lambda s: PointsTransfer(key("shop"), key("buyer"), 1)),
    ("NOT_FOUND", "has no points", "buyer", lambda s: PointsTransfer(key("rival"), key("friend"), 1)),
    ("NO_FUNDS", "points are needed", "buyer", lambda s: PointsTransfer(key("shop"), key("friend"), 10**6)),
    # stake
    ("FORBIDDEN", "never rises", "lab", lambda s: RegisterValidator(501)),
    ("EXISTS", "a candidate already", "lab", lambda s: RegisterValidator(500)),
    ("BAD_STATE", "jailed for good", "carrier", lambda s: RegisterValidator(400)),
    ("LIMIT", "the stake at a validator", "buyer", lambda s: RegisterValidator(0, 1)),
    ("NO_FUNDS", "must pay", "poor", lambda s: RegisterValidator(0, TOKEN)),
    ("NOT_FOUND", "is no validator", "buyer", lambda s: Bond(ABSENT, TOKEN)),
    ("BAD_STATE", "jailed for good", "buyer", lambda s: Bond(key("carrier"), TOKEN)),
    ("LIMIT", "the stake at a validator", "buyer", lambda s: Bond(key("lab"), 1)),
    ("NO_FUNDS", "must pay", "poor", lambda s: Bond(key("lab"), TOKEN)),
    ("NOT_FOUND", "is no validator", "buyer", lambda s: Unbond(ABSENT)),
    ("NOT_FOUND", "no stake at", "buyer", lambda s: Unbond(key("lab"))),
    ("NOT_FOUND", "any more", "judge", lambda s: Unbond(key("lab"))),
    ("NO_FUNDS", "stake at this validator is", "friend", lambda s: Unbond(key("lab"), 10 * TOKEN)),
    ("LIMIT", "the stake at a validator", "friend", lambda s: Unbond(key("lab"), 3 * TOKEN - 1)),
    ("NOT_FOUND", "no stake at", "buyer", lambda s: Withdraw(key("lab"))),
    ("NO_FUNDS", "are unbonding", "friend", lambda s: Withdraw(key("lab"), 5 * TOKEN)),
    ("TOO_EARLY", "may be withdrawn now", "friend", lambda s: Withdraw(key("lab"), TOKEN)),
    ("TOO_EARLY", "nothing may be withdrawn yet", "friend", lambda s: Withdraw(key("lab"))),
    ("FORBIDDEN", "convicts nobody", "stranger", lambda s: SubmitEvidence(b"innocent")),
    ("EXISTS", "punished for this epoch", "buyer", lambda s: SubmitEvidence(b"guilty")),
]

ELSEWHERE = {
    "so many shares; wait": "test_pool.py",
    "worth nothing any more": "test_pool.py",
    "places are taken": "test_validator_register.py",
    "epochs waits already": "test_stake.py",
    "rating is full": "test_review.py",
    "transaction type of that name": "test_registry.py",
    "{name}: {error}": "test_registry.py",
    "give a serial or a lot, one": "test_history.py",
    "a sealed message has at most": "test_sealed.py",
}
"""Refusals that need a scene of their own, or come before there is a transaction: part of the text, and whose test."""

GUARDS = ("the order is finished", "the order is not finished", "the store has no listing {number}")
"""Written for the type checker: the table of orders, or the lines taken before, leave no way to them."""


def run(scene, case):
    code, reason, sender, payload, *options = case
    found = scene.refusal(sender, payload(scene), **(options[0] if options else {}))
    assert found[0] == code, found
    assert reason in found[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}")
def test_each_refusal_has_its_code(scene, case):
    before = scene.world.chain.final
    run(scene, case)
    assert scene.world.chain.final is before


TYPES = sorted(
    (each for each in vars(commerce).values() if isinstance(each, type) and getattr(each, "TYPE", "")),
    key=lambda each: each.TYPE,
)


def test_every_transaction_type_is_in_the_matrix(scene):
    assert {type(case[3](scene)) for case in CASES} == set(TYPES)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.TYPE)
def test_every_type_is_refused_by_each_rule_of_the_envelope(scene, kind):
    payload = next(
        found for found in (case[3](scene) for case in CASES if case[0] != "BAD_FORMAT") if type(found) is kind
    )
    refusal = partial(scene.refusal, "buyer", payload)
    assert refusal(nonce=10**6)[0] == refusal(nonce=0)[0] == "BAD_NONCE"
    assert refusal(expires=0)[0] == "EXPIRED"
    assert refusal(fee=100)[0] == "NO_FEE"
    assert refusal(fee=2**62)[0] == "NO_FUNDS"
    assert refusal(active="stranger")[0] == "BAD_SIGNATURE"
    assert refusal(sponsor="buyer")[0] == "BAD_FORMAT"
    assert refusal(sponsor="nobody")[0] == "NO_FUNDS"
    if kind is not OrderPlace:
        assert refusal(sponsor="friend", pays=True) == ("BAD_FORMAT", "sponsor_pays is possible in order.place only")


def raises():
    """Yield file, lines and source of every place where the application refuses a transaction."""
    classes = {each.__name__ for each in CommerceError.__subclasses__()}
    for path in sorted(Path(commerce.__file__).parent.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in classes:
                yield path.name, range(node.lineno, node.end_lineno + 1), ast.get_source_segment(source, node)


def test_every_refusal_in_the_source_has_a_case(scene, monkeypatch):
    reached = set()

    def note(self, *args):
        frame = sys._getframe(1)
        reached.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        super(CommerceError, self).__init__(*args)

    monkeypatch.setattr(CommerceError, "__init__", note, raising=False)
    for case in CASES:
        run(scene, case)
    left = [
        (name, text)
        for name, at, text in raises()
        if not any((name, line) in reached for line in at) and not any(guard in text for guard in GUARDS)
    ]
    tests = Path(__file__).parent
    for name, text in left:
        (elsewhere,) = [file for part, file in ELSEWHERE.items() if part in text] or [None]
        assert elsewhere is not None, f"{name}: no case reaches: {text}"
        assert (tests / elsewhere).exists()
    assert len(left) == len(ELSEWHERE)
