"""What people are told while a node catches up by blocks."""

from p2pcommerce.sync.effects import CatchingUp
from p2pcommerce.sync.headway import Headway

SECOND = 1_000_000


def walk(headway, speed, seconds, *, target=10_000, start=0, now=0):
    """Deliver `speed` blocks a second; return what was said."""
    said = [headway.note(start + speed * second, target, now + second * SECOND) for second in range(seconds + 1)]
    return [each for each in said if each is not None]


def test_each_ten_seconds_height_rate_and_time_left_are_told():
    said = walk(Headway(), 100, 25)
    assert said == [CatchingUp(1_000, 10_000, 100, 90 * SECOND), CatchingUp(2_000, 10_000, 100, 80 * SECOND)]


def test_the_rate_is_of_the_last_half_minute():
    headway = Headway()
    walk(headway, 10, 100)
    assert walk(headway, 100, 40, start=1_000, now=100 * SECOND)[-1].blocks_per_s in range(95, 101)


def test_a_short_gap_is_closed_without_a_word():
    headway = Headway()
    assert not walk(headway, 100, 9)
    assert headway.note(10_000, None, 10 * SECOND) is None


def test_the_end_is_told_once_after_a_word_and_the_next_gap_is_measured_anew():
    headway = Headway()
    assert walk(headway, 100, 10)
    assert headway.note(10_000, 10_000, 11 * SECOND) == CatchingUp(10_000, 10_000, 0, 0)
    assert headway.note(10_000, None, 12 * SECOND) is None
    assert headway.statistics() == {"catch_up_target": 10_000, "catch_up_blocks_per_s": 0, "catch_up_left_s": 0}
    assert not walk(headway, 5, 9, target=20_000, start=10_000, now=50 * SECOND)


def test_without_progress_no_time_is_promised():
    headway = Headway()
    (said,) = walk(headway, 0, 10, target=2**63)
    assert said == CatchingUp(0, 2**63, 0, None)
    assert headway.statistics()["catch_up_left_s"] == -1
    for second in range(10, 10_000):
        headway.note(0, 2**63, second * SECOND)
    assert len(headway._samples) <= 31
