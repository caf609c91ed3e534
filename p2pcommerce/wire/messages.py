"""The message schema: what peers say to each other, in which lane, and how large it may be.

A message is its kind (one byte) and the canonical msgpack array of its fields. `MESSAGES` is the table of all kinds; a
kind's cap on the whole message is checked before anything is decoded. Blocks, transactions, proofs, peer records and
engine messages are opaque bytes here: whoever owns them reads them.

A transaction is carried as the very bytes that its signer signed, so that relaying it re-encodes nothing.

Source: the networking specification (Records: caps and decoding; Gossip of transactions); caps of 256 KiB for proposals
and 1 MiB for block bodies with room for their frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from p2pcommerce.primitives.codec import HASH, U16, U32, U64, array, blob, pack, text, unpack
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.wire.announcing import ANNOUNCE_ENTRIES_MAX, ENTRIES, SHORT_ID_BYTES, AnnounceEntry
from p2pcommerce.wire.archive_messages import (
    CHUNK_BYTES_MAX,
    HEADER_BYTES_MAX,
    LINK_BYTES_MAX,
    LINKS_COUNT_MAX,
    SNAPSHOT_CHUNKS_MAX,
    Chunk,
    GetChunk,
    GetLinks,
    GetSnapshot,
    Links,
    Snapshot,
)
from p2pcommerce.wire.block_messages import (
    BLOCK_BYTES_MAX,
    GET_TRANSACTIONS_IDS_MAX,
    TRANSACTION_BYTES_MAX,
    BlockBody,
    Blocks,
    BlockTransactions,
    GetBlock,
    GetBlocks,
    GetTransactions,
    NoBlock,
)
from p2pcommerce.wire.call_messages import CallBack, TakesCalls
from p2pcommerce.wire.finality_messages import FinalBlock, Relayed, RelayIds, RelayRole
from p2pcommerce.wire.kinds import MESSAGES, WireMessage, kind
from p2pcommerce.wire.lanes import Lane
from p2pcommerce.wire.off_chain_messages import OffChainMessage
from p2pcommerce.wire.reconcile_messages import Found, GetIds, GetSymbols, Ids, Lacking, Symbols, short_ids
from p2pcommerce.wire.stem_messages import STEM_ITEMS_MAX, Stem
from p2pcommerce.wire.topic_messages import AnnouncePosts, Listening, Posts, PullPosts

__all__ = [
    "ANNOUNCE_ENTRIES_MAX",
    "BLOCK_BYTES_MAX",
    "CHUNK_BYTES_MAX",
    "ENGINE_DATA_BYTES_MAX",
    "EVIDENCE_BYTES_MAX",
    "GET_TRANSACTIONS_IDS_MAX",
    "HEADER_BYTES_MAX",
    "LIMITS",
    "LINKS_COUNT_MAX",
    "LINK_BYTES_MAX",
    "MESSAGES",
    "PEER_RECORD_BYTES_MAX",
    "PULL_IDS_MAX",
    "SHORT_ID_BYTES",
    "SNAPSHOT_CHUNKS_MAX",
    "STEM_ITEMS_MAX",
    "TRANSACTIONS_ITEMS_MAX",
    "TRANSACTION_BYTES_MAX",
    "Announce",
    "AnnounceEntry",
    "AnnouncePosts",
    "BlockBody",
    "BlockTransactions",
    "Blocks",
    "CallBack",
    "Choose",
    "Chunk",
    "Engine",
    "Evidence",
    "FeeFloor",
    "FinalBlock",
    "Found",
    "GetBlock",
    "GetBlocks",
    "GetChunk",
    "GetIds",
    "GetLinks",
    "GetPeers",
    "GetSnapshot",
    "GetSymbols",
    "GetTransactions",
    "Ids",
    "Lacking",
    "Links",
    "Listening",
    "Message",
    "NoBlock",
    "Observed",
    "Peers",
    "Ping",
    "Pong",
    "Posts",
    "Pull",
    "PullPosts",
    "Refuse",
    "RelayIds",
    "RelayRole",
    "Relayed",
    "Snapshot",
    "Status",
    "Stem",
    "Symbols",
    "TakesCalls",
    "Transactions",
    "Unchoose",
    "decode_message",
    "encode_message",
]

_KIB: Final = 1024
_MIB: Final = 1024 * 1024

TRANSACTIONS_ITEMS_MAX: Final = 256
PULL_IDS_MAX: Final = 256
ENGINE_DATA_BYTES_MAX: Final = 256 * _KIB
EVIDENCE_BYTES_MAX: Final = TRANSACTION_BYTES_MAX - _KIB
"""No more than the chain takes in a transaction."""
PEER_RECORD_BYTES_MAX: Final = 1_024
PEERS_RECORDS_MAX: Final = 1_000
ADDRESS_BYTES_MAX: Final = 272

_TRANSACTION: Final = blob(TRANSACTION_BYTES_MAX, 1)


# --- control ---


@kind(0x01, Lane.CONTROL, 16, nonce=U64)
@dataclass(frozen=True, slots=True)
class Ping(WireMessage):
    """Asks for a `Pong` of the same nonce: is the peer alive, and how far away."""

    nonce: int


@kind(0x02, Lane.CONTROL, 16, nonce=U64)
@dataclass(frozen=True, slots=True)
class Pong(WireMessage):
    """Answers a `Ping`."""

    nonce: int


@kind(0x03, Lane.CONTROL, 16)
@dataclass(frozen=True, slots=True)
class Choose(WireMessage):
    """Gossip: push full transactions to me at once."""


@kind(0x04, Lane.CONTROL, 16)
@dataclass(frozen=True, slots=True)
class Unchoose(WireMessage):
    """Gossip: announce transactions to me instead of pushing them."""


@kind(0x05, Lane.CONTROL, 16)
@dataclass(frozen=True, slots=True)
class Refuse(WireMessage):
    """Gossip: the answer to `Choose` of a peer that already serves as many as it can."""


@kind(0x06, Lane.CONTROL, 64, height=U32, block_hash=HASH)
@dataclass(frozen=True, slots=True)
class Status(WireMessage):
    """The sender's highest final block (hash: 32 bytes)."""

    height: int
    block_hash: bytes


