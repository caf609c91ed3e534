"""A caller for whom there is no place may ask for records once before it is closed, and gains nothing else by it."""

import random

import pytest

from p2pcommerce.discovery import CloseOne, SendTo, TakeGuest, Which
from p2pcommerce.discovery.guests import ANSWERED_US, GUEST_RECORDS_MAX, GUEST_US, GUESTS_MAX
from p2pcommerce.wire.messages import Peers
from tests.discovery.people import SECOND, START, key_of, record_of
from tests.discovery.test_discovery import filled, new, tell

MANY = 1_000


def call(core, number, remote, now=START):
    return core.on_connected(key_of(number), None, False, now, remote)


def closed(number, which=Which.NEW, reason="INBOUND_FULL"):
    return CloseOne(key_of(number), which, reason)


def full(records=12, **options):
    """A node without a place for callers that knows others."""
    return filled(records, inbound_max=0, outbound_target=0, **options)


def group(number):
    return f"tcp://{11 + number // 256}.{number % 256}.9.9:5000"


def told(effects):
    (answer,) = [each.message for each in effects if isinstance(each, SendTo)]
    assert isinstance(answer, Peers)
    return answer.records


def test_who_finds_no_place_is_told_of_others_and_closed_a_second_later():
    core = full()
    assert call(core, 50, group(1)) == [TakeGuest(key_of(50))]
    assert core.statistics()["guests"] == 1
    assert len(told(core.on_get_peers(key_of(50), 1_000, START))) == 12
    assert core.on_deadline(START) == []
    assert core.deadline == START + ANSWERED_US
    assert core.on_deadline(START + ANSWERED_US) == [closed(50)]
    assert core.statistics()["guests"] == 0
    assert core.statistics()["GUESTS_ANSWERED"] == 1


def test_a_guest_is_no_peer():
    core = full()
    call(core, 50, group(1))
    assert key_of(50) not in core.connections
    assert core.statistics()["inbound"] == 0
    core.on_observed(key_of(50), "tcp://5.6.7.8:5000", START)
    assert core.statistics()["observers"] == 0


def test_a_guest_that_does_not_ask_is_closed_after_three_seconds():
    core = full()
    call(core, 50, group(1))
    core.on_deadline(START)
    assert core.deadline == START + GUEST_US
    assert core.on_deadline(START + GUEST_US) == [closed(50)]
    assert core.statistics().get("GUESTS_ANSWERED", 0) == 0


def test_a_guest_is_answered_once():
    core = full()
    call(core, 50, group(1))
    assert told(core.on_get_peers(key_of(50), 1_000, START))
    assert core.on_get_peers(key_of(50), 1_000, START + 1) == [closed(50)]
    assert core.on_get_peers(key_of(50), 1_000, START + 2) == []  # no guest any more, and asked just now


def test_a_guest_that_comes_back_within_half_a_minute_is_closed_at_once():
    core = full()
    call(core, 50, group(1))
    core.on_get_peers(key_of(50), 1_000, START)
    core.on_deadline(START + ANSWERED_US)
    assert call(core, 50, group(1), START + 29 * SECOND) == [closed(50)]
    assert call(core, 50, group(1), START + 30 * SECOND) == [TakeGuest(key_of(50))]


def test_a_guest_is_told_of_64_at_most():
    core = new(inbound_max=0, outbound_target=0)
    rng = random.Random(3)
    tell(core, [record_of(number).raw for number in rng.sample(range(1_000, 2_000), 600)])
    call(core, 50, group(1))
    assert len(told(core.on_get_peers(key_of(50), 1_000, START))) == GUEST_RECORDS_MAX


def test_a_guest_from_afar_is_told_no_local_addresses():
    core = new(inbound_max=0)
    tell(core, [record_of(1, addresses=("tcp://192.168.0.9:7400",)).raw, record_of(2).raw])
    call(core, 50, group(1))
    assert told(core.on_get_peers(key_of(50), 1_000, START)) == (record_of(2).raw,)


