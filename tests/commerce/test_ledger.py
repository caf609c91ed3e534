"""The draft of one transaction: rollback, deposits and the shared cache."""

import pytest

from p2pcommerce.commerce import Transfer
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.errors import FundsError, LimitError
from p2pcommerce.commerce.ledger import CACHED_RECORDS_MAX, Ledger
from p2pcommerce.commerce.product import PRODUCT, PRODUCT_BYTES, Product
from p2pcommerce.ledger.state import State
from tests.commerce.world import HASH, World, key


@pytest.fixture
def world():
    return World("alice", "bob")


@pytest.fixture
def cache():
    return {}


def test_a_draft_writes_nothing_before_its_commit(world, cache):
    state = State(world.chain.final)
    ledger = Ledger(state, cache)
    ledger.debit(key("alice"), 5)
    ledger.credit(key("bob"), 5)
    assert state.changes == {}
    ledger.commit(state)
    assert set(state.changes) == {ACCOUNT.key(key("alice")), ACCOUNT.key(key("bob")), b"\x00"}


def test_a_rollback_returns_to_the_mark(world, cache):
    ledger = Ledger(world.chain.final, cache)
    ledger.debit(key("alice"), 5)
    mark, after = ledger.mark(), ledger.balance_minor(key("alice"))
    ledger.debit(key("alice"), 7)
    ledger.burned_minor += 7
    ledger.put(PRODUCT, b"p", Product(HASH, ""), bill=key("bob"))
    ledger.rollback(mark)
    assert ledger.balance_minor(key("alice")) == after
    assert (ledger.burned_minor, ledger.get(PRODUCT, b"p")) == (0, None)
    ledger.put(PRODUCT, b"p", Product(HASH, ""))
    ledger.settle_deposits(key("alice"))
    assert ledger.balance_minor(key("alice")) == after - 10 * PRODUCT_BYTES


def test_the_bill_of_a_record_pays_for_it_and_gets_it_back(world, cache):
    state = State(world.chain.final)
    bob = Ledger(state, cache).balance_minor(key("bob"))
    ledger = Ledger(state, cache)
    ledger.put(PRODUCT, b"p", Product(HASH, ""), bill=key("bob"))
    ledger.settle_deposits(key("alice"))
    ledger.commit(state)
    assert Ledger(state, cache).balance_minor(key("bob")) == bob - 10 * PRODUCT_BYTES
    ledger = Ledger(state, cache)
    ledger.remove(PRODUCT, b"p", bill=key("bob"))
    ledger.settle_deposits(key("alice"))
    ledger.commit(state)
    assert Ledger(state, cache).balance_minor(key("bob")) == bob


def test_growth_and_release_are_netted(world, cache):
    state = State(world.chain.final)
    ledger = Ledger(state, cache)
    ledger.put(PRODUCT, b"p", Product(HASH, ""))
    ledger.settle_deposits(key("alice"))
    ledger.commit(state)
    ledger = Ledger(state, cache)
    alice = ledger.balance_minor(key("alice"))
    ledger.debit(key("alice"), alice)
    ledger.remove(PRODUCT, b"p")
    ledger.put(PRODUCT, b"q", Product(HASH, ""))
    ledger.settle_deposits(key("alice"))
    assert ledger.balance_minor(key("alice")) == 0


def test_who_cannot_pay_cannot(world, cache):
    ledger = Ledger(world.chain.final, cache)
    with pytest.raises(FundsError):
        ledger.debit(key("nobody"), 1)
    with pytest.raises(LimitError):
        ledger.credit(key("nobody"), 1)


def test_a_rolled_back_state_is_never_answered_from_the_cache(world, cache):
    state = State(world.chain.final)
    before = Ledger(state, cache).get(ACCOUNT, key("alice"))
    mark = state.savepoint()
    ledger = Ledger(state, cache)
    ledger.debit(key("alice"), 5)
    ledger.commit(state)
    assert Ledger(state, cache).get(ACCOUNT, key("alice")) != before
    state.rollback(mark)
    assert Ledger(state, cache).get(ACCOUNT, key("alice")) == before


def test_branches_of_the_chain_share_one_cache_and_do_not_mix(world):
    left, right = State(world.chain.final), State(world.chain.final)
    transaction = world.build("alice", Transfer(key("bob"), 5))
    for state in (left, right):
        world.app.begin_block(state, world.context())
    assert world.app.apply(transaction, left, world.context()).ok
    assert world.app.apply(transaction, right, world.context()).ok
    assert left.changes == right.changes


def test_the_cache_is_emptied_when_it_is_full(world, cache):
    for number in range(CACHED_RECORDS_MAX - 2):
        cache[number.to_bytes(4, "big")] = (b"", Account(0, 0))
    Ledger(world.chain.final, cache)
    assert len(cache) == CACHED_RECORDS_MAX
    Ledger(world.chain.final, cache)
    assert len(cache) == 2
