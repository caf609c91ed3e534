"""Bonding, unbonding, withdrawing, and the fees of delegators."""

import dataclasses

import pytest

from p2pcommerce.commerce import Bond, RegisterValidator, SubmitEvidence, Transfer, Unbond, Withdraw
from p2pcommerce.commerce.delegation import DELEGATION, DELEGATION_BYTES, UNBONDING_BYTES, UNBONDINGS_MAX
from p2pcommerce.commerce.epoch_clock import EPOCH_CLOCK, EPOCH_START
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.queries import answer
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.epochs import set_key
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import VALIDATORS, Offence, Validator, ValidatorUpdate
from p2pcommerce.primitives.codec import encode
from tests.commerce.world import BALANCE, TOKEN, World, key

LEAST = TOKEN
STAKE = 1_000 * TOKEN
V = key("validator")
WAIT_S = ChainParameters.local().unbonding_s


@pytest.fixture
def world():
    world = World("validator", "alice", "bob", "carol")
    world.proposer = "nobody"  # whose fees wait in the pot: delegators would have a part in those of the tests
    return world


def stake(world, name, validator="validator"):
    found = world.query("stake", account=key(name), validator=key(validator))
    return found[0] if found else None


def leave(world, epochs=2):
    """Let unbonded stake leave the set, and wait."""
    for _ in range(epochs):
        world.enter(world.epoch + 1)
    world.wait(WAIT_S)


def gain(world, name, payload):
    """Return what a transaction gave to its sender, besides its fee and deposits."""
    before, held = world.balance(name), deposits(world)
    world.do(name, payload, fee=10_000)
    return world.balance(name) - before + 10_000 + deposits(world) - held


def deposits(world):
    return world.query("supply")["deposits_minor"]


# --- bond ---


def test_a_bond_moves_stake_to_the_pool_and_is_reported(world):
    before = world.balance("alice")
    world.do("alice", Bond(V, 5 * TOKEN), fee=10_000)
    assert world.balance("alice") == before - 5 * TOKEN - 10_000 - 10 * DELEGATION_BYTES
    assert world.updates == [ValidatorUpdate(V, STAKE + 5 * TOKEN)]
    assert stake(world, "alice")["bonded_minor"] == 5 * TOKEN
    assert world.query("supply")["bonded_minor"] == STAKE + 5 * TOKEN


def test_only_changed_validators_are_reported(world):
    world.do("alice", Transfer(key("bob"), 1))
    assert world.updates == []
    world.block(world.build("alice", Bond(V, LEAST)), world.build("bob", Bond(V, LEAST)))
    assert world.updates == [ValidatorUpdate(V, STAKE + 2 * LEAST)]
    world.block(world.build("alice", Unbond(V)), world.build("carol", Bond(V, LEAST)))
    assert world.updates == []


def test_a_bond_to_nobody_is_refused(world):
    world.refused("NOT_FOUND", "alice", Bond(key("bob"), LEAST))


def test_a_bond_below_the_least_is_refused(world):
    world.refused("LIMIT", "alice", Bond(V, LEAST - 1))
    world.do("alice", Bond(V, LEAST))
    world.do("alice", Bond(V, 1))
    assert stake(world, "alice")["bonded_minor"] == LEAST + 1


def test_a_bond_above_the_balance_is_refused(world):
    world.refused("NO_FUNDS", "alice", Bond(V, BALANCE))


def test_the_deposit_of_a_delegation_is_part_of_what_it_spends(world):
    spend = world.balance("alice") - 10_000
    world.refused("NO_FUNDS", "alice", Bond(V, spend - 10 * DELEGATION_BYTES + 1), fee=10_000)
    world.do("alice", Bond(V, world.balance("alice") - 10_000 - 10 * DELEGATION_BYTES), fee=10_000)
    assert world.balance("alice") == 0


# --- unbond ---


