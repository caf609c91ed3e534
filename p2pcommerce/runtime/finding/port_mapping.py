"""Keeps a port of the router open for others as long as the node runs.

`port_mapping = "auto"` in the configuration asks by NAT-PMP, then by UPnP. What the router gives goes into the peer
record. It is renewed at half its life and at least each ten minutes, so that a router that was restarted gives it
again; when the router refuses or does not answer, the address is withdrawn, and asked for again after pauses that
double up to an hour. When the node ends it gives the port back, and waits half a second for that at most.

A router may hang or lie: every question has a limit of time and size, an address that is not global is not believed,
and where a majority of peers sees another host, theirs counts (`discovery.advertised`).

Source: RFC 6886 section 3.3 (renewal at half the life), section 3.4 (giving back).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from p2pcommerce.discovery.address import parse_address
from p2pcommerce.runtime.finding.nat_pmp import PORT, NatPmp
from p2pcommerce.runtime.finding.router import Mapping, Router, RouterError, default_gateway, own_address
from p2pcommerce.runtime.finding.upnp import Upnp
from p2pcommerce.runtime.log import Log

__all__ = ["ASK_S", "PORTS_MAX", "RENEW_S_MAX", "UNMAP_S", "PortMapping", "ports_to_map"]

ASK_S: Final = 30.0
"""Seconds for all that one router is asked at once."""
UNMAP_S: Final = 0.5
"""Seconds that giving ports back may take when the node ends."""
RENEW_S_MAX: Final = 600.0
PAUSE_S_MIN: Final = 60.0
PAUSE_S_MAX: Final = 3_600.0
PORTS_MAX: Final = 4
"""Ports of one node that are asked for."""


def ports_to_map(listening: Sequence[str], own: str) -> tuple[int, ...]:
    """Return the TCP ports, at most 4, at which this machine listens for its router.

    Args:
        listening: addresses.
        own: this machine's IPv4 address towards the router.
    """
    places = [parse_address(address) for address in listening]
    ports = [place.port for place in places if place.scheme == "tcp" and place.host in {"0.0.0.0", own}]  # noqa: S104 - compared, never bound
    return tuple(dict.fromkeys(ports))[:PORTS_MAX]


class PortMapping:
    """The ports of one node at its router.

    Attributes:
        statistics: method, external (address), lease_s, renewals, failures, reason (of the last failure).
    """

    def __init__(
        self,
        method: str,
        gateway: str,
        listening: Sequence[str],
        on_mapped: Callable[[tuple[str, ...]], None],
        log: Log,
    ) -> None:
        """Prepare.

        Args:
            method: "nat-pmp", "upnp" or "auto".
            gateway: the router as configured: "address" or "address:port"; empty: the default route's.
            listening: where the node listens.
            on_mapped: is told at which addresses others are let in, whenever that changes.
            log: where a change is told, a line each.
        """
        self._method = method
        self._configured = gateway
        self._listening = tuple(listening)
        self._on_mapped = on_mapped
        self._log = log
        self._router: Router | None = None
        self._mapped: dict[int, Mapping] = {}
        self._told: tuple[str, ...] = ()
        self.statistics: dict[str, object] = {
            "method": None,
            "external": None,
            "lease_s": None,
            "renewals": 0,
            "failures": 0,
            "reason": None,
        }

    async def run(self) -> None:
        """Ask, renew, and give back at the end; until cancelled."""
        pause_s = PAUSE_S_MIN
        try:
            while True:
                if await self._renew():
                    pause_s = PAUSE_S_MIN
                    leases = [mapping.lease_s for mapping in self._mapped.values() if mapping.lease_s]
                    await trio.sleep(min([RENEW_S_MAX, *(lease_s / 2 for lease_s in leases)]))
                else:
                    await trio.sleep(pause_s)
                    pause_s = min(2 * pause_s, PAUSE_S_MAX)
        finally:
            with trio.move_on_after(UNMAP_S, shield=True):
                await self._unmap()

    async def _renew(self) -> bool:
        """Ask for every port; tell whether the router gave them."""
        reason = ""
        with trio.move_on_after(ASK_S):
            try:
                await self._map()
            except (RouterError, OSError) as error:
                reason = str(error)
            else:
                self._tell()
                return True
        reason = reason or f"the router takes more than {ASK_S:g} s"
        self._count("failures")
        if reason != self.statistics["reason"]:
            self._log.warning("nat", f"no port is mapped: {reason[:200]}")
        self.statistics["reason"] = reason[:200]
        self._mapped.clear()
        self._router = None
        self._tell()
        return False

    async def _map(self) -> None:
        """Ask the router that answered before, or each of the kinds that are allowed.

        Raises:
            RouterError: none of them gives the ports.
            OSError: of a socket.
        """
        gateway, _, port = self._configured.partition(":")
        gateway = gateway or default_gateway()
        own = await own_address(gateway)
        ports = ports_to_map(self._listening, own)
        if not ports:
            raise RouterError(f"the node listens at no IPv4 address that its router {gateway} could lead to")
        reasons = []
        for router in [self._router] if self._router is not None else self._routers(gateway, own, port):
            try:
                for each in ports:
                    known = self._mapped.get(each)
                    self._mapped[each] = await router.map(each, each if known is None else known.port)
            except (RouterError, OSError) as error:
                reasons.append(str(error))
            else:
                self._router = router
                self._count("renewals")
                return
        raise RouterError("; ".join(reasons))

    def _routers(self, gateway: str, own: str, port: str) -> list[Router]:
        routers: list[Router] = []
        if self._method in {"nat-pmp", "auto"}:
            routers.append(NatPmp(gateway, int(port or PORT)))
        if self._method in {"upnp", "auto"}:
            routers.append(Upnp(gateway, own, int(port) if port else None))
        return routers

    async def _unmap(self) -> None:
        router = self._router
        if router is None:
            return
        for port, mapping in self._mapped.items():
            try:
                await router.unmap(port, mapping.port)
            except (RouterError, OSError) as error:
                self._log.debug("nat", f"port {mapping.port} could not be given back: {error}")

    def _tell(self) -> None:
        addresses = tuple(f"tcp://{mapping.host}:{mapping.port}" for mapping in self._mapped.values())
        self.statistics["method"] = None if self._router is None else self._router.name
        self.statistics["external"] = addresses[0] if addresses else None
        self.statistics["lease_s"] = min((mapping.lease_s for mapping in self._mapped.values()), default=None)
        if addresses:
            self.statistics["reason"] = None
        if addresses != self._told:
            self._told = addresses
            if addresses:
                self._log.info("nat", "the router lets others in", external=",".join(addresses))
            self._on_mapped(addresses)

    def _count(self, name: str) -> None:
        count = self.statistics[name]
        self.statistics[name] = count + 1 if isinstance(count, int) else 1
