"""How often a peer may send what no room limits: each kind has its rate, and no honest node reaches it."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.node.rates import EXCESS, FLOOD, GONE_MAX, RATES, Rates
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.wire import messages as wire
from tests.docs.test_protocol import read
from tests.wire.examples import EXAMPLES

from .cluster import SECOND
from .test_inbox import NOW, A, B, closes, cluster, meet, node  # noqa: F401 - fixtures

ROWS = {row[1].strip("`"): row for row in read("messages")[1]}
EXAMPLE = {type(message): message for message in EXAMPLES}
WORDS = [kind for kind, rate in RATES.items() if rate.is_word]
QUESTIONS = [kind for kind, rate in RATES.items() if not rate.is_word]
STALL_US = 45 * SECOND
"""A ping is unanswered for so long at most, until its sender closes: then all that was sent may come at once."""


def each(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


def flood(node, kind, count):  # noqa: F811 - the fixture
    return [node.on_message(A, EXAMPLE[kind], NOW) for _ in range(count)]


@pytest.mark.parametrize("name", ROWS)
def test_every_kind_has_a_limit(name):
    assert ROWS[name][6].strip()


@each(RATES)
def test_the_row_of_a_kind_names_its_rate(kind):
    rate = RATES[kind]
    per_s = SECOND / rate.interval_us
    pace = {1 / 60: "one a minute", 1 / 2: "one in 2 s"}.get(per_s, f"{per_s:g} a second")
    assert f"{rate.burst} at once, then {pace}" in ROWS[kind.__name__][6]
    assert ("beyond: close" in ROWS[kind.__name__][6]) is rate.is_word


@each(WORDS)
def test_who_says_too_much_about_itself_is_closed(node, kind):  # noqa: F811 - the fixture
    *before, last = flood(node, kind, RATES[kind].burst + 1)
    assert not any(closes(effects) for effects in before)
    assert closes(last) == [(1, FLOOD)]


@each(QUESTIONS)
def test_a_question_beyond_its_rate_is_left_aside_and_counted(node, kind):  # noqa: F811 - the fixture
    answers = flood(node, kind, RATES[kind].burst + 5)
    assert answers[-5:] == [[]] * 5
    assert node.statistics()["node"]["over_rate"] == 5


@each(QUESTIONS)
def test_who_makes_a_habit_of_it_is_closed(node, kind):  # noqa: F811 - the fixture
    *before, last = flood(node, kind, RATES[kind].burst + EXCESS.burst + 1)
    assert not any(closes(effects) for effects in before)
    assert closes(last) == [(1, FLOOD)]


def test_every_ping_within_the_rate_is_answered(node):  # noqa: F811 - the fixture
    assert all(flood(node, wire.Ping, RATES[wire.Ping].burst))
    assert not flood(node, wire.Ping, 1)[0]
    assert node.on_message(A, EXAMPLE[wire.Ping], NOW + RATES[wire.Ping].interval_us)


def test_peers_have_rates_of_their_own(node):  # noqa: F811 - the fixture
    flood(node, wire.Ping, RATES[wire.Ping].burst)
    meet(node, B, 2)
    assert node.on_message(B, EXAMPLE[wire.Ping], NOW)


def test_a_new_connection_does_not_begin_anew(node):  # noqa: F811 - the fixture
    flood(node, wire.Ping, RATES[wire.Ping].burst)
    node.on_disconnected(A, 1, NOW)
    meet(node, A, 3)
    assert not node.on_message(A, EXAMPLE[wire.Ping], NOW)
    assert node.on_message(A, EXAMPLE[wire.Ping], NOW + RATES[wire.Ping].interval_us)


def test_who_floods_three_times_is_banned(node):  # noqa: F811 - the fixture
    for link in (1, 2, 3):
        if link > 1:
            assert not closes(meet(node, A, link))
        found = [
            close for effects in flood(node, wire.Choose, RATES[wire.Choose].burst + 1) for close in closes(effects)
        ]
        assert found == [(link, FLOOD)]
    assert closes(meet(node, A, 4)) == [(4, "BANNED")]
    assert closes(meet(node, A, 5, now=NOW + 600 * SECOND)) == []


def spend(rates, peer, now=NOW):
    for kind in RATES:
        for _ in range(RATES[kind].burst):
            rates.admits(peer, EXAMPLE[kind], now)


def holds(rates):
    return sum(len(buckets) for buckets in (*rates._buckets.values(), rates._excess))


def test_the_buckets_of_a_peer_that_has_gone_are_kept_until_all_are_full():
    rates = Rates()
    spend(rates, A)
    rates.on_disconnected(A, NOW)
    assert holds(rates) == len(RATES)
    full_us = NOW + max(rate.burst * rate.interval_us for rate in RATES.values())
    rates.on_disconnected(B, full_us - 1)
    assert holds(rates) == len(RATES)
    rates.on_disconnected(B, full_us)
    assert holds(rates) == len(rates) == 0


def test_peers_that_are_gone_are_bounded_and_who_went_first_is_forgotten_first():
    rates = Rates()
    for number in range(GONE_MAX + 2):
        peer = number.to_bytes(32, "big")
        rates.admits(peer, EXAMPLE[wire.Observed], NOW)
        rates.on_disconnected(peer, NOW)
    assert len(rates) == holds(rates) == GONE_MAX
    assert (0).to_bytes(32, "big") not in rates._gone
    assert (1).to_bytes(32, "big") not in rates._gone


def test_who_is_connected_again_is_not_forgotten():
    rates = Rates()
    spend(rates, A)
    rates.on_disconnected(A, NOW)
    rates.on_connected(A)
    assert len(rates) == 0
    assert holds(rates) == len(RATES)


@each(WORDS)
def test_what_an_honest_node_says_in_a_stall_may_come_at_once(kind):
    """Twice a second is more than any of them is said (`Status` once, topics twice)."""
    rates = Rates()
    assert all(rates.admits(A, EXAMPLE[kind], NOW) for _ in range(2 * STALL_US // SECOND))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 3 * SECOND), max_size=400), st.sampled_from(sorted(RATES, key=lambda kind: kind.__name__))
)
def test_never_more_than_the_burst_and_the_rate_pass(gaps, kind):
    rates, rate, now, passed = Rates(), RATES[kind], NOW, 0
    for gap in gaps:
        now += gap
        with suppress(RemoteProtocolError):
            passed += rates.admits(A, EXAMPLE[kind], now)
        assert passed <= rate.burst + (now - NOW) // rate.interval_us
