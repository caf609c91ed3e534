"""Simplex over networks whose validators change at every epoch: safety always, no stall, and a short boundary.

A failure names its seed: `faulty(plan, seed)` repeats it exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2pcommerce.finality import Simplex, Solo
from p2pcommerce.finality.engine import Target
from p2pcommerce.finality.simplex.messages import Cast, decode_message
from p2pcommerce.finality.voting import VoteKind
from p2pcommerce.primitives.ids import Epoch, PeerId
from tests.finality.churn import D0_US, Plan, churning, disjoint, faults_of, overlapping
from tests.finality.network import DELAY_US, Faults, Host, Network

BLOCKS = 4
HEAL_US = 3_000_000
RECOVERY_D0_MAX = 30
plans = pytest.mark.parametrize("plan", [overlapping, disjoint], ids=lambda plan: plan.__name__)
Make = Callable[[int], Plan]


def quiet(plan: Make, span_us: int = 2_500_000) -> Network:
    network = churning(1, plan(1), Faults(), epoch_blocks=BLOCKS)
    network.start()
    network.submit(100_000)
    network.run_for(span_us)
    return network


def faulty(plan: Make, seed: int) -> Network:
    """Crashes, cuts and losses for a while, then none: the head must move over the next boundary everywhere."""
    network = churning(seed, plan(seed), faults_of(seed, HEAL_US), epoch_blocks=BLOCKS)
    network.start()
    network.submit(100_000)
    network.run_for(HEAL_US)
    assert network.run_until(lambda: all(host.engine for host in network.hosts), 20 * D0_US)
    base = max(network.heights)
    alive = network.run_until(lambda: min(network.heights) > base + BLOCKS, RECOVERY_D0_MAX * D0_US)
    assert alive, f"seed {seed}: heights {network.heights} from {base}"
    network.check_honest()
    return network


@plans
def test_boundaries_are_crossed_without_a_gap_a_carrier_or_a_fork(plan: Make) -> None:
    network = quiet(plan)
    assert min(network.heights) >= 12 * BLOCKS
    first: dict[int, int] = {}
    for host in network.hosts:
        for height, at in host.finalized_at.items():
            first[height] = min(at, first.get(height, at))
    gaps = [first[height + 1] - first[height] for height in range(BLOCKS, max(first), BLOCKS) if height + 1 in first]
    assert len(gaps) >= 11
    assert max(gaps) <= 1.2 * D0_US
    assert network.counts.get("carriers", 0) == 0
    for name in ("views_nullified", "standstills", "guard_refused"):
        assert network.counter(name) == 0, name
    network.check_honest()


@plans
def test_every_host_votes_in_some_epoch_and_signs_nothing_in_the_others(plan: Make) -> None:
    network = quiet(plan)
    epochs = {epoch for _, epoch in network.judges}
    for number, epoch in network.judges:
        assert network.hosts[number].key in network.sets(epoch)
    assert len(epochs) >= 12
    assert {number for number, _ in network.judges} == set(range(len(network.hosts)))


@plans
@pytest.mark.parametrize("seed", range(1, 5))
def test_faults_at_the_boundary_break_and_hold_up_nothing(plan: Make, seed: int) -> None:
    faulty(plan, seed)


def test_a_boundary_whose_last_votes_are_lost_is_decided_through_carriers() -> None:
    network = churning(3, disjoint(3), Faults(), epoch_blocks=BLOCKS)
    network.start()
    network.submit(100)
    send = network.send

    def lossy(sender: Host, to: PeerId | Target, data: bytes) -> None:
        message = decode_message(data)
        is_final = isinstance(message, Cast) and message.vote.ballot.kind is VoteKind.FINALIZE
        if not is_final or sender.height != BLOCKS - 1 or network.counts.get("carriers", 0):
            send(sender, to, data)

    network.send = lossy  # type: ignore[method-assign] # no vote F for the last block arrives before there is a carrier
    assert network.run_until(lambda: min(network.heights) > 2 * BLOCKS, 60 * D0_US)
    assert network.counts["carriers"] >= 1
    network.check_honest()


def test_solo_stays_in_the_first_epoch() -> None:
    assert Simplex.follows_epochs
    assert not Solo.follows_epochs
    network = Network(1, (7,), make_engine=Solo)
    network.start()
    network.submit(12)
    network.run_for(100 * DELAY_US)
    engine = network.hosts[0].live
    assert engine.on_epoch(Epoch(1), network.validators, network.validators, b"seed", network.now) == []
    assert engine.randomness(network.hosts[0].key, b"", b"seed") is None
    assert engine.status().epoch == 0
