"""Private transactions in gossip worlds: they arrive, later, and spies seldom know whose they are."""

from dataclasses import replace

import pytest

from p2pcommerce.simulation.gossip import GossipScenario, GossipScenarioError, run_gossip
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.spying import Spying

SCENARIO = GossipScenario(
    nodes=50, transactions=120, rate=40, warmup_s=3, warmup_rate=10, drain_s=120, attack="spies", attack_share=0.2
)


@pytest.fixture(scope="module")
def results():
    private = replace(SCENARIO, private=True)
    return {
        "public": run_gossip(SCENARIO),
        "private": run_gossip(private),
        "swallowed": run_gossip(replace(private, attack="swallow")),
    }


@pytest.mark.parametrize("name", ["public", "private", "swallowed"])
def test_everything_is_delivered(results, name):
    assert results[name].delivered == 1.0


def test_spies_know_the_origin_of_public_transactions_and_seldom_that_of_private_ones(results):
    assert results["public"].first_spy_precision > 0.9
    assert 0.05 < results["private"].first_spy_precision < 0.45  # a fifth of the first relays are spies


def test_a_stem_takes_some_hops_and_one_that_swallows_costs_a_wait(results):
    public, private, swallowed = (results[name].latency_ms for name in ("public", "private", "swallowed"))
    assert public.p50 < private.p50 < 3_000
    assert 5_000 < swallowed.p99 < 60_000


def test_nobody_spies_in_other_worlds():
    assert run_gossip(replace(SCENARIO, attack="none", transactions=5)).first_spy_precision is None


def test_baselines_know_no_private_transactions():
    with pytest.raises(GossipScenarioError, match="private"):
        GossipScenario(strategy="gossipsub", private=True)


def test_spies_take_who_sent_it_first_for_the_origin():
    spying = Spying(lambda raw: raw)
    item = Publication(b"a", b"a", origin=3, at_us=0, is_measured=True, nodes=5)
    assert spying.precision([]) is None
    assert spying.precision([item]) == 0
    spying.watch(2, 500, [b"a"])
    assert spying.precision([item]) == 0
    spying.watch(3, 400, [b"a"])
    spying.watch(4, 450, [b"a"])
    assert spying.precision([item]) == 1
