"""Memory: `memory://name`, for nodes within one program: tests, and an application that tests itself.

One `MemoryTransport` is one network: names are known to those who share it.
"""

from __future__ import annotations

import math

import trio
import trio.testing

from p2pcommerce.runtime.transport import TransportError

__all__ = ["MemoryListener", "MemoryTransport"]


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
        """Stop listening."""
        self._network.forget(self)
        while True:
            try:
                stream = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.ClosedResourceError):
                break
            await trio.aclose_forcefully(stream)  # offered, and never accepted
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
        near, far = trio.testing.memory_stream_pair()
        listener.offer(far)
        return near

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
