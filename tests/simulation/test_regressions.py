"""Worlds that once failed, as `--shrink` left them: none may fail again.

A file's name begins with the stack that it runs, `finality-` or `network-`.
"""

from pathlib import Path

import pytest

from p2pcommerce.simulation.outcome import STACKS, failure_of, options_of
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.world import run_scenario

FILES = sorted((Path(__file__).parent / "regressions").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_world_that_failed_once_is_good(path):
    stack = path.stem.partition("-")[0]
    assert stack in STACKS
    result = run_scenario(Scenario.from_json(path.read_bytes()), options_of(stack))
    assert failure_of(result) == ("", "")


def test_there_are_worlds_to_run():
    assert FILES
