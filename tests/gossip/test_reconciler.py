import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip import short_id
from p2pcommerce.gossip.coding import CodedSymbols, symbols_of, value_of, write_symbols
from p2pcommerce.wire.messages import (
    Announce,
    Found,
    GetIds,
    GetSymbols,
    Ids,
    Lacking,
    Pull,
    Symbols,
    Transactions,
)

from .rig import MS, SECOND, id_of, key_of, raw_of
from .village import RECONCILING, Village

MINUTE = 60 * SECOND


def raws(first, count, size=100):
    return [raw_of(number, size) for number in range(first, first + count)]


COUNTED = (*RECONCILING, Announce, Pull)


def pair(common=0, only_1=0, only_2=0, connect=True, first=0, **more):
    """Two houses; 1 dials 2."""
    village = Village(2, **more)
    pool = raws(first, common + only_1 + only_2)
    village[1].hold(pool[: common + only_1])
    village[2].hold(pool[:common] + pool[common + only_1 :])
    if connect:
        village.connect(1, 2)
    return village


def are_equal(village):
    first, *others = [set(house.pool) for house in village.houses.values()]
    return all(other == first for other in others)


def broken(village, number):
    return village[number].count("promises_broken")


@pytest.mark.parametrize(
    ("common", "only_1", "only_2"),
    [
        (0, 0, 0),
        (100, 0, 0),
        (0, 7, 0),
        (0, 0, 7),
        (200, 3, 2),
        (1_000, 50, 50),
        (1_000, 0, 100),
        (50, 300, 300),
        (10, 1_500, 20),
    ],
)
def test_two_pools_are_equal_soon_after_connecting(common, only_1, only_2):
    village = pair(common, only_1, only_2)
    village.run(2 * SECOND)
    assert are_equal(village)
    assert len(village[1].deliveries) == only_2
    assert len(village[2].deliveries) == only_1
    assert village[1].count("duplicates") == village[2].count("duplicates") == 0
    assert broken(village, 1) == broken(village, 2) == 0
    assert village[1].count("reconcile_asked") == village[1].count("reconcile_done") == 1
    assert village[2].count("reconcile_asked") == 0


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 150),
    st.integers(0, 120),
    st.integers(0, 120),
    st.integers(1, 80),
    st.integers(8, 300),
    st.integers(1, 99),
)
def test_any_two_pools_become_equal_with_whatever_slices_and_caps(common, only_1, only_2, slice_, symbols_max, seed):
    village = pair(common, only_1, only_2, seed=seed, reconcile_slice=slice_, reconcile_symbols_max=symbols_max)
    village.run(5 * SECOND)
    assert are_equal(village)
    assert village[1].count("duplicates") == village[2].count("duplicates") == 0
    assert broken(village, 1) == broken(village, 2) == 0


@pytest.mark.parametrize(("only_1", "only_2"), [(50, 50), (100, 0), (0, 100)])
def test_pools_of_10_000_that_differ_by_100_are_equal_after_3_kilobytes_each_way(only_1, only_2):
    """In the mean, with what encryption and framing add; the worst of many is a tenth above."""
    sent = {1: [], 2: []}
    for first in range(0, 100_000, 20_000):
        village = pair(9_900, only_1, only_2, first=first)
        village.run(3 * SECOND)
        assert are_equal(village)
        for number in (1, 2):
            messages = [message for sender, _, message, _ in village.log if sender == number]
            framing = 21 * sum(isinstance(message, COUNTED) for message in messages)
            sent[number].append(village.sent_bytes(number, COUNTED) + framing)
    for number in (1, 2):
        assert sum(sent[number]) <= 3_000 * len(sent[number])
        assert max(sent[number]) <= 3_300


def test_what_comes_by_another_way_in_the_meantime_is_not_delivered_twice():
    village = pair(20, 5, 5, delay_us=100 * MS)
    village.run(350 * MS)
    for number, other in ((1, 2), (2, 1)):
        missing = [raw for tx_id, raw in village[other].pool.items() if tx_id not in village[number].pool]
        village.inject(other, number, Transactions(tuple(missing)))
    village.run(3 * SECOND)
    assert are_equal(village)
    assert len(village[1].deliveries) == len(village[2].deliveries) == 5


def test_what_several_peers_tell_of_comes_from_one():
    village = Village(4)
    for number in (2, 3, 4):
        village[number].hold(raws(0, 40))
        village.connect(1, number)
    village.run(5 * SECOND)
    assert are_equal(village)
    assert len(village[1].deliveries) == 40
    assert village[1].count("duplicates") == 0
    assert sum(village[number].count("pulls_served") for number in (2, 3, 4)) == 40


