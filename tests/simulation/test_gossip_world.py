"""Gossip worlds: the same rule of measuring for every strategy, every seed repeatable."""

import dataclasses
import os
import subprocess
import sys

import pytest

from p2pcommerce.gossip import Misbehaving
from p2pcommerce.simulation.gossip import STRATEGIES, GossipScenario, World, compare, run_gossip
from p2pcommerce.simulation.gossip.station import OFFLINE
from p2pcommerce.wire.messages import Transactions

SMALL = GossipScenario(nodes=30, transactions=20, rate=40, warmup_s=2, warmup_rate=10)


@pytest.fixture(scope="module")
def results():
    return compare(dataclasses.replace(SMALL, nodes=50, transactions=40, warmup_s=3))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_everything_is_delivered(results, strategy):
    result = results[strategy]
    assert result.delivered == 1.0
    assert result.transactions == 40
    assert 0 < result.latency_ms.p50 <= result.latency_ms.p99 < 1_000


def test_a_flood_sends_each_transaction_over_each_link_but_back(results):
    # A degree of 16: what comes once is sent to 15 others, and 14 of 15 times it is there already.
    assert results["flood"].duplicates_per_delivery == pytest.approx(14, rel=0.1)
    assert results["flood"].bytes_per_payload_byte == pytest.approx(15 * 276 / 250, rel=0.1)


def test_strategies_rank_in_bytes_as_they_must(results):
    in_order = ("chosen", "gossipsub", "flood")
    assert sorted(in_order, key=lambda name: results[name].bytes_per_payload_byte) == list(in_order)
    assert sorted(in_order, key=lambda name: results[name].duplicates_per_delivery) == list(in_order)


def test_no_strategy_beats_the_flood_on_idle_links(results):
    # But for a rest: each draws its own jitter, and a flood uses every link so often that order holds some up.
    assert results["flood"].latency_ms.p50 <= 1.01 * min(result.latency_ms.p50 for result in results.values())


def test_idontwant_saves_duplicates_of_large_messages():
    scenario = dataclasses.replace(SMALL, strategy="gossipsub", payload_bytes=8_000)
    without, with_it = (run_gossip(dataclasses.replace(scenario, idontwant=on)) for on in (False, True))
    assert with_it.duplicates_per_delivery < without.duplicates_per_delivery


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_seed_repeats_exactly_and_another_differs(strategy):
    scenario = dataclasses.replace(SMALL, strategy=strategy)
    assert run_gossip(scenario) == run_gossip(scenario)
    assert run_gossip(scenario).trace_hash != run_gossip(dataclasses.replace(scenario, seed=2)).trace_hash


REPEAT = """
import dataclasses
from p2pcommerce.simulation.gossip import GossipScenario, run_gossip
scenario = GossipScenario(nodes=24, transactions=12, rate=40, warmup_s=1, drain_s=2, attack_share=0.2)
for strategy, attack in (("chosen", "churn"), ("gossipsub", "spam"), ("flood", "none")):
    print(run_gossip(dataclasses.replace(scenario, strategy=strategy, attack=attack)).trace_hash)
"""


