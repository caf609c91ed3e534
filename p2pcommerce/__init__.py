"""A decentralized merchant network, to embed: discovery, gossip, mempool, proof-of-stake finality, commerce.

    async with p2pcommerce.open_node(config) as node:
        tx_id = await node.submit(p2pcommerce.commerce.Transfer(to=SHOP, amount_minor=12_500_000))
        receipt = await node.wait_finalized(tx_id)

The map of the house; a room imports only rooms on lower floors:

    6  cli           the `p2pcommerce` command
    4  runtime       the trio shell: sockets, files, clocks
       simulation    whole nodes over simulated links, clocks and disks
    3  node          one node as one core
    2  discovery     who is there           gossip    transactions from peer to peer
       mempool       what waits             finality  what is final: simplex, ffg, solo
       sync          catching up            commerce  the default application
       blobs         data off the chain
    1  wire          Noise, records, lanes  ledger    transactions, blocks, state
    0  primitives    codec, crypto, trees, ids, errors

Public names are imported when they are first used: a program that only checks proofs, or reads a configuration, does
not wait for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2pcommerce import commerce
    from p2pcommerce.finality.engine import FinalityEngine
    from p2pcommerce.gossip.post import Post
    from p2pcommerce.ledger.application import (
        Admission,
        Application,
        BlockContext,
        InvalidTransactionError,
        Payload,
        QueryError,
        Rejection,
    )
    from p2pcommerce.ledger.genesis import ChainParameters, Genesis, GenesisError
    from p2pcommerce.ledger.plain_application import PlainApplication, RefusedError
    from p2pcommerce.ledger.receipt import Event, Outcome, Receipt
    from p2pcommerce.ledger.state import State, StateChanges, StateView
    from p2pcommerce.ledger.transaction import SignedTransaction
    from p2pcommerce.ledger.validators import Validator, ValidatorSet, ValidatorUpdate
    from p2pcommerce.node.light import ConflictError, FinalHeader, LightClient, TrustExpiredError, trust_s_of
    from p2pcommerce.node.proof import (
        Proof,
        ProofError,
        Proven,
        TrustAnchor,
        subject_of,
        verify_proof,
        verify_proof_by_header,
    )
    from p2pcommerce.node.trust import AnchorError
    from p2pcommerce.primitives.errors import (
        LocalProtocolError,
        P2PError,
        RejectionCode,
        RemoteProtocolError,
        TransactionDroppedError,
        TransactionExpiredError,
        TransactionRejectedError,
        TransactionUnknownError,
        UsageError,
        Verdict,
    )
    from p2pcommerce.primitives.ids import Height, PeerId, PublicKey, TransactionId
    from p2pcommerce.runtime.config import ConfigError, NodeConfig
    from p2pcommerce.runtime.driver import NodeHaltedError
    from p2pcommerce.runtime.events import FinalizedBlock, SubscriberLaggedError, Subscription
    from p2pcommerce.runtime.identity import Identity, KeyFileError
    from p2pcommerce.runtime.light import Followed, follow
    from p2pcommerce.runtime.node import PeerInfo, QueryResult, RunningNode, open_node
    from p2pcommerce.runtime.off_chain import Message
    from p2pcommerce.runtime.off_chain_errors import (
        BlobNotFoundError,
        BlobTooLargeError,
        OffChainBusyError,
        OffChainDiskError,
        OffChainError,
        OffChainQuotaError,
    )
    from p2pcommerce.runtime.topics import TopicListener
    from p2pcommerce.runtime.transaction_status import TransactionState, TransactionStatus
    from p2pcommerce.runtime.transport import Transport
    from p2pcommerce.runtime.waiting import Watch

__all__ = [
    "Admission",
    "AnchorError",
    "Application",
    "BlobNotFoundError",
    "BlobTooLargeError",
    "BlockContext",
    "ChainParameters",
    "ConfigError",
    "ConflictError",
    "Event",
    "FinalHeader",
    "FinalityEngine",
    "FinalizedBlock",
    "Followed",
    "Genesis",
    "GenesisError",
    "Height",
    "Identity",
    "InvalidTransactionError",
    "KeyFileError",
    "LightClient",
    "LocalProtocolError",
    "Message",
    "NodeConfig",
    "NodeHaltedError",
    "OffChainBusyError",
    "OffChainDiskError",
    "OffChainError",
    "OffChainQuotaError",
    "Outcome",
    "P2PError",
    "Payload",
    "PeerId",
    "PeerInfo",
    "PlainApplication",
    "Post",
    "Proof",
    "ProofError",
    "Proven",
    "PublicKey",
    "QueryError",
    "QueryResult",
    "Receipt",
    "RefusedError",
    "Rejection",
    "RejectionCode",
    "RemoteProtocolError",
    "RunningNode",
    "SignedTransaction",
    "State",
    "StateChanges",
    "StateView",
    "SubscriberLaggedError",
    "Subscription",
    "TopicListener",
    "TransactionDroppedError",
    "TransactionExpiredError",
    "TransactionId",
    "TransactionRejectedError",
    "TransactionState",
    "TransactionStatus",
    "TransactionUnknownError",
    "Transport",
    "TrustAnchor",
    "TrustExpiredError",
    "UsageError",
    "Validator",
    "ValidatorSet",
    "ValidatorUpdate",
    "Verdict",
    "Watch",
    "__version__",
    "commerce",
    "follow",
    "open_node",
    "subject_of",
    "trust_s_of",
    "verify_proof",
    "verify_proof_by_header",
]

__version__ = "0.1.0"

_HOMES: Final = {
    "Admission": "p2pcommerce.ledger.application",
    "AnchorError": "p2pcommerce.node.trust",
    "Application": "p2pcommerce.ledger.application",
    "BlobNotFoundError": "p2pcommerce.runtime.off_chain_errors",
    "BlobTooLargeError": "p2pcommerce.runtime.off_chain_errors",
    "BlockContext": "p2pcommerce.ledger.application",
    "ChainParameters": "p2pcommerce.ledger.genesis",
    "ConfigError": "p2pcommerce.runtime.config",
    "ConflictError": "p2pcommerce.node.light",
    "Event": "p2pcommerce.ledger.receipt",
    "FinalHeader": "p2pcommerce.node.light",
    "FinalityEngine": "p2pcommerce.finality.engine",
    "FinalizedBlock": "p2pcommerce.runtime.events",
    "Followed": "p2pcommerce.runtime.light",
    "Genesis": "p2pcommerce.ledger.genesis",
    "GenesisError": "p2pcommerce.ledger.genesis",
    "Height": "p2pcommerce.primitives.ids",
    "Identity": "p2pcommerce.runtime.identity",
    "InvalidTransactionError": "p2pcommerce.ledger.application",
    "KeyFileError": "p2pcommerce.runtime.identity",
    "LightClient": "p2pcommerce.node.light",
    "LocalProtocolError": "p2pcommerce.primitives.errors",
    "Message": "p2pcommerce.runtime.off_chain",
    "NodeConfig": "p2pcommerce.runtime.config",
    "NodeHaltedError": "p2pcommerce.runtime.driver",
    "OffChainBusyError": "p2pcommerce.runtime.off_chain_errors",
    "OffChainDiskError": "p2pcommerce.runtime.off_chain_errors",
    "OffChainError": "p2pcommerce.runtime.off_chain_errors",
    "OffChainQuotaError": "p2pcommerce.runtime.off_chain_errors",
    "Outcome": "p2pcommerce.ledger.receipt",
    "P2PError": "p2pcommerce.primitives.errors",
    "Payload": "p2pcommerce.ledger.application",
    "PeerId": "p2pcommerce.primitives.ids",
    "PeerInfo": "p2pcommerce.runtime.node",
    "PlainApplication": "p2pcommerce.ledger.plain_application",
    "Post": "p2pcommerce.gossip.post",
    "Proof": "p2pcommerce.node.proof",
    "ProofError": "p2pcommerce.node.proof",
    "Proven": "p2pcommerce.node.proof",
    "PublicKey": "p2pcommerce.primitives.ids",
    "QueryError": "p2pcommerce.ledger.application",
    "QueryResult": "p2pcommerce.runtime.node",
    "Receipt": "p2pcommerce.ledger.receipt",
    "RefusedError": "p2pcommerce.ledger.plain_application",
    "Rejection": "p2pcommerce.ledger.application",
    "RejectionCode": "p2pcommerce.primitives.errors",
    "RemoteProtocolError": "p2pcommerce.primitives.errors",
    "RunningNode": "p2pcommerce.runtime.node",
    "SignedTransaction": "p2pcommerce.ledger.transaction",
    "State": "p2pcommerce.ledger.state",
    "StateChanges": "p2pcommerce.ledger.state",
    "StateView": "p2pcommerce.ledger.state",
    "SubscriberLaggedError": "p2pcommerce.runtime.events",
    "Subscription": "p2pcommerce.runtime.events",
    "TopicListener": "p2pcommerce.runtime.topics",
    "TransactionDroppedError": "p2pcommerce.primitives.errors",
    "TransactionExpiredError": "p2pcommerce.primitives.errors",
    "TransactionId": "p2pcommerce.primitives.ids",
    "TransactionRejectedError": "p2pcommerce.primitives.errors",
    "TransactionState": "p2pcommerce.runtime.transaction_status",
    "TransactionStatus": "p2pcommerce.runtime.transaction_status",
    "TransactionUnknownError": "p2pcommerce.primitives.errors",
    "Transport": "p2pcommerce.runtime.transport",
    "TrustAnchor": "p2pcommerce.node.proof",
    "TrustExpiredError": "p2pcommerce.node.light",
    "UsageError": "p2pcommerce.primitives.errors",
    "Validator": "p2pcommerce.ledger.validators",
    "ValidatorSet": "p2pcommerce.ledger.validators",
    "ValidatorUpdate": "p2pcommerce.ledger.validators",
    "Verdict": "p2pcommerce.primitives.errors",
    "Watch": "p2pcommerce.runtime.waiting",
    "follow": "p2pcommerce.runtime.light",
    "open_node": "p2pcommerce.runtime.node",
    "subject_of": "p2pcommerce.node.proof",
    "trust_s_of": "p2pcommerce.node.light",
    "verify_proof": "p2pcommerce.node.proof",
    "verify_proof_by_header": "p2pcommerce.node.proof",
}
"""In which room a public name lives; `commerce` is a folder of its own."""

if not TYPE_CHECKING:  # a type checker sees the imports above, and refuses a name that does not exist

    def __getattr__(name: str) -> object:
        """Import a public name on its first use."""
        if name == "commerce":
            return import_module("p2pcommerce.commerce")
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value

    def __dir__() -> list[str]:
        """Return the public names, and those that every module has."""
        return sorted({*__all__, *globals()})
