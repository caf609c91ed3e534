import pytest

from p2pcommerce.simulation import streams as room
from p2pcommerce.simulation.streams import Streams, StreamsError


def test_a_stream_is_pinned_by_seed_and_name():
    assert [Streams(7).of("loss").getrandbits(32) for _ in range(2)] == [1237886477, 1237886477]


def test_streams_of_different_names_and_seeds_differ():
    firsts = {Streams(seed).of(name).getrandbits(64) for seed in (0, 1, -1) for name in ("loss", "jitter", "node.1")}
    assert len(firsts) == 9


def test_what_one_stream_draws_changes_no_other():
    alone, beside = Streams(3), Streams(3)
    for _ in range(100):
        beside.of("crash").random()
    assert [alone.of("loss").random() for _ in range(10)] == [beside.of("loss").random() for _ in range(10)]


def test_a_name_gives_the_same_stream_again_and_fresh_starts_it_over():
    streams = Streams(3)
    first = streams.of("loss").random()
    assert streams.of("loss").random() != first
    assert streams.fresh("loss").random() == first


def test_a_child_is_independent_of_its_parent():
    parent = Streams(3)
    assert parent.child("node").of("loss").random() != parent.of("loss").random()
    assert parent.child("node").of("loss").random() == Streams(3).child("node").of("loss").random()


def test_the_number_of_streams_is_bounded(monkeypatch):
    monkeypatch.setattr(room, "STREAMS_MAX", 3)
    streams = Streams(1)
    for index in range(3):
        streams.of(f"node.{index}")
    streams.of("node.0")
    with pytest.raises(StreamsError, match="fixed names"):
        streams.of("node.3")
