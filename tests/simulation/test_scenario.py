import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.scenario import (
    ADVERSARIES,
    ENGINES,
    FAULTS,
    SCENARIO_BYTES_MAX,
    Adversary,
    Scenario,
    ScenarioError,
    ScenarioVersionError,
    UnknownAdversaryError,
    UnknownFaultError,
)
from p2pcommerce.simulation.tables import TABLES, UnknownTableError

VECTOR = '{"version": 1, "seed": 7, "nodes": 5, "stakes": [3, 1], "engine": "simplex", "table": "aws", \
"bandwidth_bps": 50000000, "horizon_us": 60000000, "liveness_us": 30000000, "load_tps": 5, "base_delay_us": 1000000, \
"epoch_blocks": 7200, "churn": "none", \
"faults": {"loss": 0.1, "crash": 0.02}, "adversaries": [{"strategy": "twins", "nodes": [1]}]}'
SCENARIO = Scenario(
    seed=7, nodes=5, stakes=(3, 1), faults={"crash": 0.02, "loss": 0.1}, adversaries=(Adversary("twins", (1,)),)
)


def document(**changes):
    return json.dumps({**json.loads(VECTOR), **changes})


def test_the_json_form_is_pinned():
    assert SCENARIO.to_json() == VECTOR
    assert Scenario.from_json(VECTOR) == SCENARIO
    assert hash(Scenario.from_json(VECTOR)) == hash(SCENARIO)


def test_what_is_left_out_has_its_default_except_version_and_seed():
    assert Scenario.from_json('{"version": 1, "seed": 3}') == Scenario(seed=3)
    with pytest.raises(ScenarioError, match="lacks 'seed'"):
        Scenario.from_json('{"version": 1}')


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_scenario_survives_its_json_form(data):
    nodes = data.draw(st.integers(1, 20))
    horizon_us = data.draw(st.integers(1, 10**9))
    scenario = Scenario(
        seed=data.draw(st.integers(-(2**70), 2**70)),
        nodes=nodes,
        stakes=tuple(data.draw(st.lists(st.integers(1, 1_000), min_size=1, max_size=nodes))),
        engine=data.draw(st.sampled_from(ENGINES)),
        table=data.draw(st.sampled_from(sorted(TABLES))),
        horizon_us=horizon_us,
        liveness_us=data.draw(st.integers(0, horizon_us)),
        faults=data.draw(st.dictionaries(st.sampled_from(sorted(FAULTS)), st.floats(0, 1, exclude_min=True))),
        adversaries=tuple(
            Adversary(strategy, (data.draw(st.integers(0, nodes - 1)),))
            for strategy in data.draw(st.lists(st.sampled_from(sorted(ADVERSARIES)), max_size=3))
        ),
    )
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert Scenario.from_json(scenario.to_json().encode()).to_json() == scenario.to_json()


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_another_version_is_refused(version):
    with pytest.raises(ScenarioVersionError, match="version"):
        Scenario.from_json(document(version=version))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"faults": {"rain": 0.1}}, UnknownFaultError, "unknown fault 'rain'"),
        ({"faults": {"loss": 2}}, UsageError, "intensity"),
        ({"faults": {"loss": True}}, ScenarioError, "faults.loss must be a number"),
        ({"faults": []}, ScenarioError, "must be an object"),
        ({"table": "moon"}, UnknownTableError, "unknown latency table 'moon'"),
        ({"engine": "paxos"}, ScenarioError, "unknown engine 'paxos'"),
        ({"engine": 1}, ScenarioError, "engine must be a text"),
        ({"adversaries": [{"strategy": "bribe", "nodes": [0]}]}, UnknownAdversaryError, "unknown strategy 'bribe'"),
        ({"adversaries": [{"strategy": "mute", "nodes": [5]}]}, ScenarioError, "nodes from 0 to 4"),
        ({"adversaries": [{"strategy": "mute", "nodes": []}]}, ScenarioError, "needs nodes"),
        ({"adversaries": [{"strategy": "mute"}]}, ScenarioError, "strategy and nodes"),
        ({"adversaries": {}}, ScenarioError, "must be a list"),
        ({"stakes": []}, ScenarioError, "stakes"),
        ({"stakes": [1] * 6}, ScenarioError, "stakes"),
        ({"stakes": [0]}, ScenarioError, "stakes"),
        ({"stakes": [1.0]}, ScenarioError, "integer"),
        ({"stakes": 4}, ScenarioError, "list of integers"),
        ({"nodes": 0}, ScenarioError, "nodes is 0"),
        ({"nodes": True}, ScenarioError, "integer"),
        ({"nodes": 10_001}, ScenarioError, "must be 1 to 10000"),
        ({"seed": "1"}, ScenarioError, "seed must be an integer"),
        ({"liveness_us": 60_000_001}, ScenarioError, "liveness_us"),
        ({"horizon_us": 10**18}, ScenarioError, "horizon_us"),
        ({"weather": 1}, ScenarioError, "unknown member 'weather'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(changes, error, words):
    with pytest.raises(error) as caught:
        Scenario.from_json(document(**changes))
    assert isinstance(caught.value, UsageError)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "nonsense", '{"version": 1, "seed": 1, "seed": 2}', "[" * 100_000, b"\xff\xfe\xfa", "9" * 5_000],
)
def test_what_is_no_scenario_is_refused(text):
    with pytest.raises(ScenarioError):
        Scenario.from_json(text)


def test_a_text_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(ScenarioError, match="at most"):
        Scenario.from_json(VECTOR + " " * SCENARIO_BYTES_MAX)


def test_phases_and_roles():
    assert (SCENARIO.healed_us, SCENARIO.validators, SCENARIO.adversary_nodes) == (30_000_000, 2, (1,))
    assert SCENARIO.with_(seed=8) == Scenario.from_json(document(seed=8))


def test_every_strategy_has_a_meaning():
    assert all(len(meaning) > 20 for meaning in ADVERSARIES.values())
