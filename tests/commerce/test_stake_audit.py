"""The books of stake, and that wrong ones are noticed."""

import dataclasses

import pytest

from p2pcommerce.commerce import Bond, RegisterValidator, Transfer, Unbond, scan
from p2pcommerce.commerce.candidates import ROSTER, Roster
from p2pcommerce.commerce.delegation import DELEGATION, Delegation
from p2pcommerce.commerce.evidence import OFFENCE, OffenceRecord, offence_id
from p2pcommerce.commerce.pool import Pool
from p2pcommerce.commerce.stake_audit import audit_stake, scan_stake
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.state import State
from p2pcommerce.primitives.errors import LocalProtocolError
from tests.commerce.world import TOKEN, World, key

V = key("validator")
RECORD = VALIDATOR.key(V)
ALICE = DELEGATION.key(V + key("alice"))


@pytest.fixture
def world():
    world = World("validator", "alice", "bob")
    world.do("alice", Bond(V, 5 * TOKEN))
    world.do("alice", Unbond(V, TOKEN))
    return world


@pytest.fixture
def changes(world):
    """What a block changes in which alice bonds and unbonds, not yet audited."""
    state, context = State(world.chain.final), world.context()
    world.app.begin_block(state, context)
    for nonce, payload in enumerate((Bond(V, 3 * TOKEN), Unbond(V, TOKEN)), start=world.nonce("alice")):
        assert world.app.apply(world.build("alice", payload, nonce=nonce), state, context).ok
    world.app.end_block(state, context)
    return state.changes


def change(values, state_key, kind, **fields):
    values[state_key] = kind.write(dataclasses.replace(kind.read(values[state_key]), **fields))


def test_an_honest_block_passes(world, changes):
    audit_stake(world.chain.final, changes)
    audit_stake(world.chain.final, {})


def test_shares_of_nobody_are_noticed(world, changes):
    record = VALIDATOR.read(changes[RECORD])
    change(changes, RECORD, VALIDATOR, active=Pool(record.active.minor, record.active.shares + 1))
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        audit_stake(world.chain.final, changes)


def test_shares_from_nowhere_are_noticed(world, changes):
    change(changes, ALICE, DELEGATION, shares=DELEGATION.read(changes[ALICE]).shares + 1)
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        audit_stake(world.chain.final, changes)


def test_a_delegation_whose_validator_did_not_change_is_noticed(world):
    values = {ALICE: world.chain.values[ALICE]}
    change(values, ALICE, DELEGATION, unbondings=())
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        audit_stake(world.chain.final, values)


def test_a_delegation_to_nobody_is_noticed(world):
    stray = {DELEGATION.key(bytes(32) + key("alice")): DELEGATION.write(Delegation(5, 0, (), is_founding=False))}
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        audit_stake(world.chain.final, stray)


def test_a_removed_delegation_is_noticed(world):
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        audit_stake(world.chain.final, {ALICE: None})


def test_a_share_that_lost_value_without_a_slash_is_noticed(world, changes):
    record = VALIDATOR.read(changes[RECORD])
    change(changes, RECORD, VALIDATOR, active=Pool(record.active.minor - 1, record.active.shares))
    with pytest.raises(LocalProtocolError, match="without a slash"):
        audit_stake(world.chain.final, changes)
    changes[OFFENCE.key(offence_id(V, 0))] = OFFENCE.write(OffenceRecord("E1", 1, key("bob"), 0))
    audit_stake(world.chain.final, changes)


def test_a_share_that_gained_value_is_noticed(world, changes):
    record = VALIDATOR.read(changes[RECORD])
    change(changes, RECORD, VALIDATOR, unbonding=Pool(record.unbonding.minor + 1, record.unbonding.shares))
    with pytest.raises(LocalProtocolError, match="worth more than it ever was"):
        audit_stake(world.chain.final, changes)


def test_a_broken_record_is_noticed(world, changes):
    changes[ALICE] = b"\x00"
    with pytest.raises(LocalProtocolError, match="broken delegation"):
        audit_stake(world.chain.final, changes)


def test_a_block_of_the_application_is_audited(world, changes):
    record = VALIDATOR.read(changes[RECORD])
    change(changes, RECORD, VALIDATOR, active=Pool(record.active.minor, record.active.shares + 1))
    with pytest.raises(LocalProtocolError, match="not those of its delegations"):
        world.app.audit(world.genesis, world.chain.final, changes)


@pytest.mark.parametrize(
    ("message", "spoil"),
    [
        ("not those of its delegations", lambda values: change(values, ALICE, DELEGATION, shares=1)),
        ("a delegation is to nobody", lambda values: values.pop(RECORD)),
        ("earned more fees", lambda values: change(values, RECORD, VALIDATOR, rewards_minor=0)),
        ("list of candidates", lambda values: change(values, RECORD, VALIDATOR, is_listed=False)),
        ("list of candidates", lambda values: change(values, ROSTER.tag, ROSTER, keys=())),
        ("list of candidates", lambda values: values.pop(ROSTER.tag)),
        ("worth more", lambda values: change(values, RECORD, VALIDATOR, active=Pool(2, 1))),
    ],
)
def test_a_whole_state_with_wrong_books_is_noticed(world, message, spoil):
    world.do("bob", Transfer(key("alice"), 1))
    values = dict(world.chain.values)
    scan_stake(values)
    spoil(values)
    with pytest.raises(LocalProtocolError, match=message):
        scan_stake(values)


def test_a_scan_of_the_state_looks_at_stake_and_passes_over_what_is_the_chains(world):
    world.do("bob", RegisterValidator(0, TOKEN))
    values = dict(world.chain.values) | {b"\x00chain": b"anything"}
    scan(values)
    values[ROSTER.tag] = ROSTER.write(Roster(()))
    with pytest.raises(LocalProtocolError, match="list of candidates"):
        scan(values)
