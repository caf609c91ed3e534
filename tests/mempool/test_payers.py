"""Rules of who pays for what in the pool, a payer being sender and sponsor at once."""

import pytest

from p2pcommerce.ledger.application import Admission, Rejection
from p2pcommerce.mempool import Admitted, Mempool, MempoolParameters
from p2pcommerce.mempool.pool import Pool
from p2pcommerce.primitives.errors import RejectionCode
from tests.mempool.toy import GENESIS, SCHEME, Accounts, Toy, key_of, make

PEER = key_of(900)


@pytest.fixture
def pool():
    return Pool(MempoolParameters(), 0)


def add(pool, transaction, spend_minor, balance_minor=1_000):
    admission = Admission(100, transaction.payer, spend_minor, balance_minor, 0)
    return pool.add(transaction, admission, PEER, 1)


def test_a_payer_pays_for_itself_and_for_others_out_of_one_balance(pool):
    own, sponsored = make(1, 0, 900, 0, 9), make(2, 0, 900, 0, 9, 1)
    assert add(pool, own, 600) == []
    assert add(pool, sponsored, 300) == []
    assert pool.payers.spend_minor(key_of(1)) == 900
    assert pool.payers.spend_minor(key_of(2)) == 0
    refused = add(pool, make(3, 0, 900, 0, 9, 1), 200)
    assert isinstance(refused, Rejection)
    assert refused.code is RejectionCode.NO_FUNDS
    assert isinstance(add(pool, make(1, 1, 900, 0, 9), 200), Rejection)


def test_what_a_payer_pays_for_is_told_in_order_of_admission(pool):
    sponsored, own, later = make(2, 0, 900, 0, 9, 1), make(1, 1, 900, 0, 9), make(1, 0, 900, 0, 9)
    for transaction in (sponsored, own, later):
        assert add(pool, transaction, 300) == []
    assert [entry.transaction.id for entry in pool.payers.paid_by(key_of(1))] == [sponsored.id, own.id, later.id]
    assert [entry.transaction.id for entry in pool.overspent(key_of(1), 400)] == [later.id, own.id]
    assert pool.overspent(key_of(1), 900) == []


def test_what_leaves_the_pool_is_paid_for_no_more(pool):
    sponsored, own = make(2, 0, 900, 0, 9, 1), make(1, 0, 900, 0, 9)
    for transaction in (sponsored, own):
        add(pool, transaction, 300)
    for transaction, left in ((sponsored, 300), (own, 0)):
        pool.remove(pool.get(transaction.id))
        pool.settle()
        assert pool.payers.spend_minor(key_of(1)) == left
    assert pool.payers.paid_by(key_of(1)) == []


def test_of_one_slice_those_with_a_sender_or_payer_in_common_are_held_to_their_sum():
    accounts = Accounts()
    accounts.put(1, 0, 50_000)
    accounts.put(2, 0, 100_000)
    mempool = Mempool(MempoolParameters(), Toy(), GENESIS, SCHEME)
    mempool.set_view(accounts, 0)
    for transaction in (make(1, 0, 20_000, 0, 9), make(2, 0, 20_000, 0, 9, 1), make(1, 1, 20_000, 0, 9)):
        mempool.submit(transaction.raw, PEER, transaction.id, 1)
    effects = mempool.on_deadline(1)
    assert [type(effect) is Admitted for effect in effects] == [True, True, False]
    assert effects[2].code is RejectionCode.NO_FUNDS