def test_each_minute_one_of_the_two_asks_again():
    village = pair(10)
    village.run(SECOND)
    asked = lambda: village[1].count("reconcile_asked") + village[2].count("reconcile_asked")  # noqa: E731 - two words
    assert asked() == 1
    for minutes in range(1, 6):
        village[1].hold(raws(1_000 + minutes, 1))
        village.run(75 * SECOND)
        assert are_equal(village)
        assert minutes < asked() <= 1 + 2 * minutes
    assert village[1].count("reconcile_asked")
    assert village[2].count("reconcile_asked")


def test_equal_pools_cost_a_few_bytes():
    village = pair(500)
    village.run(SECOND)
    village.log.clear()
    village.run(75 * SECOND)
    assert 0 < village.sent_bytes(1) + village.sent_bytes(2) < 260


def test_the_next_question_begins_with_as_many_symbols_as_the_last_one_needed():
    village = pair(500, 10, 10)
    village.run(75 * SECOND)
    first, *more, last = [message for number in (1, 2) for message in village.sent(number, GetSymbols)]
    assert first.count == 16
    assert more
    if village[1].count("reconcile_asked") == 2:
        assert last.count >= 20


def test_if_both_ask_at_once_the_question_of_the_side_that_dialled_stands():
    ties = 0
    for seed in range(40):
        village = pair(
            50,
            3,
            3,
            reconcile_us=4 * SECOND,
            reconcile_connect_us=4 * SECOND,
            reconcile_rest_us=2 * SECOND,
            delay_us=600 * MS,
            connect=False,
            seed=seed,
        )
        village.connect(1, 2)
        village.run(12 * SECOND)
        assert are_equal(village)
        for number in (1, 2):
            assert village[number].count("reconcile_unanswered") == village[number].count("reconcile_bad_answers") == 0
            assert len(village[number].deliveries) == 3
        ties += min(village[number].count("reconcile_ties") for number in (1, 2))
    assert ties


def test_only_so_many_peers_are_asked_at_the_same_time():
    village = Village(9, delay_us=200 * MS)
    for number in range(1, 10):
        village[number].hold(raws(0, 10))
    for number in range(2, 10):
        village.connect(1, number)
    most = 0
    for _ in range(60):
        village.run(100 * MS)
        reconciler = village[1].router._reconciler
        most = max(most, sum(pair.ask is not None for pair in reconciler._pairs.values()))
        assert reconciler._asks == sum(pair.ask is not None for pair in reconciler._pairs.values())
    assert most == 2
    assert village[1].count("reconcile_done") == 8


# --- falling back to the list of ids ---


def test_an_empty_pool_takes_the_list_at_once():
    village = pair(0, 0, 30)
    village.run(SECOND)
    assert village.sent(1, GetSymbols) == []
    assert village[1].count("reconcile_lists") == 1
    assert are_equal(village)


def test_beyond_the_cap_of_symbols_the_list_is_taken():
    village = pair(2_000, 100, 100, reconcile_symbols_max=64)
    village.run(2 * SECOND)
    assert sum(message.count for message in village.sent(1, GetSymbols)) <= 64
    assert village[1].count("reconcile_lists") == 1
    assert are_equal(village)


def test_a_list_of_many_ids_comes_a_page_at_a_time():
    village = pair(0, 0, 6_000)
    village.run(3 * SECOND)
    assert len(village[1].pool) == 4_096
    assert village[1].count("reconcile_lacked") == 4_096
    village.run(75 * SECOND)
    assert are_equal(village)
    assert max(len(message.data) for message in village.sent(2, Ids)) <= 4_096 * 8


def test_garbage_symbols_count_as_a_broken_promise_and_the_list_is_taken():
    village = pair(500, 20, 20)

    def spoil(sender, _, message):
        if sender == 2 and isinstance(message, Symbols):
            return Symbols(message.first, message.size, bytes(reversed(message.data[:11])) + message.data[11:])
        return message

    village.censor = spoil
    village.run(2 * SECOND)
    assert are_equal(village)
    assert village[1].count("reconcile_lists") == 1


def test_symbols_that_contradict_this_sides_set_are_given_up():
    village = pair(500, 0, 1)
    stolen = short_id(key_of(2), id_of(raw_of(3, 100)))

    def lie(sender, _, message):
        if sender == 2 and isinstance(message, Symbols):
            local = CodedSymbols(64)
            local.add([short_id(key_of(2), tx_id) for tx_id in village[1].pool])
            for place in symbols_of(stolen, 64):
                local.values[place] ^= value_of(stolen)
                local.counts[place] += 1
            count = village.sent(1, GetSymbols)[-1].count
            first = message.first
            return Symbols(
                first,
                500,
                write_symbols(local.values[first : first + count], local.counts[first : first + count], first, 500),
            )
        return message

    village.censor = lie
    village.run(2 * SECOND)
    assert village[1].count("reconcile_garbage") == 1
    assert village[1].router._scores.of(bytes([2]) * 32).broken == 1
    assert are_equal(village)


