"""Token buckets by key."""

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.buckets import Buckets


def test_a_burst_and_then_one_in_an_interval():
    buckets = Buckets(3, 10, 4)
    assert [buckets.take("a", 100) for _ in range(4)] == [True, True, True, False]
    assert [buckets.take("a", now) for now in (109, 110, 110, 120)] == [False, True, False, True]


def test_a_clock_that_is_set_back_locks_nobody_out():
    buckets = Buckets(1, 10, 4)
    assert buckets.take("a", 10**9)
    assert buckets.take("a", 5)


def test_many_names_gain_nothing_and_full_buckets_make_room():
    buckets = Buckets(1, 10, 2)
    assert buckets.take("a", 0)
    assert buckets.take("b", 0)
    assert not buckets.take("c", 0)
    assert len(buckets) == 2
    assert buckets.take("c", 10)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), st.lists(st.tuples(st.integers(-5, 30), st.sampled_from("ab"))))
def test_has_tells_what_take_would_say_and_takes_nothing(burst, interval_us, steps):
    buckets, now = Buckets(burst, interval_us, 4), 100
    for gap, key in steps:
        now += gap
        told = buckets.has(key, now)
        assert buckets.has(key, now) is told
        assert buckets.take(key, now) is told
