"""Buffers: each count above its cap is named, and so is what should have shrunk."""

from __future__ import annotations

import pytest

from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.simulation.buffers import VIEWS_LEFT_MAX, leaks, over_caps
from p2pcommerce.simulation.world import World

from .worlds import run, scenario

HUGE = 2**40


@pytest.fixture(scope="module")
def rooms():
    world = run(World(scenario(2, seconds=10, liveness=5)))
    return {name: dict(counts) for name, counts in world.hosts[0].node.statistics().items()}


def test_a_quiet_node_is_within_every_cap_and_keeps_nothing(rooms):
    assert list(over_caps(rooms, MempoolParameters(), 4)) == []
    assert list(leaks(rooms, 4)) == []


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("mempool", "transactions"),
        ("mempool", "bytes"),
        ("mempool", "waiting_bytes"),
        ("finality", "blocks_tracked"),
        ("finality", "votes_held"),
        ("gossip", "seen"),
        ("gossip", "in_flight"),
        ("gossip", "ignored_waiting"),
        ("gossip", "asking"),
        ("gossip", "own"),
        ("gossip", "wanted"),
        ("gossip", "scores"),
        ("discovery", "book"),
        ("discovery", "inbound"),
        ("discovery", "dialling"),
        ("sync", "buffered_bytes"),
    ],
)
def test_every_buffer_that_a_room_reports_has_a_cap(rooms, room, name):
    assert name in rooms[room], "the room does not report it any more"
    full = {**rooms, room: {**rooms[room], name: HUGE}}
    assert list(over_caps(full, MempoolParameters(), 4)) == [
        complaint for complaint in over_caps(full, MempoolParameters(), 4) if f"{room} holds {HUGE} {name}" in complaint
    ]
    assert len(list(over_caps(full, MempoolParameters(), 4))) == 1


@pytest.mark.parametrize(
    ("room", "name"),
    [
        ("finality", "votes_held"),
        ("finality", "blocks_tracked"),
        ("sync", "requests_under_way"),
        ("sync", "buffered_blocks"),
        ("discovery", "dialling"),
    ],
)
def test_what_does_not_shrink_is_a_leak(rooms, room, name):
    assert name in rooms[room]
    (complaint,) = leaks({**rooms, room: {**rooms[room], name: 10_000}}, 4)
    assert f"{room} holds 10000 {name}" in complaint


def test_votes_of_a_few_views_are_no_leak(rooms):
    most = VIEWS_LEFT_MAX * 3 * 4
    assert list(leaks({**rooms, "finality": {**rooms["finality"], "votes_held": most}}, 4)) == []
    assert list(leaks({**rooms, "finality": {**rooms["finality"], "votes_held": most + 1}}, 4))


def test_votes_that_are_never_pruned_are_seen_at_the_end_of_a_world(monkeypatch):
    monkeypatch.setattr("p2pcommerce.finality.simplex.pool.VotePool.prune", lambda *_: None)
    world = run(World(scenario(3, seconds=30, liveness=12, load_tps=1)))
    assert {each.oracle for each in world.oracles.violations} == set()
    assert [each.oracle for each in world.result().violations][:1] == ["buffer"]
