from hypothesis import given
from hypothesis import strategies as st

from p2pcommerce.primitives.id_index import IdIndex

IDS = st.integers(0, 12).map(lambda number: bytes([number]) * 32)
STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from(["add", "discard"]), IDS), st.tuples(st.just("take"), st.integers(0, 5)))
)


@given(STEPS)
def test_whoever_takes_all_changes_has_the_index(steps):
    index, live, copy = IdIndex(), {}, {}

    def take(count):
        added, removed = index.take_changes(count)
        assert len(added) + len(removed) <= count
        for tx_id in removed:
            del copy[tx_id]
        for tx_id in added:
            assert tx_id not in copy
            copy[tx_id] = None

    for name, value in steps:
        if name == "add":
            index.add(value)
            live.setdefault(value)
        elif name == "discard":
            index.discard(value)
            live.pop(value, None)
        else:
            take(value)
        assert list(index) == list(live)
        assert len(index) == len(live)
        assert all((bytes([number]) * 32 in index) == (bytes([number]) * 32 in live) for number in range(13))
    while index.changes:
        take(1)
    assert copy.keys() == live.keys()


def test_what_came_and_went_unseen_leaves_nothing_to_take():
    index = IdIndex()
    index.add(bytes(32))
    index.discard(bytes(32))
    assert index.changes == 0
    index.add(bytes(32))
    assert index.take_changes(5) == ([bytes(32)], [])
    index.discard(bytes(32))
    index.add(bytes(32))
    assert index.changes == 0
