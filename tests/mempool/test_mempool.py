"""Rules of admission, blocks and selection."""

import pytest

from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX
from p2pcommerce.mempool import Admitted, Dropped, Mempool, MempoolParameters, Refused
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import LocalProtocolError, RejectionCode, Verdict
from p2pcommerce.primitives.ids import TransactionId
from tests.mempool.toy import GENESIS, OTHER_GENESIS, SCHEME, Accounts, Toy, key_of, make

PEER = key_of(500)
OTHER_PEER = key_of(501)


class CountingVerifier:
    def __init__(self):
        self.slices = []

    def verify(self, transactions):
        self.slices.append(len(transactions))
        return [transaction.verify(SCHEME) for transaction in transactions]


class Rig:
    """A mempool with its state and a clock that stands still."""

    def __init__(self, accounts=None, **parameters):
        self.accounts = Accounts() if accounts is None else accounts
        self.application = Toy()
        self.verifier = CountingVerifier()
        self.pool = Mempool(MempoolParameters(**parameters), self.application, GENESIS, SCHEME, self.verifier)
        self.pool.set_view(self.accounts, 0)
        self.now = 1_000_000

    def give(self, *transactions, origin=PEER):
        for transaction in transactions:
            self.raw(transaction.raw, origin)
        return self.drain()

    def raw(self, raw, origin=PEER):
        self.pool.submit(raw, origin, TransactionId(blake2b_256(raw)), self.now)

    def drain(self):
        effects = []
        while self.pool.deadline is not None and self.pool.deadline <= self.now:
            effects += self.pool.on_deadline(self.now)
        return effects

    def block(self, height, final=(), touched=None):
        """Make transactions final in the toy state, and tell the pool."""
        for transaction in final:
            nonce, balance = self.accounts.of(transaction.sender)
            self.accounts.accounts[transaction.sender] = (max(nonce, transaction.nonce + 1), balance)
            _, balance = self.accounts.of(transaction.payer)
            nonce, _ = self.accounts.of(transaction.payer)
            spent = transaction.fee + transaction.body[0]
            self.accounts.accounts[transaction.payer] = (nonce, balance - spent)
        if touched is None:
            touched = [key for transaction in final for key in (transaction.sender, transaction.payer)]
        return self.pool.on_block(height, self.accounts, [t.id for t in final], touched, self.now)

    def select(self, nonces=None, excluded=(), bytes_max=10**6, weight_max=10**9, count_max=1_500):
        base = nonces or {}
        chosen = self.pool.select(
            lambda tx_id: tx_id in excluded,
            lambda key: base.get(key, self.accounts.of(key)[0]),
            bytes_max,
            weight_max,
            count_max,
        )
        return [(transaction.sender, transaction.nonce) for transaction in chosen]


def codes(effects):
    return [effect.code for effect in effects if isinstance(effect, (Refused, Dropped))]


def admitted(effects):
    return [effect.tx_id for effect in effects if isinstance(effect, Admitted)]


@pytest.fixture
def rig():
    return Rig()


# --- admission ---


def test_a_good_transaction_is_admitted_with_its_origin_and_weight(rig):
    transaction = make()
    (effect,) = rig.give(transaction)
    assert effect == Admitted(transaction.id, transaction, PEER, 1_000)
    assert transaction.id in rig.pool
    assert rig.pool.get(transaction.id) == transaction
    assert rig.pool.raw(transaction.id) == transaction.raw
    assert rig.pool.total_bytes == len(transaction.raw)
    assert rig.pool.statistics()["admitted"] == 1


def test_unknown_ids_give_none(rig):
    assert rig.pool.get(make().id) is None
    assert rig.pool.raw(make().id) is None
    assert rig.pool.discard(make().id, RejectionCode.BAD_STATE, "x") == []


def test_verdicts_come_in_order_of_submission_over_origins(rig):
    transactions = [make(sender=number) for number in range(1, 31)]
    for index, transaction in enumerate(transactions):
        rig.raw(transaction.raw, [PEER, OTHER_PEER, None][index % 3])
    assert admitted(rig.drain()) == [transaction.id for transaction in transactions]


