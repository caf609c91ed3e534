"""The slice of the long runs that every test run makes: `make soak` runs the rest."""

import pytest

from p2pcommerce.simulation.campaign import Campaign, run_campaign
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.sweep import ProcessPool, default_jobs
from p2pcommerce.simulation.tally import Tally


@pytest.mark.parametrize(("validators", "seeds"), [(4, 150), (7, 50)])
def test_below_a_third_of_faulty_stake_nothing_is_violated(validators, seeds):
    base = Scenario(
        seed=0,
        nodes=validators,
        stakes=(1,) * validators,
        horizon_us=6_000_000,
        liveness_us=3_000_000,
        load_tps=2,
        base_delay_us=250_000,
    )
    campaign = Campaign.of(base, "finality", 1, seeds, faults="all", adversaries="all")
    tally = Tally()
    for outcome in run_campaign(campaign, ProcessPool(default_jobs())):
        tally.add(outcome)
    assert tally.seeds == seeds
    assert [(each.seed, each.detail) for each in tally.failures if each.oracle != "stalled"] == []
    assert tally.violated == 0
    assert tally.height > 5
