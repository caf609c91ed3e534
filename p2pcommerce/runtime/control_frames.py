"""The bytes of the control port: frames, and what requests and answers look like inside.

A frame is a length (u32, big-endian) and canonical msgpack of at most 4 MiB. The codec has no maps, so that free-form
answers (queries, statistics) travel as JSON text in a field.

    client: hello   = ["p2pcommerce control", version, token 32 B]
    server: welcome = [version, public key 32 B, genesis hash 32 B]
    client: request = [number u32, kind, arguments: array]
    server: answer  = [number u32, status, value]       status: "ok" "item" "error"

A request has one answer, "ok" or "error"; a subscription has any number of "item"s before it. An error's value is
[code, detail]; one with number 0 concerns the connection, which is then closed.

Source: control.json in the interface specification.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from p2pcommerce.ledger.receipt import OUTCOME, Outcome, Receipt
from p2pcommerce.primitives.codec import (
    ANY,
    HASH,
    KEY,
    U8,
    U32,
    U64,
    Shape,
    array,
    decode,
    encode,
    pair,
    raw,
    record,
    record_of,
    text,
    uint,
)
from p2pcommerce.primitives.errors import CodecError, RejectionCode, RemoteProtocolError
from p2pcommerce.primitives.ids import BlockHash, GenesisHash, Height, PublicKey, TransactionId

__all__ = [
    "ANSWER",
    "BLOCK",
    "CODE",
    "CONTROL_FILE",
    "CONTROL_VERSION",
    "FRAME_BYTES_MAX",
    "HELLO",
    "HELLO_BYTES_MAX",
    "JSON_BYTES_MAX",
    "MAGIC",
    "RECEIPT",
    "REQUEST",
    "TOKEN_BYTES",
    "WELCOME",
    "Answer",
    "ControlBlock",
    "FrameStream",
    "Hello",
    "Request",
    "Welcome",
    "json_object",
    "json_text",
]

T = TypeVar("T")

CONTROL_FILE: Final = "control.json"
CONTROL_VERSION: Final = 1
MAGIC: Final = "p2pcommerce control"
TOKEN_BYTES: Final = 32
FRAME_BYTES_MAX: Final = 4 * 2**20
"""Bytes of one frame without its length."""
JSON_BYTES_MAX: Final = FRAME_BYTES_MAX - 1_024
"""Bytes of JSON text in a frame: what is around it needs a few."""
HELLO_BYTES_MAX: Final = 256
"""Bytes of the first frame at most: nobody has shown a token yet."""
_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 64 * 1024
_BLOCK_TRANSACTIONS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame: who may talk here; `token`: 32 bytes."""

    magic: str
    version: int
    token: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a good hello: whose port this is; both keys: 32 bytes."""

    version: int
    public_key: PublicKey
    genesis_hash: GenesisHash


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its answer carries the same number."""

    number: int
    kind: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or one item of a subscription."""

    number: int
    status: str
    value: object


@dataclass(frozen=True, slots=True)
class ControlBlock:
    """A final block, as a subscription gives it.

    Attributes:
        height: of the block.
        hash: 32 bytes.
        time_ms: Unix milliseconds in its header.
        results: id (32 bytes) and code of each of its transactions, in order.
    """

    height: int
    hash: BlockHash
    time_ms: int
    results: tuple[tuple[TransactionId, RejectionCode], ...]


def _read_code(value: object) -> RejectionCode:
    try:
        return RejectionCode(value)
    except ValueError:
        raise CodecError("is no known code") from None


def _read_arguments(value: object) -> tuple[object, ...]:
    if type(value) is not tuple:
        raise CodecError("must be an array")
    return ANY.read(value)  # type: ignore[return-value] # ANY gives back the tuple that it was given


CODE: Final[Shape[RejectionCode]] = Shape(_read_code, lambda code: code.value)
_STATUSES: Final = ("ok", "item", "error")


def _read_status(value: object) -> str:
    if value not in _STATUSES:
        raise CodecError(f"must be one of {', '.join(_STATUSES)}")
    return str(value)


HELLO: Final = record_of(Hello, magic=text(64), version=uint(2**16), token=raw(TOKEN_BYTES))
WELCOME: Final = record_of(Welcome, version=U8, public_key=KEY, genesis_hash=HASH)
REQUEST: Final = record_of(Request, number=U32, kind=text(32), arguments=Shape(_read_arguments, ANY.plain))
ANSWER: Final = record_of(Answer, number=U32, status=Shape(_read_status, lambda status: status), value=ANY)
BLOCK: Final = record_of(
    ControlBlock, height=U32, hash=HASH, time_ms=U64, results=array(pair(HASH, CODE), _BLOCK_TRANSACTIONS_MAX)
)


def _receipt(height: int, index: int, block_hash: bytes, tx_id: bytes, outcome: Outcome) -> Receipt:
    return Receipt(
        height=Height(height),
        index=index,
        block_hash=BlockHash(block_hash),
        tx_id=TransactionId(tx_id),
        code=outcome.code,
        events=outcome.events,
        detail=outcome.detail,
    )


_RECEIPT_FIELDS: Final = record(_receipt, height=U32, index=U32, block_hash=HASH, tx_id=HASH, outcome=OUTCOME)


def _plain_receipt(receipt: Receipt) -> object:
    outcome = Outcome(receipt.code, receipt.events, receipt.detail)
    return (receipt.height, receipt.index, receipt.block_hash, receipt.tx_id, OUTCOME.plain(outcome))


RECEIPT: Final[Shape[Receipt]] = Shape(_RECEIPT_FIELDS.read, _plain_receipt)


class FrameStream:
    """Frames over a byte stream; one task may read while others write."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        """Take over a connected stream."""
        self._stream = stream
        self._buffer = bytearray()
        self._sending = trio.Lock()

    async def send(self, shape: Shape[T], value: T) -> None:
        """Send one frame.

        Raises:
            CodecError: it would be over 4 MiB.
            trio.BrokenResourceError: the connection is gone.
        """
        data = encode(shape, value)
        if len(data) > FRAME_BYTES_MAX:
            raise CodecError(f"the answer has {len(data)} bytes, at most {FRAME_BYTES_MAX} fit", "OVERSIZED")
        async with self._sending:
            await self._stream.send_all(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    async def receive(self, shape: Shape[T], bytes_max: int = FRAME_BYTES_MAX) -> T | None:
        """Receive one frame; None at the end of the stream.

        Raises:
            CodecError: oversized, malformed, or the stream ends within a frame.
            trio.BrokenResourceError: the connection is gone.
        """
        head = await self._take(_LENGTH_BYTES)
        if head is None:
            return None
        size = int.from_bytes(head, "big")
        if size > bytes_max:
            raise CodecError(f"a frame of {size} bytes, at most {bytes_max} allowed", "OVERSIZED")
        data = await self._take(size)
        if data is None:
            raise CodecError("the stream ends within a frame", "TRUNCATED")
        return decode(shape, data, bytes_max)

    async def finish(self) -> None:
        """Say that no more frames come, and drop what the other end sends until it closes.

        Raises:
            trio.BrokenResourceError: the connection is gone.
        """
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()
            while await self._stream.receive_some(_READ_BYTES):
                pass

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def _take(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            received = await self._stream.receive_some(_READ_BYTES)
            if not received:
                if self._buffer:
                    raise CodecError("the stream ends within a frame", "TRUNCATED")
                return None
            self._buffer += received
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def json_text(value: object) -> str:
    """Write a free-form answer as JSON; bytes become hexadecimal.

    Raises:
        RemoteProtocolError: the value cannot be written, or is too large for a frame.
    """
    try:
        written = json.dumps(value, default=_json_default, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise RemoteProtocolError(f"the answer is no JSON value: {error}", "NOT_JSON") from error
    if len(written) > JSON_BYTES_MAX:
        raise RemoteProtocolError(f"the answer has {len(written)} bytes, at most {JSON_BYTES_MAX} fit", "OVERSIZED")
    return written


def _json_default(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def json_object(value: object) -> dict[str, object]:
    """Read the JSON object of a request or answer.

    Raises:
        CodecError: it is not the text of a JSON object.
    """
    if not isinstance(value, str) or len(value) > JSON_BYTES_MAX:
        raise CodecError("must be the text of a JSON object")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CodecError("must be the text of a JSON object")
    return found
