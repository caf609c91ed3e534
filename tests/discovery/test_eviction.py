import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import DiscoveryParameters
from p2pcommerce.discovery.connections import Connection
from p2pcommerce.discovery.dialling import Purpose
from p2pcommerce.discovery.eviction import choose_evicted
from tests.discovery.people import START, key_of

PARAMETERS = DiscoveryParameters()
SECRET = bytes(range(32))
LONELY = "tcp://200.1.1.1:5000"


def caller(number, remote, since=START):
    return Connection.of(key_of(number), None, remote, Purpose.TRIED, since)


def crowd(count, remote=lambda number: f"tcp://9.9.0.{number}:5000"):
    return {key_of(number): caller(number, remote(number), START + number) for number in range(1, count + 1)}


def turned_out(inbound, callers, make):
    """Let callers come one after the other; return who had to go, in order."""
    gone = []
    for number in range(callers):
        fresh = make(number)
        evicted = choose_evicted(inbound, fresh, PARAMETERS, SECRET)
        if evicted is not None:
            gone.append(evicted)
            del inbound[evicted]
            inbound[key_of(5_000 + number)] = fresh
    return gone


def test_the_last_of_the_most_populous_group_makes_room():
    inbound = crowd(30) | {key_of(100 + n): caller(100 + n, f"tcp://{n + 20}.1.1.1:5", START + 99) for n in range(10)}
    assert choose_evicted(inbound, caller(500, LONELY), PARAMETERS, SECRET) == key_of(30)


def test_a_caller_of_the_most_populous_group_is_refused():
    assert choose_evicted(crowd(40), caller(500, "tcp://9.9.9.9:5"), PARAMETERS, SECRET) is None


def test_everybody_is_protected_in_a_small_crowd():
    assert choose_evicted(crowd(4), caller(500, LONELY), PARAMETERS, SECRET) is None


def test_the_eight_nearest_stay():
    inbound = crowd(40)
    near = [key_of(number) for number in range(30, 38)]
    for index, peer in enumerate(inbound):
        inbound[peer].rtt_us = 10_000 if peer in near else 50_000 + index
    gone = turned_out(inbound, 60, lambda n: caller(5_000 + n, f"tcp://{n + 20}.1.1.1:5", START + 1_000 + n))
    assert gone
    assert not set(gone) & set(near)


def test_who_brought_transactions_or_blocks_last_stays():
    inbound = crowd(40)
    useful = {key_of(number) for number in range(33, 41)}
    for number in range(33, 37):
        inbound[key_of(number)].transaction_us = START + number
    for number in range(37, 41):
        inbound[key_of(number)].block_us = START + number
    gone = turned_out(inbound, 60, lambda n: caller(5_000 + n, f"tcp://{n + 20}.1.1.1:5", START + 1_000 + n))
    assert gone
    assert not set(gone) & useful


def test_half_of_the_rest_stays_for_its_age():
    inbound = crowd(40)
    gone = turned_out(inbound, 200, lambda n: caller(5_000 + n, f"tcp://{n % 150 + 20}.1.1.1:5", START + 1_000 + n))
    assert not set(gone) & {key_of(number) for number in range(1, 15)}


def test_a_swarm_holds_as_many_places_as_it_has_groups_whatever_it_does():
    honest = {key_of(n): caller(n, f"tcp://{n + 20}.1.1.1:5", START + n) for n in range(1, 26)}
    inbound = dict(honest)
    for number in range(15):
        inbound[key_of(900 + number)] = caller(900 + number, f"tcp://9.{number % 5}.1.1:5", START + 100 + number)
    rng = random.Random(1)
    turned_out(
        inbound, 500, lambda n: caller(5_000 + n, f"tcp://9.{rng.randrange(5)}.1.{n % 200}:5", START + 1_000 + n)
    )
    assert set(honest) <= set(inbound)
    # Honest callers take the places of the crowds.
    gone = turned_out(inbound, 10, lambda n: caller(6_000 + n, f"tcp://{n + 100}.1.1.1:5", START + 9_000 + n))
    assert len(gone) == 10
    assert not set(gone) & set(honest)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 300), st.integers(0, 5), st.integers(0, 5), st.integers(0, 99)),
        max_size=60,
    ),
    st.integers(0, 12),
)
def test_who_makes_room_is_of_a_crowd_at_least_as_large_as_the_caller_s(rows, group):
    inbound = {}
    for number, (place, rtt, transaction, block, since) in enumerate(rows):
        made = inbound[key_of(number)] = caller(number, f"tcp://9.{place}.1.1:5", START + since)
        made.rtt_us, made.transaction_us, made.block_us = rtt or None, transaction, block
    fresh = caller(900, f"tcp://9.{group}.1.1:5")
    evicted = choose_evicted(inbound, fresh, PARAMETERS, SECRET)
    if evicted is not None:
        sizes = [sum(each.group == at.group for each in inbound.values()) for at in (inbound[evicted], fresh)]
        assert inbound[evicted].group != fresh.group
        assert sizes[0] > sizes[1]
