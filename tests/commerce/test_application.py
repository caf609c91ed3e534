"""Envelopes, fees, failure classes, application time, and what the proposer gets."""

import dataclasses

import pytest

from p2pcommerce.commerce import BODIES, Commerce, OrderConfirm, OrderPlace, StoreSet, Transfer, scan
from p2pcommerce.commerce.account import ACCOUNT_BYTES
from p2pcommerce.commerce.order_place import OrderLine
from p2pcommerce.commerce.weight import WEIGHT_MAX
from p2pcommerce.ledger.application import UNIT_WEIGHT, Admission, Application, InvalidTransactionError, Rejection
from p2pcommerce.ledger.genesis import ChainParameters, Genesis, GenesisError
from p2pcommerce.ledger.state import State
from p2pcommerce.ledger.transaction import UnsignedTransaction, sign_transaction
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode
from tests.commerce.world import BALANCE, HASH, SCHEME, TOKEN, World, key, seed

DEPOSIT = ACCOUNT_BYTES * 10


@pytest.fixture
def world():
    return World("alice", "bob")


def raw_transaction(world, **fields):
    """Sign an envelope whatever it says."""
    given = {
        "chain_id": world.genesis.hash,
        "type": "token.transfer",
        "sender": key("alice"),
        "nonce": 0,
        "fee": 10_000,
        "expires_height": 10**6,
        "body": (key("bob"), 1),
        **fields,
    }
    sponsor = seed("bob") if given.get("sponsor") is not None else None
    return sign_transaction(UnsignedTransaction(**given), seed("alice"), SCHEME, sponsor)


def assert_invalid(world, transaction, code):
    """A block must not hold it, the state is as before, and the mempool refuses it with the same code."""
    state = State(world.chain.final)
    with pytest.raises(InvalidTransactionError) as caught:
        world.app.apply(transaction, state, world.context())
    assert caught.value.rejection is RejectionCode[code]
    assert state.changes == {}
    return caught.value.detail


def checked(world, transaction):
    return world.app.check(transaction, world.chain.final, world.height + 1)


def test_commerce_implements_the_application_protocol():
    assert isinstance(Commerce(), Application)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"chain_id": HASH}, "BAD_FORMAT"),
        ({"key": HASH}, "BAD_SIGNATURE"),
        ({"sponsor": key("alice")}, "BAD_FORMAT"),
        ({"sponsor": key("bob"), "sponsor_pays": True}, "BAD_FORMAT"),
        ({"type": "token.mint"}, "BAD_FORMAT"),
        ({"body": (key("bob"), 0)}, "BAD_FORMAT"),
        ({"body": (key("bob"), 2**63)}, "BAD_FORMAT"),
        ({"body": (key("bob"), "1")}, "BAD_FORMAT"),
        ({"body": ()}, "BAD_FORMAT"),
        ({"expires_height": 0}, "EXPIRED"),
        ({"fee": 499}, "NO_FEE"),
    ],
)
def test_a_bad_envelope_makes_the_block_invalid_and_the_mempool_refuses_it(world, fields, code):
    transaction = raw_transaction(world, **fields)
    assert_invalid(world, transaction, code)
    verdict = checked(world, transaction)
    assert isinstance(verdict, Rejection)
    assert verdict.code is RejectionCode[code]


def test_a_body_that_breaks_its_form_makes_the_block_invalid(world):
    lines = (OrderLine(2, HASH, 1), OrderLine(1, HASH, 1))
    transaction = world.build("alice", OrderPlace(key("bob"), lines))
    detail = assert_invalid(world, transaction, "BAD_FORMAT")
    assert "strictly increasing" in detail
    assert checked(world, transaction).code is RejectionCode.BAD_FORMAT


def test_a_transaction_is_valid_at_its_last_height(world):
    assert world.try_("alice", Transfer(key("bob"), 1), expires=1).ok


@pytest.mark.parametrize("nonce", [1, 2**64 - 1])
def test_a_nonce_ahead_makes_the_block_invalid_but_not_the_mempool_refuse(world, nonce):
    transaction = world.build("alice", Transfer(key("bob"), 1), nonce=nonce)
    assert_invalid(world, transaction, "BAD_NONCE")
    assert isinstance(checked(world, transaction), Admission)


