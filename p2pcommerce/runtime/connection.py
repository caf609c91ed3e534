"""One connection: a stream, the wire session over it, and the tasks that move bytes between them.

Bytes that come are given to the session, and its messages to the driver at once. Bytes to send are taken from the
session at the end of a tick: what the kernel takes then costs no task switch; only the rest waits in a task of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import trio

from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.runtime.transport import NowaitStream
from p2pcommerce.wire import HandshakeDone, Message, MessageReceived, Session

__all__ = ["HANDSHAKE_S", "SLOW_PEER", "Connection", "Owner"]

HANDSHAKE_S: Final = 5.0
"""Seconds that a handshake may take. Source: networking specification."""
SLOW_PEER: Final = "SLOW_PEER"
"""The code of a peer that takes less than it is sent: a lane of its connection ran full."""
_READS_PER_TURN: Final = 8
_BYTES_PER_TURN: Final = 64 * 1024
"""Reads without waiting, and bytes read, after which others get their turn."""


class Owner(Protocol):
    """Whoever owns connections: the driver."""

    def on_open(self, connection: Connection, done: HandshakeDone) -> None:
        """The other end has proven who it is."""
        ...

    def on_message(self, connection: Connection, message: Message) -> None:
        """A message came."""
        ...

    def on_turn(self) -> None:
        """Everything that came in one read has been given."""
        ...

    async def wait_room(self, connection: Connection) -> None:
        """Wait until the node can take more from this peer."""
        ...


class Connection:
    """One connection, from its first byte to its last.

    Attributes:
        link: its number within this node.
        outbound: this node dialled.
        address: the other end's address, as dialled or as seen.
        remote: the other end's address as seen; None: the transport does not tell.
        peer: who the other end is; None before the handshake is done.
        announcement_key: this node's key for short ids, 16 bytes.
        reason: why it ended, once it has: a code and a sentence.
    """

    __slots__ = (
        "_closing",
        "_nowait",
        "_owner",
        "_rest",
        "_stream",
        "_wake",
        "address",
        "announcement_key",
        "link",
        "outbound",
        "peer",
        "reason",
        "remote",
        "session",
    )

    def __init__(
        self,
        *,
        link: int,
        stream: trio.abc.Stream,
        session: Session,
        owner: Owner,
        outbound: bool,
        address: str,
        announcement_key: bytes,
    ) -> None:
        """Put a session over a stream; `run` does the rest."""
        self.link = link
        self.outbound = outbound
        self.address = address
        self.announcement_key = announcement_key
        self.peer: PeerId | None = None
        self.session = session
        self.reason: tuple[str, str] | None = None
        self.remote: str | None = getattr(stream, "remote", None) if outbound else address
        self._stream = stream
        self._nowait: Callable[[bytes], int] | None = None
        if hasattr(stream, "send_nowait"):
            nowait: NowaitStream = stream
            self._nowait = nowait.send_nowait
        self._owner = owner
        self._rest = b""
        self._wake = trio.Event()
        self._closing: trio.CancelScope | None = None

    async def run(self) -> None:
        """Shake hands, then move bytes until the connection ends; `reason` says why it did."""
        with trio.CancelScope() as scope:
            self._closing = scope
            try:
                if self.reason is None:
                    await self._run()
            except* RemoteProtocolError as group:
                self._end(*_first(group))
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                self._end("BROKEN", "the connection broke")
            finally:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(self._stream)
        self._end("CLOSED", "the connection was closed")

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            with trio.move_on_after(HANDSHAKE_S) as handshake:
                self.flush()
                await self._read(until_open=True)
            if handshake.cancelled_caught:
                raise RemoteProtocolError(f"no handshake within {HANDSHAKE_S:g} s", "HANDSHAKE_TIMEOUT")
            await self._read(until_open=False)

    async def _read(self, *, until_open: bool) -> None:
        """Read and give away what comes, until the end or, if asked, until the handshake is done."""
        reads = size = 0
        while self.reason is None:
            data = await self._stream.receive_some(_BYTES_PER_TURN)
            if not data:
                code = "CLOSED_BY_PEER" if self.peer is not None else "CLOSED_IN_HANDSHAKE"
                raise RemoteProtocolError("the other end closed the connection", code)
            self._take(bytes(data))
            self._owner.on_turn()
            if self.peer is None:
                self.flush()
            elif until_open:
                self.flush()
                return
            await self._owner.wait_room(self)
            reads, size = reads + 1, size + len(data)
            if reads >= _READS_PER_TURN or size >= _BYTES_PER_TURN:
                reads = size = 0
                await trio.lowlevel.checkpoint()

    def _take(self, data: bytes) -> None:
        """Give what came to the session, and its messages to the owner."""
        try:
            events = self.session.receive_data(data)
        except RemoteProtocolError as error:
            # At once: until this task has unwound, others must not use the dead session.
            self._end(error.code, str(error))
            raise
        for event in events:
            match event:
                case MessageReceived(message):
                    self._owner.on_message(self, message)
                case HandshakeDone():
                    self.peer = event.peer
                    self._owner.on_open(self, event)

    def send(self, message: Message) -> None:
        """Queue a message; it leaves at the end of the tick. A full lane ends the connection."""
        if self.reason is None and not self.session.send(message):
            self.close(SLOW_PEER, f"takes too little: its {message.LANE.name.lower()} lane is full")

    def flush(self) -> None:
        """Send what the stream takes now; a task sends the rest when it can."""
        if self._rest or self.reason is not None:
            return
        data = self.session.data_to_send()
        while data:
            try:
                sent = 0 if self._nowait is None else self._nowait(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.close("BROKEN", "the connection broke")
                return
            if sent < len(data):
                self._rest = data[sent:]
                self._wake.set()
                return
            data = self.session.data_to_send()

    def close(self, code: str, reason: str) -> None:
        """End the connection soon; what was queued before is sent if the stream takes it at once."""
        if self.reason is not None:
            return
        if code not in {"BROKEN", SLOW_PEER} and self.peer is not None:
            self.flush()
        self._end(code, reason)
        if self._closing is not None:
            self._closing.cancel()

    def _end(self, code: str, reason: str) -> None:
        if self.reason is None:
            self.reason = (code, reason)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._rest:
                await self._stream.send_all(self._rest)
                # Meanwhile the peer may have broken a rule: its session is dead before this task is cancelled.
                self._rest = self.session.data_to_send() if self.reason is None else b""


def _first(group: BaseExceptionGroup[RemoteProtocolError]) -> tuple[str, str]:
    error: RemoteProtocolError | BaseExceptionGroup[RemoteProtocolError] = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.code, str(error)
