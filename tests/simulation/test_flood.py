"""Floods of each kind, from one peer and from many: nobody honest is driven out or held up, and the caps hold."""

from __future__ import annotations

import pytest

from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.simulation.flood import FloodScenario, FloodWorld, run_flood
from p2pcommerce.simulation.junk import JUNK
from p2pcommerce.simulation.scheme import STAND_IN

PARAMETERS = MempoolParameters(count_max=600)
JUNK_COUNT = 3_000
HONEST = 60


@pytest.fixture(scope="module")
def world():
    return FloodWorld(STAND_IN, funded=300)


@pytest.fixture(scope="module")
def quiet(world):
    return run_flood(world, FloodScenario(kind="none", honest=HONEST, parameters=PARAMETERS))


@pytest.mark.parametrize("flooders", [1, 40])
@pytest.mark.parametrize("kind", sorted(JUNK))
def test_no_honest_transaction_is_lost_or_late(world, quiet, kind, flooders):
    scenario = FloodScenario(
        kind=kind, junk=JUNK_COUNT, flooders=flooders, honest=HONEST, rate=400.0, parameters=PARAMETERS
    )
    result = run_flood(world, scenario)
    assert (result.admitted, result.refused, result.evicted) == (HONEST, 0, 0)
    assert result.met_flood > 5 or kind == "garbage"
    assert result.latency_p99_us <= 1.5 * quiet.latency_p99_us
    assert result.transactions_max <= PARAMETERS.count_max
    assert result.bytes_max <= PARAMETERS.bytes_max
    assert result.waiting_bytes_max <= 2 * PARAMETERS.intake_total_bytes_max
    if kind in {"tiny", "gap", "payer"}:  # what is good fills the pool, and then honest ones take its places
        assert result.transactions_max == PARAMETERS.count_max
        assert result.junk_admitted >= PARAMETERS.count_max - HONEST
    else:
        assert result.junk_admitted == 0


def test_a_quiet_pool_takes_everything_at_once(quiet):
    assert (quiet.admitted, quiet.refused, quiet.evicted, quiet.junk_admitted) == (HONEST, 0, 0, 0)
    assert quiet.wait_p99_us < 1_000
    assert quiet.cpu_us is None


def test_a_flood_by_the_table_is_the_same_each_time(world):
    scenario = FloodScenario(kind="tiny", junk=1_000, honest=HONEST, parameters=PARAMETERS)
    assert run_flood(world, scenario) == run_flood(world, scenario)
