"""Worlds: determinism, faults that fire, finality that resumes."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import mock

import pytest

from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.simulation.faults import FAULTS, parse_faults
from p2pcommerce.simulation.gates import recovery_us_max
from p2pcommerce.simulation.load import Load
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.schedule import BREAKS_PROMISES, victims_of
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import uniform
from p2pcommerce.simulation.world import World, run_scenario
from p2pcommerce.wire.messages import Engine, Peers

from .worlds import SECOND, run, scenario

ALL = parse_faults("all")
PROGRAM = """
from p2pcommerce.simulation.faults import parse_faults
from p2pcommerce.simulation.scenario import Adversary, Scenario
from p2pcommerce.simulation.world import run_scenario
scenario = Scenario(seed=11, horizon_us=8_000_000, liveness_us=3_000_000, faults=parse_faults("all"),
                    nodes=5, adversaries=(Adversary("equivocate", (2,)),))
print(run_scenario(scenario).trace_hash)
"""


def test_one_seed_is_one_trace_under_any_hash_seed_and_in_any_process():
    hashes = set()
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout.strip())
    assert len(hashes) == 1


def test_another_seed_is_another_trace():
    assert run_scenario(scenario(1, seconds=3)).trace_hash != run_scenario(scenario(2, seconds=3)).trace_hash


def test_without_faults_blocks_are_final_in_three_delays_and_nothing_is_nullified():
    result = run_scenario(scenario(4, seconds=20), WorldOptions(table=uniform(100_000)))
    assert result.is_good, result.words
    # Three delays, and the syncs of four votes.
    assert 3.0 < result.finality_delays(5_000) < 3.2
    assert result.finality_delays(9_900) < 3.3
    assert result.views_nullified == 0
    assert result.finalized > 40
    assert result.failed == result.refused == 0
    assert len(set(result.state_roots)) == 1


def test_orders_run_their_course():
    world = run(World(scenario(6, seconds=40, load_tps=20)))
    blocks = world.hosts[0].storage.blocks
    kinds = {event.name for each in blocks for outcome in each.outcomes for event in outcome.events}
    assert kinds >= {
        "store.set", "terms.set", "listing.set", "product.set", "order.place", "order.ship", "order.confirm",
        "order.refund", "order.settle", "trace.commission", "trace.ship", "trace.receive", "token.transfer",
    }  # fmt: skip
    assert {"FORBIDDEN", "REPLAY", "NO_FUNDS", "TOO_EARLY"} <= set(world.load.denied)
    assert world.load.expired
    assert any(decode_transaction(raw).sponsor for each in blocks for raw in each.block.transactions)
    assert not world.oracles.violations
    assert not world.load.codes


@pytest.mark.parametrize("kind", FAULTS)
def test_a_world_with_any_one_fault_is_safe_and_finality_resumes(kind):
    result = run_scenario(scenario(8, seconds=24, liveness=12, faults={kind: FAULTS[kind].intensity}))
    assert result.is_good, result.words
    others = set(result.fired) - {kind}
    assert not {name for name in others if result.fired[name]}


def test_what_waits_on_slow_links_does_not_outlast_the_faults():
    result = run_scenario(scenario(1, seconds=24, liveness=12, faults={"slow_link": 1.0}))
    assert result.is_good, result.words
    assert result.recovery_us < 6 * SECOND


def test_every_fault_fires_in_some_world():
    fired = set()
    strong = {kind: min(1.0, 3 * intensity) for kind, intensity in ALL.items()}
    for seed in range(30, 50):
        result = run_scenario(scenario(seed, seconds=25, liveness=15, faults=strong))
        assert result.is_good, result.words
        fired |= {kind for kind, count in result.fired.items() if count}
    assert fired == set(FAULTS)


def test_leaving_a_fault_out_changes_no_draw_of_the_others():
    with_loss = World(scenario(9, faults={"loss": 0.1, "clock_skew": 0.5, "partition": 0.3}))
    without = World(scenario(9, faults={"clock_skew": 0.5, "partition": 0.3}))
    assert [host.clock.read(0) for host in with_loss.hosts] == [host.clock.read(0) for host in without.hosts]
    name = "schedule.partition"
    assert with_loss.streams.fresh(name).random() == without.streams.fresh(name).random()


def test_disks_that_break_promises_and_adversaries_have_less_than_a_third():
    for seed in range(50):
        stakes = (5, 1, 1, 1, 1, 1, 1)
        spec = scenario(seed, nodes=9, stakes=stakes, adversaries=[("mute", 3)])
        victims = victims_of(spec, stakes, Streams(seed))
        assert 3 not in victims
        assert 3 * (1 + sum(stakes[node] for node in victims if node < 7)) < sum(stakes)
    world = World(scenario(1, faults=dict.fromkeys(BREAKS_PROMISES, 1.0)))
    faulty = [host.number for host in world.hosts if host.disk._faults]
    assert tuple(faulty) == world.schedule.victims
    assert len(faulty) == 1


def test_a_minority_alone_finalizes_nothing_and_the_world_says_that_it_stalled():
    world = World(scenario(3, seconds=10, liveness=5))
    for number in (2, 3):
        world.hosts[number].stays_down = True
    run(world)
    result = world.result()
    assert max(result.heights) == 0
    assert "no new block is final" in result.stalled
    assert not result.violations


def test_unequal_stakes_decide_by_weight():
    spec = scenario(3, seconds=10, liveness=5, stakes=(10, 1, 1, 1))
    world = World(spec)
    for number in (1, 2, 3):
        world.hosts[number].stays_down = True
    run(world)
    assert world.hosts[0].height > 1


def test_real_sessions_carry_the_same_protocol():
    world = run(World(scenario(2, seconds=6, liveness=3, load_tps=3), WorldOptions(sessions=True)))
    result = world.result()
    assert result.is_good, result.words
    assert world.connections.delivered["Engine"] > 50
    assert result.finality_delays(5_000) < 4


def test_changed_bytes_end_a_session_and_never_reach_a_core():
    spec = scenario(2, seconds=16, liveness=8, load_tps=3, faults={"corruption": 0.02})
    world = run(World(spec, WorldOptions(sessions=True)))
    result = world.result()
    assert result.is_good, result.words
    assert result.fired["corruption"] > 0
    for host in world.hosts:
        counters = host.node.engine_status().counters
        assert not [name for name in counters if name.startswith("refused_bad")]


def test_seven_nodes_three_of_them_followers_agree():
    result = run_scenario(scenario(5, seconds=12, nodes=7, stakes=(1, 1, 1, 1)))
    assert result.is_good, result.words
    assert len(set(result.heights[:4])) <= 2
    assert min(result.heights) >= max(result.heights) - 2


def test_a_lone_solo_engine_runs():
    result = run_scenario(Scenario(seed=1, nodes=1, stakes=(1,), engine="solo", horizon_us=5 * SECOND, liveness_us=0))
    assert not result.violations
    assert result.heights[0] > 3


def test_a_lone_solo_engine_resumes_after_faults():
    spec = Scenario(
        seed=1,
        nodes=1,
        stakes=(1,),
        engine="solo",
        horizon_us=12 * SECOND,
        liveness_us=8 * SECOND,
        faults={"crash": 0.9},
    )
    result = run_scenario(spec)
    assert result.is_good, result.words
    assert result.fired["crash"] > 0
    assert result.recovery_us is not None


def test_users_hear_after_a_restart_of_a_block_that_was_stored_right_before_a_crash():
    world = run(World(scenario(1, seconds=3, liveness=0, nodes=1, stakes=(1,), engine="solo")))
    (host,) = world.hosts
    stored, heard = len(host.storage.blocks), []
    world.subscribe(heard.append)
    with mock.patch.object(world, "on_stored"):
        assert world.run_until(4 * SECOND, lambda: len(host.storage.blocks) > stored)
    assert not heard
    host.crash()
    host.start()
    assert [each.block.header.height for each in heard] == [stored + 1]


def test_a_transaction_that_is_never_final_makes_a_world_stalled():
    world = World(scenario(1, seconds=30, liveness=28))
    with mock.patch.object(Load, "on_stored"):
        run(world)
    result = world.result()
    assert "neither final nor refused" in result.stalled
    assert not result.violations


def test_watchers_hear_of_messages_signatures_and_final_blocks():
    heard = []
    world = World(
        scenario(1, seconds=4, liveness=0), WorldOptions(watcher=lambda kind, *what: heard.append((kind, what)))
    )
    run(world)
    kinds = {kind for kind, _ in heard}
    assert {"send", "sign", "final"} <= kinds
    sends = [what for kind, what in heard if kind == "send"]
    for at_us, node, (target, arrives_us, _) in sends:
        assert arrives_us >= at_us
        assert node != target
    assert any(isinstance(message, Engine) for *_, (_, _, message) in sends)


@pytest.mark.parametrize("sessions", [False, True])
def test_the_trace_hash_covers_what_messages_say(sessions):
    records = (b"one", b"two")
    hashes = set()
    for said in (records, records[::-1]):
        world = World(scenario(1, load_tps=0), WorldOptions(sessions=sessions))
        world.run_until(2 * SECOND)
        before = world.trace.hash
        world.transmit(world.hosts[0], world.hosts[1].key, Peers(said))
        world.flush(world.hosts[0])
        world.run_until(3 * SECOND)
        hashes |= {(before, world.trace.hash)}
    assert len({before for before, _ in hashes}) == 1
    assert len(hashes) == 2


def test_a_world_in_which_finality_resumes_too_late_is_stalled():
    world = run(World(scenario(3, seconds=14, liveness=6, faults={"loss": 0.1})))
    assert not world.result().stalled
    world.liveness.recovery_us = recovery_us_max("simplex", world.scenario.base_delay_us) + 1
    assert "at most 30 s are allowed" in world.result().stalled


@pytest.mark.parametrize(("delays", "blocks"), [(6, 15), (8, 10)])
def test_finality_goes_on_where_every_message_takes_many_base_delays(delays, blocks):
    base_delay_us = 50_000
    chain = ChainParameters(base_delay_ms=base_delay_us // 1_000, block_interval_ms=1, term_s_min=1, confirm_s_min=1)
    options = WorldOptions(orders=False, table=uniform(delays * base_delay_us), chain=chain)
    slow = scenario(1, seconds=18, liveness=0, base_delay_us=base_delay_us, load_tps=4)
    result = run(World(slow, options)).result()
    assert min(result.heights) >= blocks
    assert not result.violations
