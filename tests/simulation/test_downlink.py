import random

from p2pcommerce.simulation.downlink import SLOT_NS, SLOTS_KEPT, Downlink


def test_a_message_on_an_idle_downlink_is_in_with_its_slot_s_work():
    assert Downlink().book(10 * SLOT_NS, 500, 0) == 10 * SLOT_NS + 500


def test_a_message_larger_than_a_slot_takes_the_following_ones():
    downlink = Downlink()
    assert downlink.book(10 * SLOT_NS, 3 * SLOT_NS + 5, 0) == 13 * SLOT_NS + 5
    assert downlink.book(10 * SLOT_NS, 5, 0) == 13 * SLOT_NS + 10
    assert downlink.book(12 * SLOT_NS, SLOT_NS, 0) == 14 * SLOT_NS + 10


def test_what_is_booked_later_for_an_earlier_time_is_not_held_up():
    downlink = Downlink()
    downlink.book(100 * SLOT_NS, 50 * SLOT_NS, 0)
    assert downlink.book(20 * SLOT_NS, 7, 0) == 20 * SLOT_NS + 7


def test_no_more_is_carried_than_there_is_time_for():
    downlink, rng = Downlink(), random.Random(1)
    work = [(rng.randrange(50 * SLOT_NS), rng.randrange(2 * SLOT_NS)) for _ in range(200)]
    ends = [downlink.book(first_ns, work_ns, 0) for first_ns, work_ns in work]
    assert all(end >= first >> 20 << 20 for end, (first, _) in zip(ends, work, strict=True))
    assert max(ends) >= sum(work_ns for _, work_ns in work)
    assert max(ends) <= 50 * SLOT_NS + sum(work_ns for _, work_ns in work)
    assert sum(downlink._booked_ns.values()) == sum(work_ns for _, work_ns in work)
    assert max(downlink._booked_ns.values()) <= SLOT_NS


def test_slots_that_have_passed_are_dropped():
    downlink = Downlink()
    for slot in range(20 * SLOTS_KEPT):
        downlink.book(slot * SLOT_NS, 1, slot * SLOT_NS)
        assert len(downlink) <= SLOTS_KEPT + 1


def test_a_long_backlog_is_jumped_over():
    downlink = Downlink()
    downlink.book(0, 100_000 * SLOT_NS, 0)
    for count in range(1, 1_000):
        assert downlink.book(0, 10, 0) == 100_000 * SLOT_NS + 10 * count
    assert downlink._next_slot[0] == 100_000
