"""UPnP: finds the router by a multicast datagram, and asks it for a port by SOAP.

    M-SEARCH -> where its description is -> which service connects to the world -> AddPortMapping, GetExternalIPAddress

Any machine of the local network may answer the search, so an answer counts only if it comes from the router that this
machine's default route (or the configuration) names, and what it points to must be at that very address: nobody gets
this node to send requests elsewhere. Everything that comes is capped (`small_http`, `router_xml`).

Source: UPnP Device Architecture 1.1 sections 1.3 (search) and 3 (control); WANIPConnection:1 (2.4.16, 2.4.17, 2.4.18,
and its errors 718 and 725).

Deviations: a configured router is searched for by a datagram to it alone (section 1.3.2 of version 1.1). Descriptions
with a `URLBase` (version 1.0) are read as if they had none: the base has to be the same machine all the same.
"""

from __future__ import annotations

import re
import secrets
from typing import Final
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

import trio

from p2pcommerce.runtime.finding import small_http
from p2pcommerce.runtime.finding.router import LEASE_S, Mapping, RouterError, check_external
from p2pcommerce.runtime.finding.router_xml import read_fault, read_services, read_value

__all__ = ["ANSWERS_MAX", "PORT", "SEARCH_S", "Upnp", "read_found"]

PORT: Final = 1900
GROUP: Final = "239.255.255.250"
SEARCH_S: Final = 3.0
"""Seconds to wait for an answer to the search."""
ANSWERS_MAX: Final = 32
"""Datagrams that are looked at in one search."""
_DATAGRAM_BYTES_MAX: Final = 2_048
_URL_CHARACTERS_MAX: Final = 512
_WANTED: Final = tuple(
    f"urn:schemas-upnp-org:service:{name}" for name in ("WANIPConnection:2", "WANIPConnection:1", "WANPPPConnection:1")
)
_SEARCHED: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
)
_PATH: Final = re.compile(r"/[!-~]*", re.ASCII)
_CONFLICT: Final = 718
_ONLY_PERMANENT: Final = 725
_PORTS_TRIED: Final = 3
_PORT_LOWEST: Final = 1_024

_Place = tuple[str, int, str]
"""Host, port and path of a URL."""


