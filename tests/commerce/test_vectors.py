"""A fixed list of transactions of every type, and the state root after each block, pinned.

Whatever executes these bytes - another version of the library, of Python, or another program - must get these roots.
`python -m tests.commerce.test_vectors` writes the file anew; a change of a root is a change of the chain's rules.
"""

import dataclasses
import json
from pathlib import Path

from p2pcommerce.commerce import (
    BODIES,
    NEW_TEAM,
    Arbiter,
    AttestIssue,
    AttestRevoke,
    Bond,
    CampaignSet,
    CampaignSettle,
    Commerce,
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
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
    ProductId,
    ProductSet,
    RegisterValidator,
    ReviewPost,
    Sponsor,
    StoreSet,
    Subject,
    SubjectKind,
    SubmitEvidence,
    Team,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    Unbond,
    Withdraw,
    attestation_id,
    build_transaction,
    item_id,
)
from p2pcommerce.ledger.application import BlockContext
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.receipt import receipts_root
from p2pcommerce.ledger.state import State, VersionedState
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.primitives.crypto import ED25519

FILE = Path(__file__).parents[1] / "vectors" / "commerce.json"
GTIN, HASH = "09520001000010", bytes(range(32))
NAMES = ("maker", "shop", "buyer", "friend", "judge", "helper")
TOKEN = 1_000_000
EVIDENCE = b"evidence"


def seed(name):
    return name.encode().ljust(32, b".")


def key(name):
    return ED25519.public_key(seed(name))


GENESIS = Genesis.new(
    "vectors",
    {key("validator"): 1_000 * TOKEN, key("other"): 500 * TOKEN},
    {key(name): 1_000 * TOKEN for name in NAMES},
    time_ms=1_700_000_000_000,
    parameters=dataclasses.replace(ChainParameters.local(), unbonding_s=1, epoch_blocks=4),
)


class Chain:
    """Executes blocks of raw transactions."""

    def __init__(self, genesis):
        self.genesis, self.app = genesis, Commerce()
        self.state = VersionedState(self.app.genesis(genesis))
        self.height, self.time_ms = 0, genesis.time_ms

    def block(self, time_ms, raws):
        self.height += 1
        context = BlockContext(
            genesis=self.genesis,
            height=self.height,
            epoch=self.height // self.genesis.parameters.epoch_blocks,
            time_ms=time_ms,
            parent_time_ms=self.time_ms,
            proposer=key("validator"),
            convict={EVIDENCE: Offence(key("other"), 0, "E1")}.get,
        )
        state = State(self.state.final)
        self.app.begin_block(state, context)
        outcomes = [self.app.apply(decode_transaction(raw), state, context) for raw in raws]
        self.app.end_block(state, context)
        self.app.audit(self.genesis, self.state.final, state.changes)
        self.state.finalize(self.state.final.child(state.changes))
        self.time_ms = time_ms
        return {
            "time_ms": time_ms,
            "transactions": [raw.hex() for raw in raws],
            "codes": [outcome.code.value for outcome in outcomes],
            "receipts_root": receipts_root(outcomes).hex(),
            "state_root": self.state.final.root.hex(),
        }