def test_nothing_is_admitted_before_there_is_a_view():
    pool = Mempool(MempoolParameters(), Toy(), GENESIS, SCHEME)
    transaction = make()
    pool.submit(transaction.raw, None, transaction.id, 5)
    assert pool.deadline is None
    assert pool.on_deadline(6) == []
    pool.set_view(Accounts(), 0)
    assert pool.deadline is not None
    assert pool.deadline <= 6
    assert admitted(pool.on_deadline(6)) == [transaction.id]
    assert len(pool) == 1


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x90", make().raw + b"\x00", make().raw[:-1], b"\x00" * 100])
def test_malformed_bytes_are_rejected(rig, raw):
    rig.raw(raw)
    (effect,) = rig.drain()
    assert (effect.verdict, effect.code, effect.raw_len) == (Verdict.REJECT, RejectionCode.BAD_FORMAT, len(raw))


def test_an_oversized_transaction_is_rejected_before_decoding(rig):
    rig.raw(bytes(TRANSACTION_BYTES_MAX + 1))
    (effect,) = rig.drain()
    assert (effect.verdict, effect.code) == (Verdict.REJECT, RejectionCode.BAD_FORMAT)
    assert rig.application.checked == 0


def test_a_key_that_the_state_names_no_more_is_nobodys_fault(rig):
    # Who has not seen the block that changed the key passes on what was good until then.
    (effect,) = rig.give(make(kind="toy.old_key"))
    assert (effect.verdict, effect.code) == (Verdict.IGNORE, RejectionCode.BAD_SIGNATURE)
    assert sum(rig.verifier.slices) == 0


def test_a_bad_signature_is_rejected(rig):
    raw = bytearray(make().raw)
    raw[-2] ^= 1  # inside the signature, before the nil of the absent sponsor
    rig.raw(bytes(raw))
    (effect,) = rig.drain()
    assert (effect.verdict, effect.code) == (Verdict.REJECT, RejectionCode.BAD_SIGNATURE)
    assert len(rig.pool) == 0
    assert not rig.pool.is_verified(effect.tx_id)


def test_another_chains_transaction_is_rejected(rig):
    (effect,) = rig.give(make(chain=OTHER_GENESIS))
    assert (effect.verdict, effect.code) == (Verdict.REJECT, RejectionCode.BAD_FORMAT)


def test_a_duplicate_is_ignored(rig):
    rig.give(make())
    (effect,) = rig.give(make())
    assert (effect.verdict, effect.code) == (Verdict.IGNORE, RejectionCode.DUPLICATE)


def test_a_duplicate_in_the_same_slice_is_verified_once(rig):
    effects = rig.give(make(), make())
    assert len(admitted(effects)) == 1
    assert codes(effects) == [RejectionCode.DUPLICATE]
    assert rig.verifier.slices == [1]


def test_an_expired_transaction_is_ignored(rig):
    rig.block(10)
    effects = rig.give(make(expires=10), make(sender=2, expires=11))
    assert codes(effects) == [RejectionCode.EXPIRED]
    assert len(admitted(effects)) == 1


def test_what_the_application_refuses_is_ignored_with_its_code(rig):
    (effect,) = rig.give(make(kind="toy.never"))
    assert (effect.verdict, effect.code) == (Verdict.IGNORE, RejectionCode.FORBIDDEN)


def test_a_fee_below_the_chains_floor_is_ignored(rig):
    effects = rig.give(make(fee=999, weight=1_000), make(sender=2, fee=1_000, weight=1_000))
    assert codes(effects) == [RejectionCode.NO_FEE]
    assert len(admitted(effects)) == 1


def test_everything_cheap_is_refused_before_signatures_are_verified(rig):
    rig.give(make(nonce=40), make(fee=1), make(kind="toy.never"), make(amount=10**16))
    assert sum(rig.verifier.slices) == 0


def test_signatures_are_verified_in_slices(rig):
    effects = rig.give(*(make(nonce=nonce) for nonce in range(150)))
    assert len(admitted(effects)) == 150
    assert rig.verifier.slices == [64, 64, 22]


def test_a_known_signature_is_not_verified_again(rig):
    transaction = make()
    rig.pool.remember_verified(transaction.id)
    assert admitted(rig.give(transaction)) == [transaction.id]
    assert rig.verifier.slices == [0]


