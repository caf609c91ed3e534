"""The evidence that honest nodes must find."""

from __future__ import annotations

import pytest

from p2pcommerce.simulation.world import World

from .worlds import run, scenario


def seen(seed):
    faults = {"asymmetric": 0.5, "loss": 0.1}
    return run(
        World(
            scenario(
                seed, seconds=16, liveness=5, base_delay_us=300_000, faults=faults, adversaries=[("double_vote", 0)]
            )
        )
    )


def test_who_hears_both_votes_accuses():
    heard = 0
    for seed in range(1, 7):
        world = seen(seed)
        result = world.result()
        assert result.is_good, result.words
        heard += len(world.oracles._evidence.heard)
    assert heard


def test_a_node_that_accuses_nobody_is_seen(monkeypatch):
    monkeypatch.setattr("p2pcommerce.finality.simplex.witness.Witness.accuse", lambda *_: None)
    for seed in range(1, 7):
        violations = seen(seed).result().violations
        if violations:
            assert violations[0].oracle == "evidence"
            assert "accused nobody" in violations[0].detail
            return
    pytest.fail("nobody heard both votes")
