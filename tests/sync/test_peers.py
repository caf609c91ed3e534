import random

from p2pcommerce.sync import SyncParameters
from p2pcommerce.sync.peers import Request, Roster
from tests.sync.chain import SECOND, START


def key(number):
    return bytes([number]) * 32


def roster_of(count, claimed=100):
    roster = Roster(SyncParameters(), random.Random(1))
    for number in range(1, count + 1):
        roster.on_connected(key(number))
        roster.get(key(number)).claimed = claimed
    return roster


def test_a_stall_is_avoided_for_twice_as_long_each_time_up_to_five_minutes():
    roster = roster_of(1)
    known = roster.get(key(1))
    pauses = []
    for _ in range(10):
        roster.on_fault(known, START, lied=False)
        pauses.append((known.avoided_until_us - START) // SECOND)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_a_lie_is_avoided_for_five_minutes_at_once():
    roster = roster_of(1)
    roster.on_fault(roster.get(key(1)), START, lied=True)
    assert roster.get(key(1)).avoided_until_us == START + 300 * SECOND
    assert roster.pick(1, START + 300 * SECOND - 1) is None
    assert roster.pick(1, START + 300 * SECOND).peer == key(1)
    assert roster.next_forgiven_us(0, START) == START + 300 * SECOND
    assert roster.next_forgiven_us(100, START) is None


def test_a_good_answer_halves_the_faults():
    roster = roster_of(1)
    known = roster.get(key(1))
    for _ in range(5):
        roster.on_fault(known, START, lied=False)
    roster.on_verified(known, None)
    assert known.faults == 2
    roster.on_verified(known, None)
    roster.on_verified(known, None)
    assert known.faults == 0


def test_who_failed_less_then_who_is_less_busy_then_who_is_faster_is_asked():
    roster = roster_of(3)
    first, second, third = (roster.get(key(number)) for number in (1, 2, 3))
    first.latency_us = 1
    assert roster.pick(1, START) is first
    first.asked[50] = Request(START, START)
    second.latency_us = 2
    assert roster.pick(1, START) is second
    second.faults = 1
    assert roster.pick(1, START) is third


def test_nobody_is_asked_for_more_than_it_claims_or_twice_for_one_range_or_three_times_at_once():
    roster = roster_of(1)
    known = roster.get(key(1))
    assert roster.pick(101, START) is None
    known.asked[1] = Request(START, START)
    assert roster.pick(1, START) is None
    assert roster.pick(2, START) is known
    known.asked[2] = Request(START, START)
    assert roster.pick(3, START) is None


def test_the_latency_is_smoothed():
    roster = roster_of(1)
    known = roster.get(key(1))
    for _ in range(40):
        roster.on_verified(known, 100_000)
    assert 100_000 <= known.latency_us < 110_000


def test_claims_of_avoided_and_absent_peers_do_not_count():
    roster = roster_of(2)
    roster.get(key(2)).claimed = 500
    assert roster.best_claim(START) == 500
    roster.on_fault(roster.get(key(2)), START, lied=False)
    assert roster.best_claim(START) == 100
    roster.on_disconnected(key(1))
    assert roster.best_claim(START) == 0
    assert len(roster) == 1
