from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import keep_new
from tests.discovery.people import key_of

LOW, HIGH = sorted([key_of(1), key_of(2)])


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.booleans(), st.booleans())
def test_of_two_dialled_at_once_both_ends_keep_the_same_one_whichever_they_saw_first(
    a, b, a_saw_own_first, b_saw_own_first
):
    if a == b:
        return

    def keeps_own_dial(own, peer, saw_own_first):
        new = keep_new(own, peer, old_is_outbound=saw_own_first, new_is_outbound=not saw_own_first, at_once=True)
        return new != saw_own_first

    assert keeps_own_dial(a, b, a_saw_own_first) != keeps_own_dial(b, a, b_saw_own_first)
    assert keeps_own_dial(a, b, a_saw_own_first) == (a < b)


def test_a_second_connection_in_the_same_direction_replaces_the_first():
    for own, peer in ((LOW, HIGH), (HIGH, LOW)):
        for outbound in (True, False):
            assert keep_new(own, peer, old_is_outbound=outbound, new_is_outbound=outbound, at_once=True)


def test_a_connection_long_after_the_first_replaces_it():
    for own, peer in ((LOW, HIGH), (HIGH, LOW)):
        for outbound in (True, False):
            assert keep_new(own, peer, old_is_outbound=outbound, new_is_outbound=not outbound, at_once=False)
