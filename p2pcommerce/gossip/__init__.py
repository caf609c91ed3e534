"""Floor 2: gossip, a core that spreads transactions between peers.

- `router`: the core (start here)
- `senders`: the receiver's choice of who pushes to it; `pulls`: asking for what was announced and not pushed
- `arrivals`: the hot path: new, known, in flight; `seen`: which transactions are known
- `shelf`: what is offered again
- `reconciler`: what gossip missed, found with each peer in turn; `asking`, `answering`: the sides of one talk;
  `sketch`: this node's set as coded symbols; `coding`, `peeling`: the rateless code
- `link`: one connected peer and what waits for it; `score`: what a peer did, kept past its connection
- `effects`: what the router wants done; `parameters`: the numbers
"""

from p2pcommerce.gossip.effects import Effect, Judged, Misbehaving, Offer, SendTo
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.reconciler import ReconcileMessage
from p2pcommerce.gossip.router import Router
from p2pcommerce.gossip.seen import short_id

__all__ = [
    "Effect",
    "GossipParameters",
    "Judged",
    "Misbehaving",
    "Offer",
    "ReconcileMessage",
    "Router",
    "SendTo",
    "short_id",
]