class Story:
    """Writes blocks: each transaction is signed on the state before its block and those before it in the block."""

    def __init__(self):
        self.chain, self.blocks = Chain(GENESIS), []
        self.nonces, self.active = {}, {}
        self.open = []

    def add(self, name, payload, *, sponsor=None, pays=False):
        nonce = self.nonces.get(name, 0)
        cold = isinstance(payload, KeySet)
        signer = name if cold else self.active.get(name, name)
        built = build_transaction(
            payload,
            GENESIS,
            seed(signer),
            nonce,
            1_000,
            sponsor=None if sponsor is None else Sponsor(seed(sponsor), pays),
            account=key(name),
        )
        self.nonces[name] = nonce + 1
        self.open.append(built.raw)
        return built.id

    def seal(self, step_ms=100):
        self.blocks.append(self.chain.block(self.chain.time_ms + step_ms, self.open))
        self.open = []

    def founding(self):
        operators = (Operator(key("helper"), 7),)
        for name in ("maker", "shop"):
            self.add(name, StoreSet(name, HASH, HASH, "https://example.org", operators))
            self.add(name, PointsOpen(1_000))
        self.add("maker", ProductSet(GTIN, HASH, "https://example.org/product"))
        self.add("maker", TraceCommission(GTIN, ("1", "2", "3"), None, HASH, 5))
        self.add("helper", TraceCommission(GTIN, (), Lot("L", 4), HASH, 6, key("maker")))
        campaign = self.add("shop", CampaignSet(None, 50 * TOKEN, GENESIS.time_ms, GENESIS.time_ms + 100_000))
        ids = tuple(item_id(key("maker"), GTIN, serial=serial) for serial in "123")
        self.add("maker", TraceShip(ids, key("shop"), HASH, 7, transfers_owner=True))
        self.add("shop", TraceReceive(ids, HASH, 8))
        arbiters = (Arbiter(key("judge"), 250),)
        self.add("shop", TermsSet(1, 10, 20, 5, 2, 100, 300, arbiters, campaign, 50, 25, HASH))
        product = ProductId(key("maker"), GTIN)
        traced = self.add("shop", ListingSet(1, product, 3 * TOKEN, 9, traced=True, terms=1))
        team = self.add("shop", ListingSet(2, None, 2 * TOKEN, 9, traced=False, terms=1, team=Team(2, TOKEN, 5)))
        self.seal()
        return campaign, ids, traced, team

    def trade(self, ids, traced, team):
        place, shop = OrderPlace, key("shop")
        self.add("shop", PointsGrant(key("buyer"), 1_500))
        self.add("buyer", PointsTransfer(shop, key("stranger"), 200))
        first = self.add(
            "buyer",
            place(shop, (OrderLine(1, traced, 1),), key("sharer"), points=(PointsSpent(shop, 1_000),)),
        )
        second = self.add("newcomer", place(shop, (OrderLine(2, team, 1),)), sponsor="friend", pays=True)
        opened = self.add("buyer", place(shop, (OrderLine(2, team, 2),), team=NEW_TEAM, arbiter=key("judge")))
        joined = self.add("friend", place(shop, (OrderLine(2, team, 1),), team=opened, arbiter=key("judge")))
        late = self.add("buyer", place(shop, (OrderLine(2, team, 1),)))
        undone = self.add("buyer", place(shop, (OrderLine(2, team, 1),)))
        self.add("buyer", place(shop, (OrderLine(2, team, 99),)))
        self.add("shop", OrderRefund(first, 2_500_000))
        self.add("helper", OrderShip(first, ids[:1]))
        for order in (second, opened, joined):
            self.add("shop", OrderShip(order))
        self.seal()
        self.add("buyer", OrderConfirm(first))
        self.add("buyer", OrderDispute(opened, HASH))
        self.add("friend", OrderDispute(joined))
        self.add("judge", OrderResolve(opened, 4_000))
        self.add("judge", OrderResolve(joined, 10_000))
        self.add("buyer", ReviewPost(first, 5, HASH))
        self.add("shop", OrderRefund(undone))
        self.seal(3_000)
        self.add("buyer", OrderCancel(late))
        self.add("newcomer", OrderConfirm(second), sponsor="friend")
        self.seal()

    def rest(self, campaign):
        self.add("buyer", KeySet(key("phone")))
        self.active["buyer"] = "phone"
        self.add("buyer", Transfer(key("shop"), 5))
        self.add("buyer", Transfer(key("shop"), 2**62))
        self.add("friend", RegisterValidator(500, 5 * TOKEN))
        self.add("judge", Bond(key("friend"), 2 * TOKEN))
        self.add("judge", Unbond(key("friend")))
        self.add("maker", SubmitEvidence(EVIDENCE))
        subject = Subject(SubjectKind.STORE, key("shop"))
        self.add("judge", AttestIssue(subject, "organic", HASH, GENESIS.time_ms + 10**6))
        self.add("judge", AttestIssue(subject, "fair", HASH, GENESIS.time_ms + 10**6))
        self.add("judge", AttestRevoke(attestation_id(key("judge"), subject, "fair")))
        self.seal()
        for _ in range(12):
            self.seal(60_000)
        self.add("helper", CampaignSettle(campaign))
        self.add("judge", Withdraw(key("friend")))
        for block in self.blocks:
            for raw in block["transactions"]:
                transaction = decode_transaction(bytes.fromhex(raw))
                if transaction.type == "order.place":
                    self.add("helper", OrderSettle(transaction.id))
        self.seal()


def vectors():
    """Return what the file holds."""
    story = Story()
    campaign, ids, traced, team = story.founding()
    story.trade(ids, traced, team)
    story.rest(campaign)
    return {"genesis": json.loads(GENESIS.to_json()), "blocks": story.blocks}


def read():
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_the_same_transactions_are_made_and_give_the_same_roots():
    assert vectors() == read()


def test_the_pinned_bytes_give_the_pinned_roots():
    pinned = read()
    chain = Chain(Genesis.from_json(json.dumps(pinned["genesis"]).encode()))
    for block in pinned["blocks"]:
        raws = [bytes.fromhex(raw) for raw in block["transactions"]]
        assert chain.block(block["time_ms"], raws) == block
        assert all(decode_transaction(raw).verify(ED25519) for raw in raws)


def test_every_type_is_among_them_with_success_and_some_failures():
    codes = {}
    for block in read()["blocks"]:
        for raw, code in zip(block["transactions"], block["codes"], strict=True):
            codes.setdefault(decode_transaction(bytes.fromhex(raw)).type, []).append(code)
    assert {name for name in BODIES if not name.startswith("trace.")} <= set(codes)
    assert all("OK" in each for each in codes.values())
    assert {"NO_STOCK", "NO_FUNDS", "NOT_FOUND"} <= {code for each in codes.values() for code in each}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