def test_an_admitted_transaction_counts_as_verified_even_after_it_left(rig):
    final, lost = make(), make(sender=2, expires=1)
    rig.give(final, lost)
    assert rig.pool.is_verified(final.id)
    rig.block(1, [final])
    assert len(rig.pool) == 0
    assert rig.pool.is_verified(final.id)
    assert rig.pool.is_verified(lost.id)


def test_verified_ids_are_bounded(rig):
    rig = Rig(verified_count_max=10)
    ids = [TransactionId(blake2b_256(bytes([number]))) for number in range(40)]
    for tx_id in ids:
        rig.pool.remember_verified(tx_id)
    known = [rig.pool.is_verified(tx_id) for tx_id in ids]
    assert all(known[-10:])
    assert sum(known) <= 20


# --- nonces ---


def test_nonces_up_to_the_gap_are_kept_and_beyond_it_ignored(rig):
    effects = rig.give(make(nonce=16), make(nonce=17))
    assert len(admitted(effects)) == 1
    assert codes(effects) == [RejectionCode.BAD_NONCE]
    assert codes(rig.give(make(nonce=18))) == [RejectionCode.BAD_NONCE]


def test_gapped_transactions_do_not_widen_the_window(rig):
    for nonce in range(1, 17):
        assert admitted(rig.give(make(nonce=nonce)))
    assert codes(rig.give(make(nonce=17))) == [RejectionCode.BAD_NONCE]
    assert admitted(rig.give(make(nonce=0)))
    assert admitted(rig.give(make(nonce=33)))
    assert codes(rig.give(make(nonce=34))) == [RejectionCode.BAD_NONCE]


def test_a_used_nonce_is_ignored(rig):
    rig.accounts.put(1, 5)
    (effect,) = rig.give(make(nonce=4))
    assert (effect.verdict, effect.code) == (Verdict.IGNORE, RejectionCode.BAD_NONCE)


def test_a_nonce_that_the_state_moved_past_unheard_drops_what_was_queued_below_it(rig):
    old = make(nonce=0)
    rig.give(old)
    rig.accounts.put(1, 3)
    effects = rig.give(make(nonce=3))
    assert len(admitted(effects)) == 1
    assert [effect.tx_id for effect in effects if isinstance(effect, Dropped)] == [old.id]


def test_a_replacement_needs_a_tenth_more_fee(rig):
    rig.give(make(fee=100_000))
    assert codes(rig.give(make(fee=109_999))) == [RejectionCode.NO_FEE]
    effects = rig.give(make(fee=110_000))
    assert len(admitted(effects)) == 1
    assert codes(effects) == [RejectionCode.BAD_NONCE]
    assert len(rig.pool) == 1
    assert rig.pool.statistics()["replaced"] == 1


def test_a_replacement_must_not_pay_less_per_weight(rig):
    rig.give(make(fee=100_000, weight=1_000))
    assert codes(rig.give(make(fee=120_000, weight=2_000))) == [RejectionCode.NO_FEE]


# --- balances ---


def test_a_payers_waiting_transactions_together_stay_within_its_balance():
    rig = Rig()
    rig.accounts.put(1, 0, 1_000_000)
    effects = rig.give(*(make(nonce=nonce, amount=300_000) for nonce in range(4)))
    assert len(admitted(effects)) == 2
    assert codes(effects) == [RejectionCode.NO_FUNDS, RejectionCode.NO_FUNDS]


def test_a_sponsors_balance_counts_over_all_its_senders():
    rig = Rig()
    rig.accounts.put(9, 0, 250_000)
    effects = rig.give(*(make(sender=sender, sponsor=9) for sender in (1, 2, 3)))
    assert len(admitted(effects)) == 2
    assert codes(effects) == [RejectionCode.NO_FUNDS]


def test_a_replacement_does_not_pay_twice():
    rig = Rig()
    rig.accounts.put(1, 0, 120_000)
    rig.give(make(fee=100_000))
    assert len(admitted(rig.give(make(fee=115_000)))) == 1


# --- bounds ---