def test_a_nonce_behind_is_refused_by_both(world):
    world.do("alice", Transfer(key("bob"), 1))
    transaction = world.build("alice", Transfer(key("bob"), 1), nonce=0)
    assert_invalid(world, transaction, "BAD_NONCE")
    assert checked(world, transaction).code is RejectionCode.BAD_NONCE


def test_a_sender_who_cannot_pay_the_fee_makes_the_block_invalid(world):
    assert_invalid(world, world.build("nobody", Transfer(key("bob"), 1)), "NO_FUNDS")
    assert_invalid(world, world.build("alice", Transfer(key("bob"), 1), fee=BALANCE), "NO_FUNDS")
    assert_invalid(world, world.build("alice", Transfer(key("bob"), 1), fee=2**64 - 1), "NO_FUNDS")


def test_a_failed_transaction_costs_fee_and_nonce_and_changes_nothing_else(world):
    before = world.balance("alice")
    world.refused("NO_FUNDS", "alice", Transfer(key("carol"), BALANCE), fee=7_777)
    assert world.balance("alice") == before - 7_777
    assert world.nonce("alice") == 1
    assert world.query("account", account=key("carol"))["exists"] is False


def test_a_failure_gives_a_sentence_of_limited_length(world):
    detail = world.refused("NOT_FOUND", "alice", OrderConfirm(HASH))
    assert detail == "there is no such order, or it was closed"


def test_the_event_names_each_id_once(world):
    outcome = world.try_("alice", Transfer(key("alice"), 5))
    assert [(event.name, event.ids) for event in outcome.events] == [("token.transfer", (key("alice"),))]


def test_the_proposer_gets_the_fees_of_its_block(world):
    world.do("alice", Transfer(key("bob"), 1), fee=6_000)
    world.do("bob", Transfer(key("alice"), 1), fee=7_000)
    (validator,) = world.query("validators")
    assert (validator["public_key"], validator["rewards_minor"]) == (key("validator").hex(), 13_000)
    assert world.query("supply")["fee_pot_minor"] == 0


def test_fees_of_an_unknown_proposer_wait_for_the_next_one(world):
    world.block(world.build("alice", Transfer(key("bob"), 1), fee=6_000), proposer="stranger")
    assert world.query("supply")["fee_pot_minor"] == 6_000
    world.block()
    assert world.query("supply")["fee_pot_minor"] == 0
    assert world.query("validators")[0]["rewards_minor"] == 6_000


@pytest.mark.parametrize(("step_ms", "advance_ms"), [(5, 5), (60_000, 60_000), (86_400_000, 60_000), (-5, 0)])
def test_application_time_advances_by_at_most_60_s_per_block(world, step_ms, advance_ms):
    world.block(step_ms=step_ms)
    assert world.now_ms() == advance_ms


def test_a_sponsor_pays_the_fee_and_the_senders_account(world):
    before = world.balance("bob")
    world.refused("NO_FUNDS", "carol", Transfer(key("alice"), 5), fee=10_000, sponsor="bob")
    assert world.balance("bob") == before - 10_000 - DEPOSIT
    assert world.query("account", account=key("carol")) == {
        "balance_minor": 0,
        "nonce": 1,
        "exists": True,
        "active": None,
    }
    world.do("alice", Transfer(key("carol"), 50))
    world.do("carol", Transfer(key("alice"), 20), fee=10_000, sponsor="bob")
    assert world.balance("carol") == 30
    assert world.balance("bob") == before - 20_000 - DEPOSIT


def test_a_sponsor_without_funds_makes_the_block_invalid(world):
    transaction = world.build("alice", Transfer(key("bob"), 1), sponsor="nobody")
    assert_invalid(world, transaction, "NO_FUNDS")
    assert checked(world, transaction).code is RejectionCode.NO_FUNDS


def test_admission_tells_weight_payer_spend_balance_and_nonce(world):
    world.do("alice", Transfer(key("bob"), 1))
    transaction = world.build("alice", Transfer(key("bob"), 5), nonce=3)
    verdict = checked(world, transaction)
    weight = len(transaction.raw) + UNIT_WEIGHT * (1 + 2)
    assert verdict == Admission(weight, key("alice"), 5 + transaction.fee, world.balance("alice"), 1)
    assert world.app.weight(transaction) == weight


