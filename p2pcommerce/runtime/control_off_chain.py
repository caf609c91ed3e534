"""Blobs and sealed messages at the control port: what a client may ask, and the other end of it.

    blob.piece   [bytes, at most 1 MiB]          one more piece of the blob that this connection will put
    blob.put     [life in seconds or nil]        put what the pieces make; answer: its SHA-256
    blob.get     [hash 32 B, most bytes or nil]  fetch a blob; answer: its size
    blob.read    [offset]                        a piece of it, at most 1 MiB
    message.send [store 32 B, content]           answer: the address hash, 32 B
    message.list []                              answer: JSON
    message.read [id 32 B]                       answer: the content
    message.drop [id 32 B]

A connection holds one blob on its way in and one on its way out, each within the node's cap for blobs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import trio

from p2pcommerce.commerce.sealed import CONTENT_BYTES_MAX, Sealed
from p2pcommerce.primitives.codec import HASH, KEY, U32, Shape, blob, maybe
from p2pcommerce.primitives.errors import CodecError, P2PError
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.runtime.control_frames import json_text
from p2pcommerce.runtime.off_chain import Message
from p2pcommerce.wire.off_chain_messages import BLOB_CHUNK_BYTES, BLOB_CHUNKS_MAX

__all__ = [
    "OFF_CHAIN_KINDS",
    "PIECE_BYTES_MAX",
    "ControlledOffChain",
    "OffChainControl",
    "Transfers",
    "serve_off_chain",
]

PIECE_BYTES_MAX: Final = 2**20
BLOB_BYTES_MAX: Final = BLOB_CHUNK_BYTES * BLOB_CHUNKS_MAX
"""Bytes of a blob on its way in or out; the node's own cap is lower."""
_PIECE: Final = blob(PIECE_BYTES_MAX, 1)
_CONTENT: Final = blob(CONTENT_BYTES_MAX)
_MAYBE_U32: Final[Shape[int | None]] = maybe(U32)
S = TypeVar("S")


class MessageUnknownError(P2PError):
    """There is no message of this id for this node."""

    code = "MESSAGE_UNKNOWN"


class MessageSealedError(P2PError):
    """A message that the node's own box key does not open."""

    code = "MESSAGE_SEALED"


class ControlledOffChain(Protocol):
    """What is needed of a running node."""

    async def put_blob(self, data: bytes, *, life_s: float | None = None) -> bytes:
        """Keep a blob."""
        ...

    async def get_blob(self, blob_hash: bytes, *, bytes_max: int | None = None) -> bytes:
        """Return a blob."""
        ...

    async def send_message(self, store: PublicKey, content: bytes) -> Sealed:
        """Seal and send a message."""
        ...

    def inbox(self) -> Sequence[Message]:
        """Return the messages for this node."""
        ...

    async def drop_message(self, message_id: bytes) -> None:
        """Forget a message."""
        ...


@dataclass(slots=True)
class Transfers:
    """The blobs on their way over one connection."""

    upload: bytearray = field(default_factory=bytearray)
    download: bytes = b""


async def _piece(_: ControlledOffChain, transfers: Transfers, piece: bytes) -> object:
    if len(transfers.upload) + len(piece) > BLOB_BYTES_MAX:
        transfers.upload.clear()
        raise CodecError(f"a blob of over {BLOB_BYTES_MAX} bytes", "OVERSIZED")
    transfers.upload += piece
    await trio.lowlevel.checkpoint()
    return None


async def _put(node: ControlledOffChain, transfers: Transfers, life_s: int | None) -> object:
    data, transfers.upload = bytes(transfers.upload), bytearray()
    return await node.put_blob(data, life_s=life_s)


async def _get(node: ControlledOffChain, transfers: Transfers, blob_hash: bytes, bytes_max: int | None) -> object:
    transfers.download = await node.get_blob(blob_hash, bytes_max=bytes_max)
    return len(transfers.download)


async def _read(_: ControlledOffChain, transfers: Transfers, offset: int) -> object:
    await trio.lowlevel.checkpoint()
    piece = transfers.download[offset : offset + PIECE_BYTES_MAX]
    if offset + len(piece) >= len(transfers.download):
        transfers.download = b""
    return piece


async def _send(node: ControlledOffChain, _: Transfers, store: bytes, content: bytes) -> object:
    return (await node.send_message(PublicKey(store), content)).address_hash


