"""What a router is asked for, by whatever protocol, and which router that is.

Source: RFC 6886 section 3 (mappings, their lifetime); Linux's proc(5), `/proc/net/route`.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import trio

from p2pcommerce.primitives.errors import P2PError

__all__ = ["LEASE_S", "Mapping", "Router", "RouterError", "check_external", "default_gateway", "own_address"]

LEASE_S: Final = 3_600
"""Seconds for which a port is asked for: what a node leaves behind when it dies is gone after that."""
_ROUTES: Final = Path("/proc/net/route")
_ROUTES_BYTES_MAX: Final = 256 * 1024
_FLAG_GATEWAY: Final = 0x2


class RouterError(P2PError):
    """A router does not answer, refuses, or says what cannot be so; one line says which."""

    code = "ROUTER"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A port at which a router lets others in.

    Attributes:
        host: the router's own global IPv4 address, as it says.
        port: 1 to 65,535.
        lease_s: seconds until the router forgets it; 0: it does not.
    """

    host: str
    port: int
    lease_s: int


class Router(Protocol):
    """One way of asking a router."""

    @property
    def name(self) -> str:
        """The protocol."""
        ...

    async def map(self, port: int, external_port: int) -> Mapping:
        """Let others in at a TCP port of this machine, or renew that.

        Args:
            port: where this machine listens.
            external_port: which port of the router would be best.

        Raises:
            RouterError: it does not; nothing is mapped, or what was mapped before may be.
            OSError: of the socket.
        """
        ...

    async def unmap(self, port: int, external_port: int) -> None:
        """Let nobody in any more.

        Raises:
            RouterError: it does not answer, or refuses.
            OSError: of the socket.
        """
        ...


def check_external(host: str, port: int) -> None:
    """Check what a router claims to be reachable at.

    Raises:
        RouterError: nobody could dial that.
    """
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise RouterError("the router names no IPv4 address as its own") from None
    if not address.is_global or address.is_multicast:
        raise RouterError(f"the router's own address is {address}, which is not global: it is behind another router")
    if not 0 < port < 2**16:
        raise RouterError(f"the router names port {port}, which is none")


def default_gateway(routes: Path = _ROUTES) -> str:
    """Return the IPv4 address of the default route's router.

    Raises:
        RouterError: the system tells of none; the message says what to configure.
    """
    try:
        with routes.open("rb") as file:
            lines = file.read(_ROUTES_BYTES_MAX).decode("ascii", "replace").splitlines()[1:]
    except OSError:
        lines = []
    for line in lines:
        fields = line.split()
        try:
            destination, gateway, flags, mask = (int(fields[at], 16) for at in (1, 2, 3, 7))
        except (IndexError, ValueError):
            continue
        if destination == mask == 0 and gateway and flags & _FLAG_GATEWAY:
            # The kernel writes the number as it lies in memory.
            return str(ipaddress.IPv4Address(struct.pack("=I", gateway)))
    raise RouterError("this system tells of no default route: set gateway in the configuration")


async def own_address(gateway: str) -> str:
    """Return the IPv4 address that this machine has towards a router (nothing is sent).

    Raises:
        OSError: there is no way there.
    """
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.connect((gateway, 9))
        address: str = sock.getsockname()[0]
        return address
