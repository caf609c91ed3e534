import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.simulation.clocks import DRIFT_PPM_MAX, JUMP_US_MAX, SKEW_US_MAX, UNIX_BASE_US, HostClock
from p2pcommerce.simulation.streams import Streams

SECOND = 1_000_000


def clock(seed=1, **faults):
    return HostClock(Streams(seed), 0, faults)


def test_a_right_clock_reads_unix_time():
    right = clock()
    assert [right.read(at) - UNIX_BASE_US for at in (0, 1, 5 * SECOND)] == [0, 1, 5 * SECOND]
    assert right.world_time_of(UNIX_BASE_US + 77) == 77
    assert not right.fired


def test_skew_and_drift_stay_within_their_intensity():
    skews = [clock(seed, clock_skew=0.5).error_us(0) for seed in range(200)]
    drifts = [clock(seed, clock_drift=0.5).drift_ppm for seed in range(200)]
    assert SKEW_US_MAX * 0.4 < max(skews) <= SKEW_US_MAX * 0.5
    assert -SKEW_US_MAX * 0.5 <= min(skews) < -SKEW_US_MAX * 0.4
    assert DRIFT_PPM_MAX * 0.4 < max(drifts) <= DRIFT_PPM_MAX * 0.5
    assert clock(clock_skew=0.5, clock_drift=0.5).fired == {"clock_skew": 1, "clock_drift": 1}


def test_a_deviation_of_nothing_is_not_counted():
    # A bound of one microsecond: a third of the draws are 0.
    drawn = [clock(seed, clock_skew=1 / SKEW_US_MAX) for seed in range(60)]
    assert {bool(each.error_us(0)) for each in drawn} == {True, False}
    assert all(each.fired["clock_skew"] == (each.error_us(0) != 0) for each in drawn)


def test_clocks_of_different_hosts_differ_and_a_fault_leaves_the_others_alone():
    streams = Streams(1)
    assert HostClock(streams, 0, {"clock_skew": 1}).error_us(0) != HostClock(streams, 1, {"clock_skew": 1}).error_us(0)
    assert clock(clock_skew=1, clock_drift=1).error_us(0) == clock(clock_skew=1).error_us(0)


def test_a_jump_forward_is_seen_at_once():
    subject = clock()
    assert subject.jump(SECOND, 5 * SECOND) == 5 * SECOND
    assert subject.read(SECOND) - UNIX_BASE_US == 6 * SECOND
    assert subject.world_time_of(UNIX_BASE_US + 3 * SECOND) == SECOND
    assert subject.world_time_of(UNIX_BASE_US + 7 * SECOND) == 2 * SECOND


def test_a_jump_backward_is_held_until_a_restart():
    subject = clock()
    subject.jump(10 * SECOND, -4 * SECOND)
    assert subject.read(12 * SECOND) - UNIX_BASE_US == 12 * SECOND
    assert subject.held_us == 4 * SECOND
    subject.restart(12 * SECOND)
    assert subject.read(12 * SECOND) - UNIX_BASE_US == 8 * SECOND
    assert subject.held_us == 0


def test_a_jump_forward_uses_up_what_is_held_back_first():
    subject = clock()
    subject.jump(0, -4 * SECOND)
    subject.jump(0, 3 * SECOND)
    assert (subject.error_us(0), subject.held_us) == (0, SECOND)
    subject.jump(0, 3 * SECOND)
    assert (subject.error_us(0), subject.held_us) == (2 * SECOND, 0)


def test_drawn_jumps_stay_within_their_intensity_and_are_counted():
    subject = clock(clock_jump=0.5)
    jumps = [subject.jump(at) for at in range(200)]
    assert JUMP_US_MAX * 0.4 < max(map(abs, jumps)) <= JUMP_US_MAX * 0.5
    assert subject.fired["clock_jump"] == sum(map(bool, jumps))
    assert clock().jump(0) == 0


@pytest.mark.parametrize("seed", range(8))
def test_after_healing_and_a_restart_the_clock_is_right(seed):
    subject = clock(seed, clock_skew=1, clock_drift=1, clock_jump=1)
    subject.jump(SECOND)
    before = subject.read(7 * SECOND)
    subject.heal(7 * SECOND)
    assert subject.read(7 * SECOND) == max(before, UNIX_BASE_US + 7 * SECOND)
    subject.restart(9 * SECOND)
    assert [subject.error_us(at) for at in (9 * SECOND, 60 * SECOND)] == [0, 0]
    assert subject.jump(60 * SECOND) == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1_000), st.lists(st.tuples(st.integers(0, 10**8), st.integers(-(10**8), 10**8)), max_size=8))
def test_a_clock_never_steps_back_within_one_process(seed, jumps):
    subject = clock(seed, clock_skew=1, clock_drift=1)
    world_us, read_us = 0, subject.read(0)
    for wait_us, delta_us in jumps:
        world_us += wait_us
        assert subject.read(world_us) >= read_us
        subject.jump(world_us, delta_us)
        assert subject.read(world_us) >= read_us
        read_us = subject.read(world_us)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_world_time_of_a_deadline_is_the_first_at_which_the_clock_reads_it(seed, changed_us, ahead_us):
    subject = clock(seed, clock_skew=1, clock_drift=1)
    subject.jump(changed_us, 1)
    deadline = subject.read(changed_us) + ahead_us
    world_us = subject.world_time_of(deadline)
    assert subject.read(world_us) >= deadline
    assert world_us == changed_us or subject.read(world_us - 1) < deadline
