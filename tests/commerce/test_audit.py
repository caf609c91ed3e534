"""Conservation, and that a broken one is noticed."""

import dataclasses

import pytest

from p2pcommerce.commerce import Transfer, audit_block, scan
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.audit import AUDITED_MAX, Audited, sums_of
from p2pcommerce.commerce.order import ORDER
from p2pcommerce.commerce.totals import TOTALS
from p2pcommerce.ledger.state import State
from p2pcommerce.primitives.codec import pack
from p2pcommerce.primitives.errors import LocalProtocolError
from tests.commerce.world import World, key


@pytest.fixture
def world():
    world = World("alice", "bob", "shop", "buyer")
    world.open_shop()
    world.order_id = world.place()
    return world


def executed(world, *payloads):
    """Return the changes of a block, not yet audited."""
    state, context = State(world.chain.final), world.context()
    world.app.begin_block(state, context)
    for name, payload in payloads:
        assert world.app.apply(world.build(name, payload), state, context).ok
    world.app.end_block(state, context)
    return state.changes


@pytest.fixture
def changes(world):
    return executed(world, ("alice", Transfer(key("bob"), 5)))


def audited(world, changes):
    world.app.audit(world.genesis, world.chain.final, changes)


def test_an_honest_block_passes(world, changes):
    audited(world, changes)


def test_a_block_that_changed_nothing_passes(world):
    audited(world, {})


def test_minting_is_noticed(world, changes):
    state_key = ACCOUNT.key(key("bob"))
    bob = ACCOUNT.read(changes[state_key])
    changes[state_key] = ACCOUNT.write(Account(bob.balance_minor + 1, bob.nonce))
    with pytest.raises(LocalProtocolError, match="balances_minor changed by"):
        audited(world, changes)


def test_minting_with_forged_totals_is_noticed(world, changes):
    state_key = ACCOUNT.key(key("bob"))
    bob = ACCOUNT.read(changes[state_key])
    changes[state_key] = ACCOUNT.write(Account(bob.balance_minor + 1, bob.nonce))
    totals = TOTALS.read(changes[TOTALS.tag])
    changes[TOTALS.tag] = TOTALS.write(dataclasses.replace(totals, balances_minor=totals.balances_minor + 1))
    with pytest.raises(LocalProtocolError, match="at genesis there were"):
        audited(world, changes)


def test_a_lost_escrow_is_noticed(world, changes):
    changes[ORDER.key(world.order_id)] = None
    with pytest.raises(LocalProtocolError, match="escrow_minor changed by"):
        audited(world, changes)


def test_state_without_a_deposit_is_noticed(world, changes):
    changes[ACCOUNT.key(bytes(32))] = ACCOUNT.write(Account(0, 0))
    with pytest.raises(LocalProtocolError, match="bytes of state"):
        audited(world, changes)


@pytest.mark.parametrize("number", [-1, 2**63])
def test_a_number_out_of_range_is_noticed(world, changes, number):
    changes[ACCOUNT.key(key("bob"))] = pack((number, 0))
    with pytest.raises(LocalProtocolError, match="broken account"):
        audited(world, changes)
    changes[ACCOUNT.key(key("bob"))] = ACCOUNT.write(Account(1, 1))
    changes[TOTALS.tag] = pack((number,) * 10)
    with pytest.raises(LocalProtocolError, match="broken totals"):
        audited(world, changes)


def test_a_record_of_unknown_kind_is_noticed(world, changes):
    changes[b"\xff"] = b""
    with pytest.raises(LocalProtocolError, match="unknown kind"):
        audited(world, changes)


def test_changes_without_totals_are_noticed(world, changes):
    del changes[TOTALS.tag]
    with pytest.raises(LocalProtocolError, match="not its totals"):
        audited(world, changes)


def test_the_state_after_the_block_is_refused(world, changes):
    with pytest.raises(LocalProtocolError, match="needs the state before the block"):
        world.app.audit(world.genesis, world.chain.final.child(changes), changes)


def test_a_scan_finds_what_the_totals_hide(world):
    values = dict(world.chain.values)
    assert scan(values).escrow_minor > 0
    bob = ACCOUNT.read(values[ACCOUNT.key(key("bob"))])
    values[ACCOUNT.key(key("bob"))] = ACCOUNT.write(Account(bob.balance_minor + 1, 0))
    with pytest.raises(LocalProtocolError, match="add up to"):
        scan(values)
    totals = TOTALS.read(values[TOTALS.tag])
    values[TOTALS.tag] = TOTALS.write(dataclasses.replace(totals, balances_minor=totals.balances_minor + 1))
    with pytest.raises(LocalProtocolError, match="at genesis there were"):
        scan(values)


def test_an_audit_of_a_genesis_reads_no_state_before_it(world):
    audit_block(world.genesis.supply_minor, 10, State({}), world.app.genesis(world.genesis))


def test_what_was_audited_is_not_decoded_again_unless_its_value_is_another():
    state_key, first, second = ACCOUNT.key(key("bob")), ACCOUNT.write(Account(5, 0)), ACCOUNT.write(Account(7, 1))
    audited_before: Audited = {}
    assert sums_of([(state_key, first)], audited=audited_before)[0].balances_minor == 5
    held, size, _ = sums_of([(state_key, first)])
    audited_before[state_key] = (first, held._replace(balances_minor=6), size, ())
    assert sums_of([(state_key, first)], audited=audited_before)[0].balances_minor == 6
    assert sums_of([(state_key, second)], audited=audited_before)[0].balances_minor == 7
    equal = bytes(bytearray(second))
    audited_before[state_key] = (second, held, size, ())
    assert sums_of([(state_key, equal)], audited=audited_before)[0].balances_minor == 7


def test_a_value_that_was_audited_and_then_forged_is_noticed(world, changes):
    audited(world, changes)
    state_key = ACCOUNT.key(key("bob"))
    bob = ACCOUNT.read(changes[state_key])
    changes[state_key] = ACCOUNT.write(Account(bob.balance_minor + 1, bob.nonce))
    with pytest.raises(LocalProtocolError, match="balances_minor changed by"):
        audited(world, changes)


def test_the_memory_of_the_audit_is_limited(world, changes):
    memory = world.app._audited
    memory.update((b"%d" % number, (b"", None, 0)) for number in range(AUDITED_MAX))
    audited(world, changes)
    assert len(memory) < AUDITED_MAX
