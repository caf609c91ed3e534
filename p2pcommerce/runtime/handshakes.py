"""Who may begin a handshake: callers that have not proven anything yet are bounded, in all, per host and per subnet.

A handshake costs a task, a socket and a public-key operation before anything is known of the caller. So that one of
them cannot take all places: whoever is beyond the share of its host or subnet is closed at once and counted; when all
places are taken, callers wait in the listener's backlog. There are fewer places where the process may open few files:
the disk must not fail for want of descriptors because strangers call.

Source: the networking specification (caps on pending handshakes in total, per address and per subnet); the shares are
ours, wide enough for a whole network of nodes on one machine.
"""

from __future__ import annotations

import ipaddress
import resource
from collections import Counter
from typing import Final

import trio

__all__ = ["HANDSHAKES_MAX", "PER_HOST_MAX", "PER_SUBNET_MAX", "Handshakes", "places_of"]

HANDSHAKES_MAX: Final = 512
"""Handshakes under way at once; more connections wait to be accepted."""
PER_HOST_MAX: Final = 64
PER_SUBNET_MAX: Final = 128
"""A subnet is a /24 of IPv4 and a /48 of IPv6."""


_IPV6_BITS: Final = 48
_FILES_PER_PLACE: Final = 4
"""Of the files that the process may open, at most a fourth go to callers that have not proven anything."""


def places_of(files_max: int) -> int:
    """Return how many handshakes may be under way in a process that may open so many files; -1: any number."""
    return HANDSHAKES_MAX if files_max < 0 else max(1, min(HANDSHAKES_MAX, files_max // _FILES_PER_PLACE))


class Handshakes:
    """The handshakes that callers have under way."""

    def __init__(self, places: int | None = None) -> None:
        """Begin with none.

        Args:
            places: how many may be under way at once; None: what the process's limit of open files allows.
        """
        self._places = places_of(resource.getrlimit(resource.RLIMIT_NOFILE)[0]) if places is None else places
        self._under_way: dict[int, tuple[str, str]] = {}
        self._hosts: Counter[str] = Counter()
        self._subnets: Counter[str] = Counter()
        self._room = trio.Event()

    def __len__(self) -> int:
        return len(self._under_way)

    async def wait_room(self) -> None:
        """Wait until a place is free."""
        while len(self._under_way) >= self._places:
            self._room = trio.Event()
            await self._room.wait()

    def begin(self, link: int, address: str) -> bool:
        """Take a place for a caller; False if its host or subnet has its share.

        Args:
            link: the connection's number.
            address: the caller's, as the transport gives it.
        """
        host = address.partition("://")[2].rpartition(":")[0]
        subnet = _subnet(host)
        if self._hosts[host] >= PER_HOST_MAX or self._subnets[subnet] >= PER_SUBNET_MAX:
            return False
        self._under_way[link] = host, subnet
        self._hosts[host] += 1
        self._subnets[subnet] += 1
        return True

    def end(self, link: int) -> None:
        """A handshake has succeeded or failed: another may begin. Of one that is not under way nothing happens."""
        place = self._under_way.pop(link, None)
        if place is None:
            return
        for counts, name in zip((self._hosts, self._subnets), place, strict=True):
            counts[name] -= 1
            if not counts[name]:
                del counts[name]
        self._room.set()


def _subnet(host: str) -> str:
    """Return what the hosts of one subnet have in common."""
    if not host.startswith("["):
        return host.rpartition(".")[0]
    try:
        return str(ipaddress.IPv6Network((host.strip("[]").partition("%")[0], _IPV6_BITS), strict=False))
    except ValueError:
        return host