@kind(0x19, Lane.CONTROL, 16, price=U64)
@dataclass(frozen=True, slots=True)
class FeeFloor(WireMessage):
    """The least fee per weight that the sender's full pool takes, in 1/65536 minor unit; 0: what the chain asks for.

    Whoever gets it need not send what pays less; it binds nobody to anything.
    """

    price: int


# --- transactions ---


@kind(0x10, Lane.TRANSACTIONS, 256 * _KIB, items=array(_TRANSACTION, TRANSACTIONS_ITEMS_MAX, 1))
@dataclass(frozen=True, slots=True)
class Transactions(WireMessage):
    """Transactions as signed: 1 to 256 of at most 16 KiB each; whoever fills it keeps the message under its cap."""

    items: tuple[bytes, ...]


@kind(0x11, Lane.TRANSACTIONS, 32 * _KIB, entries=ENTRIES)
@dataclass(frozen=True, slots=True)
class Announce(WireMessage):
    """Transactions that the sender has: short ids under the receiver's announcement key, sizes, fees (`announcing`)."""

    entries: tuple[AnnounceEntry, ...]


@kind(0x12, Lane.TRANSACTIONS, 4 * _KIB, short_ids=short_ids(PULL_IDS_MAX, 1))
@dataclass(frozen=True, slots=True)
class Pull(WireMessage):
    """Asks for announced transactions by their short ids (8 bytes each, one after the other on the wire)."""

    short_ids: tuple[bytes, ...]


# --- finality ---


@kind(0x20, Lane.FINALITY, ENGINE_DATA_BYTES_MAX + 16, data=blob(ENGINE_DATA_BYTES_MAX, 1))
@dataclass(frozen=True, slots=True)
class Engine(WireMessage):
    """A message of the finality engine; its bytes are the engine's own."""

    data: bytes


