"""Transports: how bytes get from one node to another.

A transport dials and listens at addresses of its scheme and gives streams; encryption, framing and identity are the
wire's. To add one, write `<scheme>.py` with a class of this protocol and pass it to `open_node(..., transports=...)`.

- `tcp`: `tcp://host:port`
- `memory`: `memory://name`, within one program, for tests
"""

from __future__ import annotations

from typing import Protocol

import trio

from p2pcommerce.primitives.errors import UsageError

__all__ = ["Listener", "NowaitStream", "Transport", "TransportError"]


class TransportError(UsageError):
    """An address that cannot be dialled or listened on; one line says why."""

    code = "TRANSPORT"


class NowaitStream(Protocol):
    """A stream that can take bytes without waiting: what it takes at once costs no task switch."""

    def send_nowait(self, data: bytes) -> int:
        """Send what can be sent now and return how many bytes that was.

        Raises:
            trio.BrokenResourceError: the connection is gone.
            trio.ClosedResourceError: this end closed it.
        """
        ...


class Listener(Protocol):
    """Something that accepts connections."""

    address: str
    """Where it listens, with the port that was really taken."""

    async def accept(self) -> tuple[trio.abc.Stream, str]:
        """Wait for a connection; return its stream and the other end's address."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


class Transport(Protocol):
    """One way to reach other nodes."""

    scheme: str
    """What stands before `://`."""

    async def dial(self, address: str) -> trio.abc.Stream:
        """Connect.

        Raises:
            TransportError: nobody answers there.
        """
        ...

    async def listen(self, address: str) -> Listener:
        """Begin to listen.

        Raises:
            TransportError: the address is in use, or is not ours.
        """
        ...
