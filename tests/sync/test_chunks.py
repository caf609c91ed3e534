"""A state in chunks: whole, provable piece by piece, and no lie about a piece holds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree
from p2pcommerce.sync.chunks import ChunkError, Cut, CutError, DepthsError, Place, read_chunk, read_depths
from p2pcommerce.wire.messages import CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_MAX


def state_of(count, size=40, seed=1):
    rng = random.Random(seed)
    return {rng.randbytes(33): rng.randbytes(size) for _ in range(count)}


LARGE = state_of(20_000)
CUT = Cut(LARGE.items())
CHUNKS = list(CUT.chunks())
PLACES = read_depths(CUT.depths)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 300])
def test_the_root_is_that_of_the_tree(count):
    state = state_of(count)
    cut = Cut(state.items())
    assert cut.root == SparseMerkleTree.EMPTY.update(state).root
    pairs = [
        pair
        for place, data in zip(read_depths(cut.depths), cut.chunks(), strict=True)
        for pair in read_chunk(data, cut.root, place)
    ]
    assert dict(pairs) == state
    assert len(pairs) == len(state)


def test_a_state_is_forgotten_in_pieces():
    state = state_of(2_500)
    cut = Cut(state.items())
    held = (cut._leaves, cut._pairs, cut._ends)
    sizes = [sum(map(len, held)) for _ in cut.forget()]
    assert sizes[-1] == 0
    assert max(before - after for before, after in zip([7_501, *sizes], sizes, strict=False)) <= 1_000
    assert cut.root == SparseMerkleTree.EMPTY.update(state).root


def test_a_large_state_comes_back_from_its_chunks_whole():
    assert CUT.root == SparseMerkleTree.EMPTY.update(LARGE).root
    assert len(CHUNKS) == len(PLACES) > 8
    assert max(map(len, CHUNKS)) <= CHUNK_BYTES_MAX
    found = {}
    for place, data in zip(PLACES, CHUNKS, strict=True):
        found |= read_chunk(data, CUT.root, place)
    assert found == LARGE


def test_the_order_of_the_state_does_not_matter():
    items = list(LARGE.items())
    random.Random(2).shuffle(items)
    cut = Cut(items)
    assert (cut.root, cut.depths, list(cut.chunks())) == (CUT.root, CUT.depths, CHUNKS)


def test_a_chunk_holds_at_its_own_place_and_under_its_own_root_only():
    with pytest.raises(ChunkError):
        read_chunk(CHUNKS[0], CUT.root, PLACES[1])
    with pytest.raises(ChunkError):
        read_chunk(CHUNKS[0], bytes(32), PLACES[0])
    with pytest.raises(ChunkError):
        read_chunk(CHUNKS[0], CUT.root, Place(PLACES[0].depth - 1, 0))
    with pytest.raises(CodecError):
        read_chunk(bytes(CHUNK_BYTES_MAX + 1), CUT.root, PLACES[0])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_chunk_changed_anywhere_is_refused(data):
    small = Cut(state_of(200).items())
    (raw,) = small.chunks()
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((ChunkError, CodecError)):
        read_chunk(bytes(changed), small.root, Place(0, 0))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=8), st.binary(max_size=8), min_size=2), st.data())
def test_a_chunk_that_leaves_out_adds_or_swaps_a_pair_is_refused(state, data):
    cut = Cut(state.items())
    key = data.draw(st.sampled_from(sorted(state)))
    kind = data.draw(st.sampled_from(("drop", "add", "value")))
    lie = dict(state)
    if kind == "drop":
        del lie[key]
    elif kind == "add":
        lie[key + b"more than eight"] = b""
    else:
        lie[key] = state[key] + b"!"
    (raw,) = Cut(lie.items()).chunks()
    with pytest.raises(ChunkError):
        read_chunk(raw, cut.root, Place(0, 0))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_depths_divide_the_whole_tree_or_are_refused(depths):
    try:
        places = read_depths(depths)
    except DepthsError:
        return
    assert sum(1 << (256 - place.depth) for place in places) == 1 << 256


@pytest.mark.parametrize("depths", [b"", b"\x01", b"\x01\x02", b"\x02\x01\x02", b"\x01\x01\x01", bytes([8]) * 255])
def test_depths_with_gaps_or_overlaps_are_refused(depths):
    with pytest.raises(DepthsError):
        read_depths(depths)


def test_too_many_chunks_and_too_large_a_value_make_no_snapshot():
    assert len(read_depths(bytes([14]) * SNAPSHOT_CHUNKS_MAX)) == SNAPSHOT_CHUNKS_MAX
    with pytest.raises(DepthsError):
        read_depths(bytes([15]) * (2 * SNAPSHOT_CHUNKS_MAX))
    with pytest.raises(CutError):
        list(Cut([(b"key", bytes(CHUNK_BYTES_MAX))]).chunks())