def test_a_full_pool_drives_out_the_cheapest_senders_tail():
    rig = Rig(count_max=4)
    cheap = [make(sender=1, nonce=nonce, fee=fee) for nonce, fee in ((0, 2_000), (1, 900_000))]
    rig.give(*cheap, make(sender=2, fee=5_000), make(sender=3, fee=6_000))
    effects = rig.give(make(sender=4, fee=3_000))
    assert len(admitted(effects)) == 1
    assert [effect.tx_id for effect in effects if isinstance(effect, Dropped)] == [cheap[1].id]
    assert len(rig.pool) == 4


def test_a_full_pool_refuses_what_pays_no_more():
    rig = Rig(count_max=2)
    rig.give(make(sender=1, fee=5_000), make(sender=2, fee=6_000))
    (effect,) = rig.give(make(sender=3, fee=5_000))
    assert (effect.verdict, effect.code) == (Verdict.IGNORE, RejectionCode.POOL_FULL)
    assert rig.verifier.slices[-1] == 0


def test_a_transaction_never_drives_out_one_of_its_own_payer():
    rig = Rig(count_max=2)
    rig.give(make(sender=1, sponsor=9, fee=5_000), make(sender=2, sponsor=9, fee=6_000))
    assert codes(rig.give(make(sender=3, sponsor=9, fee=50_000))) == [RejectionCode.POOL_FULL]
    assert codes(rig.give(make(sender=1, sponsor=9, nonce=1, fee=50_000))) == [RejectionCode.POOL_FULL]


def test_a_dear_tail_on_a_cheap_chain_drives_out_nobody():
    rig = Rig(count_max=2)
    rig.give(make(sender=1, fee=2_000), make(sender=2, fee=3_000))
    assert codes(rig.give(make(sender=1, nonce=1, fee=900_000))) == [RejectionCode.POOL_FULL]


def test_bytes_are_bounded_and_nothing_goes_in_vain():
    small = [make(sender=number, fee=2_000 + number) for number in range(1, 5)]
    rig = Rig(bytes_max=sum(len(transaction.raw) for transaction in small))
    rig.give(*small)
    before = [transaction.id for transaction in small if transaction.id in rig.pool]
    assert len(before) == 4
    # Needs more room than all that is cheaper than it could make.
    assert codes(rig.give(make(sender=9, fee=2_003, pad=600))) == [RejectionCode.POOL_FULL]
    assert len(rig.pool) == 4
    effects = rig.give(make(sender=9, fee=50_000, pad=300))
    assert len(admitted(effects)) == 1
    assert rig.pool.total_bytes <= sum(len(transaction.raw) for transaction in small)


def test_the_search_for_something_cheaper_is_bounded():
    rig = Rig(count_max=20, eviction_search_max=4)
    rig.give(*(make(sender=sender, sponsor=9, fee=2_000 + sender) for sender in range(1, 11)))
    rig.give(*(make(sender=sender, fee=4_000) for sender in range(11, 21)))
    assert codes(rig.give(make(sender=30, sponsor=9, fee=5_000))) == [RejectionCode.POOL_FULL]
    assert len(rig.pool) == 20
    assert len(admitted(rig.give(make(sender=31, fee=5_000)))) == 1


def test_pressure_raises_the_fee_floor_and_time_lowers_it():
    rig = Rig(count_max=1)
    rig.give(make(sender=1, fee=50_000))
    assert rig.pool.fee_floor == 1
    rig.give(make(sender=2, fee=80_000))
    assert rig.pool.fee_floor == 51
    rig.block(1, [make(sender=2, fee=80_000)])
    assert codes(rig.give(make(sender=3, fee=50_000))) == [RejectionCode.NO_FEE]
    rig.now += 60_000_000
    assert len(admitted(rig.give(make(sender=3, fee=50_000)))) == 1
    assert 20 <= rig.pool.fee_floor <= 30


def test_intake_pushes_back_per_origin_and_takes_one_more_message():
    rig = Rig(intake_count_max=8, intake_overrun_count=4)
    transactions = [make(nonce=nonce) for nonce in range(13)]
    for transaction in transactions[:8]:
        assert rig.pool.has_room(PEER)
        rig.raw(transaction.raw)
    assert not rig.pool.has_room(PEER)
    assert rig.pool.has_room(OTHER_PEER)
    assert rig.pool.has_room(None)
    for transaction in transactions[8:]:
        rig.raw(transaction.raw)
    effects = rig.drain()
    assert len(admitted(effects)) == 12
    assert codes(effects) == [RejectionCode.POOL_FULL]
    assert rig.pool.has_room(PEER)


