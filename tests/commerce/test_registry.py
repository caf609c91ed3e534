"""The table of types: every body round-trips, its encoding is pinned, and wrong ones are refused."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce import (
    BODIES,
    KINDS,
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
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
    ProductId,
    ProductSet,
    RegisterValidator,
    ReviewPost,
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
    read_body,
)
from p2pcommerce.commerce.body import Body, body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.primitives.codec import U8, pack, unpack
from p2pcommerce.primitives.crypto import blake2b_256
from tests.commerce.world import GTIN, HASH

A, B = bytes([1]) * 32, bytes([2]) * 32
PRODUCT = ProductId(A, GTIN)
EXAMPLES = [
    KeySet(A),
    Transfer(A, 5),
    RegisterValidator(1_000, 5),
    Bond(A, 5),
    Unbond(A, 5),
    Withdraw(A, 5),
    SubmitEvidence(A + B),
    StoreSet("Shop", A, B, "u", (Operator(A, 1), Operator(B, 7))),
    ProductSet(GTIN, A, "u", B),
    AttestIssue(Subject(SubjectKind.STORE, A), "organic", B, 5),
    AttestRevoke(A),
    TermsSet(1, 2, 3, 4, 5, 6, 7, (Arbiter(A, 8),), B, 9, 10, HASH),
    ListingSet(1, PRODUCT, 2, -3, True, 4, Team(5, 6, 7), A),
    OrderPlace(A, (OrderLine(1, B, 2), OrderLine(2, A, 1)), A, B, (PointsSpent(A, 1),), B, HASH),
    OrderShip(A, (b"1", b"2")),
    OrderConfirm(A),
    OrderCancel(A),
    OrderRefund(A, 5),
    OrderDispute(A, B),
    OrderResolve(A, 5),
    OrderSettle(A),
    CampaignSet(A, 5, 6, 7),
    CampaignSettle(A),
    PointsOpen(5),
    PointsGrant(A, 5),
    PointsTransfer(A, B, 5),
    ReviewPost(A, 5, B),
    TraceCommission(GTIN, ("1", "2"), None, A, 5, B),
    TraceCommission(GTIN, (), Lot("L", 5), A, 5),
    TraceShip((b"1", b"2"), A, B, 5, transfers_owner=True, store=A),
    TraceReceive((b"1",), A, 5, B),
]
PINNED = [
    ("key.set", "6f16d13e95202d6e"),
    ("token.transfer", "0494e0ce86f67eea"),
    ("validator.register", "9c6eb27977432007"),
    ("stake.bond", "0494e0ce86f67eea"),
    ("stake.unbond", "0494e0ce86f67eea"),
    ("stake.withdraw", "0494e0ce86f67eea"),
    ("evidence.submit", "12a9631d5a65943d"),
    ("store.set", "90be0838de3b55be"),
    ("product.set", "97bcd1a33efca142"),
    ("attest.issue", "a551daa3c134a6c6"),
    ("attest.revoke", "6f16d13e95202d6e"),
    ("terms.set", "1465459283f75355"),
    ("listing.set", "8187f67a01d30bd3"),
    ("order.place", "0888edf636b2ed42"),
    ("order.ship", "289e4f562e0da5e6"),
    ("order.confirm", "6f16d13e95202d6e"),
    ("order.cancel", "6f16d13e95202d6e"),
    ("order.refund", "0494e0ce86f67eea"),
    ("order.dispute", "0d7b2150f06be793"),
    ("order.resolve", "0494e0ce86f67eea"),
    ("order.settle", "6f16d13e95202d6e"),
    ("campaign.set", "0d511a50da22b1f6"),
    ("campaign.settle", "6f16d13e95202d6e"),
    ("points.open", "296f2121d287234e"),
    ("points.grant", "0494e0ce86f67eea"),
    ("points.transfer", "216426c362fdceb4"),
    ("review.post", "9fa7c768885520e9"),
    ("trace.commission", "fc9c996adad14427"),
    ("trace.commission", "405c14cf89314a0a"),
    ("trace.ship", "6a334e42054cd1f1"),
    ("trace.receive", "a156f51c78729dcd"),
]


def wire(payload):
    return unpack(pack(payload.to_body()), 16_384)


@pytest.mark.parametrize("payload", EXAMPLES, ids=lambda payload: payload.TYPE)
def test_a_body_round_trips(payload):
    assert read_body(payload.TYPE, wire(payload)) == payload


def test_there_is_an_example_of_every_type():
    assert {payload.TYPE for payload in EXAMPLES} == set(BODIES)


def test_the_encodings_are_pinned():
    bodies = [(payload.TYPE, payload.to_body()) for payload in EXAMPLES]
    assert [(name, blake2b_256(pack(plain)).hex()[:16]) for name, plain in bodies] == PINNED


def test_an_unknown_type_is_refused():
    with pytest.raises(FormatError, match="no transaction type"):
        read_body("token.mint", ())


@pytest.mark.parametrize("payload", EXAMPLES, ids=lambda payload: payload.TYPE)
def test_a_body_with_a_field_more_or_less_is_refused(payload):
    plain = wire(payload)
    for wrong in ((), plain[:-1], (*plain, 0)):
        with pytest.raises(FormatError, match=payload.TYPE):
            read_body(payload.TYPE, wrong)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(payload=st.sampled_from(EXAMPLES), place=st.integers(0, 10), value=PLAIN)
def test_a_body_with_anything_in_a_field_is_read_exactly_or_refused(payload, place, value):
    plain = list(wire(payload))
    plain[place % len(plain)] = value
    try:
        read = read_body(payload.TYPE, tuple(plain))
    except FormatError:
        return
    assert read.to_body() == tuple(plain)


def test_kinds_have_tags_of_their_own():
    assert len({kind.tag for kind in KINDS.values()}) == len(KINDS) == 22
    assert all(kind.tag[0] == tag for tag, kind in KINDS.items())


def test_a_type_whose_shape_is_not_its_fields_cannot_be_declared():
    @dataclasses.dataclass(frozen=True)
    class Odd(Body):
        one: int

    with pytest.raises(TypeError, match="Odd"):
        body("odd", two=U8)(Odd)