class Upnp:
    """A router that speaks UPnP."""

    name = "upnp"

    def __init__(self, gateway: str, own: str, search_port: int | None = None) -> None:
        """Prepare.

        Args:
            gateway: the router's IPv4 address.
            own: this machine's, as the router sees it.
            search_port: UDP port at which the router alone is asked; None: the whole local network is.
        """
        self._gateway = gateway
        self._own = own
        self._search_port = search_port
        self._service: tuple[str, _Place] | None = None
        self._lease_s = LEASE_S

    async def map(self, port: int, external_port: int) -> Mapping:
        """See `Router`."""
        if self._service is None:
            self._service = await self._find()
        wanted = external_port or port
        for _ in range(_PORTS_TRIED):
            fault = await self._add(port, wanted)
            if fault == _ONLY_PERMANENT and self._lease_s:
                self._lease_s = 0
                fault = await self._add(port, wanted)
            if not fault:
                break
            if fault != _CONFLICT:
                raise RouterError(f"the router refuses by UPnP: error {fault}")
            wanted = _PORT_LOWEST + secrets.randbelow(2**16 - _PORT_LOWEST)
        else:
            raise RouterError("the router says by UPnP that every port tried is another's")
        try:
            _, answer = await self._ask("GetExternalIPAddress", {})
            host = read_value(answer, "NewExternalIPAddress")
            check_external(host, wanted)
        except RouterError:
            await self.unmap(port, wanted)  # what leads nowhere must not stay, least of all for ever
            raise
        return Mapping(host, wanted, self._lease_s)

    async def unmap(self, port: int, external_port: int) -> None:
        """See `Router`."""
        del port
        if self._service is not None:
            await self._ask(
                "DeletePortMapping",
                {"NewRemoteHost": "", "NewExternalPort": str(external_port), "NewProtocol": "TCP"},
            )

    async def _add(self, port: int, external_port: int) -> int:
        """Ask for a port; return the number of the fault, 0: it is given."""
        fault, _ = await self._ask(
            "AddPortMapping",
            {
                "NewRemoteHost": "",
                "NewExternalPort": str(external_port),
                "NewProtocol": "TCP",
                "NewInternalPort": str(port),
                "NewInternalClient": self._own,
                "NewEnabled": "1",
                "NewPortMappingDescription": "p2pcommerce",
                "NewLeaseDuration": str(self._lease_s),
            },
        )
        return fault

    # --- asking ---

    async def _ask(self, action: str, arguments: dict[str, str]) -> tuple[int, bytes]:
        """Ask the service; return the number of the fault (0: none) and the body."""
        if self._service is None:
            raise RouterError("no service of the router has been found")
        kind, (host, port, path) = self._service
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in arguments.items())
        body = (
            '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
            f'<u:{action} xmlns:u="{kind}">{inner}</u:{action}></s:Body></s:Envelope>'
        ).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            f'Content-Type: text/xml; charset="utf-8"\r\nContent-Length: {len(body)}\r\n'
            f'SOAPAction: "{kind}#{action}"\r\n\r\n'
        ).encode()
        status, answer = await small_http.ask(host, port, head + body)
        if status == 200:
            return 0, answer
        fault = read_fault(answer) if status == 500 else 0
        if not fault:
            raise RouterError(f"the router answers {action} with HTTP {status}")
        return fault, answer

    # --- finding ---

    async def _find(self) -> tuple[str, _Place]:
        """Return the type of the service that connects to the world, and where it is asked."""
        location = await self._search()
        host, port, path = self._place(location, "")
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        status, description = await small_http.ask(host, port, request)
        if status != 200:
            raise RouterError(f"the router answers the question for its description with HTTP {status}")
        services = {service.type: service.control for service in read_services(description)}
        for kind in _WANTED:
            if kind in services:
                return kind, self._place(location, services[kind])
        raise RouterError("the router's description has no service for ports")

    def _place(self, base: str, url: str) -> _Place:
        """Take a URL of the router apart, as it stands relative to another.

        Raises:
            RouterError: it is none, or leads elsewhere.
        """
        try:
            parts = urlsplit(urljoin(base, url))
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            raise RouterError("the router names a malformed URL") from None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if len(base) + len(url) > _URL_CHARACTERS_MAX or parts.scheme != "http" or _PATH.fullmatch(path) is None:
            raise RouterError("the router names a malformed URL")
        if host != self._gateway:
            raise RouterError("the router points to another machine, which is not asked")
        return host, port, path

    async def _search(self) -> str:
        """Return the URL of the router's description."""
        target = (GROUP, PORT) if self._search_port is None else (self._gateway, self._search_port)
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind((self._own, 0))
            if self._search_port is None:
                sock.setsockopt(trio.socket.IPPROTO_IP, trio.socket.IP_MULTICAST_TTL, 2)
            for searched in _SEARCHED:
                await sock.sendto(_search_request(target, searched), target)
            with trio.move_on_after(SEARCH_S):
                for _ in range(ANSWERS_MAX):
                    data, sender = await sock.recvfrom(_DATAGRAM_BYTES_MAX)
                    location = read_found(data) if sender[0] == self._gateway else ""
                    if location:
                        return location
        raise RouterError("the router does not answer by UPnP")


def _search_request(target: tuple[str, int], searched: str) -> bytes:
    return (
        f"M-SEARCH * HTTP/1.1\r\nHOST: {target[0]}:{target[1]}\r\n"
        f'MAN: "ssdp:discover"\r\nMX: 1\r\nST: {searched}\r\n\r\n'
    ).encode()


def read_found(data: bytes) -> str:
    """Return where a device that answers a search has its description; empty: it is none that was searched for.

    Args:
        data: a datagram, untrusted.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    if not first.startswith(("HTTP/1.1 200", "HTTP/1.0 200")):
        return ""
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return fields.get("location", "") if fields.get("st") in _SEARCHED else ""
