"""The local network: tells of this node by multicast, and listens to others.

`lan = true` in the configuration. A beacon (`discovery.beacon`) goes to 239.192.80.50, port 7401, at once, after two
seconds, after ten, and then about each minute; it never leaves the local link. Where there is no multicast, as in some
containers or while a network is down, that is said in one line of the log and the node runs without, and tries again
after pauses that double from a minute to an hour.

Source: RFC 2365 section 6.2 (addresses of an organization's own), RFC 1112 (multicast, time to live 1).
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import trio

from p2pcommerce.discovery.address import parse_address
from p2pcommerce.discovery.beacon import BEACON_BYTES_MAX, Beacons
from p2pcommerce.primitives.ids import GenesisHash
from p2pcommerce.runtime.clock import Clock
from p2pcommerce.runtime.finding.router import own_address
from p2pcommerce.runtime.log import Log

__all__ = ["GROUP", "INTERVAL_S", "PAUSE_S_MAX", "PAUSE_S_MIN", "PORT", "Lan", "nearby"]

GROUP: Final = "239.192.80.50"
PORT: Final = 7401
INTERVAL_S: Final = 60.0
"""Seconds between two beacons, give or take a quarter, so that nodes that started together do not send together."""
PAUSE_S_MIN: Final = 60.0
PAUSE_S_MAX: Final = 3_600.0
_PAUSES_FIRST_S: Final = (2.0, 8.0)
_TURN: Final = 16
"""Datagrams that are read before others get their turn."""


def nearby(listening: Sequence[str], own: str) -> tuple[str, ...]:
    """Return where others of the local network reach a node that listens on all interfaces.

    Args:
        listening: addresses.
        own: this machine's IPv4 address in the local network.
    """
    places = [parse_address(address) for address in listening]
    return tuple(
        str(replace(place, host=own))
        for place in places
        if place.scheme == "tcp" and place.host == "0.0.0.0"  # noqa: S104 - compared, never bound
    )


class Lan:
    """The local network of one node.

    Attributes:
        beacons: takes in what others send.
    """

    def __init__(
        self,
        interface: str,
        genesis_hash: GenesisHash,
        beacon: Callable[[], bytes],
        on_near: Callable[[str], None],
        take: Callable[[bytes], None],
        clock: Clock,
        log: Log,
    ) -> None:
        """Prepare.

        Args:
            interface: its IPv4 address; empty: the system's choice.
            genesis_hash: of this network, 32 bytes.
            beacon: gives this node's datagram as it stands now.
            on_near: is told this machine's own address in the local network, before the first beacon.
            take: is given records, unchecked.
            clock: gives `now`.
            log: where it is told that there is no multicast.
        """
        self._interface = interface
        self._beacon = beacon
        self._on_near = on_near
        self._take = take
        self._clock = clock
        self._log = log
        self.beacons = Beacons(genesis_hash)

    async def run(self) -> None:
        """Tell and listen until cancelled; where there is no multicast, try again after a while."""
        pause_s, reason = PAUSE_S_MIN, ""
        while True:
            sent = self.beacons.counters["sent"]
            failure = await self._run()
            if self.beacons.counters["sent"] > sent:
                pause_s, reason = PAUSE_S_MIN, ""
            self.beacons.counters["failed"] += 1
            if failure != reason:
                self._log.warning("lan", f"the local network is not used for now, there is no multicast: {failure}")
            reason = failure
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def _run(self) -> str:
        """Tell and listen until that fails; return why it did."""
        failure = ""
        try:
            with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                await self._open(sock)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._tell, sock)
                    nursery.start_soon(self._listen, sock)
        except* OSError as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            failure = str(error)
        return failure

    async def _open(self, sock: trio.socket.SocketType) -> None:
        own = self._interface or await own_address(GROUP)
        interface = socket.inet_aton(own)
        # Several nodes of one machine listen at the same port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await sock.bind((GROUP, PORT))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        self._on_near(own)

    async def _tell(self, sock: trio.socket.SocketType) -> None:
        rng = random.SystemRandom()
        for pause_s in _PAUSES_FIRST_S:
            await self._send(sock)
            await trio.sleep(pause_s)
        while True:
            await self._send(sock)
            await trio.sleep(INTERVAL_S * rng.uniform(0.75, 1.25))

    async def _send(self, sock: trio.socket.SocketType) -> None:
        await sock.sendto(self._beacon(), (GROUP, PORT))
        self.beacons.counters["sent"] += 1

    async def _listen(self, sock: trio.socket.SocketType) -> None:
        while True:
            for _ in range(_TURN):
                # One byte more than a beacon may have: a longer datagram is cut there, and refused by its size.
                data, sender = await sock.recvfrom(BEACON_BYTES_MAX + 1)
                record = self.beacons.take(data, sender[0], self._clock.now())
                if record is not None:
                    self._take(record)
            await trio.lowlevel.checkpoint()
