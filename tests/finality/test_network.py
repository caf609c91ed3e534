"""Simplex over simulated networks: safety always, liveness after healing, and its figures without faults.

A failure names its seed: `run(seed, ...)` repeats it exactly.
"""

from __future__ import annotations

import random

import pytest

from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from tests.finality.network import DELAY_US, KEYED, Faults, Network

D0_US = 100_000
STAKES = [(1, 1, 1, 1), (5, 3, 2, 1), (10, 9, 8, 7, 1, 1, 1), (1,) * 7, (1, 1, 1), (3, 1)]
FAULT_US = 1_500_000
RECOVERY_D0_MAX = 30
SEEDS = 20


def faults_of(seed: int, *, twin: bool) -> Faults:
    rng = random.Random(seed)
    return Faults(
        delay_us=rng.choice([(DELAY_US, DELAY_US), (2_000, 40_000), (1_000, 3 * D0_US)]),
        drop=rng.choice([0.0, 0.1, 0.3]),
        duplicate=rng.choice([0.0, 0.3]),
        partition=rng.choice([0.0, 0.6]),
        crashes=rng.choice([0, 3, 8]),
        body_missing=rng.choice([0.0, 0.5, 1.0]),
        twin=twin,
        heal_us=FAULT_US,
    )


def run(seed: int, stakes: tuple[int, ...], *, twin: bool = False, scheme: SignatureScheme = KEYED) -> Network:
    """Faults for a while, then none: the head must move on everywhere. Safety is checked at each step."""
    network = Network(seed, stakes, faults_of(seed, twin=twin), scheme=scheme)
    network.start()
    for number in range(10):
        network.later(number * 150_000, None, lambda _now: network.submit(2) or [])
    network.run_for(FAULT_US)
    assert network.run_until(lambda: all(host.engine for host in network.hosts), 20 * D0_US)
    network.submit(2)
    base = max(network.heights)
    alive = network.run_until(lambda: min(network.heights) > base, RECOVERY_D0_MAX * D0_US)
    assert alive, f"seed {seed}: no finality after healing, heights {network.heights} from {base}"
    network.check_honest()
    return network


@pytest.mark.parametrize("stakes", STAKES, ids=str)
@pytest.mark.parametrize("block", range(2))
def test_safe_always_and_live_after_healing(stakes: tuple[int, ...], block: int) -> None:
    crashes = 0
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        network = run(100 * len(stakes) + seed, stakes)
        crashes += network.counts.get("crash", 0)
        counters = network.hosts[0].live.status().counters
        assert counters["votes_held"] <= 66 * 3 * 2 * len(stakes)
    assert crashes > 0


@pytest.mark.parametrize("stakes", [(1, 1, 1, 1), (10, 9, 8, 7, 1, 1, 1), (1,) * 7], ids=str)
def test_a_second_instance_below_a_third_convinces_nobody_and_convicts_only_itself(stakes: tuple[int, ...]) -> None:
    accused = sum(len(host.evidence) for seed in range(12) for host in run(seed, stakes, twin=True).honest)
    assert accused > 0, "no seed made the two instances contradict each other"


@pytest.mark.parametrize("seed", range(3))
def test_the_same_with_real_signatures(seed: int) -> None:
    run(seed, (5, 3, 2, 1), scheme=ED25519)


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = run(7, (5, 3, 2, 1)), run(7, (5, 3, 2, 1))
    assert one.finals == other.finals
    assert one.counts == other.counts


@pytest.mark.parametrize("stakes", [(1, 1, 1, 1), (5, 3, 2, 1), (1,) * 10], ids=str)
def test_without_faults_finality_takes_three_delays_and_blocks_two(stakes: tuple[int, ...]) -> None:
    network = Network(1, stakes)
    network.start()
    network.run_for(10 * DELAY_US)
    network.submit(60)
    network.run_for(50 * DELAY_US)
    made = {header.height: header.time_ms * 1_000 for header, _ in network.hosts[0].disk.store[1:]}
    assert len(made) >= 15
    gaps = [made[height] - made[height - 1] for height in list(made)[1:]]
    assert set(gaps) == {2 * DELAY_US}
    for host in network.hosts:
        assert {at - made[height] for height, at in host.finalized_at.items()} <= {2 * DELAY_US, 3 * DELAY_US}
    for name in ("relays", "standstills", "helped", "views_nullified"):
        assert network.counter(name) == 0, name
    network.check_honest()


