import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.simulation.queue import EventQueue, EventQueueError


def test_events_come_out_by_time_and_move_it_on():
    queue = EventQueue[str]()
    for time_us, event in ((30, "c"), (10, "a"), (2_000_000, "d"), (20, "b")):
        queue.push(time_us, 1, event)
    assert [queue.pop()[3] for _ in range(3)] == ["a", "b", "c"]
    assert (queue.now_us, len(queue), queue.next_us) == (30, 1, 2_000_000)


def test_events_of_one_time_come_out_in_the_order_of_pushing():
    queue = EventQueue[object]()
    for node in range(100):
        queue.push(5, node, object())  # objects cannot be compared
    assert [queue.pop()[2] for _ in range(100)] == list(range(100))


def test_an_event_in_the_past_is_refused():
    queue = EventQueue[None]()
    queue.push(10, 0, None)
    queue.pop()
    queue.push(10, 0, None)
    with pytest.raises(EventQueueError, match="it is 10 us already"):
        queue.push(9, 0, None)


def test_the_queue_is_bounded():
    queue = EventQueue[None](events_max=2)
    queue.push(1, 0, None)
    queue.push(5_000_000, 0, None)
    with pytest.raises(EventQueueError, match="2 events are waiting"):
        queue.push(2, 0, None)
    queue.pop()
    queue.push(2, 0, None)


def test_an_empty_queue_has_no_next_event():
    queue = EventQueue[None]()
    assert queue.next_us is None
    with pytest.raises(EventQueueError, match="no event"):
        queue.pop()


def test_time_can_be_moved_on_to_the_next_event_but_not_over_it():
    queue = EventQueue[None]()
    queue.push(9_000, 0, None)
    queue.advance(9_000)
    queue.advance(100)
    assert queue.now_us == 9_000
    with pytest.raises(EventQueueError, match="take it first"):
        queue.advance(9_001)


def test_an_event_before_one_that_was_looked_at_comes_first():
    queue = EventQueue[str]()
    queue.push(9_000_000, 0, "late")
    assert queue.next_us == 9_000_000
    queue.push(5_000_000, 0, "early")
    queue.push(9_000_001, 0, "last")
    assert [queue.pop()[3] for _ in range(3)] == ["early", "late", "last"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 20_000_000))
def test_the_order_is_that_of_sorting_by_time_and_sequence(seed, spread_us):
    rng = random.Random(seed)
    queue, pushed, taken = EventQueue[int](), [], []
    for number in range(300):
        if rng.random() < 0.3 and len(queue):
            if rng.random() < 0.5:
                assert queue.next_us is not None
            taken.append(queue.pop())
        time_us = queue.now_us + rng.randrange(spread_us)
        queue.push(time_us, 0, number)
        pushed.append((time_us, number, 0, number))
    while len(queue):
        taken.append(queue.pop())
    assert sorted(taken) == sorted(pushed)
    assert [entry[0] for entry in taken] == sorted(entry[0] for entry in taken)
    ties = [(entry[0], entry[1]) for entry in taken]
    assert all(later > earlier for earlier, later in pairwise(ties) if earlier[0] == later[0])
