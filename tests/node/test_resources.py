"""What connections may take of a node."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.node.resources import Admission, ResourceLimits, Resources, fitted
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import MICROSECONDS

NO_RATE = {"handshakes_rate": 10**6, "handshakes_burst": 10**6} | {
    "handshakes_per_host_rate": 10**6,
    "handshakes_per_host_burst": 10**6,
}
HOUR = 3_600 * MICROSECONDS


def resources(**limits):
    return Resources(ResourceLimits(**(NO_RATE | limits)))


def host(number, group=8):
    """A global address: hosts of one group share a /16."""
    return f"tcp://{group}.8.{number // 250}.{number % 250 + 1}:5000"


def test_the_oldest_handshake_of_a_host_makes_room_for_its_newest():
    found = resources(handshakes_per_host_max=3)
    for link in range(3):
        assert found.admit(link, host(1), 0) == Admission()
    assert found.admit(3, host(1), 0) == Admission("", 0)
    assert found.admit(4, host(1), 0) == Admission("", 1)
    assert found.statistics()["handshakes"] == 3
    assert found.statistics()["displaced"] == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://8.8.1.1:1", "tcp://8.8.200.2:2"),
        ("tcp://[2a00:1450:1::7]:1", "tcp://[2a00:1450:ffff::8]:1"),
    ],
)
def test_the_oldest_handshake_of_a_group_makes_room_for_its_newest(one, other):
    found = resources(handshakes_per_group_max=2)
    assert not found.admit(1, one, 0).refused
    assert not found.admit(2, other, 0).refused
    assert not found.admit(3, host(1, group=9), 0).refused
    assert found.admit(4, other, 0) == Admission("", 1)


def test_when_all_places_are_taken_the_group_with_most_makes_room():
    found = resources(handshakes_max=10)
    assert not found.admit(0, host(0, group=9), 0).refused  # alone in its group, and the oldest of all
    for link in range(1, 10):
        assert not found.admit(link, host(link), 0).refused
    assert found.admit(10, host(0, group=11), 0) == Admission("", 1)
    assert found.admit(11, host(0, group=12), 0) == Admission("", 2)


def test_a_handshake_that_succeeded_is_not_displaced():
    found = resources(handshakes_per_host_max=2)
    found.admit(1, host(1), 0)
    found.proven(1)
    found.admit(2, host(1), 0)
    found.admit(3, host(1), 0)
    assert found.admit(4, host(1), 0) == Admission("", 2)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"sockets_per_host_max": 4}, "sockets_per_host"),
        ({"sockets_per_group_max": 4}, "sockets_per_group"),
        ({"sockets_max": 4}, "sockets_per_total"),
    ],
)
def test_beyond_the_sockets_of_a_scope_only_unproven_ones_make_room(limits, code):
    found = resources(**limits)
    for link in range(4):
        assert not found.admit(link, host(1), 0).refused
        found.proven(link)
    assert found.admit(4, host(1), 0) == Admission(code)
    assert found.statistics()[f"refused.{code}"] == 1
    found.close(3)
    assert not found.admit(5, host(1), 0).refused
    assert found.admit(6, host(1), 0) == Admission("", 5)


def test_a_host_comes_at_its_rate_and_others_are_not_held_up():
    found = Resources(ResourceLimits(handshakes_per_host_rate=10, handshakes_per_host_burst=5))
    codes = [found.admit(link, host(1), HOUR).refused for link in range(7)]
    assert codes == [""] * 5 + ["handshakes_per_host_rate"] * 2
    assert not found.admit(7, host(2), HOUR).refused
    assert found.admit(8, host(1), HOUR + 99_999).refused
    assert not found.admit(9, host(1), HOUR + 100_000).refused
    later = [found.admit(10 + link, host(1), 2 * HOUR).refused for link in range(6)]
    assert later == [""] * 5 + ["handshakes_per_host_rate"]  # after a pause a burst again, and no more than one


def test_all_together_come_at_a_rate():
    found = Resources(ResourceLimits(handshakes_rate=10, handshakes_burst=5))
    codes = [found.admit(link, host(link), HOUR).refused for link in range(7)]
    assert codes == [""] * 5 + ["handshakes_rate"] * 2


def test_the_hosts_whose_rate_is_remembered_are_bounded():
    found = resources(rated_hosts_max=16)
    for link in range(100):
        found.admit(link, host(link), 0)
        found.close(link)
    assert found.statistics()["rated_hosts"] == 16
    assert not found._hosts
    assert not found._groups


@pytest.mark.parametrize(("held", "code"), [((101, 0), "bytes_per_peer"), ((0, 11), "messages_per_peer")])
def test_a_link_holds_no_more_than_a_peer_may(held, code):
    found = resources(bytes_per_peer_max=100, messages_per_peer_max=10)
    found.admit(1, host(1), 0)
    assert found.hold(1, 100, 10) == ""
    assert found.hold(1, *held) == code
    assert found.statistics()[f"closed.{code}"] == 1


@pytest.mark.parametrize("scope", ["group", "total"])
@pytest.mark.parametrize("what", ["bytes", "messages"])
def test_who_holds_more_than_an_equal_share_of_a_full_scope_cannot_grow(scope, what):
    name = f"{what}_per_group_max" if scope == "group" else f"{what}_max"
    found = resources(**{name: 1_000})
    for link in range(4):
        found.admit(link, host(link), 0)

    def hold(link, size):
        return found.hold(link, size if what == "bytes" else 0, size if what == "messages" else 0)

    assert hold(0, 990) == ""
    assert hold(1, 250) == ""  # the scope is over its total, and this one has no more than its share
    assert hold(2, 251) == f"{what}_per_{scope}"
    assert hold(0, 980) == ""  # whoever shrinks goes on
    assert hold(0, 981) == f"{what}_per_{scope}"


def test_a_scope_never_holds_twice_its_total():
    found = resources(bytes_max=1_000, bytes_per_peer_max=10**6)
    for link in range(10):
        found.admit(link, host(link, group=link + 20), 0)
    assert found.hold(0, 1_000, 0) == ""
    found.hold(0, 1_950, 0)
    assert found.hold(1, 50, 0) == ""
    assert found.hold(2, 1, 0) == "bytes_per_total"


def test_what_a_link_held_is_given_back_when_it_ends():
    found = resources()
    found.dialled(1, host(1))
    found.admit(2, "memory://anybody", 0)
    found.admit(3, "no address at all", 0)
    for link in (1, 2, 3):
        assert found.hold(link, 10, 1) == ""
    before = found.statistics()
    assert (before["sockets"], before["bytes"], before["messages"], before["handshakes"]) == (3, 30, 3, 2)
    for link in (1, 2, 3, 3, 99):
        found.close(link)
        found.proven(link)
        assert found.hold(link, 5, 5) == ""
    after = found.statistics()
    assert not any(after[name] for name in ("sockets", "bytes", "messages", "handshakes", "sockets_per_group"))


def test_few_files_mean_few_sockets():
    limits = ResourceLimits()
    assert fitted(limits, -1) == fitted(limits, 10**6) == limits
    assert (fitted(limits, 256).handshakes_max, fitted(limits, 256).sockets_max) == (64, 192)
    assert (fitted(limits, 1).handshakes_max, fitted(limits, 1).sockets_max) == (1, 1)


@pytest.mark.parametrize("field", dataclasses.fields(ResourceLimits), ids=lambda field: field.name)
def test_every_cap_leaves_room_for_one(field):
    with pytest.raises(LocalProtocolError, match=field.name):
        ResourceLimits(**{field.name: 0})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "dialled", "proven", "close", "hold"]), st.integers(0, 30), st.integers(0, 400)
    ),
    max_size=120,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_no_cap_is_passed_and_nothing_is_kept_of_what_ended(steps):
    limits = {"sockets_max": 12, "sockets_per_group_max": 8, "sockets_per_host_max": 5, "handshakes_max": 6}
    limits |= {"handshakes_per_group_max": 4, "handshakes_per_host_max": 3, "bytes_per_peer_max": 300}
    found = resources(**limits)
    alive = set()
    for action, link, size in steps:
        if action in {"admit", "dialled"} and link not in alive:
            address = host(link % 7, group=8 + link % 3)
            if action == "dialled":
                if len(alive) < 12:
                    found.dialled(link, address)
                    alive.add(link)
                continue
            admission = found.admit(link, address, 0)
            alive.discard(admission.displaced)
            if not admission.refused:
                alive.add(link)
        elif action == "proven":
            found.proven(link)
        elif (action == "hold" and found.hold(link, size, 0)) or action == "close":
            found.close(link)
            alive.discard(link)
        counts = found.statistics()
        assert counts["sockets"] == len(alive)
        assert all(counts[name] <= limits[f"{name}_max"] for name in ("handshakes", "handshakes_per_host"))
        assert counts["handshakes_per_group"] <= limits["handshakes_per_group_max"]
        assert counts["bytes_per_peer"] <= limits["bytes_per_peer_max"]
    for link in alive:
        found.close(link)
    assert not found._hosts
    assert not found._groups
    assert not found._links
    assert found._total.bytes == found._total.sockets == 0
