"""What a node wants its runtime to do.

Effects of one list are done in order. `Append` is durable before any later effect of the same list is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p2pcommerce.blobs.effects import (
    Arrived,
    Done,
    Failed,
    LoadBlob,
    RemoveBlob,
    RemoveMessage,
    StoreBlob,
    StoreMessage,
)
from p2pcommerce.gossip import Post
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.validators import Offence
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.epoch_links import EpochLink
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import Height, PeerId, TransactionId
from p2pcommerce.wire.messages import Message

__all__ = [
    "Append",
    "AppendOwn",
    "Attach",
    "ChunkOf",
    "Close",
    "Commit",
    "Deliver",
    "Dial",
    "Dropped",
    "Effect",
    "Halt",
    "HistoryOf",
    "LinksOf",
    "LoadBlocks",
    "LoadItems",
    "Log",
    "NewestSnapshot",
    "OffChainWork",
    "OffenceFound",
    "Offered",
    "Query",
    "Report",
    "Restore",
    "Rewrite",
    "RewriteOwn",
    "SaveBook",
    "SignRequest",
    "Submitted",
    "TakeSnapshot",
    "Transmit",
]


@dataclass(frozen=True, slots=True)
class Transmit:
    """Queue a message for an attached peer."""

    peer: PeerId
    message: Message


@dataclass(frozen=True, slots=True)
class Attach:
    """From now on messages for this peer go through this link: the peer's one connection."""

    peer: PeerId
    link: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close a link; `code` counts it. Its end is not reported to the core."""

    link: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to an address.

    Attributes:
        address: as in the configuration ("tcp://127.0.0.1:7400").
        peer: who must answer there, if known.
    """

    address: str
    peer: PeerId | None


@dataclass(frozen=True, slots=True)
class Append:
    """Append one record to the write-ahead log, durably."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace the write-ahead log by these records, atomically and durably.

    The records lack the blocks of every `Commit` before: those must be stored first, or a crash between loses them.
    """

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AppendOwn:
    """Append one record to the journal of own transactions, durably before any later `Submitted` is done.

    Nothing else waits for it: what is sent to peers in the meantime does no harm if it is lost here.
    """

    record: bytes


@dataclass(frozen=True, slots=True)
class RewriteOwn:
    """Replace the journal of own transactions by these records, atomically and durably."""

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignRequest:
    """Sign with the validator's key if the signing guard allows; the answer is `Node.on_signed`.

    Of kind "vrf" the answer is the proof (80 bytes) of the key's random output for `data`, which is always allowed.
    """

    request: int
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Store consecutive final blocks in one atomic, durable step; then tell subscribers."""

    blocks: tuple[CommittedBlock, ...]


@dataclass(frozen=True, slots=True)
class LoadBlocks:
    """Read stored final blocks; the answer is `Node.on_loaded`."""

    request: int
    from_height: Height
    count: int


@dataclass(frozen=True, slots=True)
class LinksOf:
    """The links of epochs, as `encode_link` gives them, without gaps; fewer or none if they are not here."""

    from_epoch: int
    count: int


@dataclass(frozen=True, slots=True)
class NewestSnapshot:
    """The newest snapshot: the header's bytes, its proof and the depths of its chunks; nothing if there is none."""


@dataclass(frozen=True, slots=True)
class ChunkOf:
    """One chunk of the snapshot of a height; nothing if it is not here."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class HistoryOf:
    """Final blocks from a height on, without gaps: for each the header's bytes, its proof and its justify.

    A block without a body ends them: what is below it was not kept.
    """

    from_height: int
    count: int


Offered: TypeAlias = LinksOf | NewestSnapshot | ChunkOf
"""What peers may ask for."""
Query: TypeAlias = Offered | HistoryOf


@dataclass(frozen=True, slots=True)
class LoadItems:
    """Read what is stored beside blocks; the answer is `Node.on_items`."""

    request: int
    query: Query


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Keep the state after the block that was committed last, to offer it to others.

    It may be left out; it must not hold up what comes after.
    """

    header: Header
    proof: bytes


@dataclass(frozen=True, slots=True)
class Restore:
    """Put a whole state in the place of the stored one, in one atomic, durable step.

    Attributes:
        block: header and proof of the block, no transactions; `changes` is the whole state after it.
        links: from the epoch of the state before to the block's, for those who ask.
    """

    block: CommittedBlock
    links: tuple[EpochLink, ...]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The verdict on a transaction that was submitted here.

    Attributes:
        request: number given to `Node.on_submit`.
        tx_id: 32 bytes.
        code: OK, or why the pool refused it.
        detail: a sentence for people.
    """

    request: int
    tx_id: TransactionId
    code: RejectionCode
    detail: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction left the pool without becoming final.

    Attributes:
        tx_id: 32 bytes.
        code: why.
        detail: a sentence for people.
        replaced_by: id (32 bytes) of the transaction that took its place, if one did.
    """

    tx_id: TransactionId
    code: RejectionCode
    detail: str
    replaced_by: TransactionId | None = None


@dataclass(frozen=True, slots=True)
class OffenceFound:
    """A validator broke the engine's rules, and it can be proven; said once for each offender and epoch.

    Attributes:
        offence: who, in which epoch, which rule.
        evidence: what proves it.
        peer: who told of it; None: this node's engine found it, or its log had it.
    """

    offence: Offence
    evidence: bytes
    peer: PeerId | None


@dataclass(frozen=True, slots=True)
class Report:
    """Put evidence on the chain by a transaction of this node's own account, if that can pay for it."""

    offence: Offence
    evidence: bytes


@dataclass(frozen=True, slots=True)
class OffChainWork:
    """What off-chain data want of the disk and the application; the answers go to the room `node.off_chain`."""

    effect: StoreBlob | LoadBlob | RemoveBlob | StoreMessage | RemoveMessage | Arrived | Done | Failed


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a post to the embedding application's listeners of its topic."""

    post: Post


@dataclass(frozen=True, slots=True)
class SaveBook:
    """Save the address book."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """Write a line to the log.

    Attributes:
        level: "DEBUG", "INFO", "WARNING" or "ERROR".
        room: which part speaks.
        message: one line.
    """

    level: str
    room: str
    message: str


@dataclass(frozen=True, slots=True)
class Halt:
    """The node must not go on: it says why in one sentence, with what to do."""

    reason: str


Effect: TypeAlias = (
    Transmit
    | Attach
    | Close
    | Dial
    | Append
    | Rewrite
    | AppendOwn
    | RewriteOwn
    | SignRequest
    | Commit
    | LoadBlocks
    | LoadItems
    | TakeSnapshot
    | Restore
    | Submitted
    | Dropped
    | OffenceFound
    | Report
    | OffChainWork
    | Deliver
    | SaveBook
    | Log
    | Halt
)
