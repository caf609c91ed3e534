"""A decentralized merchant network, to embed: discovery, gossip, mempool, proof-of-stake finality, commerce.

    async with p2pcommerce.open_node(config) as node:
        tx_id = await node.submit(p2pcommerce.commerce.Transfer(to=SHOP, amount_minor=12_500_000))
        receipt = await node.wait_finalized(tx_id)

The map of the house; a room imports only rooms on lower floors:

    6  cli           the `p2pcommerce` command
    4  runtime       the trio shell: sockets, files, clocks
    3  node          one node as one core
    2  discovery     who is there           gossip    transactions from peer to peer
       mempool       what waits             finality  what is final: simplex, solo
       sync          catching up            commerce  the default application
    1  wire          Noise, records, lanes  ledger    transactions, blocks, state
    0  primitives    codec, crypto, trees, ids, errors
"""

from __future__ import annotations

from p2pcommerce import commerce
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application, QueryError
from p2pcommerce.ledger.genesis import ChainParameters, Genesis, GenesisError
from p2pcommerce.ledger.receipt import Event, Receipt
from p2pcommerce.ledger.transaction import SignedTransaction
from p2pcommerce.ledger.validators import Validator, ValidatorSet
from p2pcommerce.node.proof import Proof, ProofError, Proven, TrustAnchor, verify_proof
from p2pcommerce.primitives.errors import (
    LocalProtocolError,
    P2PError,
    RejectionCode,
    RemoteProtocolError,
    TransactionExpiredError,
    TransactionRejectedError,
    UsageError,
)
from p2pcommerce.primitives.ids import Height, PeerId, PublicKey, TransactionId
from p2pcommerce.runtime.config import ConfigError, NodeConfig
from p2pcommerce.runtime.driver import NodeHaltedError
from p2pcommerce.runtime.events import FinalizedBlock, SubscriberLaggedError, Subscription
from p2pcommerce.runtime.identity import Identity, KeyFileError
from p2pcommerce.runtime.node import PeerInfo, QueryResult, RunningNode, open_node
from p2pcommerce.runtime.transport import Transport

__all__ = [
    "Application",
    "ChainParameters",
    "ConfigError",
    "Event",
    "FinalityEngine",
    "FinalizedBlock",
    "Genesis",
    "GenesisError",
    "Height",
    "Identity",
    "KeyFileError",
    "LocalProtocolError",
    "NodeConfig",
    "NodeHaltedError",
    "P2PError",
    "PeerId",
    "PeerInfo",
    "Proof",
    "ProofError",
    "Proven",
    "PublicKey",
    "QueryError",
    "QueryResult",
    "Receipt",
    "RejectionCode",
    "RemoteProtocolError",
    "RunningNode",
    "SignedTransaction",
    "SubscriberLaggedError",
    "Subscription",
    "TransactionExpiredError",
    "TransactionId",
    "TransactionRejectedError",
    "Transport",
    "TrustAnchor",
    "UsageError",
    "Validator",
    "ValidatorSet",
    "__version__",
    "commerce",
    "open_node",
    "verify_proof",
]

__version__ = "0.1.0"