def test_intake_is_bounded_in_bytes_per_origin_and_in_total():
    size = len(make().raw)
    rig = Rig(intake_bytes_max=2 * size, intake_total_bytes_max=3 * size)
    rig.raw(make(nonce=0).raw)
    rig.raw(make(nonce=1).raw)
    assert not rig.pool.has_room(PEER)
    assert rig.pool.has_room(OTHER_PEER)
    rig.raw(make(nonce=2).raw, OTHER_PEER)
    rig.raw(make(nonce=3).raw, OTHER_PEER)
    assert not rig.pool.has_room(OTHER_PEER)
    assert rig.pool.has_room(key_of(502))
    rig.raw(make(nonce=4).raw, key_of(502))
    rig.raw(make(nonce=5).raw, key_of(503))
    assert not rig.pool.has_room(key_of(504))
    rig.raw(make(nonce=6).raw, key_of(504))
    effects = rig.drain()
    assert len(admitted(effects)) == 6
    assert codes(effects) == [RejectionCode.POOL_FULL]


def test_a_flooder_does_not_hold_up_the_others():
    rig = Rig(slice_max=20)
    for number in range(200):
        rig.raw(make(sender=1_000 + number).raw, PEER)
    honest = make(sender=1)
    rig.raw(honest.raw, OTHER_PEER)
    assert honest.id in admitted(rig.pool.on_deadline(rig.now))


def test_a_transaction_lives_three_hours(rig):
    transaction = make()
    rig.give(transaction)
    assert rig.pool.deadline == rig.now + 3 * 3_600 * 1_000_000
    rig.now += 3 * 3_600 * 1_000_000
    (effect,) = rig.drain()
    assert (effect.tx_id, effect.code) == (transaction.id, RejectionCode.EXPIRED)
    assert rig.pool.deadline is None


# --- blocks ---


def test_final_transactions_leave_silently_and_expired_ones_with_a_reason(rig):
    final, late, other = make(), make(sender=2, expires=7), make(sender=3)
    rig.give(final, late, other)
    dropped = rig.block(7, [final])
    assert [(effect.tx_id, effect.code) for effect in dropped] == [(late.id, RejectionCode.EXPIRED)]
    assert other.id in rig.pool
    assert len(rig.pool) == 1


def test_another_transaction_of_the_same_nonce_in_a_block_drops_the_pooled_one(rig):
    pooled = make(nonce=0)
    rig.give(pooled)
    (effect,) = rig.block(1, [make(nonce=0, fee=500_000)])
    assert (effect.tx_id, effect.code) == (pooled.id, RejectionCode.BAD_NONCE)


def test_only_touched_senders_are_rechecked(rig):
    rig.give(*(make(sender=sender, nonce=nonce) for sender in (1, 2, 3) for nonce in (0, 1)))
    before = rig.application.checked
    rig.block(1, [make(sender=2, nonce=0)])
    assert rig.application.checked == before + 1


def test_recheck_of_one_sender_is_bounded():
    rig = Rig(recheck_max=4)
    rig.give(*(make(nonce=nonce) for nonce in range(30)))
    before = rig.application.checked
    rig.block(1, [make(nonce=0)])
    assert rig.application.checked == before + 4
    assert len(rig.pool) == 29


def test_a_payer_that_lost_balance_loses_its_newest_transactions(rig):
    rig.accounts.put(1, 0, 1_000_000)
    transactions = [make(nonce=nonce) for nonce in range(8)]
    rig.give(*transactions)
    rig.accounts.put(1, 0, 350_000)
    dropped = rig.block(1, touched=[key_of(1)])
    assert [effect.tx_id for effect in dropped] == [t.id for t in reversed(transactions[3:])]
    assert {effect.code for effect in dropped} == {RejectionCode.NO_FUNDS}


