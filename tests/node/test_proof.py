"""Proofs that verify with nothing but the genesis: whatever is changed in one, it is refused."""

from functools import cache

import pytest

from p2pcommerce.commerce import (
    ListingSet,
    OrderLine,
    OrderPlace,
    ProductId,
    ProductSet,
    StoreSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    build_transaction,
    entry_from,
    item_id,
)
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.proof import PROOF_BYTES_MAX, ProofError, TrustAnchor, make_proof, subject_of, verify_proof
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import UsageError

from .cluster import Cluster, make_genesis, seed_of

GTIN = "09520001000010"
GENESIS = make_genesis(scheme=ED25519)
TRUST = TrustAnchor.of(GENESIS)
HASH = bytes(range(32))
SHOP, BUYER = (ED25519.public_key(seed_of(name)) for name in ("ann", "bob"))
ITEM = item_id(SHOP, GTIN, serial="1")


class Market:
    """A network in which a shop has shipped an item and sold something."""

    def __init__(self):
        self.cluster = Cluster(genesis=GENESIS, scheme=ED25519).start()
        self.nonces = {"ann": 0, "bob": 0}
        self.do("ann", StoreSet("Shop", HASH, HASH, "https://shop.example", ()))
        self.do("ann", TermsSet(number=1, ship_s=100, confirm_s=200, dispute_s=100, cancel_s=50))
        self.do("ann", ProductSet(GTIN, HASH))
        self.do("ann", ListingSet(1, ProductId(SHOP, GTIN), 10**6, 10, False, 1))
        self.do("ann", TraceCommission(GTIN, ("1", "2"), None, HASH, 1))
        self.cluster.settle()
        revision = bytes.fromhex(self.query("listing", store=SHOP, number=1)["revision"])
        self.order = self.do("bob", OrderPlace(SHOP, (OrderLine(1, revision, 1),)))
        self.do("ann", TraceShip((ITEM,), BUYER, HASH, 2))
        self.cluster.settle()
        self.do("bob", TraceReceive((ITEM,), HASH, 3))
        self.cluster.settle()
        self.host = self.cluster.hosts[0]
        assert all(outcome.ok for each in self.host.disk.blocks for outcome in each.outcomes)

    @property
    def node(self):
        return self.cluster.hosts[0].node

    def query(self, name, **arguments):
        return self.node.application.query(name, arguments, self.node.chain.state.final)

    def do(self, name, payload):
        nonce, self.nonces[name] = self.nonces[name], self.nonces[name] + 1
        transaction = build_transaction(payload, GENESIS, seed_of(name), nonce, 10**6)
        self.cluster.hosts[nonce % 4].submit(transaction)
        self.cluster.run(0.05)
        return transaction.id

    def history(self, identifier):
        return [
            entry_from(decode_transaction(raw), committed.block.header.time_ms)
            for committed in self.host.disk.blocks
            for raw, outcome in zip(committed.block.transactions, committed.outcomes, strict=True)
            if any(identifier in event.ids for event in outcome.events)
        ]

    def prove(self, name, **arguments):
        subject, chain = subject_of(name, arguments), self.node.chain
        version = chain.state.final
        history = () if subject.history_id is None else self.history(subject.history_id)
        value, state = version.get(subject.key), version.tree.prove(subject.key)
        return make_proof("simplex", chain.head, chain.proof, subject.key, value, state, history)


@cache
def market():
    return Market()


def item_arguments(**more):
    return {"issuer": SHOP.hex(), "gtin": GTIN, "serial": "1", **more}


def test_an_account_is_proven():
    proven = verify_proof(market().prove("account", account=BUYER.hex()).raw, TRUST)
    assert proven.value == market().node.chain.state.final.get(proven.key)
    assert (proven.height, proven.block_hash) == (market().node.height, market().node.chain.head.hash)
    assert proven.item is None


def test_the_absence_of_an_account_is_proven():
    proven = verify_proof(market().prove("account", account="77" * 32).raw, TRUST)
    assert proven.value is None


def test_an_order_is_proven():
    proven = verify_proof(market().prove("order", order=market().order.hex()).raw, TRUST)
    assert proven.value is not None
    assert proven.history == ()


def test_an_item_is_proven_with_its_whole_history():
    proven = verify_proof(market().prove("item", **item_arguments()).raw, TRUST)
    assert [entry.type for entry in proven.history] == ["trace.commission", "trace.ship", "trace.receive"]
    assert proven.item.n == 3
    assert verify_proof(market().prove("item", **item_arguments(serial="9")).raw, TRUST).value is None


def test_a_state_key_is_proven_and_that_of_an_item_with_its_history():
    market_ = market()
    for name, arguments in (("account", {"account": BUYER.hex()}), ("item", item_arguments())):
        expected = market_.prove(name, **arguments)
        assert market_.prove("state", key=subject_of(name, arguments).key.hex()) == expected


