"""What the rooms for off-chain data want done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TypeAlias

from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.off_chain_messages import OffChainMessage

__all__ = [
    "Arrived",
    "AskDirectory",
    "Blame",
    "Done",
    "Effect",
    "Failed",
    "Failure",
    "LoadBlob",
    "Meet",
    "RemoveBlob",
    "RemoveMessage",
    "SendTo",
    "StoreBlob",
    "StoreMessage",
]


@unique
class Failure(Enum):
    """Why a request of the application failed."""

    TOO_LARGE = "TOO_LARGE"
    QUOTA = "QUOTA"
    BUSY = "BUSY"
    NOT_FOUND = "NOT_FOUND"
    DISK = "DISK"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send a message to a peer."""

    peer: PeerId
    message: OffChainMessage


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer broke a rule: close its connection; `code` counts it."""

    peer: PeerId
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class AskDirectory:
    """Tell `asker` where `provider` can be reached, who says that it has a blob (32 bytes)."""

    asker: PeerId
    blob_hash: bytes
    provider: PeerId


@dataclass(frozen=True, slots=True)
class Meet:
    """Connect to those whose signed records a peer passed on, if the records are good."""

    peer: PeerId
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LoadBlob:
    """Read a blob and check it; the answer is `Blobs.on_loaded`."""

    blob_hash: bytes


@dataclass(frozen=True, slots=True)
class StoreBlob:
    """Store a blob durably, whole or not at all; the answer is `Blobs.on_stored`.

    Attributes:
        blob_hash: SHA-256, 32 bytes.
        data: the whole blob.
        is_own: the application put it.
        expires_us: microseconds of Unix time; 0: never.
    """

    blob_hash: bytes
    data: bytes
    is_own: bool
    expires_us: int


@dataclass(frozen=True, slots=True)
class RemoveBlob:
    """Remove a blob from the disk."""

    blob_hash: bytes


@dataclass(frozen=True, slots=True)
class StoreMessage:
    """Store a message durably, in place of one of the same id; the answer is `Mailbox.on_stored`.

    Attributes:
        message_id: 32 bytes.
        box: "in", "out", "held" or "gone".
        expires_us: microseconds of Unix time.
        data: what `Mailbox.start` takes again.
    """

    message_id: bytes
    box: str
    expires_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RemoveMessage:
    """Remove a message from the disk."""

    message_id: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message for this node is stored; its id has 32 bytes."""

    message_id: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """A request of the application is done; `data` is the blob, or the message's or blob's id."""

    request: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A request of the application failed; a sentence says why."""

    request: int
    failure: Failure
    detail: str


Effect: TypeAlias = (
    SendTo
    | Blame
    | AskDirectory
    | Meet
    | LoadBlob
    | StoreBlob
    | RemoveBlob
    | StoreMessage
    | RemoveMessage
    | Arrived
    | Done
    | Failed
)
