"""Gossip worlds: how transactions spread among many nodes, by the product's router or by a baseline.

- `run`: run a scenario, or compare strategies (start here); `scenario`, `result`: what goes in and comes out
- `comparison`: the goals, as rows of one table
- `world`: the event loop; `network`: nodes and connections; `traffic`: what is published, and what of it is measured
- `station`: one node; `publication`: one transaction; `topology`: who dials whom
- `strategies`: the product's router and the baselines behind one seam; `attacks`: what goes wrong
- `spying`: who published what, as nodes guess that watch
- `meter`: what is counted; `wire_sizes`: what a message weighs
"""

from p2pcommerce.simulation.gossip.attacks import ATTACKS, Attack
from p2pcommerce.simulation.gossip.comparison import ROWS, Comparison, Goal, compare_rows
from p2pcommerce.simulation.gossip.result import GossipResult, LatencyMs, SwarmFigures
from p2pcommerce.simulation.gossip.run import compare, run_gossip
from p2pcommerce.simulation.gossip.scenario import GossipScenario, GossipScenarioError
from p2pcommerce.simulation.gossip.strategies import STRATEGIES
from p2pcommerce.simulation.gossip.world import World

__all__ = [
    "ATTACKS",
    "ROWS",
    "STRATEGIES",
    "Attack",
    "Comparison",
    "Goal",
    "GossipResult",
    "GossipScenario",
    "GossipScenarioError",
    "LatencyMs",
    "SwarmFigures",
    "World",
    "compare",
    "compare_rows",
    "run_gossip",
]
