"""The other end of the control port: how `tx`, `query`, `proof` and the demo talk to a running node.

    async with connect_control("shop-data") as control:
        tx_id = await control.submit(transaction.raw)
        receipt = await control.wait(tx_id)

Any number of tasks may use one connection at once.

Source: control.json in the interface specification.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.node.trust import ANCHOR_BYTES_MAX, TrustAnchor
from p2pcommerce.primitives.codec import ANY, HASH, U32, Shape, blob, pair
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import (
    CodecError,
    RejectionCode,
    TransactionRejectedError,
)
from p2pcommerce.primitives.ids import GenesisHash, PublicKey, TransactionId
from p2pcommerce.runtime.control_file import (
    ControlAnswerError,
    ControlError,
    ControlProtocolError,
    ControlTokenError,
    ControlVersionError,
    NodeNotRunningError,
    NodeStoppedError,
    not_running,
    read_control_file,
)
from p2pcommerce.runtime.control_frames import (
    ANSWER,
    BLOCK,
    CONTROL_FILE,
    CONTROL_VERSION,
    FRAME_BYTES_MAX,
    HELLO,
    JSON_BYTES_MAX,
    MAGIC,
    RECEIPT,
    REQUEST,
    WELCOME,
    Answer,
    ControlBlock,
    FrameStream,
    Hello,
    Request,
    Welcome,
    json_object,
)
from p2pcommerce.runtime.control_off_chain import OffChainControl
from p2pcommerce.runtime.control_pending import ERROR, Pending
from p2pcommerce.runtime.control_status import STATUS, loss_of
from p2pcommerce.runtime.transaction_status import TransactionStatus

__all__ = [
    "SUBSCRIPTION_BLOCKS_MAX",
    "Control",
    "ControlAnswerError",
    "ControlError",
    "ControlProtocolError",
    "ControlTokenError",
    "ControlVersionError",
    "NodeNotRunningError",
    "NodeStoppedError",
    "QueryAnswer",
    "connect_control",
]

T = TypeVar("T")

SUBSCRIPTION_BLOCKS_MAX: Final = 4_096
"""Blocks that wait for the reader of a subscription; beyond that it ends with an error."""
_WATCH_STATES_MAX: Final = 64
"""States of one transaction that wait for their reader: there are few."""
_CONNECT_S: Final = 5.0
_NUMBER_MAX: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The answer to a query.

    Attributes:
        height: of the final state that was read.
        value: plain value (dict, list, str, int, bool, None); identifiers in hexadecimal.
    """

    height: int
    value: object


_QUERY: Final = pair(U32, ANY)
_ANCHOR: Final = blob(ANCHOR_BYTES_MAX)
_PROOF: Final = blob(FRAME_BYTES_MAX)


