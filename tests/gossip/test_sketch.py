import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip.coding import CodedSymbols, read_symbols
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.gossip.sketch import Sketch
from p2pcommerce.primitives.id_index import IdIndex

KEY = b"k" * 16
STEPS = st.lists(st.tuples(st.sampled_from(["add", "discard", "refresh"]), st.integers(0, 20)), max_size=60)


def id_of(number):
    return number.to_bytes(32, "big")


def sketch_of(numbers, length=32):
    index = IdIndex()
    sketch = Sketch(index, length)
    sketch.key = KEY
    for number in numbers:
        index.add(id_of(number))
    assert sketch.refresh(10**6)
    return index, sketch


def symbols_of(numbers, length=32):
    symbols = CodedSymbols(length)
    symbols.add(short_id(KEY, id_of(number)) for number in numbers)
    return list(zip(symbols.values, symbols.counts, strict=True))


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_symbols_kept_up_to_date_are_those_made_anew(steps):
    index, sketch = sketch_of([])
    live = {}
    for name, number in steps:
        if name == "add":
            index.add(id_of(number))
            live[number] = None
        elif name == "discard":
            index.discard(id_of(number))
            live.pop(number, None)
        else:
            sketch.refresh(number)
    while not sketch.refresh(3):
        pass
    assert len(sketch) == len(live)
    if live:
        assert read_symbols(sketch.snapshot().cut(0, 32), 0, len(live)) == symbols_of(live)
    shorts = sorted(short_id(KEY, id_of(number)) for number in live)
    assert sketch.page(bytes(8), 100) == (shorts, True)
    for number in live:
        assert sketch.by_short(short_id(KEY, id_of(number))) == id_of(number)


def test_a_refresh_takes_only_so_many_changes():
    index, sketch = sketch_of([])
    for number in range(10):
        index.add(id_of(number))
    assert [sketch.refresh(4) for _ in range(3)] == [False, False, True]
    assert len(sketch) == 10


def test_a_snapshot_stays_as_it_was_while_the_pool_changes():
    index, sketch = sketch_of(range(50))
    before = sketch.snapshot()
    assert sketch.snapshot() is before
    index.add(id_of(99))
    assert sketch.refresh(10)
    assert sketch.snapshot() is not before
    assert read_symbols(before.cut(0, 32), 0, 50) == symbols_of(range(50))
    assert read_symbols(before.cut(10, 5), 10, 50) == symbols_of(range(50))[10:15]
    assert before.cut(40, 5) == b""


def test_pages_of_ids_are_all_ids_in_rising_order():
    _, sketch = sketch_of(range(25))
    found, after, is_last = [], bytes(8), False
    while not is_last:
        page, is_last = sketch.page(after, 10)
        assert 0 < len(page) <= 10
        found += page
        after = page[-1]
    assert found == sorted(short_id(KEY, id_of(number)) for number in range(25))
    assert sketch.page(after, 10) == ([], True)


def test_a_second_id_with_the_same_short_id_is_left_out(monkeypatch):
    monkeypatch.setattr("p2pcommerce.gossip.sketch.short_id", lambda key, tx_id: short_id(key, bytes(24) + tx_id[24:]))
    index, sketch = sketch_of(range(5))
    twin = b"x" * 24 + id_of(3)[24:]
    index.add(twin)
    assert sketch.refresh(10)
    assert sketch.shadowed == 1
    assert len(sketch) == 5
    index.discard(twin)
    assert sketch.refresh(10)
    assert read_symbols(sketch.snapshot().cut(0, 32), 0, 5) == symbols_of(range(5))


def test_an_empty_pool_has_no_symbols_and_no_ids():
    _, sketch = sketch_of([])
    assert (sketch.snapshot().cut(0, 10), sketch.snapshot().size, sketch.page(bytes(8), 10)) == (b"", 0, ([], True))


def test_an_id_that_is_no_longer_here_stands_for_nothing():
    rng = random.Random(1)
    index, sketch = sketch_of([rng.randrange(2**200) for _ in range(20)])
    gone = next(iter(index))
    index.discard(gone)
    assert sketch.refresh(1)
    assert sketch.by_short(short_id(KEY, gone)) is None
