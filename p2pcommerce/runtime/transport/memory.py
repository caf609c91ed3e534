"""Memory: `memory://name`, for nodes within one program: tests, and an application that tests itself.

One `MemoryTransport` is one network: names are known to those who share it. A stream holds a bounded number of bytes
that the other end has not read, as a socket does, so that what a slow peer does can be tried in memory, too.
"""

from __future__ import annotations

import math
from typing import Final

import trio

from p2pcommerce.primitives.compat import override
from p2pcommerce.runtime.transport import TransportError

__all__ = ["PIPE_BYTES_MAX", "MemoryListener", "MemoryStream", "MemoryTransport"]

PIPE_BYTES_MAX: Final = 256 * 1024
"""Bytes on their way in one direction."""


class _Pipe:
    """One direction of a connection."""

    __slots__ = ("changed", "data", "is_closed")

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_closed = False
        self.changed = trio.lowlevel.ParkingLot()

    def close(self) -> None:
        self.is_closed = True
        self.changed.unpark_all()


class MemoryStream(trio.abc.Stream):
    """One end of a connection within the program."""

    __slots__ = ("_incoming", "_is_closed", "_outgoing")

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        """Built by `MemoryTransport.dial`."""
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Send what fits now and return how many bytes that was.

        Raises:
            trio.BrokenResourceError: the other end is closed.
            trio.ClosedResourceError: this end is closed.
        """
        if self._is_closed:
            raise trio.ClosedResourceError("this end is closed")
        pipe = self._outgoing
        if pipe.is_closed:
            raise trio.BrokenResourceError("the other end is closed")
        part = data[: PIPE_BYTES_MAX - len(pipe.data)]
        pipe.data += part
        pipe.changed.unpark_all()
        return len(part)

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, waiting as often as it takes."""
        rest = memoryview(data)
        while True:
            await self.wait_send_all_might_not_block()
            rest = rest[self.send_nowait(rest) :]
            if not rest:
                return

    @override
    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room, or the other end is closed."""
        await trio.lowlevel.checkpoint()
        pipe = self._outgoing
        while len(pipe.data) >= PIPE_BYTES_MAX and not pipe.is_closed and not self._is_closed:
            await pipe.changed.park()
        if self._is_closed:
            raise trio.ClosedResourceError("this end is closed")

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come, at least one byte; empty at the end."""
        await trio.lowlevel.checkpoint()
        pipe = self._incoming
        while not pipe.data and not pipe.is_closed and not self._is_closed:
            await pipe.changed.park()
        if self._is_closed:
            raise trio.ClosedResourceError("this end is closed")
        data = bytes(pipe.data[:max_bytes])
        del pipe.data[: len(data)]
        pipe.changed.unpark_all()
        return data

    @override
    async def aclose(self) -> None:
        """Close both directions; what was sent before can still be read."""
        self._is_closed = True
        self._outgoing.close()
        self._incoming.close()
        await trio.lowlevel.checkpoint()


class MemoryListener:
    """A name that can be dialled.

    Attributes:
        address: `memory://name`.
    """

    def __init__(self, network: MemoryTransport, address: str) -> None:
        """Built by `MemoryTransport.listen`."""
        self.address = address
        self._network = network
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](math.inf)

    def offer(self, stream: trio.abc.Stream) -> None:
        """Hand over the far end of a new connection."""
        self._send.send_nowait(stream)

    async def accept(self) -> tuple[trio.abc.Stream, str]:
        """Wait for a connection."""
        return await self._receive.receive(), "memory://dialler"

    async def aclose(self) -> None:
        """Stop listening; what was offered and never accepted is closed."""
        self._network.forget(self)
        while True:
            try:
                stream = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.ClosedResourceError):
                break
            await trio.aclose_forcefully(stream)
        await self._receive.aclose()


class MemoryTransport:
    """A network within one program."""

    scheme = "memory"

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: dict[str, MemoryListener] = {}

    async def dial(self, address: str) -> trio.abc.Stream:
        """Connect to a name.

        Raises:
            TransportError: nobody has that name.
        """
        await trio.lowlevel.checkpoint()
        listener = self._listeners.get(address)
        if listener is None:
            raise TransportError(f"{address}: nobody listens there")
        there, back = _Pipe(), _Pipe()
        listener.offer(MemoryStream(there, back))
        return MemoryStream(back, there)

    async def listen(self, address: str) -> MemoryListener:
        """Take a name.

        Raises:
            TransportError: somebody has it.
        """
        await trio.lowlevel.checkpoint()
        if address in self._listeners:
            raise TransportError(f"{address}: the name is in use; take another")
        listener = self._listeners[address] = MemoryListener(self, address)
        return listener

    def forget(self, listener: MemoryListener) -> None:
        """Give a listener's name back; of one that was given back already nothing happens."""
        if self._listeners.get(listener.address) is listener:
            del self._listeners[listener.address]