def test_a_collision_of_short_ids_hides_one_of_the_two_and_nothing_else(monkeypatch):
    monkeypatch.setattr("p2pcommerce.gossip.sketch.short_id", _colliding)
    monkeypatch.setattr("p2pcommerce.gossip.asking.short_id", _colliding)
    village = pair(100, 5, 5)
    village[2].hold(_TWINS)
    village.run(2 * SECOND)
    assert len(village[1].pool) == 110 + 1
    assert len(village[2].pool) == 110 + 2
    assert village[1].count("reconcile_lists") == 0
    assert village[2].count("reconcile_shadowed") == 1
    village[2].index.discard(id_of(_TWINS[0]))
    village[2].index.discard(id_of(_TWINS[1]))
    village.run(75 * SECOND)
    assert len(village[2].pool) == 110 + 2


_TWINS = [b"twin 1" * 20, b"twin 2" * 20]


def _colliding(key, tx_id):
    return bytes(7) + b"\x01" if tx_id in {id_of(raw) for raw in _TWINS} else short_id(key, tx_id)


# --- what dishonest peers cannot do ---


def test_a_peer_that_never_answers_breaks_a_promise_and_holds_up_nobody():
    village = Village(4)
    village[1].hold(raws(0, 10))
    village[4].hold(raws(0, 20))
    for number in (2, 3, 4):
        village.connect(1, number)
    village.censor = lambda sender, _, message: (
        None if sender in {2, 3} and isinstance(message, RECONCILING) else message
    )
    village.run(6 * SECOND)
    assert len(village[1].pool) == 20
    assert village[1].count("reconcile_unanswered") == 2
    assert village[1].router._scores.of(bytes([2]) * 32).broken == 1
    assert village.closed == []


def test_a_peer_that_tells_of_what_it_never_delivers_breaks_promises():
    village = pair(10, 0, 20)
    village.censor = lambda sender, _, message: None if sender == 2 and isinstance(message, Transactions) else message
    village.run(3 * SECOND)
    assert broken(village, 1) == 20
    assert village[1].count("wanted") == 0
    assert village[1].router._scores.points(village[1].router._links[bytes([2]) * 32].score, village.now) == -60


def test_a_peer_that_asks_too_often_gets_no_answer():
    village = pair(50)
    village.run(SECOND)
    village.log.clear()
    for _ in range(10):
        village.inject(1, 2, GetSymbols(0, 512))
        village.inject(1, 2, GetIds(bytes(8), 4_096))
    village.run(SECOND)
    assert len(village.sent(2, Symbols)) == 0
    assert len(village.sent(2, Ids)) <= 1  # the one that the question on connecting still had left
    assert village[2].count("reconcile_out_of_turn") >= 19


def test_endless_questions_end_at_the_cap():
    village = pair(3_000, connect=False, reconcile_connect_us=MINUTE, reconcile_us=100 * MINUTE)
    village.connect(1, 2)
    for first in range(0, 10_000, 512):
        village.inject(1, 2, GetSymbols(first, 512))
        village.run(100 * MS)
    symbols = village.sent(2, Symbols)
    assert sum(bool(message.data) for message in symbols) == 4
    assert village.sent_bytes(2) < 2_048 * 16 + 40 * len(symbols)


def test_endless_symbols_are_dropped():
    village = pair(50)
    village.run(SECOND)
    for _ in range(20):
        village.inject(2, 1, Symbols(0, 50, bytes(12)))
        village.inject(2, 1, Ids(bytes(8), True, bytes(8)))
    village.run(SECOND)
    assert village[1].count("reconcile_stray") == 40
    assert village.closed == []


@pytest.mark.parametrize(
    "answer",
    [
        Symbols(5, 50, bytes(12)),
        Symbols(0, 50, bytes(12) * 17),
        Ids(bytes(8), True, b""),
    ],
)
def test_an_answer_that_does_not_fit_the_question_ends_it(answer):
    village = pair(50, 0, 1)
    village.censor = lambda sender, _, message: answer if sender == 2 and isinstance(message, Symbols) else message
    village.run(2 * SECOND)
    assert village[1].count("reconcile_bad_answers") == 1
    assert village[1].count("reconcile_done") == 0
    assert village[1].router._reconciler._asks == 0
    village.censor = lambda sender, _, message: message
    village.run(80 * SECOND)
    assert are_equal(village)


@pytest.mark.parametrize(
    "answer",
    [
        Ids(b"\x01" * 8, True, b""),
        Ids(bytes(8), False, b""),
        Ids(bytes(8), True, b"\x02" * 8 + b"\x01" * 8),
        Ids(bytes(8), True, b"\x02" * 16),
    ],
)
def test_ids_that_do_not_fit_the_question_end_it(answer):
    village = pair(0, 0, 5)
    village.censor = lambda sender, _, message: answer if isinstance(message, Ids) else message
    village.run(2 * SECOND)
    assert village[1].count("reconcile_bad_answers") == 1


