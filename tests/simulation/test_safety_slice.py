"""The slice of the long runs that every test run makes: `make soak` runs the rest.

The worlds are long enough for several faults, restarts and leaders each, and as long again without faults: one in which
finality does not resume fails the slice as a violated oracle does.
"""

import pytest

from p2pcommerce.simulation.campaign import Campaign, run_campaign
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.sweep import ProcessPool, default_jobs
from p2pcommerce.simulation.tally import Tally


@pytest.mark.parametrize(("validators", "seeds"), [(4, 36), (7, 12)])
def test_below_a_third_of_faulty_stake_nothing_is_violated_and_finality_resumes(validators, seeds):
    base = Scenario(
        seed=0,
        nodes=validators,
        stakes=(1,) * validators,
        horizon_us=28_000_000,
        liveness_us=14_000_000,
        load_tps=2,
        base_delay_us=250_000,
    )
    campaign = Campaign.of(base, "finality", 1, seeds, faults="all", adversaries="all", draw_stakes=True)
    tally = Tally()
    for outcome in run_campaign(campaign, ProcessPool(default_jobs())):
        tally.add(outcome)
    assert tally.seeds == seeds
    assert [(each.seed, each.detail) for each in tally.failures] == []
    assert (tally.violated, tally.stalled) == (0, 0)
    assert len(tally.recoveries_us) == seeds
    assert tally.height > 20
