"""Rules of the index with changing keys."""

import random

from p2pcommerce.mempool.lazy_heap import LazyHeap


def test_it_gives_the_least_key_after_any_changes():
    rng = random.Random(7)
    heap, model = LazyHeap(), {}
    for step in range(3_000):
        item = bytes([rng.randrange(40)])
        if rng.random() < 0.3:
            heap.discard(item)
            model.pop(item, None)
        else:
            key = rng.randrange(100)
            heap.put(item, key, step)
            model[item] = (key, step)
        expected = min(((key, tie, item) for item, (key, tie) in model.items()), default=None)
        assert heap.first() == (None if expected is None else (expected[0], expected[2]))
        assert len(heap) == len(model)


def test_stale_entries_are_bounded():
    heap = LazyHeap()
    for key in range(10_000):
        heap.put(b"a", key, 0)
        assert heap.heap_length <= 2 * len(heap) + 65
    heap.discard(b"a")
    assert heap.first() is None


def test_a_snapshot_can_be_taken_apart():
    heap = LazyHeap()
    heap.put(b"a", 1, 0)
    heap.snapshot().clear()
    assert heap.first() == (1, b"a")
