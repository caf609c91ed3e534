"""The control port: how other programs of the same user reach a running node.

The node listens on a free loopback port and writes the port and a random token to `control.json` (mode 0600) in its
folder; whoever can read that file may submit, query, prove, follow final blocks, and stop the node. `control_client` is
the other end, `control_frames` the bytes.

A client that sends no good token within a few seconds is closed. Everything is bounded: connections, requests in flight
on each, bytes of a frame. A client that reads too slowly holds up nobody but itself.

Source: control.json in the interface specification.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import trio

from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.primitives.codec import HASH, U32, Shape, maybe
from p2pcommerce.primitives.errors import CodecError, P2PError
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.runtime.control_frames import (
    ANSWER,
    BLOCK,
    CONTROL_FILE,
    CONTROL_VERSION,
    HELLO,
    HELLO_BYTES_MAX,
    MAGIC,
    RECEIPT,
    REQUEST,
    TOKEN_BYTES,
    WELCOME,
    Answer,
    ControlBlock,
    FrameStream,
    Request,
    Welcome,
    json_object,
    json_text,
)
from p2pcommerce.runtime.control_off_chain import OFF_CHAIN_KINDS, Transfers, serve_off_chain
from p2pcommerce.runtime.control_status import STATUS
from p2pcommerce.runtime.controlled_node import ControlledNode
from p2pcommerce.runtime.durable_file import replace_file
from p2pcommerce.runtime.lock import DataDirectoryError

__all__ = ["CONNECTIONS_MAX", "HELLO_S", "REQUESTS_MAX", "ControlledNode", "serve_control"]

CONNECTIONS_MAX: Final = 32
"""Programs that are connected at once."""
REQUESTS_MAX: Final = 1_024
"""Requests in flight on one connection."""
HELLO_S: Final = 5.0
"""Seconds in which the first frame must come."""
_CONNECTION: Final = 0
"""The number of an answer that concerns the connection."""
_LAST_WORDS_S: Final = 1.0
_QUERY_NAME_CHARACTERS_MAX: Final = 64


class _RequestError(P2PError):
    """A request that this port cannot understand."""

    code = "BAD_REQUEST"


async def serve_control(
    node: ControlledNode,
    folder: str | Path,
    *,
    on_stop: Callable[[], None] | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the control port until cancelled; `control.json` exists just as long.

    Args:
        node: the running node.
        folder: where `control.json` is written.
        on_stop: called when a client asks the node to stop; None: such requests are refused.
        task_status: started when clients may connect.

    Raises:
        DataDirectoryError: `control.json` cannot be written.
    """
    path = Path(folder) / CONTROL_FILE
    token = secrets.token_bytes(TOKEN_BYTES)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    document = {"version": CONTROL_VERSION, "port": port, "token": token.hex(), "pid": os.getpid()}
    text = (json.dumps(document) + "\n").encode("ascii")
    try:
        await trio.to_thread.run_sync(replace_file, path, text, 0o600)
        server = _Server(node, token, on_stop)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, server.serve, listeners)
            task_status.started()
    except OSError as error:
        raise DataDirectoryError(
            f"{path}: cannot be written: {error.strerror or error}; see to the folder, then start again"
        ) from error
    finally:
        _remove(path, text)


def _remove(path: Path, text: bytes) -> None:
    """Remove our file; another one's stays."""
    try:
        if path.read_bytes() == text:
            path.unlink()
    except OSError:
        return  # somebody else removed it, or the folder: there is nothing left to remove


