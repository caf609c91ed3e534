"""Beacons of the local network: what is taken of them, and how much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.discovery.beacon import (
    BEACON_BYTES_MAX,
    BEACON_SOURCE,
    SENDER_BURST,
    SENDER_INTERVAL_US,
    SENDERS_MAX,
    TOTAL_BURST,
    TOTAL_INTERVAL_US,
    Beacons,
    write_beacon,
)
from p2pcommerce.primitives.ids import GenesisHash

GENESIS = GenesisHash(bytes(range(32)))
NOW = 1_700_000_000_000_000


@pytest.fixture
def beacons():
    return Beacons(GENESIS)


def beacon(record):
    return write_beacon(GENESIS, record)


def test_a_beacon_is_magic_version_network_and_record(beacons):
    assert beacon(b"record") == b"p2pc\x01\x00\x01\x02\x03record"
    assert beacons.take(beacon(b"record"), "a", NOW) == b"record"
    assert len(beacon(bytes(1_024))) == BEACON_BYTES_MAX
    assert beacons.take(beacon(bytes(1_024)), "a", NOW) == bytes(1_024)


@pytest.mark.parametrize(
    "data",
    [b"", b"p2pc", beacon(b""), beacon(bytes(1_025)), b"P2PC" + beacon(b"r")[4:], b"p2pc\x02" + beacon(b"r")[5:]],
)
def test_what_is_no_beacon_is_malformed(beacons, data):
    assert beacons.take(data, "a", NOW) is None
    assert dict(beacons.counters) == {"malformed": 1}
    assert len(beacons) == 0


def test_a_beacon_of_another_network_is_left_aside(beacons):
    assert beacons.take(write_beacon(GenesisHash(bytes(32)), b"r"), "a", NOW) is None
    assert dict(beacons.counters) == {"foreign": 1}


def test_a_record_that_its_sender_has_just_sent_is_left_aside(beacons):
    assert beacons.take(beacon(b"r"), "a", NOW) == b"r"
    assert beacons.take(beacon(b"r"), "a", NOW) is None
    assert beacons.take(beacon(b"r"), "b", NOW) == b"r"
    assert beacons.counters["repeated"] == 1


def test_one_sender_is_heard_within_its_allowance(beacons):
    taken = [at for at in range(100) if beacons.take(beacon(bytes([at])), "a", NOW)]
    assert len(taken) == SENDER_BURST
    assert beacons.take(beacon(b"later"), "a", NOW + SENDER_INTERVAL_US) == b"later"
    assert beacons.take(beacon(b"again"), "a", NOW + SENDER_INTERVAL_US) is None
    assert beacons.take(beacon(b"other"), "b", NOW) == b"other"


def test_all_senders_together_are_heard_within_theirs_and_remembered_up_to_the_cap(beacons):
    taken = [at for at in range(1_000) if beacons.take(beacon(b"r%d" % at), f"s{at}", NOW)]
    assert len(taken) == TOTAL_BURST
    assert len(beacons) == SENDERS_MAX
    assert beacons.take(beacon(b"later"), "new", NOW + TOTAL_INTERVAL_US) == b"later"
    assert beacons.counters["over"] == 1_000 - TOTAL_BURST


def test_beacons_are_one_source_that_knows_local_addresses():
    assert BEACON_SOURCE.is_local
    assert BEACON_SOURCE.group == b"named lan"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from("abc")), max_size=30))
def test_whatever_comes_is_counted_once(datagrams):
    beacons = Beacons(GENESIS)
    for tail, sender in datagrams:
        beacons.take(b"p2pc\x01\x00\x01" + tail, sender, NOW)
    assert sum(beacons.counters.values()) == len(datagrams)