@pytest.mark.parametrize("flip", [0x01, 0x80])
@pytest.mark.parametrize(("name", "arguments"), [("account", {"account": BUYER.hex()}), ("item", item_arguments())])
def test_every_changed_byte_is_refused(name, arguments, flip):
    raw = market().prove(name, **arguments).raw
    verify_proof(raw, TRUST)
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= flip
        with pytest.raises(ProofError):
            verify_proof(bytes(changed), TRUST)


@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_every_changed_byte_of_an_absence_is_refused_or_proves_the_absence_of_another_key(flip):
    raw, state = market().prove("account", account="77" * 32).raw, market().node.chain.state.final
    key, others = verify_proof(raw, TRUST).key, 0
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= flip
        try:
            proven = verify_proof(bytes(changed), TRUST)
        except ProofError:
            continue
        others += 1
        assert proven.key != key
        assert proven.value is None
        assert state.get(proven.key) is None
    assert others <= len(key)


def test_a_cut_or_lengthened_proof_is_refused():
    raw = market().prove("account", account=BUYER.hex()).raw
    for wrong in (b"", raw[:-1], raw + b"\x00", raw * 2, bytes(PROOF_BYTES_MAX + 1)):
        with pytest.raises(ProofError, match="not a proof"):
            verify_proof(wrong, TRUST)


def test_a_history_that_lacks_or_repeats_an_event_is_refused():
    market_ = market()
    subject, chain = subject_of("item", item_arguments()), market_.node.chain
    version, history = chain.state.final, market_.history(ITEM)
    value, state = version.get(subject.key), version.tree.prove(subject.key)
    for wrong in ((), history[:-1], history[1:], [*history, history[-1]], history[::-1]):
        proof = make_proof("simplex", chain.head, chain.proof, subject.key, value, state, wrong)
        with pytest.raises(ProofError, match="history"):
            verify_proof(proof.raw, TRUST)
    account = subject_of("account", {"account": BUYER.hex()})
    value, state = version.get(account.key), version.tree.prove(account.key)
    proof = make_proof("simplex", chain.head, chain.proof, account.key, value, state, history)
    with pytest.raises(ProofError, match="has none"):
        verify_proof(proof.raw, TRUST)


def test_a_record_or_proof_of_another_key_is_refused():
    chain = market().node.chain
    version = chain.state.final
    one, other = (subject_of("account", {"account": key.hex()}).key for key in (SHOP, BUYER))
    for key, value, proven in (
        (one, version.get(other), one),
        (one, version.get(one), other),
        (one, None, one),
        (bytes(33), version.get(one), one),
    ):
        proof = make_proof("simplex", chain.head, chain.proof, key, value, version.tree.prove(proven))
        with pytest.raises(ProofError, match="not in the state"):
            verify_proof(proof.raw, TRUST)


def test_another_network_is_refused():
    raw = market().prove("account", account=BUYER.hex()).raw
    other = TrustAnchor.of(make_genesis(3, scheme=ED25519))
    with pytest.raises(ProofError, match="another network"):
        verify_proof(raw, other)


def test_other_validators_are_refused():
    raw = market().prove("account", account=BUYER.hex()).raw
    strangers = ValidatorSet.of(
        Validator(ED25519.public_key(seed_of(f"stranger {number}")), validator.stake)
        for number, validator in enumerate(GENESIS.validators.validators)
    )
    with pytest.raises(ProofError, match="not shown to be final"):
        verify_proof(raw, TrustAnchor(GENESIS.hash, strangers))


def test_a_block_that_is_not_final_and_an_unknown_engine_are_refused():
    market_ = market()
    chain = market_.node.chain
    key = subject_of("account", {"account": BUYER.hex()}).key
    value, state = chain.state.final.get(key), chain.state.final.tree.prove(key)
    older = market_.host.disk.blocks[-2]
    for engine, finality in (("simplex", b""), ("simplex", older.proof), ("other", chain.proof)):
        with pytest.raises(ProofError, match="final"):
            verify_proof(make_proof(engine, chain.head, finality, key, value, state).raw, TRUST)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("weather", {}, "cannot be proven"),
        ("account", {}, "64 hexadecimal digits"),
        ("account", {"account": "zz" * 32}, "64 hexadecimal digits"),
        ("account", {"account": "77"}, "64 hexadecimal digits"),
        ("order", {"order": 7}, "64 hexadecimal digits"),
        ("state", {"key": ""}, "hexadecimal digits"),
        ("item", {"issuer": "77" * 32, "gtin": GTIN}, "serial or a lot"),
        ("item", {"issuer": "77" * 32, "gtin": "12", "serial": "1"}, "item: "),
        ("item", {"issuer": "77" * 32, "gtin": GTIN, "serial": 1}, "serial must be text"),
    ],
)
def test_a_subject_that_cannot_be_is_refused_in_one_sentence(name, arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        subject_of(name, arguments)