def test_admission_of_a_sponsored_new_sender_counts_the_account(world):
    transaction = world.build("carol", Transfer(key("bob"), 5), sponsor="bob")
    verdict = checked(world, transaction)
    assert verdict.payer == key("bob")
    assert verdict.spend_minor == transaction.fee + DEPOSIT
    assert verdict.weight == len(transaction.raw) + UNIT_WEIGHT * (2 + 2)


def test_admission_refuses_what_the_payer_cannot_pay(world):
    verdict = checked(world, world.build("alice", Transfer(key("bob"), BALANCE)))
    assert verdict.code is RejectionCode.NO_FUNDS
    assert checked(world, world.build("nobody", Transfer(key("bob"), 5))).code is RejectionCode.NO_FUNDS


def test_admission_counts_the_deposit_of_new_records(world):
    transaction = world.build("alice", StoreSet("A", HASH, HASH))
    assert checked(world, transaction).spend_minor == transaction.fee + (304 + 72) * 10


def test_admission_refuses_what_the_body_alone_forbids(world):
    lines = (OrderLine(1, HASH, 1), OrderLine(2, HASH, 1))
    verdict = checked(world, world.build("alice", OrderPlace(key("bob"), lines, team=HASH)))
    assert verdict.code is RejectionCode.BAD_FORMAT
    assert "one line" in verdict.detail


def test_the_weight_of_an_unreadable_body_is_its_bytes_and_signatures(world):
    transaction = raw_transaction(world, type="token.mint")
    assert world.app.weight(transaction) == len(transaction.raw) + UNIT_WEIGHT


def test_genesis_takes_each_accounts_deposit_from_its_balance(world):
    assert world.balance("alice") == BALANCE - DEPOSIT
    assert world.query("supply")["deposits_minor"] == 2 * DEPOSIT
    assert scan(world.chain.values).state_bytes == 2 * ACCOUNT_BYTES


def test_genesis_refuses_a_balance_below_its_deposit():
    genesis = Genesis.local("test", {key("validator"): TOKEN}, {key("alice"): DEPOSIT - 1})
    with pytest.raises(GenesisError, match=key("alice").hex()):
        Commerce().genesis(genesis)


def test_genesis_refuses_an_absurd_time():
    with pytest.raises(GenesisError, match="time_ms"):
        Commerce().genesis(Genesis.local("test", {key("validator"): TOKEN}, time_ms=2**53 + 1))


def test_genesis_refuses_blocks_that_could_not_hold_the_heaviest_transaction():
    def founded(weight_max):
        parameters = dataclasses.replace(ChainParameters.local(), block_weight_max=weight_max)
        return Commerce().genesis(Genesis.new("test", {key("validator"): TOKEN}, parameters=parameters))

    assert founded(WEIGHT_MAX)
    with pytest.raises(GenesisError, match=f"would fit no block; set it to {WEIGHT_MAX} or more"):
        founded(WEIGHT_MAX - 1)


def test_a_state_of_another_application_is_refused(world):
    state = State({})
    with pytest.raises(LocalProtocolError, match="not of a commerce genesis"):
        world.app.begin_block(state, world.context())


def test_rules_come_from_the_genesis_in_the_state():
    parameters = dataclasses.replace(ChainParameters.local(), fee_floor=3, byte_price=0)
    world = World("alice", "bob", parameters=parameters)
    transaction = world.build("alice", Transfer(key("carol"), 1))
    assert transaction.fee == 3 * world.app.weight(transaction)
    assert world.block(transaction)[0].ok
    assert world.balance("carol") == 1


def test_an_embedding_application_may_add_types_without_a_global_table(world):
    class Gift(Transfer):
        __slots__ = ()
        TYPE = "gift"

    app = Commerce({**BODIES, "gift": Gift})
    app.genesis(world.genesis)
    transaction = raw_transaction(world, type="gift")
    assert app.apply(transaction, State(world.chain.final), world.context()).ok
    assert_invalid(world, transaction, "BAD_FORMAT")
