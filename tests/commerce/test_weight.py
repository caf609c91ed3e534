"""Weight, the least fee, and building transactions."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.commerce import (
    AttestIssue,
    AttestRevoke,
    Bond,
    CampaignSet,
    CampaignSettle,
    KeySet,
    Lot,
    OrderConfirm,
    OrderDispute,
    OrderLine,
    OrderPlace,
    OrderResolve,
    OrderShip,
    PointsGrant,
    PointsOpen,
    PointsSpent,
    PointsTransfer,
    RegisterValidator,
    ReviewPost,
    Sponsor,
    Subject,
    SubmitEvidence,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    Unbond,
    Withdraw,
    build_transaction,
    fee_for,
    item_id,
)
from p2pcommerce.commerce.evidence import EVIDENCE_BYTES_MAX
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.trace_pack import TracePack
from p2pcommerce.commerce.trace_transform import Output, TraceTransform
from p2pcommerce.commerce.weight import RECORDS_MAX, UNIT_WEIGHT, WEIGHT_MAX, weigh_transaction
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX
from p2pcommerce.primitives.crypto import ED25519
from tests.commerce.world import GTIN, HASH, SCHEME, TOKEN, key, seed

GENESIS = Genesis.local("test", {key("validator"): TOKEN})


@pytest.mark.parametrize(
    ("payload", "records"),
    [
        (Transfer(HASH, 1), 2),
        (RegisterValidator(0, 5), 6),
        (Bond(HASH, 5), 3),
        (Unbond(HASH, 5), 5),
        (Withdraw(HASH, 5), 3),
        (SubmitEvidence(bytes(4 * 64 + 63)), 5 + 4),
        (OrderPlace(HASH, tuple(OrderLine(i, HASH, 1) for i in range(5))), 4 + 2 * 5),
        (OrderPlace(HASH, (OrderLine(1, HASH, 1),), points=(PointsSpent(HASH, 1),)), 4 + 2 + 2),
        (OrderShip(HASH, (b"1", b"2", b"3")), 2 + 2 * 3),
        (OrderConfirm(HASH), 1),
        (OrderDispute(HASH), 2),
        (OrderResolve(HASH, 1), 1),
        (ReviewPost(HASH, 1), 2),
        (KeySet(HASH), 1),
        (CampaignSet(None, 1, 0, 1), 2),
        (CampaignSettle(HASH), 3),
        (PointsOpen(1), 2),
        (PointsGrant(HASH, 1), 3),
        (PointsTransfer(HASH, HASH, 1), 3),
        (AttestIssue(Subject(0, HASH), "x", HASH, 1), 2),
        (AttestRevoke(HASH), 2),
        (TraceCommission(GTIN, ("1", "2", "3"), None, HASH, 1), 3),
        (TraceCommission(GTIN, (), Lot("1", 9), HASH, 1), 1),
        (TraceShip((b"1", b"2"), HASH, HASH, 1), 4),
        (TraceReceive((b"1", b"2"), HASH, 1), 4),
    ],
)
def test_weight_is_bytes_and_500_per_signature_and_record(payload, records):
    plain = build_transaction(payload, GENESIS, seed("a"), 0, 9, scheme=SCHEME)
    assert weigh_transaction(payload, plain) == len(plain.raw) + UNIT_WEIGHT * (1 + records)
    sponsored = build_transaction(payload, GENESIS, seed("a"), 0, 9, sponsor=Sponsor(seed("b")), scheme=SCHEME)
    assert weigh_transaction(payload, sponsored) == len(sponsored.raw) + UNIT_WEIGHT * (2 + records)


@settings(max_examples=150, deadline=None)
@given(
    floor=st.integers(0, 2**32),
    nonce=st.integers(0, 2**64 - 1),
    expires=st.integers(0, 2**32 - 1),
    sponsored=st.booleans(),
    serials=st.integers(1, 40),
)
def test_the_least_fee_is_enough_and_one_less_is_not(floor, nonce, expires, sponsored, serials):
    payload = TraceCommission(GTIN, tuple(f"{i:02d}" for i in range(serials)), None, HASH, 1)
    fee = fee_for(payload, floor, nonce=nonce, expires_height=expires, sponsored=sponsored)
    sponsor = Sponsor(seed("b")) if sponsored else None

    def weight(fee):
        built = build_transaction(payload, GENESIS, seed("a"), nonce, expires, fee=fee, sponsor=sponsor, scheme=SCHEME)
        return weigh_transaction(payload, built)

    assert fee >= floor * weight(fee)
    assert fee == 0 or fee - 1 < floor * weight(fee - 1)


def test_a_built_transaction_pays_the_floor_of_its_chain_and_verifies():
    parameters = dataclasses.replace(ChainParameters.local(), fee_floor=7)
    genesis = Genesis.new("test", {key("validator"): TOKEN}, parameters=parameters)
    payload = Transfer(HASH, 5)
    built = build_transaction(payload, genesis, seed("a"), 3, 9, sponsor=Sponsor(seed("b")))
    assert built.verify(ED25519)
    assert (built.chain_id, built.sender, built.sponsor) == (
        genesis.hash,
        ED25519.public_key(seed("a")),
        ED25519.public_key(seed("b")),
    )
    assert built.fee == 7 * weigh_transaction(payload, built)


def test_a_given_fee_is_kept():
    assert build_transaction(Transfer(HASH, 5), GENESIS, seed("a"), 0, 9, fee=12_345, scheme=SCHEME).fee == 12_345


LOTS = tuple(sorted(item_id(key("shop"), GTIN, lot=f"{i:02d}") for i in range(64)))
SERIALS = tuple(sorted(f"{i:x}" for i in range(256)))
FULLEST = [
    SubmitEvidence(bytes(EVIDENCE_BYTES_MAX)),
    OrderPlace(HASH, (OrderLine(1, HASH, 1),) * 64, points=(PointsSpent(HASH, 1),) * 4),
    OrderShip(HASH, LOTS),
    TraceCommission(GTIN, SERIALS, None, HASH, 1),
    TraceShip(LOTS, HASH, HASH, 1),
    TracePack(LOTS[0], 1, LOTS, HASH, 1),
    TraceTransform(LOTS, (Output(GTIN, SERIALS, None),), HASH, 1),
]


@pytest.mark.parametrize("payload", FULLEST, ids=lambda payload: payload.TYPE)
def test_the_fullest_body_of_a_type_stays_below_the_greatest_weight(payload):
    assert payload.records() <= RECORDS_MAX
    built = build_transaction(payload, GENESIS, seed("a"), 2**63, 9, sponsor=Sponsor(seed("b")), scheme=SCHEME)
    assert len(built.raw) <= TRANSACTION_BYTES_MAX
    assert weigh_transaction(payload, built) <= WEIGHT_MAX


def test_a_full_transformation_writes_the_most_records_that_any_transaction_may():
    FULLEST[-1].check(Rules.of(GENESIS))
    assert FULLEST[-1].records() == RECORDS_MAX


def test_as_many_transfers_as_a_block_may_hold_fit_its_weight():
    limits = ChainParameters()
    payload = Transfer(HASH, 2**63 - 1)
    sponsored = build_transaction(
        payload, GENESIS, seed("a"), 2**63, 2**32 - 1, sponsor=Sponsor(seed("b")), scheme=SCHEME
    )
    assert limits.block_transactions_max * weigh_transaction(payload, sponsored) <= limits.block_weight_max
