"""The node's own account: which nonce comes next, and what a transaction pays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode, TransactionRejectedError
from p2pcommerce.runtime.wallet import ACCOUNTS_MAX, EXPIRY_BLOCKS, Wallet
from tests.runtime.nodes import Note, Notes, genesis_of, identity, signed

GENESIS = genesis_of()


class State(dict):
    """A view of a state."""


class Pool(set):
    """The ids in a pool."""

    fee_floor = 3


@pytest.fixture
async def rig():
    state = State()
    pool = Pool()
    core = SimpleNamespace(
        chain=SimpleNamespace(head=SimpleNamespace(height=7), state=SimpleNamespace(final=state)),
        application=Notes(),
        genesis=GENESIS,
        mempool=pool,
        is_pending=pool.__contains__,
    )
    return SimpleNamespace(wallet=Wallet(identity(0), core), state=state, core=core)


def final_up_to(rig, nonce):
    rig.state[b"nonce:" + identity(0).public_key] = nonce.to_bytes(8, "big")


async def test_nonces_follow_each_other(rig):
    assert [rig.wallet.build(Note(b"a", b"1")).nonce for _ in range(4)] == [0, 1, 2, 3]


async def test_the_least_fee_is_paid_and_the_expiry_is_near(rig):
    transaction = rig.wallet.build(Note(b"a", b"1"))
    weight = rig.core.application.weight(transaction)
    assert 3 * weight <= transaction.fee < 3 * weight + 30
    assert transaction.expires_height == 8 + EXPIRY_BLOCKS
    assert transaction.chain_id == GENESIS.hash
    assert transaction.sender == identity(0).public_key


async def test_what_the_application_refuses_takes_no_nonce(rig):
    with pytest.raises(TransactionRejectedError) as caught:
        rig.wallet.build(Note(b"a", b"forbidden"))
    assert caught.value.rejection is RejectionCode.FORBIDDEN
    assert rig.wallet.build(Note(b"a", b"1")).nonce == 0


async def test_the_nonce_of_what_was_dropped_in_the_middle_is_used_again_first(rig):
    sent = [rig.wallet.build(Note(b"a", b"1")) for _ in range(5)]
    rig.wallet.forget(sent[1].id)
    rig.wallet.forget(sent[3].id)
    assert [rig.wallet.build(Note(b"b", b"2")).nonce for _ in range(4)] == [1, 3, 5, 6]


async def test_forgetting_what_was_never_known_changes_nothing(rig):
    rig.wallet.build(Note(b"a", b"1"))
    rig.wallet.forget(bytes(32))
    assert rig.wallet.build(Note(b"a", b"1")).nonce == 1


async def test_what_others_signed_with_the_same_key_counts(rig):
    rig.wallet.note(signed(GENESIS, 0, 0))
    rig.wallet.note(signed(GENESIS, 1, 1))  # another account's
    assert [rig.wallet.build(Note(b"a", b"1")).nonce for _ in range(2)] == [1, 2]


async def test_what_is_final_is_forgotten_and_the_state_leads(rig):
    for _ in range(3):
        rig.wallet.build(Note(b"a", b"1"))
    final_up_to(rig, 2)
    assert rig.wallet.build(Note(b"a", b"1")).nonce == 3
    assert sorted(rig.wallet._accounts[identity(0).public_key].taken.values()) == [2, 3]
    final_up_to(rig, 9)
    assert rig.wallet.build(Note(b"a", b"1")).nonce == 9
    assert sorted(rig.wallet._accounts[identity(0).public_key].taken.values()) == [9]


async def test_the_key_signs_for_another_account_as_its_active_one(rig):
    cold = identity(5).public_key
    first = rig.wallet.build(Note(b"a", b"1"), cold)
    assert (first.sender, first.key, first.nonce) == (cold, identity(0).public_key, 0)
    assert first.verify(ED25519)
    assert rig.wallet.build(Note(b"a", b"2"), cold).nonce == 1
    assert rig.wallet.build(Note(b"a", b"3")).nonce == 0  # its own account counts for itself
    rig.wallet.forget(first.id)
    assert rig.wallet.build(Note(b"a", b"4"), cold).nonce == 0


async def test_what_is_remembered_of_accounts_is_bounded(rig):
    def pay(number):
        return rig.wallet.build(Note(b"a", b"1"), identity(100 + number).public_key)

    sent = [pay(number) for number in range(ACCOUNTS_MAX - 1)]
    rig.core.mempool.update(transaction.id for transaction in sent)
    with pytest.raises(TransactionRejectedError) as caught:
        pay(ACCOUNTS_MAX)
    assert caught.value.rejection is RejectionCode.LIMIT
    rig.core.mempool.remove(sent[7].id)  # it is final
    pay(ACCOUNTS_MAX)
    assert len(rig.wallet._accounts) == ACCOUNTS_MAX
    assert rig.wallet.build(Note(b"a", b"1")).nonce == 0
