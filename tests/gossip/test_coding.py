import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip.coding import CodedSymbols, read_symbols, symbols_of, value_of, write_symbols
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.primitives.errors import CodecError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "reconcile.json").read_text(encoding="utf-8"))
SHORT = st.binary(min_size=8, max_size=8)
SHORTS = st.lists(SHORT, unique=True, max_size=60)


def coded(shorts, length=40):
    symbols = CodedSymbols(length)
    symbols.add(shorts)
    return symbols


@pytest.mark.parametrize("vector", VECTORS["short_ids"], ids=lambda vector: vector["short_id"])
def test_short_ids_checks_and_places_are_pinned(vector):
    short = short_id(bytes.fromhex(VECTORS["announcement_key"]), bytes.fromhex(vector["transaction_id"]))
    assert short.hex() == vector["short_id"]
    assert value_of(short) == int(vector["short_id"] + vector["check"], 16)
    assert symbols_of(short, VECTORS["length"]) == vector["symbols"]


@pytest.mark.parametrize("vector", VECTORS["sets"], ids=lambda vector: str(vector["size"]))
def test_the_bytes_of_symbols_are_pinned(vector):
    key = bytes.fromhex(VECTORS["announcement_key"])
    shorts = [short_id(key, number.to_bytes(32, "big")) for number in range(vector["size"])]
    symbols = coded(shorts, vector["count"])
    data = write_symbols(symbols.values, symbols.counts, 0, len(shorts))
    assert data.hex() == vector["bytes"]
    assert read_symbols(data, 0, len(shorts)) == list(zip(symbols.values, symbols.counts, strict=True))


@settings(max_examples=50, deadline=None)
@given(SHORTS, st.integers(1, 300))
def test_a_symbol_sums_the_ids_that_are_in_it(shorts, length):
    symbols = coded(shorts, length)
    for place in range(length):
        inside = [short for short in shorts if place in symbols_of(short, length)]
        value = 0
        for short in inside:
            value ^= value_of(short)
        assert (symbols.values[place], symbols.counts[place]) == (value, len(inside))


@settings(max_examples=50, deadline=None)
@given(SHORT, st.integers(1, 200_000), st.integers(1, 200_000))
def test_places_rise_from_0_and_do_not_depend_on_how_many_are_asked_for(short, some, more):
    places = symbols_of(short, some)
    assert places[0] == 0
    assert places == sorted(set(places))
    assert places[-1] < some
    more = max(some, more)
    assert [place for place in symbols_of(short, more) if place < some] == places


def test_ids_with_more_places_than_a_hash_has_words_are_summed_as_well():
    rng = random.Random(1)
    length = 400_000
    far = next(short for short in (rng.randbytes(8) for _ in range(20_000)) if len(symbols_of(short, length)) > 34)
    symbols = coded([far], length)
    assert [place for place, count in enumerate(symbols.counts) if count] == symbols_of(far, length)
    assert {symbols.values[place] for place in symbols_of(far, length)} == {value_of(far)}


def test_an_id_is_in_symbol_i_with_a_chance_of_1_in_1_plus_half_i():
    rng = random.Random(1)
    shorts = 20_000
    symbols = coded([rng.randbytes(8) for _ in range(shorts)], 200)
    assert symbols.counts[0] == shorts
    for low, high in ((1, 4), (4, 20), (20, 60), (60, 200)):
        expected = sum(shorts / (1 + place / 2) for place in range(low, high))
        assert sum(symbols.counts[low:high]) == pytest.approx(expected, rel=0.05)


@settings(max_examples=50, deadline=None)
@given(SHORTS, SHORTS)
def test_taking_ids_out_is_the_opposite_of_adding_them(shorts, more):
    more = [short for short in more if short not in shorts]
    symbols = coded(shorts + more)
    symbols.add(more, -1)
    assert (symbols.values, symbols.counts) == (coded(shorts).values, coded(shorts).counts)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**88 - 1), st.integers(-(2**20), 2**31)), max_size=20),
    st.integers(0, 5_000),
    st.integers(0, 2**32 - 1),
)
def test_symbols_survive_their_bytes(symbols, first, size):
    data = write_symbols([value for value, _ in symbols], [count for _, count in symbols], first, size)
    assert read_symbols(data, first, size) == symbols


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 5_000), st.integers(0, 2**32 - 1))
def test_whatever_is_read_has_one_form(data, first, size):
    try:
        symbols = read_symbols(data, first, size)
    except CodecError:
        return
    assert write_symbols([value for value, _ in symbols], [count for _, count in symbols], first, size) == data


@pytest.mark.parametrize("tail", [b"", b"\x80", b"\x80\x00", b"\x80\x80\x80\x80\x80\x01"])
def test_a_count_that_is_cut_off_or_too_long_is_refused(tail):
    with pytest.raises(CodecError):
        read_symbols(bytes(11) + tail, 0, 0)


def test_a_symbol_of_10_000_ids_takes_12_bytes_and_a_little():
    rng = random.Random(1)
    symbols = coded([rng.randbytes(8) for _ in range(10_000)], 150)
    data = write_symbols(symbols.values, symbols.counts, 0, 10_000)
    assert len(data) < 12.2 * 150