def test_a_seed_repeats_under_any_hash_seed():
    told = [
        subprocess.run(
            [sys.executable, "-c", REPEAT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4711")
    ]
    assert len(told[0].split()) == 3
    assert len(set(told)) == 1


def test_progress_can_be_followed_without_changing_the_run():
    seen = []
    result = run_gossip(SMALL, on_progress=lambda world: seen.append(world.now_us), progress_events=1_000)
    assert result == run_gossip(SMALL)
    assert seen == sorted(seen)
    assert len(seen) >= result.events // 1_000


def test_bandwidth_matters():
    slow = run_gossip(dataclasses.replace(SMALL, bandwidth_bps=1_000_000, strategy="flood"))
    assert slow.latency_ms.p50 > run_gossip(dataclasses.replace(SMALL, strategy="flood")).latency_ms.p50 * 1.1


def test_admission_takes_its_time_at_every_hop():
    slow = run_gossip(dataclasses.replace(SMALL, admission_us=20_000))
    assert slow.latency_ms.p50 > run_gossip(SMALL).latency_ms.p50 + 20


def test_what_is_final_is_retired_everywhere():
    world = World(dataclasses.replace(SMALL, final_s=0, rate=20, transactions=60))
    world.run()
    published = len(world._traffic.publications)
    for station in world.network.stations:
        assert len(station.strategy._index) < published / 2
        assert station.strategy.router.statistics()["senders"] == 5


def run_attack(attack, **changes):
    world = World(dataclasses.replace(SMALL, attack=attack, **changes))
    world.run()
    return world


def delivered(world):
    return world.meter.delivered(world.receivers())


@pytest.mark.parametrize("strategy", ["chosen", "gossipsub"])
@pytest.mark.parametrize("attack", ["mute", "never-answering", "cold-start", "censor", "spam"])
def test_every_honest_node_gets_everything_under_attack(strategy, attack):
    world = run_attack(attack, strategy=strategy, nodes=40, transactions=15)
    assert len(world.honest) == 40 - int(world.scenario.share * 40)
    assert delivered(world) == 1.0


@pytest.mark.parametrize("attack", ["mute", "never-answering"])
def test_attackers_send_no_transaction_once_the_attack_has_begun(attack):
    world = World(dataclasses.replace(SMALL, attack=attack))
    sent = dict.fromkeys(range(30), 0)
    transmit = world._transmit

    def watched(source, target, size, now):
        if world._is_attacking and size > SMALL.payload_bytes:
            sent[source] += 1
        return transmit(source, target, size, now)

    world._transmit = watched
    world.run()
    assert all((sent[node] == 0) is (node not in world.honest) for node in sent)


def test_a_censored_victim_is_the_only_one_measured():
    world = run_attack("censor")
    victims = {publication.origin for publication in world.meter.measured}
    assert victims == {world._attack.victim}
    assert len(world.meter.measured) == SMALL.transactions


def test_near_attackers_are_five_milliseconds_from_everybody():
    world = run_attack("never-answering")
    attacker = next(node for node in range(30) if node not in world.honest)
    assert {world.network.links.delay_us(attacker, node) for node in world.honest} == {5_000}


def test_those_who_come_and_go_do_both():
    world = World(dataclasses.replace(SMALL, attack="churn", attack_share=0.5, rate=8, transactions=80))
    away = set()
    back = set()
    while not world.is_over:
        world.run(100)
        offline = {station.index for station in world.network.stations if station.since_us == OFFLINE}
        back |= away - offline
        away |= offline
    assert away
    assert back
    assert away <= set(world._attack.nodes)
    # Whoever was there without a break has everything.
    assert delivered(world) == 1.0


def test_lost_connections_are_replaced():
    world = run_attack("churn", attack_share=0.3, rate=8, transactions=50)
    steady = [station for station in world.network.stations if station.index not in world._attack.nodes]
    topology = world.network._topology
    assert sum(sum(topology.neighbours[station.index].values()) for station in steady) >= 7 * len(steady)


def test_connections_of_both_ends_agree_at_all_times():
    world = World(dataclasses.replace(SMALL, attack="churn", attack_share=0.5, rate=8, transactions=30))
    while not world.is_over:
        world.run(500)
        for station in world.network.stations:
            neighbours = world.network._topology.neighbours[station.index]
            assert {world.network.index_of[peer] for peer in station.connections} == set(neighbours)
            for peer, (index, number) in station.connections.items():
                other = world.network.stations[index]
                assert other.peer_id == peer
                assert other.connections[station.peer_id] == (station.index, number)


def test_spammers_are_banned_by_the_products_router_and_stay_out():
    world = run_attack("spam", attack_share=0.1, transactions=60)
    spammers = [node for node in range(30) if node not in world.honest]
    assert all(not world.network.stations[node].connections for node in spammers)
    assert delivered(world) == 1.0


def test_a_misbehaving_peer_is_cut_off():
    world = World(SMALL)
    while world.now_us < 1_500_000:
        world.run(100)
    station = world.network.stations[0]
    peer = next(iter(station.connections))
    world.act(station, [Misbehaving(peer, "a test says so")], world.now_us)
    assert peer not in station.connections
    world.inject(0, world.network.index_of[peer], Transactions((b"unheard",)))
    world.run()
    assert peer not in station.connections


def test_a_core_that_is_never_content_does_not_stop_the_world():
    world = World(dataclasses.replace(SMALL, strategy="flood"))

    class Restless(type(world.network.stations[0].strategy)):
        __slots__ = ()

        @property
        def deadline(self):
            return 0

    restless = Restless()
    world.network.stations[0].strategy = restless
    world.act(world.network.stations[0], (), 0)
    before = world.now_us
    world.run(5_000)
    assert world.now_us > before


def test_what_attackers_send_is_not_counted():
    world = run_attack("spam")
    sent = world.meter.sent_bytes
    attackers = [node for node, is_attacker in enumerate(world._is_attacker) if is_attacker]
    assert attackers
    assert all(sent[node] == 0 for node in attackers)
    assert all(sent[node] > 0 for node in world.honest)


def test_the_degree_of_the_mesh_can_be_chosen():
    eight, six = (run_gossip(dataclasses.replace(SMALL, strategy="gossipsub", mesh=mesh)) for mesh in (8, 6))
    assert six.duplicates_per_delivery < eight.duplicates_per_delivery
    assert six.delivered == eight.delivered == 1.0
