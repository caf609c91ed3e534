"""Transfers of the token."""

import pytest

from p2pcommerce.commerce import Transfer
from p2pcommerce.commerce.account import ACCOUNT_BYTES
from tests.commerce.world import BALANCE, World, key

DEPOSIT = ACCOUNT_BYTES * 10


@pytest.fixture
def world():
    return World("alice", "bob")


def test_a_transfer_moves_the_amount(world):
    alice, bob = world.balance("alice"), world.balance("bob")
    world.do("alice", Transfer(key("bob"), 1_234), fee=10_000)
    assert world.balance("alice") == alice - 1_234 - 10_000
    assert world.balance("bob") == bob + 1_234


def test_a_transfer_to_oneself_costs_only_the_fee(world):
    before = world.balance("alice")
    world.do("alice", Transfer(key("alice"), 5), fee=10_000)
    assert world.balance("alice") == before - 10_000


def test_a_new_account_pays_its_deposit_from_its_first_credit(world):
    world.do("alice", Transfer(key("carol"), DEPOSIT + 7))
    assert world.query("account", account=key("carol")) == {
        "balance_minor": 7,
        "nonce": 0,
        "exists": True,
        "active": None,
    }


def test_a_first_credit_may_be_just_the_deposit(world):
    world.do("alice", Transfer(key("carol"), DEPOSIT))
    assert world.query("account", account=key("carol"))["exists"] is True


def test_a_first_credit_below_the_deposit_fails_with_limit(world):
    assert str(DEPOSIT) in world.refused("LIMIT", "alice", Transfer(key("carol"), DEPOSIT - 1))


def test_a_transfer_above_the_balance_fails_with_no_funds(world):
    world.refused("NO_FUNDS", "alice", Transfer(key("bob"), BALANCE))


def test_the_whole_balance_can_be_sent(world):
    world.do("alice", Transfer(key("bob"), world.balance("alice") - 10_000), fee=10_000)
    assert world.query("account", account=key("alice")) == {
        "balance_minor": 0,
        "nonce": 1,
        "exists": True,
        "active": None,
    }
