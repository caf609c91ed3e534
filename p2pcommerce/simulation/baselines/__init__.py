"""The baselines that the product's gossip is measured against; gossip worlds use them, and nothing else does.

- `seam`: what a strategy looks like to a gossip world (start here)
- `frames`: the baselines' own messages and their sizes
- `gossipsub`: v1.1 with lazy gossip and scores, IDONTWANT an option; `mesh`: which links carry full messages;
  `message_cache`: what can be asked for; `gossipsub_score`, `gossipsub_parameters`: its score and its numbers
- `flood`: everything to everybody
- `history`: what a baseline has seen
"""

from p2pcommerce.simulation.baselines.flood import Flood
from p2pcommerce.simulation.baselines.frames import Frame, Graft, IDontWant, IHave, IWant, Prune
from p2pcommerce.simulation.baselines.gossipsub import Gossipsub
from p2pcommerce.simulation.baselines.gossipsub_parameters import GossipsubParameters
from p2pcommerce.simulation.baselines.seam import Action, GossipMessage, SendFrame, Strategy

__all__ = [
    "Action",
    "Flood",
    "Frame",
    "GossipMessage",
    "Gossipsub",
    "GossipsubParameters",
    "Graft",
    "IDontWant",
    "IHave",
    "IWant",
    "Prune",
    "SendFrame",
    "Strategy",
]
