"""Rules of the choice of senders."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.wire.messages import Choose, Unchoose
from tests.gossip.rig import MS, SECOND, Rig, chosen, peer_of, raw_of, sent, unchosen


class Stream:
    """Transactions that nobody has seen."""

    def __init__(self):
        self.number = 0

    def next(self, count=1):
        self.number += count
        return [raw_of(number) for number in range(self.number - count, self.number)]


def warm_up(rig, lags_ms, count=20):
    """Let peers show `count` transactions with the given lags after the first of them."""
    stream = Stream()
    stream.number = 10_000
    for raw in stream.next(count):
        start = rig.now
        for number, lag_ms in sorted(lags_ms.items(), key=lambda item: item[1]):
            rig.now = start + lag_ms * MS
            rig.show(number, raw)
        rig.judge(raw, origin=min(lags_ms, key=lags_ms.get))
        rig.now = start + max(lags_ms.values()) * MS


def test_with_few_peers_everybody_is_chosen_at_connect():
    rig = Rig()
    for number in range(1, 6):
        assert chosen(rig.connect(number)) == [number]
    assert chosen(rig.connect(6, outbound=True)) == []
    assert rig.senders() == {1, 2, 3, 4, 5}


def test_a_peer_that_goes_is_replaced_by_the_best_of_the_others():
    rig = Rig(peers=8, outbound=8, rtts=(50, 50, 50, 50, 50, 90 * MS, 20 * MS, 60 * MS))
    effects = rig.router.on_disconnected(peer_of(2), rig.now)
    assert sent(effects, Choose) == {7: [Choose()]}


def test_the_ranking_is_by_round_trip_time_until_enough_was_heard():
    rig = Rig(peers=8, outbound=8, seed=3, rtts=[number * 10 * MS for number in (8, 7, 6, 5, 4, 3, 2, 1)])
    rig.wait(30 * SECOND)
    assert {8, 7, 6} <= rig.senders()
    assert len(rig.senders()) == 5


def measure(rig, *rtts_ms):
    return [
        effect
        for number, rtt_ms in enumerate(rtts_ms, start=1)
        for effect in rig.router.on_rtt(peer_of(number), rtt_ms * MS, rig.now)
    ]


def test_nearer_peers_take_the_places_of_farther_ones_as_they_are_measured():
    rig = Rig(peers=8, outbound=8)
    assert rig.senders() == {1, 2, 3, 4, 5}
    effects = measure(rig, 80, 70, 60, 50, 40, 30, 20, 10)
    assert {6, 7, 8} <= rig.senders()
    assert len(rig.senders()) == 5
    assert sorted(chosen(effects)) == [6, 7, 8]
    assert len(unchosen(effects)) == 3


def test_a_measurement_neither_lets_penalties_fade_nor_draws_by_lot():
    rig = Rig(peers=8, outbound=8, rtts=[10 * MS] * 8)
    link = rig.router._links[peer_of(1)]
    link.penalty_us, link.asked, link.broken, link.has_refused = 80 * MS, 4, 2, True
    state = rig.router._senders._rng.getstate()
    measure(rig, 9, 9, 9, 9, 9, 1, 9, 9)
    assert (link.penalty_us, link.asked, link.broken, link.has_refused) == (80 * MS, 4, 2, True)
    assert rig.router._senders._rng.getstate() == state


def test_two_senders_stay_however_far_they_are_measured():
    rig = Rig(peers=20, outbound=20)
    for number in range(1, 21):
        rig.now += MS
        rig.router.on_rtt(peer_of(number), (100 - number) * MS, rig.now)
    assert {18, 19, 20} <= rig.senders()
    assert len(rig.senders() & {1, 2, 3, 4, 5}) == 2


def test_a_peer_that_refused_is_not_chosen_by_a_measurement():
    rig = Rig(peers=8, outbound=8, rtts=[50 * MS] * 8)
    rig.router._links[peer_of(8)].has_refused = True
    assert measure(rig, 50, 50, 50, 50, 50, 50, 50, 1) == []


def test_measurements_leave_two_senders_that_were_dialled():
    rig = Rig(outbound=0)
    for number in (1, 2):
        rig.connect(number, outbound=True)
    for number in range(3, 12):
        rig.connect(number)
    measure(rig, 300, 300, *range(20, 11, -1))
    assert {1, 2} <= rig.senders()
    assert len(rig.senders()) == 5


def test_once_enough_was_heard_a_measurement_moves_nobody():
    rig = Rig(peers=8, outbound=8, rtts=[50 * MS] * 8)
    warm_up(rig, {1: 0, 2: 10})
    assert measure(rig, 50, 50, 50, 50, 50, 50, 50, 1) == []


def test_the_ranking_is_by_mean_lag_afterwards():
    rig = Rig(peers=8, outbound=8, rtts=[10 * MS] * 8)
    warm_up(rig, {1: 60, 2: 50, 3: 40, 4: 5, 5: 3, 6: 0})
    rig.wait(30 * SECOND)
    assert {6, 5, 4} <= rig.senders()


def test_a_peer_without_samples_ranks_last():
    rig = Rig(peers=6, outbound=6, senders=5, senders_random=0, rtts=(90 * MS, 90 * MS, 90 * MS, 90 * MS, 90 * MS, 1))
    warm_up(rig, {1: 100, 2: 200, 3: 150, 4: 0, 5: 240})
    rig.wait(30 * SECOND)
    assert rig.senders() == {1, 2, 3, 4, 5}


def test_lag_is_capped():
    rig = Rig(peers=2)
    rig.show(1, raw_of(1))
    rig.now += 10 * SECOND
    rig.show(2, raw_of(1))
    link = rig.router._links[peer_of(2)]
    assert (link.lag_us, link.lag_count) == (250 * MS, 1)


def test_own_transactions_and_repeats_in_flight_are_no_samples():
    rig = Rig(peers=1)
    rig.judge(raw_of(1))
    rig.now += MS
    rig.show(1, raw_of(1))
    assert rig.router._links[peer_of(1)].lag_count == 0
    rig.show(1, raw_of(2), raw_of(2), raw_of(2))
    assert rig.router._links[peer_of(1)].lag_count == 1


def test_announcements_are_samples_too():
    rig = Rig(peers=2)
    rig.relay(1, raw_of(1))
    rig.now += 30 * MS
    rig.announce(2, raw_of(1))
    assert rig.router._links[peer_of(2)].lag_us == 30 * MS


def test_two_senders_are_drawn_anew_at_each_rank():
    rig = Rig(peers=20, outbound=20, rtts=[number * MS for number in range(1, 21)])
    drawn = set()
    for _ in range(20):
        rig.wait(30 * SECOND)
        assert {1, 2, 3} <= rig.senders()
        drawn |= rig.senders() - {1, 2, 3}
    assert len(drawn) > 8


def test_at_least_two_senders_are_peers_that_were_dialled():
    rig = Rig(peers=20, outbound=0, rtts=[MS] * 20)
    rig.connect(21, outbound=True)
    rig.connect(22, outbound=True)
    for number in (21, 22):
        rig.router.on_rtt(peer_of(number), 300 * MS, rig.now)
    for _ in range(10):
        rig.wait(30 * SECOND)
        assert {21, 22} <= rig.senders()


def test_places_for_dialled_peers_are_kept_when_filling_up():
    rig = Rig(outbound=0)
    for number in range(1, 4):
        rig.connect(number)
    assert rig.senders() == {1, 2, 3}
    rig.connect(4)
    rig.connect(5, outbound=True)
    rig.connect(6, outbound=True)
    rig.connect(7)
    rig.router.on_disconnected(peer_of(4), rig.now)
    assert {5, 6} <= rig.senders()


def test_a_refusal_leads_to_another_choice_until_the_next_rank():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    assert rig.senders() == {1, 2, 3, 4, 5}
    effects = rig.router.on_refuse(peer_of(1), rig.now)
    assert (chosen(effects), unchosen(effects)) == ([6], [])
    assert rig.router.on_refuse(peer_of(1), rig.now) == []
    assert chosen(rig.router.on_refuse(peer_of(2), rig.now)) == []
    assert rig.senders() == {3, 4, 5, 6}
    rig.wait(30 * SECOND)
    assert len(rig.senders()) == 5


def test_a_silent_sender_is_replaced_after_a_second_and_eight_transactions():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    stream = Stream()
    effects = []
    for _ in range(11):
        for number in (2, 3, 4, 5):
            effects += rig.relay(number, *stream.next())
        effects += rig.wait(100 * MS)
    assert sent(effects, Unchoose) == {1: [Unchoose()]}
    assert sent(effects, Choose) == {6: [Choose()]}
    assert rig.count("senders_replaced") == 1


def test_a_sender_that_repeats_what_others_bring_does_not_stall():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    stream = Stream()
    for _ in range(30):
        (raw,) = stream.next()
        for number in (1, 2, 3, 4, 5):
            rig.show(number, raw)
        rig.judge(raw, origin=1)
        assert chosen(rig.wait(100 * MS)) == []


def test_seven_transactions_are_no_ground_to_replace():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    stream = Stream()
    for _ in range(7):
        for number in (2, 3, 4, 5):
            rig.show(number, *(stream.next() if number == 2 else ()))
    assert chosen(rig.wait(5 * SECOND)) == []


def test_without_anybody_else_a_silent_sender_stays_and_the_router_sleeps():
    rig = Rig(peers=3)
    rig.relay(2, *Stream().next(20))
    rig.router.retire([])
    assert chosen(rig.wait(5 * SECOND)) == unchosen(rig.wait(0)) == []
    assert rig.senders() == {1, 2, 3}
    assert rig.router.deadline - rig.now > 20 * SECOND


def test_a_sender_that_announces_what_it_owes_is_replaced_two_seconds_after_it_was_chosen():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    rig.now += 2 * SECOND - 1
    assert rig.announce(1, raw_of(1)) == []
    rig.now += 1
    effects = rig.announce(1, raw_of(2))
    assert (unchosen(effects), chosen(effects)) == ([1], [6])


def test_a_sender_may_announce_what_is_known():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    rig.now += 5 * SECOND
    rig.relay(2, raw_of(1))
    assert rig.announce(1, raw_of(1)) == []


def test_a_sender_is_replaced_after_three_broken_promises():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    effects = rig.announce(1, raw_of(1), raw_of(2)) + rig.wait(SECOND)
    assert chosen(effects) == []
    effects = rig.announce(1, raw_of(3)) + rig.wait(SECOND)
    assert (unchosen(effects), chosen(effects)) == ([1], [6])


def test_a_replacement_costs_lag_that_fades():
    rig = Rig(peers=6, outbound=6, rtts=[MS] * 6)
    rig.now += 2 * SECOND
    rig.announce(1, raw_of(1))
    link = rig.router._links[peer_of(1)]
    assert link.penalty_us == 80 * MS
    rig.wait(SECOND)
    assert link.penalty_us == 100 * MS  # the announced transaction was never delivered: 20 ms
    rig.wait(30 * SECOND)
    assert link.penalty_us == 50 * MS
    rig.wait(30 * SECOND)
    assert link.penalty_us == 25 * MS


def test_an_idle_router_wakes_for_rankings_only():
    rig = Rig(peers=8, rtts=[MS] * 8)
    assert rig.router.deadline == rig.now + 30 * SECOND
    rig.relay(1, raw_of(1))
    rig.router.retire([])
    rig.wait(SECOND)
    assert rig.router.deadline - rig.now > 28 * SECOND


def run(seed, script):
    """Drive a router by a script of numbers and return all effects."""
    rng = random.Random(seed)
    rig = Rig(peers=9, outbound=4, seed=seed, rtts=[number * 7 * MS for number in range(1, 10)])
    effects = list(rig.effects)
    for step in script:
        number = 1 + step % 9
        raws = [raw_of(rng.randrange(60)) for _ in range(1 + step % 4)]
        match step % 6:
            case 0 | 1 | 2:
                offers = rig.show(number, *raws)
                effects += offers
                effects += rig.judge(
                    *(raw for offer in offers if hasattr(offer, "items") for _, raw in offer.items), origin=number
                )
            case 3:
                effects += rig.announce(number, *raws)
            case 4:
                effects += rig.router.on_choose(peer_of(number), rig.now)
            case _:
                effects += rig.wait(step * MS)
    return repr(effects)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100), script=st.lists(st.integers(0, 1_000), max_size=120))
def test_the_same_inputs_and_seed_give_the_same_effects(seed, script):
    assert run(seed, script) == run(seed, script)
