"""Worlds of discovery alone: who finds whom, who is poisoned, and who is eclipsed.

- `poison`: run the attack of poisoned records and restarts (start here)
- `nat`: run a network in which many cannot be dialled, with and without reverse dialling
- `world`: the cores of discovery over a queue of events; `host`: one node; `swarm`: the attacker
- `flat_book`: the address book without buckets, to compare with
"""

from p2pcommerce.simulation.peers.nat import NatResult, NatScenario, NatScenarioError, run_nat
from p2pcommerce.simulation.peers.poison import BOOKS, PoisonResult, PoisonScenario, PoisonScenarioError, run_poison

__all__ = [
    "BOOKS",
    "NatResult",
    "NatScenario",
    "NatScenarioError",
    "PoisonResult",
    "PoisonScenario",
    "PoisonScenarioError",
    "run_nat",
    "run_poison",
]