def test_malformed_symbols_close_the_connection():
    village = pair(50, 0, 1)
    village.censor = lambda sender, _, message: Symbols(0, 51, b"cut") if isinstance(message, Symbols) else message
    village.run(SECOND)
    assert village.closed == [(1, 2)]


def test_what_a_peer_tells_unasked_is_not_wanted():
    village = pair(50)
    village.run(SECOND)
    village.inject(2, 1, Found(b"\x07" * 8))
    village.run(10 * MS)
    assert village[1].count("wanted") == 0
    assert village[1].count("reconcile_out_of_turn") == 1


def test_nobody_may_lack_anything_unasked_or_twice():
    village = pair(50)
    village.run(30 * SECOND)
    village.log.clear()
    village.inject(1, 2, Lacking(short_id(key_of(2), id_of(raw_of(1, 100)))))
    village.run(SECOND)
    assert village.sent(2, Found) == []
    assert village[2].count("reconcile_out_of_turn") == 1


def test_what_is_lacked_and_not_here_is_passed_over():
    village = pair(50, connect=False, reconcile_connect_us=MINUTE, reconcile_us=100 * MINUTE)
    village.connect(1, 2)
    village.inject(1, 2, GetSymbols(0, 1))
    village.run(SECOND)
    village.inject(1, 2, Lacking(b"\x07" * 8 + short_id(key_of(2), id_of(raw_of(1, 100)))))
    village.run(SECOND)
    assert village.sent(2, Found) == [Found(short_id(key_of(1), id_of(raw_of(1, 100))))]


def test_what_is_told_can_be_pulled_and_only_so_much_is_remembered():
    village = pair(0, 0, 60, announced_max=40)
    village.run(2 * SECOND)
    assert len(village[2].router._links[bytes([1]) * 32].told) <= 40


def test_a_connection_that_ends_in_the_middle_leaves_nothing_behind():
    village = pair(3_000, 50, 50, delay_us=100 * MS, reconcile_slice=100)
    for step in range(1, 12):
        village.run(step * 20 * MS)
        village.cut(1, 2)
        for number in (1, 2):
            reconciler = village[number].router._reconciler
            assert (reconciler._asks, reconciler._pairs, reconciler.deadline) == (0, {}, None)
        village.connect(1, 2)
    village.run(3 * SECOND)
    assert are_equal(village)


SHORTS = st.lists(st.sampled_from([short_id(key_of(2), id_of(raw_of(number, 100))) for number in range(8)]), max_size=8)
SAID = st.one_of(
    st.builds(GetSymbols, st.sampled_from([0, 1, 16, 600, 2**32 - 1]), st.integers(1, 512)),
    st.builds(Symbols, st.sampled_from([0, 16]), st.integers(0, 60), st.binary(max_size=60) | st.just(bytes(12))),
    st.builds(GetIds, st.binary(min_size=8, max_size=8) | st.just(bytes(8)), st.integers(1, 4_096)),
    st.builds(Ids, st.just(bytes(8)), st.booleans(), SHORTS.map(lambda shorts: b"".join(sorted(shorts)))),
    st.builds(Lacking, SHORTS.map(b"".join)),
    st.builds(Found, SHORTS.map(b"".join)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SAID, st.integers(0, 8_000)), max_size=25), st.integers(0, 20), st.integers(1, 99))
def test_whatever_a_peer_says_in_whatever_order_the_router_stays_in_order(said, common, seed):
    """The attacker is house 3, whose own messages are drowned; houses 1 and 2 become equal all the same."""
    village = Village(3, seed=seed, reconcile_us=20 * SECOND, reconcile_rest_us=5 * SECOND)
    village[1].hold(raws(0, common + 5))
    village[2].hold(raws(5, common + 5))
    village.censor = lambda sender, _, message: None if sender == 3 else message
    for caller, callee in ((1, 2), (3, 1), (2, 3)):
        village.connect(caller, callee)
    village.censor = lambda _, __, message: message
    village[3].router.on_disconnected(bytes([1]) * 32, village.now)
    village[3].router.on_disconnected(bytes([2]) * 32, village.now)
    for message, pause_ms in said:
        village.inject(3, 1, message)
        village.inject(3, 2, message)
        village.run(pause_ms * MS)
    village.run(30 * SECOND)
    assert set(village[1].pool) == set(village[2].pool)
    for number in (1, 2):
        reconciler = village[number].router._reconciler
        assert reconciler._asks == sum(pair.ask is not None for pair in reconciler._pairs.values()) <= 2
        assert village[number].count("duplicates") == 0
        assert village[number].count("wanted") == 0