def test_an_idle_network_nullifies_nothing_and_sends_only_heartbeats() -> None:
    network = Network(1)
    network.start()
    network.submit(1)
    network.run_for(2_000_000)
    before = network.counts["messages"]
    network.run_for(2_000_000)
    assert network.counts["messages"] == before
    network.run_for(30_000_000)
    assert min(network.heights) >= 6, "a heartbeat every 5 s"
    assert network.counter("views_nullified") == 0
    assert network.counter("relays") == 0


def test_just_under_a_third_silent_still_finalizes() -> None:
    network = Network(3, (1, 1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(30)
    assert network.run_until(lambda: min(network.heights) >= 10, 15_000_000)
    network.check_honest()


def test_a_third_silent_stops_and_nothing_is_final() -> None:
    network = Network(3, (1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(3)
    network.run_for(5_000_000)
    assert max(network.heights) == 0


def test_a_network_restarted_all_at_once_comes_back() -> None:
    network = Network(5, (5, 3, 2, 1))
    network.start()
    network.submit(9)
    network.run_for(15 * DELAY_US)
    before = max(network.heights)
    for host in network.hosts:
        host.crash()
    network.submit(3)
    assert network.run_until(lambda: min(network.heights) > before, 20 * D0_US)
    network.check_honest()


def test_a_node_far_behind_is_carried_on_by_sync() -> None:
    network = Network(5, (1, 1, 1, 1), Faults(silent=1))
    network.start()
    network.submit(300)
    network.run_until(lambda: min(network.heights) >= 100, 20_000_000)
    late = network.hosts[0]
    late.start()
    assert network.run_until(lambda: late.height >= 120 or late.height == max(network.heights), 5_000_000)
    assert network.counts["synced"] >= 1
    votes = late.live.status().counters.get("votes_notarize", 0)
    network.submit(60)
    assert network.run_until(lambda: late.live.status().counters.get("votes_notarize", 0) > votes, 3_000_000)
    network.check_honest()


def test_the_log_is_rewritten_and_still_restarts() -> None:
    network = Network(2)
    network.start()
    network.submit(2_000)
    assert network.run_until(lambda: network.counts.get("rewrite", 0) >= 4, 30_000_000)
    host, before = network.hosts[0], max(network.heights)
    assert len(host.disk.log) < 2_000
    host.crash()
    assert network.run_until(lambda: host.height > before, 3_000_000)
    network.check_honest()


SLOW_US = 6 * D0_US


@pytest.mark.parametrize(
    ("shortest_us", "silent", "blocks"),
    [
        pytest.param(1, 0, 60, id="up to 6 D0"),
        pytest.param(SLOW_US // 2, 0, 60, id="3 to 6 D0"),
        # A block takes two delays, so 50 would be all.
        pytest.param(SLOW_US, 0, 45, id="always 6 D0"),
        pytest.param(SLOW_US, 1, 25, id="always 6 D0 and a silent validator"),
    ],
)
def test_slow_networks_still_make_blocks_because_d_grows(shortest_us: int, silent: int, blocks: int) -> None:
    network = Network(4, (1, 1, 1, 1), Faults(delay_us=(shortest_us, SLOW_US), silent=silent))
    network.start()
    network.submit(1_000)
    network.run_for(100 * SLOW_US)
    assert min(network.heights) >= blocks, "blocks per 100 delays"
    assert any(host.engine is not None and host.live.status().counters["delay_us"] > D0_US for host in network.hosts)
    network.check_honest()
