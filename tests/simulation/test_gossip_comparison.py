from dataclasses import replace

import pytest

from p2pcommerce.simulation.gossip import (
    ROWS,
    Comparison,
    Goal,
    GossipScenario,
    LatencyMs,
    SwarmFigures,
    compare_rows,
    run_gossip,
)
from p2pcommerce.simulation.sweep import ProcessPool

SMALL = GossipScenario(nodes=8, transactions=10, warmup_s=1, seed=7)


@pytest.fixture(scope="module")
def result():
    return run_gossip(SMALL)


def made(result, *, p99=100.0, sent=5.0, delivered=1.0, upload=1.5):
    return replace(
        result,
        delivered=delivered,
        latency_ms=LatencyMs(p50=p99, p99=p99),
        bytes_per_payload_byte=sent,
        max_over_mean_upload=upload,
    )


def test_each_row_runs_the_same_world_twice_for_each_seed(result):
    ran = []
    rows = list(compare_rows(SMALL, seeds=2, rows=ROWS[:3], run=lambda world: ran.append(world) or result))
    assert [row.goal for row in rows] == list(ROWS[:3])
    assert [(world.seed, world.strategy) for world in ran] == 3 * [
        (7, "chosen"), (7, "gossipsub"), (8, "chosen"), (8, "gossipsub"),
    ]  # fmt: skip
    assert [world.attack for world in ran[::4]] == ["none", "mute", "mute"]
    assert [world.settle for world in ran[::4]] == [0, 0, 30]
    assert {replace(world, strategy="chosen") for world in ran[:2]} == {replace(SMALL, settle_s=0.0)}


def test_the_rows_are_the_same_whoever_works():
    alone = compare_rows(SMALL, seeds=2, rows=ROWS[:2])
    assert list(compare_rows(SMALL, seeds=2, rows=ROWS[:2], workers=ProcessPool(2))) == list(alone)


def test_ratios_are_medians_over_the_seeds(result):
    pairs = [(made(result, p99=p99, sent=sent), made(result)) for p99, sent in ((90, 1.0), (120, 2.0), (100, 3.0))]
    row = Comparison(goal=Goal(name="x"), results=pairs)
    assert (row.p99_ratio, row.bytes_ratio, row.upload, row.misses) == (1.0, 0.4, 1.5, [])


@pytest.mark.parametrize(
    ("chosen", "missed"),
    [
        ({}, []),
        ({"p99": 110.1}, ["p99"]),
        ({"sent": 2.8}, ["bytes"]),
        ({"upload": 1.81}, ["upload"]),
        ({"delivered": 0.999}, ["delivered"]),
        ({"p99": None}, ["p99"]),
        ({"p99": 200, "sent": 9.0}, ["p99", "bytes"]),
    ],
)
def test_a_row_says_which_goals_it_misses(result, chosen, missed):
    goal = Goal(name="x", p99_max=1.1, bytes_max=0.55, upload_max=1.8)
    row = Comparison(goal=goal, results=[(made(result, **({"sent": 2.7} | chosen)), made(result))])
    assert row.misses == missed
    assert row.to_json()["misses"] == missed


def test_a_row_without_goals_for_bytes_and_upload_asks_for_latency_alone(result):
    row = Comparison(goal=Goal(name="x"), results=[(made(result, sent=50.0, upload=9.0), made(result))])
    assert row.misses == []


def test_rows_under_attack_are_measured_over_the_same_world_without_it(result):
    ran = []
    rows = [goal for goal in ROWS if goal.over_itself]
    assert [goal.attack for goal in rows] == ["sybil", "eclipse", "spam"]
    list(compare_rows(SMALL, rows=rows, run=lambda world: ran.append(world) or result))
    assert {world.strategy for world in ran} == {"chosen"}
    assert [world.holds_back for world in ran] == [False, True] * 3
    assert [world.nodes for world in ran[::2]] == [20, 20, 8]
    assert [world.settle for world in ran[::2]] == [60, 60, 0]
    assert [world.share for world in ran[::2]] == [0.8, 0.8, 0.05]
    for attacked, quiet in zip(ran[::2], ran[1::2], strict=True):
        assert replace(attacked, holds_back=True) == quiet


def test_a_larger_world_publishes_less(result):
    ran = []
    goal = Goal(name="x", nodes_min=400)
    scenario = replace(SMALL, nodes=200, transactions=1_000, warmup_rate=20)
    list(compare_rows(scenario, rows=[goal], run=lambda world: ran.append(world) or result))
    assert [(world.nodes, world.transactions, world.warmup_rate) for world in ran] == [(400, 500, 10)] * 2
    list(compare_rows(replace(scenario, nodes=400), rows=[goal], run=lambda world: ran.append(world) or result))
    assert [(world.nodes, world.transactions, world.warmup_rate) for world in ran[2:]] == [(400, 1_000, 20)] * 2


@pytest.mark.parametrize(("links", "missed"), [(None, []), (3, []), (0, ["honest links"])])
def test_whoever_is_left_without_an_honest_link_misses_the_goal(result, links, missed):
    swarm = (
        None
        if links is None
        else SwarmFigures(attackers_per_honest_node=4, hostile_links=0.8, honest_dialled_min=links)
    )
    attacked = replace(made(result, delivered=0.9995), swarm=swarm)
    row = Comparison(goal=Goal(name="x", delivered_min=0.999, over_itself=True), results=[(attacked, made(result))])
    assert row.misses == missed
    assert row.to_json()["measure"] == "itself, without the attack"


def test_mute_nodes_are_measured_with_the_fastest_links_too(result):
    ran = []
    rows = [goal for goal in ROWS if goal.attack == "mute"]
    list(compare_rows(SMALL, rows=rows, run=lambda world: ran.append(world) or result))
    assert sorted((world.share, world.settle, world.near) for world in ran[::2]) == [
        (share, settle, near) for share in (0.2, 0.4) for settle in (0, 30) for near in (False, True)
    ]
