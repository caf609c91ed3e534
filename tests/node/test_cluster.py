"""Whole networks of nodes: final blocks, crashes, partitions, rest; each run is decided by its seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from p2pcommerce.commerce import scan
from p2pcommerce.finality import Solo
from p2pcommerce.primitives.crypto import ED25519

from .cluster import Cluster, make_genesis, transfer

NAMES = ("ann", "bob", "cid", "dan")
GENESIS = make_genesis()


def connected(cluster):
    full = len(cluster.hosts) - 1
    assert cluster.run_until(lambda: all(len(host.attached) == full for host in cluster.hosts), 10)


def load(cluster, nonces, *, hosts=None, pause_s=0.05):
    """Submit a transfer of each account per nonce, to one node in turn."""
    hosts = hosts or cluster.validators
    for nonce in nonces:
        for number, name in enumerate(NAMES):
            to = NAMES[(number + 1) % len(NAMES)]
            hosts[(nonce + number) % len(hosts)].submit(
                transfer(cluster.genesis, name, nonce, to=to, scheme=cluster.scheme)
            )
        cluster.run(pause_s)


def final_ids(host):
    return [tx_id for committed in host.disk.blocks for tx_id in committed.block.transaction_ids]


def check_same_state(cluster):
    """Every node has the same state, by memory, by root and by what it stored; supply is conserved."""
    first = cluster.hosts[0].node.chain
    for host in cluster.hosts:
        chain = host.node.chain
        assert chain.head == first.head
        assert chain.state.values == first.state.values
        assert chain.state.final.root == chain.head.state_root
    assert scan(first.state.values) is not None


@pytest.mark.parametrize("seed", range(3))
def test_four_nodes_make_transfers_final(seed):
    cluster = Cluster(seed).start()
    connected(cluster)
    load(cluster, range(10))
    cluster.settle()
    assert sorted(final_ids(cluster.hosts[0])) == sorted(
        transfer(GENESIS, name, nonce, to=NAMES[(number + 1) % 4]).id
        for number, name in enumerate(NAMES)
        for nonce in range(10)
    )
    check_same_state(cluster)
    cluster.check_healthy()
    counters = [host.node.statistics()["blocks"] for host in cluster.hosts]
    assert sum(each["blocks_built"] for each in counters) >= cluster.hosts[0].height
    for each in counters:
        assert each["blocks_built"] + each["blocks_executed"] == cluster.hosts[0].height, "each block executed once"


def test_real_signatures_work_as_well():
    cluster = Cluster(scheme=ED25519).start()
    load(cluster, range(2))
    cluster.settle()
    check_same_state(cluster)
    cluster.check_healthy()


def test_a_solo_node_needs_nobody():
    cluster = Cluster(genesis=make_genesis(1), followers=1, make_engine=Solo).start()
    load(cluster, range(3))
    cluster.settle()
    check_same_state(cluster)


@pytest.mark.parametrize("seed", range(4))
def test_a_node_that_crashes_between_any_two_effects_catches_up(seed):
    cluster = Cluster(seed).start()
    connected(cluster)
    victim = cluster.validators[seed % 4]
    others = [host for host in cluster.validators if host is not victim]
    load(cluster, range(4), hosts=others)
    victim.crash_in = cluster.rng.randint(1, 40)
    assert cluster.run_until(lambda: victim.core is None, 20)
    height = others[0].height
    load(cluster, range(4, 8), hosts=others)
    assert cluster.run_until(lambda: others[0].height > height, 5), "finality goes on without it"
    victim.start()
    load(cluster, range(8, 10), hosts=others)
    cluster.settle()
    check_same_state(cluster)
    assert not any(host.halted or host.refused_to_sign for host in cluster.hosts)


@pytest.mark.parametrize("seed", range(3))
def test_all_nodes_restart_with_the_same_state(seed):
    cluster = Cluster(seed).start()
    load(cluster, range(5))
    for host in cluster.hosts:
        host.crash_in = cluster.rng.randint(0, 20)
    assert cluster.run_until(lambda: not any(host.core for host in cluster.hosts), 30)
    before = [list(host.disk.blocks) for host in cluster.hosts]
    for host in cluster.hosts:
        host.start()
        assert host.head is None or host.node.chain.state.final.root == host.head.state_root
    load(cluster, range(5, 8))
    cluster.settle()
    for host, blocks in zip(cluster.hosts, before, strict=True):
        assert host.disk.blocks[: len(blocks)] == blocks
    check_same_state(cluster)
    assert not any(host.halted or host.refused_to_sign for host in cluster.hosts)


def test_a_follower_follows_and_what_is_submitted_to_it_becomes_final():
    cluster = Cluster(followers=1).start()
    connected(cluster)
    (follower,) = cluster.followers
    load(cluster, range(3), hosts=[follower])
    cluster.settle()
    check_same_state(cluster)
    cluster.check_healthy()
    assert follower.node.statistics()["blocks"]["blocks_built"] == 0
    assert not follower.disk.guard, "it signs nothing"


def test_a_follower_that_comes_late_catches_up_by_certificates():
    cluster = Cluster(followers=1)
    for host in cluster.validators:
        host.start()
    load(cluster, range(20), pause_s=0.3)
    (follower,) = cluster.followers
    follower.start()
    assert cluster.run_until(lambda: follower.height >= 20, 10)
    cluster.settle()
    check_same_state(cluster)
    assert sum(host.node.statistics()["blocks"]["blocks_served"] for host in cluster.validators) >= 20


def test_a_partition_heals():
    cluster = Cluster(5).start()
    connected(cluster)
    load(cluster, range(2))
    cluster.settle()
    one, other = cluster.validators[:2], cluster.validators[2:]
    cluster.partition(one, other)
    cluster.run(1)
    height = cluster.heights[0]
    for nonce in (2, 3):
        one[0].submit(transfer(GENESIS, "ann", nonce))
        other[0].submit(transfer(GENESIS, "bob", nonce, to="ann"))
        cluster.run(2)
    assert max(cluster.heights) <= height + 1, "no half is a quorum"
    cluster.heal()
    healed = cluster.now
    assert cluster.run_until(lambda: min(cluster.heights) > height + 1, 20)
    assert cluster.now - healed < 20_000_000
    cluster.settle()
    check_same_state(cluster)
    assert not any(host.halted or host.refused_to_sign for host in cluster.hosts)


def test_a_minority_that_was_cut_off_catches_up():
    cluster = Cluster(6).start()
    connected(cluster)
    lone, others = cluster.validators[0], cluster.validators[1:]
    cluster.partition([lone], others)
    load(cluster, range(12), hosts=others, pause_s=0.3)
    assert lone.height < others[0].height - 8
    cluster.heal()
    cluster.settle()
    check_same_state(cluster)


def test_a_network_at_rest_nullifies_nothing_and_says_little():
    cluster = Cluster(7).start()
    connected(cluster)
    load(cluster, range(2))
    cluster.settle()
    cluster.run(6)
    nullified = [host.node.engine_status().counters.get("views_nullified", 0) for host in cluster.hosts]
    heights = cluster.heights
    cluster.messages.clear()
    cluster.run(300)
    assert [host.node.engine_status().counters.get("views_nullified", 0) for host in cluster.hosts] == nullified
    blocks = cluster.heights[0] - heights[0]
    assert 55 <= blocks <= 62, "one block per heartbeat of 5 s"
    per_block = 3 + 12 + 12  # proposal, N and F of each to each other one
    assert cluster.messages["Engine"] <= (per_block + 1) * blocks
    assert sum(cluster.messages.values()) <= 300 * 12, "one message per second and connection"
    cluster.check_healthy()


def trace_of(seed):
    cluster = Cluster(seed, followers=1).start()
    load(cluster, range(3))
    cluster.validators[1].crash()
    cluster.run(1)
    cluster.validators[1].start()
    cluster.settle()
    return cluster.trace.hexdigest() + cluster.hosts[0].node.chain.head.hash.hex()


def test_the_same_seed_gives_the_same_trace_whatever_the_hash_seed():
    here = trace_of(11)
    assert trace_of(11) == here
    assert trace_of(12) != here
    code = "from tests.node.test_cluster import trace_of; print(trace_of(11))"
    root = Path(__file__).parents[2]
    for hash_seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=root
        )
        assert done.stdout.strip() == here
