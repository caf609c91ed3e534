"""Address groups: what addresses have in common that one attacker gets cheaply together.

An IPv4 address belongs to the group of its /16, an IPv6 address to that of its /32; where IPv6 only wraps IPv4 (mapped,
6to4, Teredo, NAT64) the IPv4 address counts. A host name belongs to the group of its last two labels until it is
dialled: then the address that it led to counts.

Addresses of loopback, private and link-local networks and of memory are *local*: each is a group of its own, so that
a network on one machine, or in one office, connects as any other. Nothing is gained by that from outside: local
addresses are believed of local sources alone.

Source: the discovery section of the networking specification (/16 and /32); Bitcoin Core's `NetGroupManager::GetGroup`;
RFC 6890 (networks that are not global).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, TypeAlias

from p2pcommerce.discovery.address import Address, AddressError, parse_address

__all__ = ["group_of", "host_of", "is_local", "is_name", "known_place", "source_group_of"]

_IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LABELS: Final = 2
_REMEMBERED: Final = 8_192
"""Addresses whose group is remembered: each is asked for many times, and parsing one costs more than a hash."""


@lru_cache(_REMEMBERED)
def group_of(address: str) -> bytes:
    """Return the group of an address that somebody may be dialled at.

    Raises:
        AddressError: malformed.
    """
    place = parse_address(address)
    if _is_local(place):
        return b"local " + str(place).encode()
    return _wide(place)


@lru_cache(_REMEMBERED)
def source_group_of(address: str) -> bytes:
    """Return the group of whoever speaks from an address; the port of a caller says nothing.

    Raises:
        AddressError: malformed.
    """
    place = parse_address(address)
    return b"local " + place.host.encode() if _is_local(place) else _wide(place)


@lru_cache(_REMEMBERED)
def is_local(address: str) -> bool:
    """Tell whether an address means something on this machine or in this office alone.

    Raises:
        AddressError: malformed.
    """
    return _is_local(parse_address(address))


@lru_cache(_REMEMBERED)
def is_name(address: str) -> bool:
    """Tell whether an address is a name that is not local: where it leads is told by whoever owns it.

    Raises:
        AddressError: malformed.
    """
    place = parse_address(address)
    return not _is_local(place) and _ip(place) is None


def host_of(address: str) -> str | None:
    """Return the global IP address of a place, canonical; None: it has none, or a name, or is malformed.

    Raises:
        AddressError: malformed.
    """
    place = parse_address(address)
    found = _ip(place)
    return None if found is None or _is_local(place) else str(found)


@lru_cache(_REMEMBERED)
def known_place(text: str) -> str | None:
    """Return the canonical form of an address as a transport gives it; None: it is none that others could read."""
    try:
        return str(parse_address(text))
    except AddressError:
        return None


def _ip(place: Address) -> _IP | None:
    if place.scheme != "tcp":
        return None
    try:
        found = ipaddress.ip_address(place.host)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return _inside(found)
    return found


def _inside(found: ipaddress.IPv6Address) -> _IP:
    """Return the IPv4 address that an IPv6 address wraps, or itself."""
    if found.ipv4_mapped is not None:
        return found.ipv4_mapped
    if found.sixtofour is not None:
        return found.sixtofour
    if found.teredo is not None:
        return found.teredo[1]
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found


def _is_local(place: Address) -> bool:
    if place.scheme != "tcp":
        return True
    found = _ip(place)
    if found is None:
        return place.host == "localhost" or place.host.endswith((".localhost", ".local"))
    return not found.is_global or found.is_multicast


def _wide(place: Address) -> bytes:
    found = _ip(place)
    if found is None:
        return b"name " + ".".join(place.host.split(".")[-_LABELS:]).encode()
    if isinstance(found, ipaddress.IPv4Address):
        return b"ip4 " + found.packed[:2]
    return b"ip6 " + found.packed[:4]