def test_there_are_eight_guests_at_most_and_the_oldest_that_was_answered_leaves_first():
    core = full()
    for number in range(GUESTS_MAX):
        assert call(core, 50 + number, group(number)) == [TakeGuest(key_of(50 + number))]
    core.on_get_peers(key_of(53), 1_000, START)
    assert call(core, 60, group(60)) == [closed(53), TakeGuest(key_of(60))]
    assert call(core, 61, group(61)) == [closed(50), TakeGuest(key_of(61))]
    assert core.statistics()["guests"] == GUESTS_MAX
    assert core.statistics()["GUESTS_DISPLACED"] == 1  # who was answered lost nothing


def test_a_crowd_of_one_group_displaces_itself():
    core = full()
    call(core, 50, group(50))
    for number in range(GUESTS_MAX - 1):
        call(core, 60 + number, "tcp://9.9.9.9:5000")
    assert call(core, 70, "tcp://9.9.1.1:5000") == [closed(60), TakeGuest(key_of(70))]
    assert told(core.on_get_peers(key_of(50), 1_000, START))


def test_callers_of_one_group_are_guests_sixteen_at_once_and_then_once_in_two_seconds():
    core = full()
    taken = [TakeGuest(key_of(100 + number)) in call(core, 100 + number, "tcp://9.9.9.9:5000") for number in range(40)]
    assert taken == [True] * 16 + [False] * 24
    assert core.statistics()["GUESTS_OVER_RATE"] == 24
    assert call(core, 200, "tcp://9.9.9.9:5000", START + SECOND) == [closed(200)]
    assert TakeGuest(key_of(201)) in call(core, 201, "tcp://9.9.9.9:5000", START + 2 * SECOND)


def test_guests_are_32_at_once_and_then_four_a_second_in_all():
    core = full()
    taken = sum(TakeGuest(key_of(100 + number)) in call(core, 100 + number, group(number)) for number in range(60))
    assert taken == 32
    later = START + SECOND
    taken = sum(TakeGuest(key_of(200 + each)) in call(core, 200 + each, group(90 + each), later) for each in range(20))
    assert taken == 4


def test_an_honest_newcomer_is_told_of_others_while_a_swarm_of_few_groups_calls_without_end():
    core, answered = full(), 0
    for tenth in range(600):
        now = START + tenth * SECOND // 10
        core.on_deadline(now)
        for caller in range(4):
            call(core, 1_000 + 4 * tenth + caller, group(tenth % 4), now)
        if tenth % 50 == 49:
            newcomer = 5_000 + tenth
            call(core, newcomer, group(100 + tenth), now)
            answered += bool([each for each in core.on_get_peers(key_of(newcomer), MANY, now) if type(each) is SendTo])
        assert core.statistics()["guests"] <= GUESTS_MAX
    assert answered == 12


def test_a_guest_that_connects_again_loses_its_older_connection():
    core = full()
    call(core, 50, group(1))
    assert call(core, 50, group(1)) == [closed(50, Which.OLD, "DUPLICATE"), TakeGuest(key_of(50))]
    core.set_wanted([key_of(50)])
    effects = call(core, 50, group(1))
    assert effects[0] == closed(50, Which.OLD, "DUPLICATE")
    assert key_of(50) in core.connections
    assert core.statistics()["guests"] == 0


def test_a_guest_that_leaves_makes_room():
    core = full()
    call(core, 50, group(1))
    core.on_disconnected(key_of(50), START)
    assert core.statistics()["guests"] == 0
    assert not core.on_deadline(START + GUEST_US)


@pytest.mark.parametrize("dialled", [True, False])
def test_whom_this_node_dialled_and_has_no_place_for_is_no_guest(dialled):
    core = full()
    tell(core, [record_of(50, addresses=("tcp://9.9.9.8:7400",)).raw])
    if dialled:
        core.on_connected(key_of(40), "tcp://9.9.9.9:7400", True, START)
    effects = core.on_connected(key_of(50), "tcp://9.9.9.8:7400", True, START)
    assert (closed(50, reason="GROUP_FULL") in effects) is dialled
    assert TakeGuest(key_of(50)) not in effects
