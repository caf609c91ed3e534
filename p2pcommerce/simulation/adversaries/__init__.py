"""Those who do not follow the rules: small classes over the same cores.

- `adversary`: what all of them have; `casting`: who plays what in a world
- `leaders`: equivocating, invalid blocks, false times; `voters`: double votes, twins, withholding, selective sending
- `talkers`: lying to who catches up, mute, floods and spam
- `wild`: votes for everything, proposals beside the highest block, forged certificates
- `links`: voters of FFG; `unscrupulous`: the engines of those who would sign anything
"""

from p2pcommerce.simulation.adversaries.adversary import Adversary, Stage
from p2pcommerce.simulation.adversaries.casting import STRATEGIES, Casting
from p2pcommerce.simulation.adversaries.unscrupulous import Unscrupulous, UnscrupulousFFG

__all__ = ["STRATEGIES", "Adversary", "Casting", "Stage", "Unscrupulous", "UnscrupulousFFG"]
