"""The numbers of all rooms of a node."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pcommerce.blobs.parameters import BlobParameters, MailParameters
from p2pcommerce.discovery import DiscoveryParameters
from p2pcommerce.gossip import GossipParameters
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.mempool import MempoolParameters
from p2pcommerce.node.trust import TrustAnchor
from p2pcommerce.sync import RestoreParameters, SyncParameters

__all__ = ["NodeParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParameters:
    """The numbers of all rooms of a node.

    Attributes:
        mempool, gossip, discovery, sync, restore, blobs, mail, relay: of the rooms.
        checkpoint: what the operator trusts beside the chain itself.
    """

    mempool: MempoolParameters = field(default_factory=MempoolParameters)
    gossip: GossipParameters = field(default_factory=GossipParameters)
    discovery: DiscoveryParameters = field(default_factory=DiscoveryParameters)
    sync: SyncParameters = field(default_factory=SyncParameters)
    restore: RestoreParameters = field(default_factory=RestoreParameters)
    blobs: BlobParameters = field(default_factory=BlobParameters)
    mail: MailParameters = field(default_factory=MailParameters)
    relay: RelayParameters = field(default_factory=RelayParameters)
    checkpoint: TrustAnchor | None = None