async def _list(node: ControlledOffChain, _: Transfers) -> object:
    await trio.lowlevel.checkpoint()
    return json_text([_described(message) for message in node.inbox()])


def _described(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "bytes": None if message.content is None else len(message.content),
        "expires_ms": message.sealed.expires_ms,
    }


async def _open(node: ControlledOffChain, _: Transfers, message_id: bytes) -> object:
    await trio.lowlevel.checkpoint()
    found = next((message for message in node.inbox() if message.id == message_id), None)
    if found is None:
        raise MessageUnknownError("there is no message of this id; see `p2pcommerce message list`")
    if found.content is None:
        raise MessageSealedError("the message is sealed to another key than this node's")
    return found.content


async def _drop(node: ControlledOffChain, _: Transfers, message_id: bytes) -> object:
    await node.drop_message(message_id)
    return None


_KINDS: Final[dict[str, tuple[Any, tuple[Shape[Any], ...]]]] = {
    "blob.piece": (_piece, (_PIECE,)),
    "blob.put": (_put, (_MAYBE_U32,)),
    "blob.get": (_get, (HASH, _MAYBE_U32)),
    "blob.read": (_read, (U32,)),
    "message.send": (_send, (KEY, _CONTENT)),
    "message.list": (_list, ()),
    "message.read": (_open, (HASH,)),
    "message.drop": (_drop, (HASH,)),
}
OFF_CHAIN_KINDS: Final = tuple(_KINDS)


async def serve_off_chain(
    node: ControlledOffChain, transfers: Transfers, kind: str, arguments: Sequence[object]
) -> object:
    """Answer one request.

    Raises:
        CodecError: wrong arguments.
        P2PError: of the node.
    """
    handler, shapes = _KINDS[kind]
    if len(arguments) != len(shapes):
        raise CodecError(f"takes {len(shapes)} arguments, {len(arguments)} came", "BAD_REQUEST")
    return await handler(node, transfers, *[shape.read(item) for shape, item in zip(shapes, arguments, strict=True)])


class OffChainControl(ABC):
    """The part of `Control` that is about blobs and messages; one blob at a time on each connection."""

    def __init__(self) -> None:
        """Begin with nothing on its way."""
        self._transfer = trio.Lock()

    @abstractmethod
    async def _ask(self, kind: str, *arguments: object) -> object: ...

    async def put_blob(self, data: bytes, life_s: int | None = None) -> bytes:
        """Put a blob; return its SHA-256 (32 bytes).

        Raises:
            ControlError: the node refuses it, or is gone.
        """
        async with self._transfer:
            for start in range(0, len(data), PIECE_BYTES_MAX):
                await self._ask("blob.piece", data[start : start + PIECE_BYTES_MAX])
            return HASH.read(await self._ask("blob.put", life_s))

    async def get_blob(self, blob_hash: bytes, bytes_max: int | None = None) -> bytes:
        """Return a blob (SHA-256: 32 bytes), of at most so many bytes.

        Raises:
            ControlError: the node cannot find it, or is gone.
        """
        async with self._transfer:
            size = U32.read(await self._ask("blob.get", blob_hash, bytes_max))
            data = bytearray()
            while len(data) < size:
                data += _PIECE.read(await self._ask("blob.read", len(data)))
            return bytes(data)

    async def send_message(self, store: bytes, content: bytes) -> bytes:
        """Seal a message to a store (account, 32 bytes); return the address hash of its order (32 bytes).

        Raises:
            ControlError: the node refuses it, or is gone.
        """
        return HASH.read(await self._ask("message.send", store, content))

    async def list_messages(self) -> str:
        """Return the messages for the node as JSON: id, bytes (null: not for its key), expires_ms.

        Raises:
            ControlError: the node is gone.
        """
        return str(await self._ask("message.list"))

    async def read_message(self, message_id: bytes) -> bytes:
        """Return what a message says (id: 32 bytes).

        Raises:
            ControlError: there is none, its seal is not the node's, or the node is gone.
        """
        return _CONTENT.read(await self._ask("message.read", message_id))

    async def drop_message(self, message_id: bytes) -> None:
        """Forget a message that was dealt with (id: 32 bytes).

        Raises:
            ControlError: the node is gone.
        """
        await self._ask("message.drop", message_id)
