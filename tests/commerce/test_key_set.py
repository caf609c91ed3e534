"""Cold and active keys."""

import dataclasses

import pytest

from p2pcommerce.commerce import KeySet, Transfer
from p2pcommerce.commerce.account import ACCOUNT, ACCOUNT_BYTES, ACTIVE_KEY_BYTES, Account
from p2pcommerce.ledger.application import Admission, InvalidTransactionError
from p2pcommerce.ledger.state import State
from tests.commerce.world import HASH, World, key


@pytest.fixture
def world():
    return World("alice", "bob", "thief")


def assert_bad_signature(world, transaction):
    """Neither the pool nor a block takes it."""
    assert world.app.check(transaction, world.chain.final, 1).code.value == "BAD_SIGNATURE"
    state = State(world.chain.final)
    with pytest.raises(InvalidTransactionError, match="BAD_SIGNATURE"):
        world.app.apply(transaction, state, world.context())
    assert state.changes == {}


def test_an_active_key_signs_everything_and_the_envelope_names_it(world):
    world.do("alice", KeySet(key("phone")))
    assert world.query("account", account=key("alice"))["active"] == key("phone").hex()
    transaction = world.build("alice", Transfer(key("bob"), 5), active="phone")
    assert (transaction.sender, transaction.key, transaction.signer) == (key("alice"), key("phone"), key("phone"))
    assert isinstance(world.app.check(transaction, world.chain.final, 1), Admission)
    world.do("alice", Transfer(key("bob"), 5), active="phone")


def test_the_cold_key_signs_nothing_else_while_there_is_an_active_one(world):
    world.do("alice", KeySet(key("phone")))
    assert_bad_signature(world, world.build("alice", Transfer(key("bob"), 5)))


def test_another_key_than_the_active_one_signs_nothing(world):
    assert_bad_signature(world, world.build("alice", Transfer(key("bob"), 5), active="thief"))
    world.do("alice", KeySet(key("phone")))
    assert_bad_signature(world, world.build("alice", Transfer(key("bob"), 5), active="thief"))


def test_the_cold_key_alone_replaces_the_active_one(world):
    world.do("alice", KeySet(key("phone")))
    assert_bad_signature(world, world.build("alice", KeySet(key("thief")), active="phone"))
    world.do("alice", KeySet(key("tablet")))
    assert_bad_signature(world, world.build("alice", Transfer(key("bob"), 5), active="phone"))
    world.do("alice", Transfer(key("bob"), 5), active="tablet")


def test_the_accounts_own_key_signs_again_when_the_active_one_is_taken_back(world):
    world.do("alice", KeySet(key("phone")))
    world.do("alice", KeySet(None))
    world.do("alice", Transfer(key("bob"), 5))
    assert_bad_signature(world, world.build("alice", Transfer(key("bob"), 5), active="phone"))


def test_the_account_itself_is_no_active_key(world):
    world.refused("FORBIDDEN", "alice", KeySet(key("alice")))


def test_an_account_with_an_active_key_sponsors_nobody(world):
    world.do("bob", KeySet(key("phone")))
    assert_bad_signature(world, world.build("alice", Transfer(key("thief"), 5), sponsor="bob"))


def test_the_deposit_of_an_active_key_comes_and_goes_with_it(world):
    before, deposit = world.balance("alice"), 10 * ACTIVE_KEY_BYTES
    transaction = world.build("alice", KeySet(key("phone")), fee=10_000)
    assert world.app.check(transaction, world.chain.final, 1).spend_minor == 10_000 + deposit
    world.do("alice", KeySet(key("phone")), fee=10_000)
    world.do("alice", KeySet(key("tablet")), fee=10_000)
    assert world.balance("alice") == before - 20_000 - deposit
    world.do("alice", KeySet(None), fee=10_000)
    world.do("alice", KeySet(None), fee=10_000)
    assert world.balance("alice") == before - 40_000


def test_who_cannot_pay_the_deposit_fails_with_no_funds():
    poor = World("alice", balance=640 + 10_000 + 399)
    poor.refused("NO_FUNDS", "alice", KeySet(key("phone")), fee=10_000)


def test_credits_and_debits_keep_the_active_key(world):
    world.do("alice", KeySet(key("phone")))
    world.do("bob", Transfer(key("alice"), 5))
    world.do("alice", Transfer(key("bob"), 5), active="phone")
    assert world.query("account", account=key("alice"))["active"] == key("phone").hex()


def test_the_largest_account_fits_its_size():
    account = Account(2**63 - 1, 2**64 - 1)
    assert len(ACCOUNT.key(HASH)) + len(ACCOUNT.write(account)) <= ACCOUNT.size(account) == ACCOUNT_BYTES
    keyed = dataclasses.replace(account, active=HASH)
    assert len(ACCOUNT.key(HASH)) + len(ACCOUNT.write(keyed)) <= ACCOUNT.size(keyed)
