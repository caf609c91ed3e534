"""Attacks on a full pool, each by itself: what junk may not do, however it is made."""

import pytest

from p2pcommerce.mempool import Admitted, Dropped
from p2pcommerce.primitives.errors import RejectionCode
from tests.mempool.test_mempool import OTHER_PEER, Rig, admitted, codes
from tests.mempool.toy import Accounts, key_of, make

FULL = 40
HONEST = range(1, FULL + 1)


def full_rig(**parameters):
    """Return a pool that is full of honest transactions, and these."""
    rig = Rig(count_max=FULL, **parameters)
    honest = [make(sender=number, fee=100_000 + number) for number in HONEST]
    assert len(admitted(rig.give(*honest))) == FULL
    return rig, honest


def lost(rig, honest):
    return [transaction for transaction in honest if transaction.id not in rig.pool]


def test_fees_that_nobody_can_collect_drive_out_nothing_that_could_be_included():
    """Transactions behind a missing nonce are never included and so cost nothing: they may offer any fee."""
    rig, honest = full_rig()
    effects = []
    for number in range(200):
        effects += rig.give(*(make(sender=1_000 + number, nonce=1 + gap, fee=10**9) for gap in range(3)))
    assert lost(rig, honest) == []
    assert not admitted(effects)
    assert set(codes(effects)) == {RejectionCode.POOL_FULL}
    assert rig.pool.fee_floor == 1
    assert set(rig.verifier.slices) <= {0, FULL}  # and nobody verified a signature of theirs


def test_what_waits_behind_a_gap_goes_first_whatever_it_offers_and_moves_no_fee_floor():
    rig = Rig(count_max=FULL)
    gapped = [make(sender=1_000 + number, nonce=1, fee=10**9 + number) for number in range(FULL)]
    assert len(admitted(rig.give(*gapped))) == FULL
    effects = rig.give(*(make(sender=number, fee=2_000) for number in HONEST))
    assert len(admitted(effects)) == FULL
    dropped = [effect for effect in effects if isinstance(effect, Dropped)]
    assert [effect.tx_id for effect in dropped] == [transaction.id for transaction in gapped]
    assert "nonce 0 was missing" in dropped[0].detail
    assert rig.pool.fee_floor == 1


def test_a_gap_that_is_filled_makes_what_waited_behind_it_count():
    rig = Rig(count_max=3)
    rig.give(make(sender=1, nonce=1, fee=50_000), make(sender=1, nonce=0, fee=50_000), make(sender=2, fee=40_000))
    effects = rig.give(make(sender=3, fee=45_000))
    assert [effect.tx_id for effect in effects if isinstance(effect, Dropped)] == [make(sender=2, fee=40_000).id]
    assert codes(rig.give(make(sender=4, fee=45_000))) == [RejectionCode.POOL_FULL]


def test_what_was_submitted_here_is_never_driven_out():
    rig = Rig(count_max=FULL)
    own = [make(sender=number, fee=1_000) for number in range(1, 11)]
    assert len(admitted(rig.give(*own, origin=None))) == len(own)
    rig.give(*(make(sender=100 + number, fee=2_000) for number in range(FULL - len(own))))
    effects = rig.give(*(make(sender=1_000 + number, fee=900_000) for number in range(FULL)))
    assert lost(rig, own) == []
    assert len(admitted(effects)) == FULL - len(own)
    assert RejectionCode.POOL_FULL in codes(rig.give(make(sender=9_999, fee=900_000)))


def test_a_peers_transaction_behind_own_ones_may_go_and_the_own_ones_stay():
    rig = Rig(count_max=2)
    rig.give(make(sender=1, fee=1_000), origin=None)
    rig.give(make(sender=1, nonce=1, fee=1_000))
    assert len(admitted(rig.give(make(sender=2, fee=5_000)))) == 1
    assert make(sender=1, fee=1_000).id in rig.pool
    assert codes(rig.give(make(sender=3, fee=9_000)))[0] is RejectionCode.POOL_FULL  # of what it drove out
    assert make(sender=1, fee=1_000).id in rig.pool


def test_a_payer_of_very_many_senders_drives_out_nothing_at_its_price_or_above():
    accounts = Accounts()
    accounts.put(9, 0, 10**9)
    rig = Rig(accounts, count_max=FULL)
    honest = [make(sender=number, fee=100_000) for number in HONEST]
    rig.give(*honest)
    effects = rig.give(*(make(sender=1_000 + number, sponsor=9, fee=100_000) for number in range(500)))
    assert lost(rig, honest) == []
    assert not admitted(effects)


def test_a_payer_of_very_many_senders_pays_for_no_more_than_it_has():
    accounts = Accounts()
    accounts.put(9, 0, 1_000_000)
    rig = Rig(accounts)
    effects = rig.give(*(make(sender=1_000 + number, sponsor=9, fee=100_000) for number in range(500)))
    assert len(admitted(effects)) == 10
    assert codes(effects) == [RejectionCode.NO_FUNDS] * 490


