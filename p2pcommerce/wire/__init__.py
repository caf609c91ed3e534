"""Floor 1: what travels between two nodes, as cores without sockets or clocks.

- `session`: one connection as one object: bytes in, events out; messages in, bytes out (start here)
- `messages`: the schema: every kind of message with its lane, its cap and its fields; `archive_messages`: those about
  links and snapshots; `block_messages`: about blocks; `reconcile_messages`: about what a peer lacks;
  `off_chain_messages`: about blobs and sealed messages; `stem_messages`: private transactions;
  `topic_messages`: what applications publish; `finality_messages`: what is final, for those further off;
  `call_messages`: reverse dialling; `kinds`: how kinds are entered; `announcing`: announcements as columns
- `handshake`: network magic, version, Noise XX, and the proof of identity
- `noise`: Noise_XX_25519_ChaChaPoly_BLAKE2s
- `records`: length-prefixed ciphertexts on the stream, and rekeying
- `lanes`: priorities, coalescing, fragments
- `parameters`: the numbers that a node may choose
"""

from p2pcommerce.wire.handshake import (
    ANNOUNCEMENT_KEY_BYTES,
    PROTOCOL_VERSION,
    BadIdentityError,
    HandshakeMessageError,
    LocalPeer,
    SelfConnectionError,
    UnexpectedPeerError,
    WrongNetworkError,
    WrongVersionError,
)
from p2pcommerce.wire.lanes import FrameError, Lane
from p2pcommerce.wire.messages import (
    MESSAGES,
    Announce,
    AnnounceEntry,
    BlockBody,
    Blocks,
    BlockTransactions,
    Choose,
    Chunk,
    Engine,
    FeeFloor,
    GetBlock,
    GetBlocks,
    GetChunk,
    GetLinks,
    GetPeers,
    GetSnapshot,
    GetTransactions,
    Links,
    Message,
    NoBlock,
    Observed,
    Peers,
    Ping,
    Pong,
    Pull,
    Refuse,
    Snapshot,
    Status,
    Transactions,
    Unchoose,
    decode_message,
    encode_message,
)
from p2pcommerce.wire.noise import NoiseMessageError
from p2pcommerce.wire.parameters import WireParameters
from p2pcommerce.wire.records import EmptyRecordError
from p2pcommerce.wire.session import (
    Event,
    HandshakeDone,
    MessageReceived,
    Session,
    SessionState,
    SessionStatistics,
)

__all__ = [
    "ANNOUNCEMENT_KEY_BYTES",
    "MESSAGES",
    "PROTOCOL_VERSION",
    "Announce",
    "AnnounceEntry",
    "BadIdentityError",
    "BlockBody",
    "BlockTransactions",
    "Blocks",
    "Choose",
    "Chunk",
    "EmptyRecordError",
    "Engine",
    "Event",
    "FeeFloor",
    "FrameError",
    "GetBlock",
    "GetBlocks",
    "GetChunk",
    "GetLinks",
    "GetPeers",
    "GetSnapshot",
    "GetTransactions",
    "HandshakeDone",
    "HandshakeMessageError",
    "Lane",
    "Links",
    "LocalPeer",
    "Message",
    "MessageReceived",
    "NoBlock",
    "NoiseMessageError",
    "Observed",
    "Peers",
    "Ping",
    "Pong",
    "Pull",
    "Refuse",
    "SelfConnectionError",
    "Session",
    "SessionState",
    "SessionStatistics",
    "Snapshot",
    "Status",
    "Transactions",
    "Unchoose",
    "UnexpectedPeerError",
    "WireParameters",
    "WrongNetworkError",
    "WrongVersionError",
    "decode_message",
    "encode_message",
]
