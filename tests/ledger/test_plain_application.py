"""The base for applications of one's own: nobody acts for another, a refusal costs the fee alone, money stays."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from p2pcommerce.ledger.application import (
    UNIT_WEIGHT,
    Admission,
    BlockContext,
    InvalidTransactionError,
    QueryError,
    Rejection,
)
from p2pcommerce.ledger.plain_application import PlainApplication, RefusedError
from p2pcommerce.ledger.state import State, VersionedState
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.codec import Shape, uint
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode
from tests.runtime.nodes import RICH, genesis_of, identity

GENESIS = genesis_of(11)
ANN, BOB, PROPOSER = (identity(number) for number in (1, 2, 11))
FEE = 4_000


class Gifts(PlainApplication):
    """`gift.give`: an amount for Bob, written down before it is paid."""

    name = "gifts"
    bodies: ClassVar = {"gift.give": Shape(lambda plain: uint(2**63 - 1).read(plain[0]), lambda amount: (amount,))}

    def execute(self, payload, sender, state, context):
        state.put(b"gift" + sender, b"tried")
        self.pay(state, sender, BOB.public_key, payload)
        return (sender,)


def unsigned(amount=5, **fields):
    values = {
        "chain_id": GENESIS.hash,
        "type": "gift.give",
        "sender": ANN.public_key,
        "nonce": 0,
        "fee": FEE,
        "expires_height": 10,
        "body": (amount,),
    }
    return UnsignedTransaction(**(values | fields))


def signed(amount=5, **fields):
    return sign_transaction(unsigned(amount, **fields), ANN.seed, ED25519)


@pytest.fixture
def chain():
    return VersionedState(Gifts().genesis(GENESIS))


def context_at(height=1):
    return BlockContext(
        genesis=GENESIS,
        height=height,
        epoch=0,
        time_ms=100,
        parent_time_ms=0,
        proposer=PROPOSER.public_key,
        convict=lambda evidence: None,
    )


def run(chain, transaction, height=1):
    state = State(chain.final)
    outcome = Gifts().apply(transaction, state, context_at(height))
    Gifts().audit(GENESIS, chain.final, state.changes)
    return outcome, state


def has(state, who):
    return Gifts.balance_minor(state, who.public_key)


def test_what_is_executed_costs_fee_and_nonce_and_the_proposer_has_the_fee(chain):
    outcome, state = run(chain, signed(5))
    assert outcome.ok
    assert (has(state, ANN), has(state, BOB), has(state, PROPOSER)) == (RICH - 5 - FEE, RICH + 5, FEE)
    assert Gifts().query("account", {"account": ANN.public_key.hex()}, state) == {
        "balance_minor": RICH - 5 - FEE,
        "nonce": 1,
    }


def test_what_is_refused_costs_fee_and_nonce_and_leaves_nothing_else(chain):
    outcome, state = run(chain, signed(RICH))
    assert (outcome.code, outcome.events) == (RejectionCode.NO_FUNDS, ())
    assert state.get(b"gift" + ANN.public_key) is None
    assert (has(state, ANN), has(state, BOB), has(state, PROPOSER)) == (RICH - FEE, RICH, FEE)
    with pytest.raises(InvalidTransactionError, match="BAD_NONCE"):
        Gifts().apply(signed(1), state, context_at())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"nonce": 1}, "BAD_NONCE"),
        ({"expires_height": 0}, "EXPIRED"),
        ({"fee": 100}, "NO_FEE"),
        ({"fee": RICH + 1}, "NO_FUNDS"),
        ({"type": "gift.take"}, "BAD_FORMAT"),
        ({"body": ("five",)}, "BAD_FORMAT"),
    ],
)
def test_a_block_with_a_bad_envelope_is_invalid_and_the_state_as_before(chain, fields, code):
    state = State(chain.final)
    with pytest.raises(InvalidTransactionError, match=code):
        Gifts().apply(signed(**fields), state, context_at())
    assert state.changes == {}


def test_nobody_signs_for_another_account_by_a_key_or_a_sponsor(chain):
    keyed = sign_transaction(unsigned(key=BOB.public_key), BOB.seed, ED25519)
    sponsored = sign_transaction(unsigned(sponsor=BOB.public_key), ANN.seed, ED25519, BOB.seed)
    for transaction in (keyed, sponsored):
        assert transaction.verify(ED25519)
        with pytest.raises(InvalidTransactionError, match="BAD_SIGNATURE"):
            run(chain, transaction)
        verdict = Gifts().check(transaction, chain.final, 1)
        assert isinstance(verdict, Rejection)
        assert verdict.code is RejectionCode.BAD_SIGNATURE


def test_the_pool_is_told_balance_nonce_and_weight(chain):
    transaction = signed(nonce=7)
    admission = Gifts().check(transaction, chain.final, 1)
    assert admission == Admission(len(transaction.raw) + 5 * UNIT_WEIGHT, ANN.public_key, FEE, RICH, 0)
    _, state = run(chain, signed(5))
    stale = Gifts().check(signed(6), state, 1)
    assert isinstance(stale, Rejection)
    assert stale.code is RejectionCode.BAD_NONCE


def test_no_amount_below_nothing_is_paid(chain):
    state = State(chain.final)
    with pytest.raises(RefusedError):
        Gifts.pay(state, ANN.public_key, BOB.public_key, -1)
    assert state.changes == {}


def test_paying_oneself_changes_nothing(chain):
    state = State(chain.final)
    Gifts.pay(state, ANN.public_key, ANN.public_key, 7)
    assert has(state, ANN) == RICH


def test_a_block_that_makes_money_is_a_defect(chain):
    _, state = run(chain, signed(5))
    key = b"a" + BOB.public_key
    with pytest.raises(LocalProtocolError, match="gifts"):
        Gifts().audit(GENESIS, chain.final, {**state.changes, key: state.get(b"a" + ANN.public_key)})


@pytest.mark.parametrize(("name", "arguments"), [("soup", {}), ("account", {}), ("account", {"account": "xyz"})])
def test_a_wrong_question_is_told(chain, name, arguments):
    with pytest.raises(QueryError):
        Gifts().query(name, arguments, chain.final)


def test_the_envelope_is_checked_for_any_application():
    context = context_at(10)
    context.require_envelope(signed(), 500)
    with pytest.raises(InvalidTransactionError, match="EXPIRED"):
        replace(context, height=11).require_envelope(signed(), 500)
    with pytest.raises(InvalidTransactionError, match="NO_FEE"):
        context.require_envelope(signed(), FEE + 1)
