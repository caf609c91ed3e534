"""One connection: a stream, the wire session over it, and the tasks that move bytes between them.

Bytes that come are given to the session, and its messages to the driver at once. Bytes to send are taken from the
session at the end of a tick: what the kernel takes then costs no task switch; only the rest waits, in a task that is
there as long as there is a rest. A connection that is shaking hands, or rests, is one task.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

import trio

from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.runtime.transport import NowaitStream
from p2pcommerce.runtime.transport.tcp import TcpStream
from p2pcommerce.wire import Event, HandshakeDone, Message, MessageReceived, Session

__all__ = ["CROWDED", "HANDSHAKE_S", "SLOW_PEER", "Connection", "Owner"]

HANDSHAKE_S: Final = 5.0
"""Seconds that a handshake may take. Source: networking specification."""
CROWDED: Final = "CROWDED"
"""The code of a link that was closed because it, or its group, held more than its share of this node's memory."""
SLOW_PEER: Final = "SLOW_PEER"
"""The code of a peer that takes less than it is sent: a lane of its connection ran full."""
_CLOSED_BY_PEER: Final = ("CLOSED_BY_PEER", "the other end closed the connection")
_CLOSED_IN_HANDSHAKE: Final = ("CLOSED_IN_HANDSHAKE", _CLOSED_BY_PEER[1])
_READS_PER_TURN: Final = 8
_BYTES_PER_TURN: Final = 64 * 1024
"""Reads without waiting, and bytes read, after which others get their turn."""
_COUNTED_BYTES: Final = 16 * 1024
"""Until the end of a tick less than this may wait uncounted: most of it leaves then, and counting costs more."""


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

    def has_room(self, connection: Connection) -> bool:
        """Tell whether the node can take more from this peer."""
        ...

    async def wait_room(self, connection: Connection) -> None:
        """Wait until the node can take more from this peer."""
        ...


def _no_limit(size: int, messages: int) -> str:
    """Let a connection hold what its lanes allow."""
    del size, messages
    return ""


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
        "_held",
        "_hold",
        "_nowait",
        "_nursery",
        "_owner",
        "_rest",
        "_stream",
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
        hold: Callable[[int, int], str] = _no_limit,
    ) -> None:
        """Put a session over a stream; `run` does the rest.

        Args:
            link: its number within this node.
            stream: moves the bytes.
            session: the wire's end of it.
            owner: is given what comes.
            outbound: this node dialled.
            address: the other end's address, as dialled or as seen.
            announcement_key: 16 bytes.
            hold: told how many bytes and messages the connection holds; returns the cap that they exceed, or nothing.
        """
        self.link = link
        self.outbound = outbound
        self.address = address
        self.announcement_key = announcement_key
        self.peer: PeerId | None = None
        self.session = session
        self.reason: tuple[str, str] | None = None
        self.remote: str | None = getattr(stream, "remote", None) if outbound else address
        self._hold = hold
        self._held = (0, 0)
        self._stream = stream
        self._nowait: Callable[[bytes], int] | None = None
        if hasattr(stream, "send_nowait"):
            nowait: NowaitStream = stream
            self._nowait = nowait.send_nowait
        self._owner = owner
        self._rest = b""
        self._nursery: trio.Nursery | None = None
        self._closing: trio.CancelScope | None = None

    async def run(self) -> None:
        """Shake hands, then move bytes until the connection ends; `reason` says why it did."""
        with trio.CancelScope(deadline=trio.current_time() + HANDSHAKE_S) as scope:
            self._closing = scope
            try:
                if self.reason is None:
                    await self._run(scope)
            finally:
                await self._close_stream()
        if scope.cancelled_caught and self.peer is None:
            self._end("HANDSHAKE_TIMEOUT", f"no handshake within {HANDSHAKE_S:g} s")
        self._end("CLOSED", "the connection was closed")

    async def _run(self, deadline: trio.CancelScope) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self.flush()
            try:
                await self._read(deadline)
            except RemoteProtocolError as error:
                self._end(error.code, str(error))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._end("BROKEN", "the connection broke")
            self._nursery = None
            if self._rest:
                nursery.cancel_scope.cancel()

    async def _close_stream(self) -> None:
        """Close the stream at once, however this task is ending."""
        if isinstance(self._stream, TcpStream):
            self._stream.close()
            return
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)

    async def _read(self, deadline: trio.CancelScope) -> None:
        """Read and give away what comes until the end; lift the deadline when the handshake is done."""
        reads = size = 0
        owner = self._owner
        while self.reason is None:
            data = await self._stream.receive_some(_BYTES_PER_TURN)
            if not data:
                self._end(*(_CLOSED_BY_PEER if self.peer is not None else _CLOSED_IN_HANDSHAKE))
                return
            is_shaking = self.peer is None
            for event in self._receive(bytes(data)):
                self._give(event)
                # A read may bring more messages than the node has room for: what it cannot take waits here.
                if not owner.has_room(self):
                    await owner.wait_room(self)
            self._account()
            owner.on_turn()
            if is_shaking:
                self.flush()
                if self.peer is not None:
                    deadline.deadline = math.inf
            if not owner.has_room(self):
                await owner.wait_room(self)
            reads, size = reads + 1, size + len(data)
            if reads >= _READS_PER_TURN or size >= _BYTES_PER_TURN:
                reads = size = 0
                await trio.lowlevel.checkpoint()

    def _receive(self, data: bytes) -> list[Event]:
        """Give what came to the session, and return what it completes."""
        try:
            return self.session.receive_data(data)
        except RemoteProtocolError as error:
            # At once: until this task has unwound, others must not use the dead session.
            self._end(error.code, str(error))
            raise

    def _give(self, event: Event) -> None:
        """Give one event to the owner."""
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
        if self.session.waiting_bytes >= _COUNTED_BYTES:
            self._account()

    def _account(self) -> None:
        """Say what this connection holds, and end it if that is too much."""
        held = self.session.held_bytes + len(self._rest), self.session.waiting_messages
        if held != self._held and self.reason is None:
            self._held = held
            excess = self._hold(*held)
            if excess:
                self.close(CROWDED, f"holds too much of this node's memory: {excess} is exceeded")

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
                if self._nursery is not None:
                    self._nursery.start_soon(self._write)
                break
            data = self.session.data_to_send() if self.session.has_data_to_send() else b""
        self._account()

    def close(self, code: str, reason: str) -> None:
        """End the connection soon; what was queued before is sent if the stream takes it at once."""
        if self.reason is not None:
            return
        if code not in {"BROKEN", CROWDED, SLOW_PEER} and self.peer is not None:
            self.flush()
        self._end(code, reason)
        if self._closing is not None:
            self._closing.cancel()

    def _end(self, code: str, reason: str) -> None:
        if self.reason is None:
            self.reason = (code, reason)

    async def _write(self) -> None:
        """Send the rest when the stream takes it, and what is there by then."""
        try:
            while self._rest:
                await self._stream.send_all(self._rest)
                # Meanwhile the peer may have broken a rule: its session is dead before this task is cancelled.
                self._rest = self.session.data_to_send() if self.reason is None else b""
                self._account()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.close("BROKEN", "the connection broke")
