"""Worlds of discovery alone: who finds whom, who is poisoned, and who is eclipsed.

- `poison`: run the attack of poisoned records and restarts (start here)
- `world`: the cores of discovery over a queue of events; `host`: one node; `swarm`: the attacker
- `flat_book`: the address book without buckets, to compare with
"""

from p2pcommerce.simulation.peers.poison import BOOKS, PoisonResult, PoisonScenario, PoisonScenarioError, run_poison

__all__ = ["BOOKS", "PoisonResult", "PoisonScenario", "PoisonScenarioError", "run_poison"]
