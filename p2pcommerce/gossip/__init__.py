"""Floor 2: gossip, a core that spreads transactions between peers.

- `router`: the core (start here)
- `senders`: the receiver's choice of who pushes to it; `pulls`: asking for what was announced and not pushed
- `arrivals`: the hot path: new, known, in flight; `seen`: which transactions are known
- `shelf`: what is offered again
- `reconciler`: what gossip missed, found with each peer in turn; `asking`, `answering`: the sides of one talk;
  `sketch`: this node's set as coded symbols; `coding`, `peeling`: the rateless code
- `link`: one connected peer and what waits for it; `score`: what a peer did, kept past its connection;
  `score_file`: and past a restart
- `topics`: what embedding applications publish, with `post`, `post_link`, `origins`, `kept_posts`; `budget`: what
  somebody may send
- `spreading`: who is pushed a transaction, and who is told of it; `choosers`: the peers that are pushed everything
- `stems`: private transactions, until somebody makes them public; `stem_routes`: where they go; `stem_room`: how many
- `relay`, `relay_link`, `kept_messages`: finality messages among many validators; `relay_parameters`: their numbers
- `relay_names`: by what names they are told of; `relay_hearing`: who need not be pushed what its maker says to it
- `effects`: what the router wants done; `parameters`: the numbers
"""

from p2pcommerce.gossip.effects import Deliver, Effect, Examine, Fluff, Judged, Misbehaving, Offer, SendTo
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.post import Post, sign_post
from p2pcommerce.gossip.reconciler import ReconcileMessage
from p2pcommerce.gossip.router import Router
from p2pcommerce.gossip.score_file import SCORES_BYTES_MAX, dump_scores, load_scores
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.gossip.topics import Topics, Validator

__all__ = [
    "SCORES_BYTES_MAX",
    "Deliver",
    "Effect",
    "Examine",
    "Fluff",
    "GossipParameters",
    "Judged",
    "Misbehaving",
    "Offer",
    "Post",
    "ReconcileMessage",
    "Router",
    "SendTo",
    "Topics",
    "Validator",
    "dump_scores",
    "load_scores",
    "short_id",
    "sign_post",
]