class Control(OffChainControl):
    """A connection to a running node; see `connect_control`.

    Attributes:
        public_key: of the node, 32 bytes.
        genesis_hash: of its network, 32 bytes.
    """

    def __init__(self, frames: FrameStream, welcome: Welcome, where: str) -> None:
        """Use `connect_control`."""
        super().__init__()
        self.public_key: PublicKey = welcome.public_key
        self.genesis_hash: GenesisHash = welcome.genesis_hash
        self._frames = frames
        self._where = where
        self._pending: dict[int, Pending] = {}
        self._last = 0
        self._failure: ControlError | None = None

    async def submit(self, raw: bytes, *, private: bool = False) -> TransactionId:
        """Put the bytes of a transaction into the node's mempool, or send it by a stem; return its id (32 bytes).

        Raises:
            TransactionRejectedError: the pool refused it.
            ControlError: the node is gone.
        """
        try:
            return TransactionId(HASH.read(await self._ask("submit", raw, private)))
        except ControlAnswerError as error:
            if error.code in _REJECTIONS:
                raise TransactionRejectedError(RejectionCode(error.code), error.detail) from error
            if error.code in _MALFORMED:
                raise TransactionRejectedError(RejectionCode.BAD_FORMAT, error.detail) from error
            raise

    async def wait(self, tx_id: TransactionId) -> Receipt:
        """Wait until a transaction (id: 32 bytes) is final.

        Raises:
            TransactionDroppedError: a kind of the next: it was replaced, driven out or refused.
            TransactionExpiredError: it can no longer become final.
            TransactionUnknownError: the node has not heard of it.
            ControlError: the node is gone.
        """
        try:
            return RECEIPT.read(await self._ask("wait", tx_id))
        except ControlAnswerError as error:
            loss = loss_of(error.code, error.detail)
            if loss is not None:
                raise loss from error
            raise

    async def transaction_status(self, tx_id: TransactionId) -> TransactionStatus:
        """Return where a transaction (id: 32 bytes) stands, as far as the node knows.

        Raises:
            ControlError: the node is gone.
        """
        return STATUS.read(await self._ask("status", tx_id))

    @asynccontextmanager
    async def watch(self, tx_id: TransactionId) -> AsyncIterator[AsyncIterator[TransactionStatus]]:
        """Follow a transaction (id: 32 bytes): its present state, then each new one up to the last."""
        number, pending = self._open(_WATCH_STATES_MAX)
        try:
            await self._send(number, "watch", tx_id)
            yield _Items(pending, STATUS)
        finally:
            await self._abandon(number)

    async def query(self, name: str, /, **arguments: object) -> QueryAnswer:
        """Ask a question about the last final state; identifiers in hexadecimal.

        Raises:
            ControlAnswerError: no such question, or wrong arguments.
            ControlError: the node is gone.
        """
        height, found = _QUERY.read(await self._ask("query", name, json.dumps(arguments)))
        return QueryAnswer(height, _value(found))

    async def prove(self, name: str, /, **arguments: object) -> bytes:
        """Return the bytes of a proof.

        Raises:
            ControlAnswerError: there is nothing to prove, or wrong arguments.
            ControlError: the node is gone.
        """
        return _PROOF.read(await self._ask("prove", name, json.dumps(arguments)))

    async def anchor(self) -> TrustAnchor:
        """Return what the node's last stored block lets others trust.

        Raises:
            ControlError: the node is gone.
        """
        return TrustAnchor.from_json(_ANCHOR.read(await self._ask("anchor")))

    async def statistics(self) -> dict[str, object]:
        """Return what the node counts.

        Raises:
            ControlError: the node is gone.
        """
        return json_object(await self._ask("statistics"))

    async def stop(self) -> None:
        """Ask the node to stop; it has begun to when this returns.

        Raises:
            ControlError: it will not, or is gone.
        """
        await self._ask("stop")

    @asynccontextmanager
    async def subscribe(self, since_height: int | None = None) -> AsyncIterator[AsyncIterator[ControlBlock]]:
        """Follow final blocks, from the one above `since_height` or else from the next one; none is missed.

        A reader that falls more than 4,096 blocks behind gets a ControlAnswerError.
        """
        number, pending = self._open(SUBSCRIPTION_BLOCKS_MAX)
        try:
            await self._send(number, "subscribe", since_height)
            await pending.next()
            yield _Items(pending, BLOCK)
        finally:
            await self._abandon(number)

    async def run(self) -> None:
        """Receive answers until the connection ends; `connect_control` runs it."""
        failure: ControlError = NodeStoppedError(f"{self._where}: the node stopped")
        try:
            while (answer := await self._frames.receive(ANSWER)) is not None:
                if answer.number:
                    pending = self._pending.get(answer.number)
                    if pending is not None:
                        pending.put(answer)
                    continue
                failure = _refusal(answer, self._where)
                break
        except CodecError as error:
            failure = ControlProtocolError(f"{self._where}: what answers is no node's control port: {error}")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # as if it had ended properly: the node is gone
        finally:
            self._failure = failure
            for pending in self._pending.values():
                pending.fail(failure)

    def _open(self, capacity: int) -> tuple[int, Pending]:
        if self._failure is not None:
            raise self._failure
        self._last = self._last % _NUMBER_MAX + 1
        pending = self._pending[self._last] = Pending(capacity)
        return self._last, pending

    async def _send(self, number: int, kind: str, *arguments: object) -> None:
        try:
            await self._frames.send(REQUEST, Request(number, kind, arguments))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise NodeStoppedError(f"{self._where}: the node stopped") from error

    @override
    async def _ask(self, kind: str, *arguments: object) -> object:
        number, pending = self._open(1)
        try:
            await self._send(number, kind, *arguments)
            answer = await pending.next()
        except trio.Cancelled:
            await self._abandon(number)
            raise
        finally:
            self._pending.pop(number, None)
        return answer.value

    async def _abandon(self, number: int) -> None:
        """Tell the node that nobody waits for an answer any more; what is on its way is dropped."""
        self._pending.pop(number, None)
        if self._failure is None:
            self._last = self._last % _NUMBER_MAX + 1
            with trio.move_on_after(1, shield=True):
                try:
                    await self._frames.send(REQUEST, Request(self._last, "cancel", (number,)))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return  # it is gone, and the request with it


