import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip.coding import CodedSymbols, symbols_of, value_of
from p2pcommerce.gossip.peeling import GarbageError, Peeling

SHORT = st.binary(min_size=8, max_size=8)


def coded(shorts, length):
    symbols = CodedSymbols(length)
    symbols.add(shorts)
    return symbols


def symbols(shorts, length):
    made = coded(shorts, length)
    return list(zip(made.values, made.counts, strict=True))


def shorts_of(count, seed=1):
    rng = random.Random(seed)
    return [rng.randbytes(8) for _ in range(count)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_two_sets_are_reconciled(data):
    pool = data.draw(st.lists(SHORT, unique=True, max_size=120))
    sides = data.draw(st.lists(st.sampled_from(["both", "ours", "theirs"]), min_size=len(pool), max_size=len(pool)))
    ours = [short for short, side in zip(pool, sides, strict=True) if side != "theirs"]
    theirs = [short for short, side in zip(pool, sides, strict=True) if side != "ours"]
    length = 1_000
    peeling = Peeling(coded(ours, length), set(ours))
    remote = symbols(theirs, length)
    while not peeling.is_done:
        step = data.draw(st.integers(1, 40))
        peeling.receive(remote[peeling.received : peeling.received + step])
    assert sorted(peeling.theirs) == sorted(set(theirs) - set(ours))
    assert sorted(peeling.ours) == sorted(set(ours) - set(theirs))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 60))
def test_going_on_with_more_symbols_is_the_same_as_having_had_them(common, only_ours, only_theirs, first):
    pool = shorts_of(common + only_ours + only_theirs)
    ours, theirs = pool[: common + only_ours], pool[:common] + pool[common + only_ours :]
    remote = symbols(theirs, 600)
    short, long = Peeling(coded(ours, first), set(ours)), Peeling(coded(ours, 600), set(ours))
    short.receive(remote[:first])
    short.extend(coded(ours, 600))
    long.receive(remote[:first])
    for peeling in (short, long):
        peeling.receive(remote[first:])
        assert peeling.is_done
    assert (list(short.theirs), list(short.ours)) == (list(long.theirs), list(long.ours))


@pytest.mark.parametrize(("differences", "each"), [(20, 1.75), (100, 1.55), (1_000, 1.45), (5_000, 1.4)])
def test_differences_need_about_as_many_symbols_as_in_the_paper(differences, each):
    runs = max(1, 2_000 // differences)
    used = 0
    for seed in range(runs):
        pool = shorts_of(200 + differences, seed)
        ours, theirs = pool[: 200 + differences // 2], pool[:200] + pool[200 + differences // 2 :]
        length = 3 * differences
        peeling = Peeling(coded(ours, length), set(ours))
        for symbol in symbols(theirs, length):
            peeling.receive([symbol])
            if peeling.is_done:
                break
        assert len(peeling.theirs) + len(peeling.ours) == differences
        used += peeling.received
    assert used <= each * differences * runs


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 2**88 - 1), st.integers(-3, 40)), max_size=60),
    st.lists(SHORT, max_size=60),
)
def test_garbage_never_loops_for_ever(mine, noise, planted):
    """Noise, and symbols that look like single ids wherever the attacker likes."""
    ours = shorts_of(mine)
    local = coded(ours, 200)
    garbage = noise + [
        (local.values[place] ^ value_of(short), local.counts[place] + 1)
        for place, short in enumerate(planted, len(noise))
    ]
    peeling = Peeling(local, set(ours))
    try:
        peeling.receive(garbage)
    except GarbageError:
        return
    assert len(peeling.theirs) + len(peeling.ours) <= peeling.received


def planted(short, count, length):
    """Return what is left of symbols of a set that has one id more (1), or less (-1)."""
    made = CodedSymbols(length)
    for place in symbols_of(short, length):
        made.values[place] ^= value_of(short)
        made.counts[place] += count
    return list(zip(made.values, made.counts, strict=True))


def test_an_id_that_this_side_has_cannot_be_the_others_alone():
    (mine,) = shorts_of(1)
    peeling = Peeling(coded([], 10), {mine})  # as if it were in symbols of the other side once more
    with pytest.raises(GarbageError, match="contradict"):
        peeling.receive(planted(mine, 1, 10))


def test_an_id_that_this_side_lacks_cannot_be_its_own_alone():
    (foreign,) = shorts_of(1)
    peeling = Peeling(coded([], 10), set())
    with pytest.raises(GarbageError, match="contradict"):
        peeling.receive(planted(foreign, -1, 10))


def test_an_id_cannot_come_out_twice():
    (short,) = shorts_of(1)
    remote = planted(short, 1, 10)
    places = symbols_of(short, 10)
    assert len(places) > 1
    peeling = Peeling(CodedSymbols(10), set())
    peeling.receive(remote[:1])
    assert peeling.is_done
    doubled = [(0, 0)] * 10
    doubled[places[1]] = (0, 0)  # the first peeling is subtracted here: what is left has the id once more
    with pytest.raises(GarbageError, match="twice"):
        peeling.receive(doubled[1:])


def test_an_id_in_a_symbol_that_is_not_its_own_is_no_single_id():
    short = next(short for short in shorts_of(100) if symbols_of(short, 20)[1:2] != [1])
    peeling = Peeling(CodedSymbols(20), set())
    peeling.receive([(7, 5), (value_of(short), 1)])
    assert not peeling.theirs


@pytest.mark.parametrize(("ours", "theirs"), [(100, 100), (0, 200), (200, 0), (10, 0), (500, 300)])
def test_the_estimate_is_about_what_is_needed(ours, theirs):
    pool = shorts_of(1_000 + ours + theirs)
    peeling = Peeling(coded(pool[: 1_000 + ours], 3_000), set(pool[: 1_000 + ours]))
    remote = symbols(pool[:1_000] + pool[1_000 + ours :], 3_000)
    peeling.receive(remote[:40])
    if not peeling.is_done:
        assert 0.5 <= peeling.estimate() / (1.35 * (ours + theirs)) <= 2