def test_a_touched_sponsor_is_rechecked_without_a_transaction_of_its_own(rig):
    rig.accounts.put(9, 0, 1_000_000)
    transactions = [make(sender=sender, sponsor=9) for sender in (1, 2, 3)]
    rig.give(*transactions)
    rig.accounts.put(9, 0, 150_000)
    dropped = rig.block(1, touched=[key_of(9)])
    assert [effect.tx_id for effect in dropped] == [transactions[2].id, transactions[1].id]


def test_what_lies_beyond_the_gap_after_a_loss_is_dropped(rig):
    transactions = [make(nonce=nonce) for nonce in range(30)]
    rig.give(*transactions)
    dropped = rig.pool.discard(transactions[2].id, RejectionCode.BAD_STATE, "fails in every block")
    assert dropped[0].code is RejectionCode.BAD_STATE
    # 2 is missing: 3..18 stay within its gap of 16.
    assert [effect.tx_id for effect in dropped[1:]] == [t.id for t in reversed(transactions[19:])]
    assert len(rig.pool) == 18


def test_the_final_height_never_goes_back(rig):
    rig.block(3)
    with pytest.raises(LocalProtocolError):
        rig.pool.set_view(rig.accounts, 2)


# --- selection ---


def test_selection_is_by_fee_per_weight_and_keeps_nonces_in_order(rig):
    rig.give(
        make(sender=1, nonce=0, fee=10_000),
        make(sender=1, nonce=1, fee=90_000),
        make(sender=2, nonce=0, fee=50_000),
        make(sender=3, nonce=0, fee=80_000, weight=4_000),
        make(sender=4, nonce=1, fee=99_000),
    )
    expected = [(key_of(2), 0), (key_of(3), 0), (key_of(1), 0), (key_of(1), 1)]
    assert rig.select() == expected
    assert rig.select() == expected


def test_selection_stands_on_unfinal_ancestors(rig):
    transactions = [make(sender=1, nonce=nonce) for nonce in range(4)]
    rig.give(*transactions, make(sender=2))
    branch = {key_of(1): 2}
    excluded = {transactions[0].id, transactions[1].id}
    assert rig.select(branch, excluded) == [(key_of(1), 2), (key_of(1), 3), (key_of(2), 0)]
    assert rig.select({}, excluded) == [(key_of(1), 2), (key_of(1), 3), (key_of(2), 0)]


def test_selection_finds_what_only_the_branch_makes_ready(rig):
    rig.give(make(sender=1, nonce=5))
    assert rig.select() == []
    assert rig.select({key_of(1): 5}) == [(key_of(1), 5)]
    assert rig.select({key_of(1): 6}) == []


def test_selection_keeps_within_bytes_weight_and_count(rig):
    transactions = [make(sender=sender, fee=100_000 - sender) for sender in range(1, 11)]
    rig.give(*transactions, make(sender=1, nonce=1))
    size = len(transactions[0].raw)
    assert len(rig.select(bytes_max=3 * size)) == 3
    assert len(rig.select(weight_max=4_500)) == 4
    assert len(rig.select(count_max=2)) == 2
    assert rig.select(count_max=0) == []


def test_selection_passes_over_what_does_not_fit_with_all_that_follows_it(rig):
    rig.give(
        make(sender=1, nonce=0, fee=900_000, weight=3_000),
        make(sender=1, nonce=1, fee=900_000),
        make(sender=2, fee=20_000),
    )
    assert rig.select(weight_max=2_000) == [(key_of(2), 0)]


def test_selection_gives_up_after_too_many_misfits():
    rig = Rig(select_misfits_max=3)
    rig.give(*(make(sender=sender, fee=900_000, weight=3_000) for sender in range(1, 5)), make(sender=9))
    assert rig.select(weight_max=2_000) == []


def test_statistics_count_refusals_and_losses_by_code(rig):
    rig.give(make(), make(), make(sender=2, fee=1), make(sender=3, expires=5))
    rig.block(5)
    statistics = rig.pool.statistics()
    assert statistics["transactions"] == 1
    assert statistics["admitted"] == 2
    assert statistics["refused.DUPLICATE"] == 1
    assert statistics["refused.NO_FEE"] == 1
    assert statistics["dropped.EXPIRED"] == 1
    assert statistics["waiting"] == 0