_REJECTIONS: Final = frozenset(code.value for code in RejectionCode) - {RejectionCode.OK.value}
_MALFORMED: Final = frozenset({"MALFORMED", "NOT_CANONICAL", "OVERSIZED"})


def _value(written: object) -> object:
    if not isinstance(written, str) or len(written) > JSON_BYTES_MAX:
        raise ControlProtocolError("the node's answer is no JSON text")
    try:
        value: object = json.loads(written)
    except ValueError as error:
        raise ControlProtocolError(f"the node's answer is no JSON text: {error}") from error
    return value


class _Items(AsyncIterator[T]):
    """The items of one subscription."""

    def __init__(self, pending: Pending, shape: Shape[T]) -> None:
        self._pending = pending
        self._shape = shape

    @override
    async def __anext__(self) -> T:
        answer = await self._pending.next()
        if answer.status == "ok":
            raise StopAsyncIteration
        return self._shape.read(answer.value)


def _greeting(where: str) -> Shape[Welcome]:
    """Return the shape of the first answer; reading a refusal raises what it says."""

    def read(value: Any) -> Welcome:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is tuple and value[1:2] == ("error",):
            raise _refusal(ANSWER.read(value), where)
        return WELCOME.read(value)

    return Shape(read, WELCOME.plain)


def _refusal(answer: Answer, where: str) -> ControlError:
    code, detail = ERROR.read(answer.value)
    if code == "WRONG_TOKEN":
        return ControlTokenError(f"{where}: {detail}; start the node again")
    if code == "VERSION":
        return ControlVersionError(f"{where}: {detail}, this program {CONTROL_VERSION}; use the same version of both")
    return ControlProtocolError(f"{where}: the node closed the connection: {detail}")


@asynccontextmanager
async def connect_control(folder: str | Path) -> AsyncIterator[Control]:
    """Connect to the node that runs in a folder, while the context is open.

    Raises:
        NodeNotRunningError: none does.
        ControlTokenError: it does not take the token of `control.json`.
        ControlVersionError: it is of another version.
        ControlProtocolError: what is at the port is no node.
    """
    path = Path(folder) / CONTROL_FILE
    port, token = read_control_file(path)
    stream: trio.SocketStream | None = None
    try:
        with trio.move_on_after(_CONNECT_S):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError as error:
        raise not_running(path) from error
    if stream is None:
        raise not_running(path)
    async with stream:
        frames = FrameStream(stream)
        control = Control(frames, await _greet(frames, token, str(path)), str(path))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run)
                yield control
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The reader never raises: what is in the group is the one error of the caller's block.
            raise group.exceptions[0] from group.exceptions[0].__cause__


async def _greet(frames: FrameStream, token: bytes, where: str) -> Welcome:
    welcome: Welcome | None = None
    try:
        with trio.move_on_after(_CONNECT_S):
            await frames.send(HELLO, Hello(MAGIC, CONTROL_VERSION, token))
            welcome = await frames.receive(_greeting(where))
    except (CodecError, trio.BrokenResourceError) as error:
        raise ControlProtocolError(f"{where}: what answers is no node's control port: {error}") from error
    if welcome is None:
        raise ControlProtocolError(f"{where}: nothing answers at the control port; start the node again")
    if welcome.version != CONTROL_VERSION:
        raise ControlVersionError(
            f"{where}: the node speaks version {welcome.version} of the control port, this program {CONTROL_VERSION}; "
            "use the same version of both"
        )
    return welcome
