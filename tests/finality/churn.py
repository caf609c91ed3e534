"""Validator sets that change at every epoch, for tests: overlapping or disjoint, with faults at the boundary."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.primitives.ids import Stake
from tests.finality.network import DELAY_US, Faults, Network

__all__ = ["D0_US", "Plan", "churning", "disjoint", "overlapping"]

D0_US = 100_000
Plan = Callable[[int, ValidatorSet], ValidatorSet]


def overlapping(seed: int) -> Plan:
    """Draw each epoch's set and stakes: at least four of all."""

    def plan(epoch: int, everybody: ValidatorSet) -> ValidatorSet:
        rng = random.Random(seed * 1_000_003 + max(epoch, 1))
        count = rng.randint(min(4, len(everybody)), len(everybody))
        chosen = rng.sample(list(everybody), count)
        return ValidatorSet.of(Validator(each.public_key, Stake(rng.randint(1, 4))) for each in chosen)

    return plan


def disjoint(seed: int) -> Plan:
    """Let the two halves take turns; epochs 0 and 1 have the same set, as at genesis."""

    def plan(epoch: int, everybody: ValidatorSet) -> ValidatorSet:
        half = len(everybody) // 2
        keys = sorted(everybody.keys, key=lambda key: (key[seed % 32], key))
        members = keys[:half] if max(epoch, 1) % 2 else keys[half:]
        return ValidatorSet.of(Validator(key, Stake(1)) for key in members)

    return plan


def churning(seed: int, plan: Plan, faults: Faults, *, hosts: int = 8, epoch_blocks: int = 4) -> Network:
    """Build a network whose sets change; the block interval is below the delay, so that boundaries come often."""
    parameters = replace(ChainParameters.local(), block_interval_ms=20, epoch_blocks=epoch_blocks)
    return Network(seed, (1,) * hosts, faults, parameters, plan=plan)


def faults_of(seed: int, heal_us: int) -> Faults:
    """Draw what goes wrong."""
    rng = random.Random(seed)
    return Faults(
        delay_us=rng.choice([(DELAY_US, DELAY_US), (2_000, 40_000), (1_000, 2 * D0_US)]),
        drop=rng.choice([0.0, 0.1, 0.3]),
        duplicate=rng.choice([0.0, 0.3]),
        partition=rng.choice([0.0, 0.4]),
        crashes=rng.choice([0, 6, 12]),
        body_missing=rng.choice([0.0, 0.5, 1.0]),
        heal_us=heal_us,
    )