class _Server:
    """One node's control port."""

    def __init__(self, node: ControlledNode, token: bytes, on_stop: Callable[[], None] | None) -> None:
        self._node = node
        self._token = token
        self._on_stop = on_stop
        self._connections = 0
        self._kinds: dict[str, Callable[[_Client, Request], Awaitable[object]]] = {
            "submit": self._submit,
            "wait": self._wait,
            "status": self._status,
            "watch": self._watch,
            "query": self._query,
            "prove": self._prove,
            "anchor": self._anchor,
            "statistics": self._statistics,
            "subscribe": self._subscribe,
            "cancel": self._cancel,
            "stop": self._stop,
            **dict.fromkeys(OFF_CHAIN_KINDS, self._off_chain),
        }

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one client until it leaves or breaks a rule."""
        frames = FrameStream(stream)
        self._connections += 1
        try:
            if await self._welcome(frames):
                await self._serve_requests(frames)
        except CodecError as error:
            await _refuse(frames, error.code, f"the frame {error}")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone, which is its right
        finally:
            self._connections -= 1
            with trio.move_on_after(0):
                await frames.aclose()

    async def _welcome(self, frames: FrameStream) -> bool:
        hello = None
        with trio.move_on_after(HELLO_S):
            hello = await frames.receive(HELLO, HELLO_BYTES_MAX)
        if hello is None:
            await _refuse(frames, "NO_TOKEN", "no token came")
        elif hello.magic != MAGIC or not hmac.compare_digest(hello.token, self._token):
            await _refuse(frames, "WRONG_TOKEN", "the token is not that of the running node")
        elif hello.version != CONTROL_VERSION:
            await _refuse(frames, "VERSION", f"this node speaks version {CONTROL_VERSION} of the control port")
        elif self._connections > CONNECTIONS_MAX:
            await _refuse(frames, "BUSY", f"{CONNECTIONS_MAX} programs are connected already")
        else:
            node = self._node
            await frames.send(WELCOME, Welcome(CONTROL_VERSION, node.identity.public_key, node.genesis.hash))
            return True
        return False

    async def _serve_requests(self, frames: FrameStream) -> None:
        async with trio.open_nursery() as nursery:
            client = _Client(frames)
            try:
                await self._read_requests(frames, client, nursery)
            except CodecError as error:
                await _refuse(frames, error.code, f"the request {error}")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client is gone, which is its right
            nursery.cancel_scope.cancel()

    async def _read_requests(self, frames: FrameStream, client: _Client, nursery: trio.Nursery) -> None:
        while (request := await frames.receive(REQUEST)) is not None:
            if request.number == _CONNECTION or request.number in client.scopes:
                raise CodecError("has a number that is in use", "BAD_REQUEST")
            if len(client.scopes) >= REQUESTS_MAX:
                await client.fail(request, "BUSY", f"{REQUESTS_MAX} requests are in flight already")
                continue
            scope = client.scopes[request.number] = trio.CancelScope()
            nursery.start_soon(self._answer, client, request, scope)

    async def _answer(self, client: _Client, request: Request, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await client.send(request, "ok", await self._kinds.get(request.kind, _unknown)(client, request))
            if scope.cancelled_caught:
                await client.fail(request, "CANCELLED", "cancelled")
        except CodecError as error:
            await client.fail(request, error.code, f"{request.kind}: {error}")
        except P2PError as error:
            await client.fail(request, error.code, getattr(error, "detail", None) or str(error))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reader sees the end of the connection, too
        finally:
            del client.scopes[request.number]

    async def _submit(self, _: _Client, request: Request) -> object:
        raw, private = _arguments(request, 2)
        if not isinstance(raw, bytes) or not isinstance(private, bool):
            raise _RequestError("submit takes the bytes of a transaction, and whether it is private")
        return await self._node.submit(decode_transaction(raw), private=private)

    async def _wait(self, _: _Client, request: Request) -> object:
        (tx_id,) = _arguments(request, 1)
        return RECEIPT.plain(await self._node.wait_finalized(TransactionId(HASH.read(tx_id))))

    async def _status(self, _: _Client, request: Request) -> object:
        (tx_id,) = _arguments(request, 1)
        return STATUS.plain(await self._node.transaction_status(TransactionId(HASH.read(tx_id))))

    async def _watch(self, client: _Client, request: Request) -> object:
        (tx_id,) = _arguments(request, 1)
        async with self._node.watch(TransactionId(HASH.read(tx_id))) as statuses:
            async for status in statuses:
                await client.send(request, "item", STATUS.plain(status))
        return None

    async def _query(self, _: _Client, request: Request) -> object:
        name, arguments = _named(request)
        result = await self._node.query(name, **arguments)
        return (result.height, json_text(result.value))

    async def _prove(self, _: _Client, request: Request) -> object:
        name, arguments = _named(request)
        return (await self._node.prove(name, **arguments)).raw

    async def _anchor(self, _: _Client, request: Request) -> object:
        _arguments(request, 0)
        return (await self._node.anchor()).to_json().encode()

    async def _statistics(self, _: _Client, request: Request) -> object:
        _arguments(request, 0)
        return json_text(self._node.statistics())

    async def _subscribe(self, client: _Client, request: Request) -> object:
        (since,) = _arguments(request, 1)
        async with self._node.subscribe(since_height=_SINCE.read(since)) as blocks:
            await client.send(request, "item", None)  # nothing that becomes final from here on is missed
            async for block in blocks:
                results = tuple((receipt.tx_id, receipt.code) for receipt in block.receipts)
                item = ControlBlock(block.height, block.hash, block.time_ms, results)
                await client.send(request, "item", BLOCK.plain(item))
        return None

    async def _cancel(self, client: _Client, request: Request) -> object:
        (number,) = _arguments(request, 1)
        scope = client.scopes.get(U32.read(number))
        if scope is not None and number != request.number:
            scope.cancel()
        return None

    async def _off_chain(self, client: _Client, request: Request) -> object:
        return await serve_off_chain(self._node, client.transfers, request.kind, request.arguments)

    async def _stop(self, _: _Client, request: Request) -> object:
        _arguments(request, 0)
        if self._on_stop is None:
            raise _RequestError("this node is part of another program; stop that")
        self._on_stop()
        return None


_SINCE: Final[Shape[int | None]] = maybe(U32)


class _Client:
    """One connected program.

    Attributes:
        scopes: the requests in flight by number.
        transfers: blobs on their way.
    """

    def __init__(self, frames: FrameStream) -> None:
        self._frames = frames
        self.scopes: dict[int, trio.CancelScope] = {}
        self.transfers = Transfers()

    async def send(self, request: Request, status: str, value: object) -> None:
        await self._frames.send(ANSWER, Answer(request.number, status, value))

    async def fail(self, request: Request, code: str, detail: str) -> None:
        try:
            await self.send(request, "error", (code, detail))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the reader sees the end of the connection, too


async def _unknown(_: _Client, request: Request) -> object:
    raise _RequestError(f"there is no request {request.kind!r:.40}")


async def _refuse(frames: FrameStream, code: str, detail: str) -> None:
    """Say why the connection is closed, if it can still be said."""
    with trio.move_on_after(_LAST_WORDS_S):
        try:
            await frames.send(ANSWER, Answer(_CONNECTION, "error", (code, detail)))
            # Closing with unread bytes resets the connection, and the client would never see why.
            await frames.finish()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def _arguments(request: Request, count: int) -> tuple[object, ...]:
    if len(request.arguments) != count:
        raise _RequestError(f"{request.kind} takes {count} arguments, {len(request.arguments)} came")
    return request.arguments


def _named(request: Request) -> tuple[str, dict[str, object]]:
    name, text = _arguments(request, 2)
    if not isinstance(name, str) or not 0 < len(name) <= _QUERY_NAME_CHARACTERS_MAX:
        raise _RequestError(f"{request.kind} takes a name and JSON arguments")
    return name, json_object(text)
