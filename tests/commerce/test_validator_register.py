"""Becoming a candidate, the 256 places, and commissions that only fall."""

import dataclasses

import pytest

from p2pcommerce.commerce import Bond, RegisterValidator, Unbond
from p2pcommerce.commerce.candidates import CANDIDATES_MAX, FORMER_MAX, candidates, former
from p2pcommerce.commerce.delegation import DELEGATION_BYTES
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.validator import VALIDATOR_BYTES
from p2pcommerce.ledger.application import InvalidTransactionError
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import ValidatorUpdate
from tests.commerce.world import BALANCE, TOKEN, World, key

LEAST = TOKEN


@pytest.fixture
def world():
    return World("validator", "alice", "bob")


def validator(world, name):
    return world.query("validator", validator=key(name))


def full(lowest=5 * TOKEN):
    """A world in which all places are taken; "v255" has the least stake."""
    stakes = {f"v{n}": 10 * TOKEN for n in range(CANDIDATES_MAX - 1)} | {f"v{CANDIDATES_MAX - 1}": lowest}
    return World("alice", "bob", "v255", stakes=stakes)


def test_who_registers_with_a_bond_is_a_candidate(world):
    before = world.balance("alice")
    world.do("alice", RegisterValidator(500, LEAST), fee=20_000)
    assert world.balance("alice") == before - 20_000 - LEAST - 10 * (VALIDATOR_BYTES + DELEGATION_BYTES)
    found = validator(world, "alice")
    assert (found["bonded_minor"], found["own_minor"], found["shares"]) == (LEAST, LEAST, LEAST)
    assert (found["commission_bps"], found["candidate"], found["jailed"]) == (500, True, False)
    assert world.updates == [ValidatorUpdate(key("alice"), LEAST)]
    assert [each["public_key"] for each in world.query("validators")] == sorted(
        key(name).hex() for name in ("alice", "validator")
    )


def test_a_bond_below_the_least_is_refused(world):
    world.refused("LIMIT", "alice", RegisterValidator(500, LEAST - 1))
    world.refused("LIMIT", "alice", RegisterValidator(500, 0))
    assert validator(world, "alice") is None


def test_a_bond_above_the_balance_is_refused(world):
    world.refused("NO_FUNDS", "alice", RegisterValidator(500, BALANCE))


def test_a_commission_above_the_whole_makes_a_block_invalid(world):
    with pytest.raises(InvalidTransactionError, match="commission_bps"):
        world.try_("alice", RegisterValidator(10_001, LEAST), fee=50_000)


def test_a_commission_falls_and_never_rises(world):
    world.do("alice", RegisterValidator(500, LEAST))
    world.do("alice", RegisterValidator(400))
    assert validator(world, "alice")["commission_bps"] == 400
    assert world.updates == []
    assert "never rises" in world.refused("FORBIDDEN", "alice", RegisterValidator(401))


def test_leaving_and_coming_back_raises_no_commission(world):
    world.do("alice", RegisterValidator(0, LEAST))
    world.do("alice", Unbond(key("alice")))
    world.refused("FORBIDDEN", "alice", RegisterValidator(1, LEAST))
    world.do("alice", RegisterValidator(0, LEAST))
    assert validator(world, "alice")["candidate"]


def test_registering_again_without_a_change_is_refused(world):
    world.do("alice", RegisterValidator(500, LEAST))
    world.refused("EXISTS", "alice", RegisterValidator(500))


def test_registering_again_with_a_bond_adds_to_it(world):
    world.do("alice", RegisterValidator(500, LEAST))
    world.do("alice", RegisterValidator(500, 7))
    assert validator(world, "alice")["bonded_minor"] == LEAST + 7


def test_a_founding_validator_lowers_the_commission_that_the_genesis_gave_it(world):
    assert validator(world, "validator")["commission_bps"] == 1_000
    world.do("validator", RegisterValidator(10))
    assert validator(world, "validator")["commission_bps"] == 10


def test_a_newcomer_must_have_more_than_the_lowest_of_256():
    world = full()
    assert "256 places" in world.refused("LIMIT", "alice", RegisterValidator(0, 5 * TOKEN))
    world.do("alice", RegisterValidator(0, 5 * TOKEN + 1))
    assert world.updates == sorted(
        [ValidatorUpdate(key("alice"), 5 * TOKEN + 1), ValidatorUpdate(key("v255"), 0)],
        key=lambda update: update.public_key,
    )
    evicted = validator(world, "v255")
    assert (evicted["candidate"], evicted["jailed"], evicted["bonded_minor"]) == (False, False, 5 * TOKEN)
    listed = world.query("validators")
    assert [each["candidate"] for each in listed] == [True] * CANDIDATES_MAX + [False]
    assert listed[-1]["public_key"] == key("v255").hex()


def test_of_equal_ones_the_highest_key_loses_its_place():
    world = full(lowest=10 * TOKEN)
    world.do("alice", RegisterValidator(0, 10 * TOKEN + 1))
    highest = max(key(f"v{n}") for n in range(CANDIDATES_MAX))
    (lost,) = [update for update in world.updates if update.stake == 0]
    assert lost.public_key == highest


def test_who_lost_the_place_comes_back_with_delegated_stake():
    world = full()
    world.do("alice", RegisterValidator(0, 6 * TOKEN))
    world.refused("LIMIT", "v255", RegisterValidator(0))
    world.do("bob", Bond(key("v255"), 4 * TOKEN))
    assert world.updates == []
    world.do("v255", RegisterValidator(0))
    assert ValidatorUpdate(key("v255"), 9 * TOKEN) in world.updates
    assert ValidatorUpdate(key("alice"), 0) in world.updates


def test_a_place_that_was_left_is_free():
    world = full()
    world.do("v255", Unbond(key("v255")))
    assert world.updates == [ValidatorUpdate(key("v255"), 0)]
    world.do("alice", RegisterValidator(0, LEAST))
    assert world.updates == [ValidatorUpdate(key("alice"), LEAST)]


def test_the_list_of_former_candidates_is_bounded_and_names_each_once():
    names = [f"n{n}" for n in range(FORMER_MAX + 1)]
    world = World(*names, parameters=dataclasses.replace(ChainParameters.local(), bond_minor_min=1))
    for name in names:
        world.do(name, RegisterValidator(0, 1))
    for name in names:
        world.do(name, Unbond(key(name)))
    ledger = Ledger(world.chain.final, {})
    assert former(ledger) == tuple(key(name) for name in names[1:])
    world.do(names[5], RegisterValidator(0, 1))
    ledger = Ledger(world.chain.final, {})
    assert key(names[5]) not in former(ledger)
    assert key(names[5]) in candidates(ledger)
