import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery import DiscoveryParameters, dialling
from p2pcommerce.discovery.dialling import Dialling, Purpose, backoff_us
from tests.discovery.people import SECOND, START, key_of

PARAMETERS = DiscoveryParameters()
PLACE = "tcp://h:1"


def new():
    return Dialling(PARAMETERS, random.Random(1))


def fail(places, address=PLACE, now=START, *, purpose=Purpose.TRIED):
    places.start(address, key_of(1), purpose=purpose, now=now)
    return places.on_failed(address, now)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2**32))
def test_the_pause_doubles_up_to_its_cap_and_half_of_it_is_jitter(failures, seed):
    pause = backoff_us(failures, SECOND, 300 * SECOND, random.Random(seed))
    whole = min(300 * SECOND, SECOND * 2 ** min(max(failures - 1, 0), 20))
    assert whole // 2 <= pause <= whole


def test_two_nodes_do_not_come_back_together():
    pauses = {backoff_us(5, SECOND, 300 * SECOND, random.Random(seed)) for seed in range(50)}
    assert len(pauses) == 50


def test_an_ordinary_address_rests_up_to_five_minutes_a_wanted_one_up_to_15_s():
    for purpose, most in ((Purpose.TRIED, 300 * SECOND), (Purpose.RESERVED, 15 * SECOND)):
        places = new()
        for _ in range(40):
            fail(places, purpose=purpose)
        assert most // 2 <= places.next_us(PLACE) - START <= most


def test_an_address_is_not_dialled_twice_at_once():
    places = new()
    places.start(PLACE, None, purpose=Purpose.TRIED, now=START)
    assert places.next_us(PLACE) is None
    assert places.best([PLACE], START) is None
    assert (places.in_flight, places.ordinary_in_flight) == (1, 1)
    places.on_reached(PLACE)
    assert places.in_flight == 0
    assert places.next_us(PLACE) == 0


def test_own_addresses_are_never_dialled():
    places = new()
    places.add_own([PLACE])
    assert places.is_own(PLACE)
    assert places.best([PLACE, "tcp://h:2"], START) == "tcp://h:2"


def test_of_several_addresses_the_one_that_failed_least_is_dialled():
    places = new()
    fail(places, "tcp://a:1")
    fail(places, "tcp://b:1")
    fail(places, "tcp://b:1")
    assert places.best(["tcp://b:1", "tcp://a:1"], START + 10 * SECOND) == "tcp://a:1"
    assert places.best(["tcp://b:1", "tcp://c:1"], START) == "tcp://c:1"


def test_a_failure_names_who_was_expected():
    assert fail(new()) == key_of(1)


def test_a_connection_that_ends_soon_counts_as_a_failure_and_a_lasting_one_wipes_them_out():
    places = new()
    for _ in range(8):
        fail(places)
    places.on_reached(PLACE)
    places.on_ended(PLACE, PARAMETERS.stable_us - 1, START)
    assert places.next_us(PLACE) - START >= 128 * SECOND
    places.on_ended(PLACE, PARAMETERS.stable_us, START)
    assert places.next_us(PLACE) - START <= SECOND


def test_a_dial_that_nobody_reports_on_is_overdue():
    places = new()
    places.start(PLACE, None, purpose=Purpose.TRIED, now=START)
    assert places.deadline == START + PARAMETERS.dial_timeout_us
    assert places.overdue(places.deadline - 1) == []
    assert places.overdue(places.deadline) == [PLACE]
    places.on_failed(PLACE, places.deadline)
    assert places.deadline is None


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(dialling, "PLACES_MAX", 3)


@pytest.mark.usefixtures("small_memory")
def test_the_memory_of_addresses_is_bounded_and_keeps_what_is_under_way():
    places = new()
    places.start("tcp://a:1", None, purpose=Purpose.TRIED, now=START)
    for number in range(10):
        fail(places, f"tcp://b:{number + 1}")
    assert len(places) == 3
    assert places.in_flight == 1
    assert places.next_us("tcp://a:1") is None