@kind(0x21, Lane.FINALITY, EVIDENCE_BYTES_MAX + 16, data=blob(EVIDENCE_BYTES_MAX, 1))
@dataclass(frozen=True, slots=True)
class Evidence(WireMessage):
    """Proof that a validator broke the engine's rules; its bytes are the engine's own."""

    data: bytes


# --- peer exchange ---


@kind(0x40, Lane.EXCHANGE, 16, count=U16)
@dataclass(frozen=True, slots=True)
class GetPeers(WireMessage):
    """Asks for up to `count` signed peer records."""

    count: int


@kind(0x41, Lane.EXCHANGE, 256 * _KIB, records=array(blob(PEER_RECORD_BYTES_MAX, 1), PEERS_RECORDS_MAX))
@dataclass(frozen=True, slots=True)
class Peers(WireMessage):
    """Answers `GetPeers`: records as their owners signed them."""

    records: tuple[bytes, ...]


@kind(0x42, Lane.EXCHANGE, 320, address=text(ADDRESS_BYTES_MAX))
@dataclass(frozen=True, slots=True)
class Observed(WireMessage):
    """The address of the receiver as the sender sees it: told once to whoever dials."""

    address: str


Message: TypeAlias = (
    Ping
    | Pong
    | Choose
    | Unchoose
    | Refuse
    | Status
    | FeeFloor
    | Transactions
    | Announce
    | Pull
    | GetSymbols
    | Symbols
    | GetIds
    | Ids
    | Lacking
    | Found
    | Engine
    | Evidence
    | FinalBlock
    | Relayed
    | RelayIds
    | RelayRole
    | GetTransactions
    | BlockTransactions
    | GetBlock
    | BlockBody
    | NoBlock
    | GetBlocks
    | Blocks
    | GetLinks
    | Links
    | GetSnapshot
    | Snapshot
    | GetChunk
    | Chunk
    | GetPeers
    | Peers
    | OffChainMessage
    | Observed
    | TakesCalls
    | CallBack
    | Listening
    | Posts
    | AnnouncePosts
    | PullPosts
    | Stem
)

LIMITS: Final = {number: (int(cls.LANE), cls.BYTES_MAX) for number, cls in MESSAGES.items()}
"""Kind -> its lane, and the most bytes of a message."""

_PREFIXES: Final = {cls: bytes([number]) for number, cls in MESSAGES.items()}
_READERS: Final[dict[int, tuple[int, Callable[[Any], Message]]]] = {
    number: (cls.BYTES_MAX, cls.SHAPE.read) for number, cls in MESSAGES.items()
}


def encode_message(message: Message) -> bytes:
    """Return the bytes of a message: its kind, then its fields.

    Raises:
        LocalProtocolError: it is larger than its kind may be.
        CodecError: a field has a type that the wire does not carry.
    """
    data = _PREFIXES[type(message)] + pack(message.SHAPE.plain(message))
    if len(data) > message.BYTES_MAX:
        name = type(message).__name__
        raise LocalProtocolError(f"{name} of {len(data)} bytes, at most {message.BYTES_MAX} allowed: send less at once")
    return data


def decode_message(data: bytes) -> Message:
    """Return the message of untrusted bytes.

    Raises:
        CodecError: empty, of an unknown kind (code UNKNOWN_KIND), over its kind's cap (OVERSIZED), malformed, of wrong
            types, or not canonical (NOT_CANONICAL).
    """
    if not data:
        raise CodecError("a message without a kind")
    reader = _READERS.get(data[0])
    if reader is None:
        raise CodecError(f"no message has the kind {data[0]}", "UNKNOWN_KIND")
    bytes_max, read = reader
    if len(data) > bytes_max:
        raise CodecError(f"{len(data)} bytes for a message of kind {data[0]}, at most {bytes_max} allowed", "OVERSIZED")
    return read(unpack(data[1:], bytes_max))