def test_unbonded_stake_is_no_stake_at_once(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    world.do("alice", Unbond(V, 2 * TOKEN))
    assert world.updates == [ValidatorUpdate(V, STAKE + 3 * TOKEN)]
    found = stake(world, "alice")
    assert found["bonded_minor"] == 3 * TOKEN
    assert found["unbonding"] == [{"epoch": 0, "amount_minor": 2 * TOKEN, "may_withdraw": False}]


def test_unbonding_leaves_nothing_or_at_least_the_least_bond(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    world.refused("LIMIT", "alice", Unbond(V, 5 * TOKEN - LEAST + 1))
    world.do("alice", Unbond(V, 5 * TOKEN - LEAST))
    world.do("alice", Unbond(V, LEAST))
    assert stake(world, "alice")["bonded_minor"] == 0


def test_unbonding_zero_is_unbonding_all(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    world.do("alice", Unbond(V))
    found = stake(world, "alice")
    assert (found["bonded_minor"], found["unbonding"][0]["amount_minor"]) == (0, 5 * TOKEN)


def test_unbonding_more_than_is_bonded_is_refused(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    world.refused("NO_FUNDS", "alice", Unbond(V, 5 * TOKEN + 1))


def test_unbonding_without_stake_is_refused(world):
    world.refused("NOT_FOUND", "alice", Unbond(V, 1))
    world.refused("NOT_FOUND", "alice", Unbond(key("bob"), 1))
    world.do("alice", Bond(V, LEAST))
    world.do("alice", Unbond(V))
    world.refused("NOT_FOUND", "alice", Unbond(V))


def test_stake_unbonded_in_one_epoch_is_one_entry(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    before = world.balance("alice")
    world.do("alice", Unbond(V, TOKEN), fee=10_000)
    world.do("alice", Unbond(V, TOKEN), fee=10_000)
    assert len(stake(world, "alice")["unbonding"]) == 1
    assert world.balance("alice") == before - 20_000 - 10 * UNBONDING_BYTES
    world.enter(1)
    world.do("alice", Unbond(V, TOKEN))
    assert [entry["epoch"] for entry in stake(world, "alice")["unbonding"]] == [0, 1]


def test_stake_of_too_many_epochs_does_not_wait(world):
    world.do("alice", Bond(V, 100 * TOKEN))
    for epoch in range(UNBONDINGS_MAX):
        world.enter(epoch)
        world.do("alice", Unbond(V, TOKEN))
    world.enter(UNBONDINGS_MAX)
    assert "withdraw some first" in world.refused("LIMIT", "alice", Unbond(V, TOKEN))


def test_a_validator_that_unbonds_all_of_its_own_is_no_candidate(world):
    world.do("alice", RegisterValidator(0, 5 * TOKEN))
    world.do("bob", Bond(key("alice"), 50 * TOKEN))
    world.do("alice", Unbond(key("alice"), TOKEN))
    assert world.updates == [ValidatorUpdate(key("alice"), 54 * TOKEN)]
    world.do("alice", Unbond(key("alice")))
    assert world.updates == [ValidatorUpdate(key("alice"), 0)]
    found = world.query("validator", validator=key("alice"))
    assert (found["candidate"], found["bonded_minor"], found["own_minor"]) == (False, 50 * TOKEN, 0)
    world.do("bob", Unbond(key("alice")))
    leave(world)
    assert gain(world, "bob", Withdraw(key("alice"))) == 50 * TOKEN


# --- withdraw ---


def test_stake_is_withdrawn_a_while_after_it_left_the_set(world):
    world.do("alice", Bond(V, 5 * TOKEN))
    world.enter(3)
    world.do("alice", Unbond(V, 2 * TOKEN))
    world.wait(2 * WAIT_S)
    world.refused("TOO_EARLY", "alice", Withdraw(V))  # it still votes
    world.enter(4)
    world.wait(2 * WAIT_S)
    world.refused("TOO_EARLY", "alice", Withdraw(V))  # for the last epoch
    world.enter(5)
    left_ms = world.now_ms()
    world.wait(WAIT_S - 1)
    world.refused("TOO_EARLY", "alice", Withdraw(V))
    assert not stake(world, "alice")["unbonding"][0]["may_withdraw"]
    world.block(step_ms=left_ms + WAIT_S * 1_000 - world.now_ms() - 1)
    assert not stake(world, "alice")["unbonding"][0]["may_withdraw"]
    # One millisecond later, which the block of the withdrawal brings:
    assert gain(world, "alice", Withdraw(V)) == 2 * TOKEN
    found = stake(world, "alice")
    assert (found["bonded_minor"], found["unbonding"]) == (3 * TOKEN, [])


def test_a_delegation_that_holds_nothing_is_removed_and_its_deposit_returned(world):
    before = world.balance("alice")
    world.do("alice", Bond(V, 5 * TOKEN), fee=10_000)
    world.do("alice", Unbond(V), fee=10_000)
    leave(world)
    world.do("alice", Withdraw(V), fee=10_000)
    assert stake(world, "alice") is None
    assert world.balance("alice") == before - 30_000
    world.refused("NOT_FOUND", "alice", Withdraw(V))


def test_a_part_is_withdrawn_and_the_oldest_goes_first(world):
    world.do("alice", Bond(V, 9 * TOKEN))
    for epoch in range(3):
        world.enter(epoch)
        world.do("alice", Unbond(V, TOKEN))
    leave(world, epochs=1)
    entries = stake(world, "alice")["unbonding"]
    assert [entry["may_withdraw"] for entry in entries] == [True, True, False]
    world.refused("TOO_EARLY", "alice", Withdraw(V, 2 * TOKEN + 1))
    world.refused("NO_FUNDS", "alice", Withdraw(V, 3 * TOKEN + 1))
    assert gain(world, "alice", Withdraw(V, TOKEN + 5)) == TOKEN + 5
    assert [entry["amount_minor"] for entry in stake(world, "alice")["unbonding"]] == [TOKEN - 5, TOKEN]
    assert gain(world, "alice", Withdraw(V)) == TOKEN - 5
    assert [entry["epoch"] for entry in stake(world, "alice")["unbonding"]] == [2]


def test_founding_stake_is_withdrawn_like_any_other(world):
    world.do("validator", Unbond(V, 10 * TOKEN))
    leave(world)
    assert gain(world, "validator", Withdraw(V)) == 10 * TOKEN
    world.do("validator", Unbond(V))
    leave(world)
    world.do("validator", Withdraw(V))
    assert stake(world, "validator") is None
    assert world.query("supply")["bonded_minor"] == 0


def test_starts_of_epochs_are_forgotten_when_their_time_is_over(world):
    def kept():
        return [k[1:] for k in world.chain.values if k[:1] == EPOCH_START.tag]

    for epoch in range(1, 6):
        world.enter(epoch)
        world.wait(WAIT_S // 2)
    assert len(kept()) <= 4
    clock = world.get(EPOCH_CLOCK)
    assert clock.epoch == 5
    assert min(kept()) == clock.oldest.to_bytes(4, "big")
    world.do("alice", Bond(V, LEAST))
    world.do("alice", Unbond(V))
    for epoch in range(6, 12):
        world.enter(epoch)
        world.wait(WAIT_S)
    assert world.get(EPOCH_CLOCK).oldest > 7
    assert gain(world, "alice", Withdraw(V)) == LEAST  # of an epoch whose start is forgotten


# --- fees ---


def fees(world, amount, proposer="validator"):
    """Let a proposer earn an amount, with what is in the pot."""
    rest = amount - world.query("supply")["fee_pot_minor"]
    world.block(world.build("carol", Transfer(key("carol"), 1), fee=rest), proposer=proposer)


def test_fees_go_to_delegators_by_stake_after_the_commission():
    world = World("alice", "bob", "carol", "dave")
    world.proposer = "nobody"
    world.do("dave", RegisterValidator(2_500, 10 * TOKEN))
    world.do("alice", Bond(key("dave"), 20 * TOKEN))
    world.do("bob", Bond(key("dave"), 10 * TOKEN))
    fees(world, 40_000, proposer="dave")
    assert gain(world, "alice", Withdraw(key("dave"))) == 15_000
    assert gain(world, "bob", Withdraw(key("dave"))) == 7_500
    assert gain(world, "dave", Withdraw(key("dave"))) == 17_500
    assert world.query("validator", validator=key("dave"))["rewards_minor"] == 0


def test_fees_are_paid_once(world):
    world.do("alice", Bond(V, STAKE // 2))
    fees(world, 30_000)
    assert stake(world, "alice")["earned_minor"] == 9_000
    assert gain(world, "alice", Withdraw(V)) == 9_000
    world.refused("TOO_EARLY", "alice", Withdraw(V))
    fees(world, 60_000)
    assert gain(world, "alice", Bond(V, LEAST)) == 18_000 - LEAST
    assert gain(world, "alice", Unbond(V, LEAST)) == 0
    world.refused("TOO_EARLY", "alice", Withdraw(V))
    assert gain(world, "validator", Withdraw(V)) == 30_000 + 60_000 - 9_000 - 18_000


def test_who_bonds_later_has_no_part_in_fees_from_before(world):
    fees(world, 10**6)
    world.do("alice", Bond(V, STAKE // 2))
    assert stake(world, "alice")["earned_minor"] == 0
    fees(world, 30_000)
    assert gain(world, "alice", Bond(V, STAKE // 4)) == 9_000 - STAKE // 4
    assert stake(world, "alice")["earned_minor"] == 0


def test_unbonding_stake_earns_nothing(world):
    world.do("alice", Bond(V, STAKE // 2))
    world.do("alice", Unbond(V))
    assert stake(world, "alice")["earned_minor"] == 0
    fees(world, 10**6)
    assert stake(world, "alice")["earned_minor"] == 0


def test_nothing_to_withdraw_is_refused(world):
    world.do("alice", Bond(V, LEAST))
    world.do("alice", Unbond(V))
    world.refused("TOO_EARLY", "alice", Withdraw(V))
    world.refused("NOT_FOUND", "bob", Withdraw(V))
    world.refused("NOT_FOUND", "alice", Withdraw(key("bob")))


def test_a_proposer_without_stake_keeps_its_fees_as_commission():
    world = World("alice", "bob", "carol")
    world.do("alice", RegisterValidator(0, LEAST))
    world.do("alice", Unbond(key("alice")))
    leave(world)
    world.do("alice", Withdraw(key("alice")))
    assert stake(world, "alice", "alice") is None
    world.proposer = "nobody"
    fees(world, 50_000, proposer="alice")
    assert gain(world, "alice", Withdraw(key("alice"))) == 50_000
    world.refused("NOT_FOUND", "alice", Withdraw(key("alice")))


def test_what_rounding_left_of_fees_becomes_commission_when_the_last_share_leaves():
    parameters = dataclasses.replace(ChainParameters.local(), bond_minor_min=1)
    world = World("alice", "bob", "carol", "dave", parameters=parameters)
    world.do("dave", RegisterValidator(0, 1))
    for name in ("alice", "bob"):
        world.do(name, Bond(key("dave"), 1))
    world.proposer = "nobody"
    fees(world, 60_002, proposer="dave")
    for name in ("alice", "bob", "dave"):
        assert stake(world, name, "dave")["earned_minor"] == 20_000
        world.do(name, Unbond(key("dave")))
    record = world.get(VALIDATOR, key("dave"))
    assert (record.rewards_minor, record.commission_minor) == (0, 2)


# --- slashes ---


def slash(world, name="validator", epoch=0, reporter="carol"):
    evidence = f"{name} {epoch}".encode()
    world.offences[evidence] = Offence(key(name), epoch, "E1")
    world.do(reporter, SubmitEvidence(evidence))


def test_unbonding_first_does_not_save_from_a_slash(world):
    world.do("alice", Bond(V, 50 * TOKEN))
    world.do("bob", Bond(V, 50 * TOKEN))
    world.do("alice", Unbond(V))
    slash(world)
    assert stake(world, "alice")["unbonding"][0]["amount_minor"] == 45 * TOKEN
    assert stake(world, "bob")["bonded_minor"] == 45 * TOKEN
    leave(world)
    slash(world, epoch=1)  # until it is withdrawn
    assert gain(world, "alice", Withdraw(V)) == 40_500_000


def test_stake_of_a_jailed_validator_is_unbonded_and_withdrawn(world):
    world.do("alice", Bond(V, 50 * TOKEN))
    slash(world)
    world.refused("BAD_STATE", "bob", Bond(V, TOKEN))
    world.do("alice", Unbond(V))
    leave(world)
    assert gain(world, "alice", Withdraw(V)) == 45 * TOKEN
    assert world.updates == []


def test_stake_that_a_slash_took_below_the_least_bond_leaves_as_a_whole(world):
    world.do("alice", Bond(V, LEAST))
    slash(world)
    world.refused("LIMIT", "alice", Unbond(V, 1))
    world.do("alice", Unbond(V))
    assert stake(world, "alice")["unbonding"][0]["amount_minor"] == LEAST * 9 // 10


def test_a_slash_of_everything_leaves_shares_that_are_worth_nothing():
    parameters = dataclasses.replace(ChainParameters.local(), slash_bps=10_000)
    world = World("validator", "alice", "bob", "carol", parameters=parameters)
    world.do("alice", Bond(V, 2 * TOKEN))
    world.do("bob", Bond(V, 2 * TOKEN))
    world.do("alice", Unbond(V, TOKEN))
    slash(world)
    assert world.query("supply")["bonded_minor"] == 0
    world.do("alice", Unbond(V))
    world.do("bob", Unbond(V))
    assert world.get(DELEGATION, V + key("bob")) is None
    leave(world)
    world.do("alice", Withdraw(V))
    assert world.get(DELEGATION, V + key("alice")) is None


def test_where_the_sets_of_the_chain_say_so_a_validator_is_in_the_set(world):
    world.do("alice", RegisterValidator(0, LEAST))
    assert {each["public_key"]: each["in_set"] for each in world.query("validators")} == {
        V.hex(): True,
        key("alice").hex(): False,
    }
    kept = dict(world.chain.values) | {set_key(0): encode(VALIDATORS, (Validator(key("alice"), LEAST),))}
    answers = answer("validators", {}, Ledger(kept, {}))
    assert {each["public_key"]: each["in_set"] for each in answers} == {V.hex(): False, key("alice").hex(): True}
