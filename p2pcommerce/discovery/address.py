"""Addresses: where a node can be dialled, as people write them and as records carry them.

    tcp://192.0.2.7:7400     tcp://[2001:db8::7]:7400     tcp://seed.example:7400     memory://name

An address has one canonical form (lower case, IPv6 compressed, port without leading zeros): `str(address)`. The room
parses and prints; it resolves no names and opens nothing.

Source: RFC 3986 section 3.2.2 (hosts), RFC 1123 section 2.1 (names), RFC 5952 (the one form of an IPv6 address; one
that maps an IPv4 address as in its section 5).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NoReturn

from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import UsageError

__all__ = ["ADDRESS_BYTES_MAX", "Address", "AddressError", "parse_address"]

ADDRESS_BYTES_MAX: Final = 272
"""`tcp://`, a name of 253 characters, a colon and a port, rounded up."""

_REMEMBERED: Final = 8_192
"""Addresses that need not be parsed again: each is looked at many times."""
_NAME_MAX: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MEMORY_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_FORMS: Final = "write tcp://host:port (IPv6 in brackets) or memory://name"


class AddressError(UsageError):
    """An address that nobody could dial or listen on."""

    code = "ADDRESS"


@dataclass(frozen=True, slots=True)
class Address:
    """One parsed address.

    Attributes:
        scheme: the transport.
        host: a name, an IPv4 or an IPv6 address (without brackets), lower case; for memory: the name.
        port: 1 to 65,535, 0 for "any free port" when listening; 0 for memory.
    """

    scheme: Literal["tcp", "memory"]
    host: str
    port: int

    @override
    def __str__(self) -> str:
        if self.scheme == "memory":
            return f"memory://{self.host}"
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"

    @property
    def can_be_dialled(self) -> bool:
        """Whether it names a place: not port 0, not "all interfaces"."""
        if self.scheme == "memory":
            return True
        return self.port != 0 and self.host not in {"0.0.0.0", "::"}  # noqa: S104 - compared, never bound


@lru_cache(_REMEMBERED)
def parse_address(text: str) -> Address:
    """Read an address that a person or a peer wrote.

    Args:
        text: at most 272 bytes.

    Raises:
        AddressError: not an address; the message says why and what to write instead.
    """
    if len(text) > ADDRESS_BYTES_MAX:
        raise AddressError(f"an address of {len(text)} characters, at most {ADDRESS_BYTES_MAX} allowed; {_FORMS}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise AddressError(f'"{text}" is no address: {_FORMS}')
    if scheme == "memory":
        if _MEMORY_NAME.fullmatch(rest) is None:
            raise AddressError(f'"{text}": a memory name has 1 to 64 of a-z, 0-9, dot, dash and underscore')
        return Address("memory", rest, 0)
    if scheme != "tcp":
        raise AddressError(f'"{text}": "{scheme}" is no known transport; {_FORMS}')
    host, port = _split(text, rest)
    return Address("tcp", host, port)


def _split(text: str, rest: str) -> tuple[str, int]:
    """Return host and port of what follows `tcp://`."""
    if rest.startswith("["):
        inside, bracket, after = rest[1:].partition("]")
        if not bracket or not after.startswith(":"):
            raise AddressError(f'"{text}": write an IPv6 address as tcp://[address]:port')
        return _ipv6(text, inside), _port(text, after[1:])
    host, colon, port = rest.rpartition(":")
    if not colon:
        raise AddressError(f'"{text}" has no port: {_FORMS}')
    if ":" in host:
        raise AddressError(f'"{text}": an IPv6 address stands in brackets, as tcp://[{host}]:{port}')
    return _host(text, host), _port(text, port)


def _ipv6(text: str, host: str) -> str:
    try:
        found = ipaddress.IPv6Address(host) if "%" not in host else _no_zone(text)
    except ValueError:
        raise AddressError(f'"{text}": "{host}" is no IPv6 address') from None
    # What `str` makes of a mapped IPv4 address differs between versions of Python, and with it the verdict on a record.
    return str(found) if found.ipv4_mapped is None else f"::ffff:{found.ipv4_mapped}"


def _no_zone(text: str) -> NoReturn:
    raise AddressError(f'"{text}": a zone (%...) means nothing to other nodes; use a global address')


def _host(text: str, host: str) -> str:
    name = host.lower()
    labels = name.split(".")
    if labels[-1].isascii() and labels[-1].isdigit():
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise AddressError(f'"{text}": "{host}" is no IPv4 address') from None
    if len(name) > _NAME_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError(f'"{text}": "{host}" is no host name')
    return name


def _port(text: str, port: str) -> int:
    number = int(port) if _PORT.fullmatch(port) else -1
    if not 0 <= number <= 65_535:
        raise AddressError(f'"{text}": the port must be a number from 0 to 65535')
    return number