def test_many_flooders_do_not_shut_out_the_others_when_the_intake_is_full():
    """Each stays below its own bound; together they hold all that may wait."""
    size = len(make().raw)
    rig = Rig(intake_bytes_max=2 * size, intake_total_bytes_max=64 * size, slice_max=16)
    flooders = [key_of(2_000 + number) for number in range(40)]
    waits = 0
    honest = [make(sender=number) for number in range(1, 21)]
    for transaction in honest:
        for flooder in flooders:
            while rig.pool.has_room(flooder):
                rig.raw(make(sender=1_000).raw, flooder)
        while not rig.pool.has_room(OTHER_PEER) and waits < 100:
            waits += 1
            rig.pool.on_deadline(rig.now)
        assert rig.pool.has_room(None)
        rig.raw(transaction.raw, OTHER_PEER)
        for _ in range(4):  # a round of all 41: an honest one of each round is within an equal share
            rig.pool.on_deadline(rig.now)
    assert waits == 0
    assert rig.pool.statistics()["waiting_bytes"] <= 2 * 64 * size


@pytest.mark.parametrize("flooders", [1, 40])
def test_a_flooder_gets_no_more_turns_than_anybody_else(flooders):
    """A hundred times the budget: 100 junk transactions wait for each honest one."""
    rig = Rig(slice_max=64)
    for number in range(flooders):
        for _ in range(1_000 if flooders == 1 else 25):
            rig.raw(make(sender=1_000).raw, key_of(2_000 + number))
    honest = [make(sender=number) for number in range(1, 11)]
    for transaction in honest:
        rig.raw(transaction.raw, OTHER_PEER)
    slices = 0
    while not all(transaction.id in rig.pool for transaction in honest):
        rig.pool.on_deadline(rig.now)
        slices += 1
    # A round is about three payments of each origin.
    assert slices <= 2 * (1 + 3 * flooders // 64) + 3


def test_who_sends_little_does_not_wait_for_a_round_of_all_who_flood():
    rig = Rig(slice_max=16)
    flooders = [key_of(2_000 + number) for number in range(40)]
    for flooder in flooders:
        for _ in range(50):
            rig.raw(make(sender=1_000).raw, flooder)
    for _ in range(20):  # the first turns of all of them
        rig.pool.on_deadline(rig.now)
    for number in range(1, 20):
        honest = make(sender=number)
        rig.raw(honest.raw, OTHER_PEER)
        assert honest.id in admitted(rig.pool.on_deadline(rig.now))
        for _ in range(20):  # a round of all: after it the peer counts as one that sends little again
            rig.pool.on_deadline(rig.now)
        for flooder in flooders:
            while rig.pool.has_room(flooder) and rig.pool.statistics()["waiting"] < 2_000:
                rig.raw(make(sender=1_000).raw, flooder)


def test_nobody_gains_by_stopping_and_coming_anew():
    """A peer that sends in bursts gets no more than its share of the turns of one that always waits."""
    rig = Rig(slice_max=16)
    steady, bursts = key_of(2_000), key_of(2_001)
    served = {steady: 0, bursts: 0}
    for number in range(400):
        for _ in range(20):
            rig.raw(make(sender=1_000 + number).raw, steady)
        if number % 2:
            for _ in range(16):
                rig.raw(make(sender=9_000 + number).raw, bursts)
        for effect in rig.pool.on_deadline(rig.now):
            served[effect.origin] += 1
    assert served[bursts] < 1.3 * served[steady]


class CountingDict(dict):
    """Counts what is looked up."""

    looked_up = 0

    def __getitem__(self, key):
        self.looked_up += 1
        return super().__getitem__(key)


def test_replacing_one_of_a_long_queue_costs_no_more_than_of_a_short_one():
    rig = Rig()
    rig.give(*(make(nonce=nonce, fee=2_000) for nonce in range(2_000)))
    queue = rig.pool._pool.queue(make().sender)
    queue.entries = CountingDict(queue.entries)
    rig.give(*(make(nonce=nonce, fee=4_000) for nonce in range(10)))
    assert queue.entries.looked_up < 200


def test_every_loss_has_a_code_and_a_sentence():
    rig, _ = full_rig()
    effects = rig.give(*(make(sender=1_000 + number, fee=fee) for number, fee in enumerate((1, 500, 10**6, 10**6))))
    effects += rig.give(make(sender=1_002, nonce=0, fee=2 * 10**6), make(sender=1, nonce=40), make(sender=1, expires=0))
    effects += rig.block(1_000, touched=[])
    for effect in effects:
        if not isinstance(effect, Admitted):
            assert effect.code is not RejectionCode.OK
            assert len(effect.detail) > 10
