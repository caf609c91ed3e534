"""Begins the sources of peers that the configuration asks for, and gathers what they say of themselves.

A source is a task of its own beside the node: nothing waits for it. What it finds goes to discovery, which bounds what
one source can do; what it learns of this node's own addresses goes into the peer record that every handshake carries,
and to the peers that are connected already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from p2pcommerce.discovery.seed_text import SeedAnswer, source_of_seed
from p2pcommerce.node.effects import Transmit
from p2pcommerce.runtime.assembly import Assembly
from p2pcommerce.runtime.connection import HANDSHAKE_S
from p2pcommerce.runtime.driver import Driver
from p2pcommerce.wire.messages import Peers

__all__ = ["Sources"]


class Sources:
    """The sources of one node."""

    def __init__(self, assembly: Assembly, driver: Driver) -> None:
        """Prepare; nothing is imported or opened before `begin`."""
        self._assembly = assembly
        self._driver = driver
        self._listening: tuple[str, ...] = ()
        self._nursery: trio.Nursery | None = None
        self._statistics: dict[str, Mapping[str, object]] = {}

    def statistics(self) -> dict[str, dict[str, object]]:
        """Return for each source that is on what it says of itself: int, str, None."""
        return {name: dict(counters) for name, counters in self._statistics.items()}

    def begin(self, nursery: trio.Nursery, listening: Sequence[str]) -> None:
        """Begin the sources that are on; none is waited for.

        Args:
            nursery: they run in it.
            listening: where the node listens.

        Raises:
            UsageError: a source lacks what it needs; one line says what to install.
        """
        self._listening = tuple(listening)
        self._nursery = nursery
        config = self._assembly.config
        if config.dns_seeds:
            self._begin_dns(nursery)
        if config.lan:
            self._begin_lan(nursery)
        if config.port_mapping != "off":
            self._begin_port_mapping(nursery)

    def _begin_dns(self, nursery: trio.Nursery) -> None:
        from p2pcommerce.runtime.finding.dns_seeds import DnsSeeds  # noqa: PLC0415 - only what is on is imported

        config = self._assembly.config
        seeds = DnsSeeds(config.dns_seeds, config.dns_server, config.genesis.hash, self._on_seed, self._assembly.log)
        self._statistics["dns_seeds"] = seeds.counters
        is_known = len(self._driver.core.discovery.book) > 0
        nursery.start_soon(seeds.run, is_known, lambda: len(self._driver.links.attached))

    def _on_seed(self, name: str, told: SeedAnswer) -> None:
        discovery = self._driver.core.discovery
        discovery.on_hints(told.addresses)
        discovery.on_found(told.records, source_of_seed(name), self._driver.clock.now())
        self._driver.give([])

    def _begin_lan(self, nursery: trio.Nursery) -> None:
        from p2pcommerce.discovery.beacon import BEACON_SOURCE, write_beacon  # noqa: PLC0415 - only what is on
        from p2pcommerce.runtime.finding.lan import Lan, nearby  # noqa: PLC0415 - only what is on is imported

        config, driver = self._assembly.config, self._driver

        def take(record: bytes) -> None:
            driver.core.discovery.on_found([record], BEACON_SOURCE, driver.clock.now())
            driver.give([])

        def on_near(own: str) -> None:
            self._assembly.nearby = nearby(self._listening, own)
            driver.core.discovery.set_own_addresses(self._assembly.nearby)

        lan = Lan(
            config.lan_interface,
            config.genesis.hash,
            lambda: write_beacon(config.genesis.hash, self._record()),
            on_near,
            take,
            driver.clock,
            self._assembly.log,
        )
        self._statistics["lan"] = lan.beacons.counters
        nursery.start_soon(lan.run)

    def _record(self) -> bytes:
        return self._assembly.local_peer(self._listening, self._driver.clock.now()).peer_record

    def _begin_port_mapping(self, nursery: trio.Nursery) -> None:
        from p2pcommerce.runtime.finding.port_mapping import PortMapping  # noqa: PLC0415 - only what is on is imported

        config = self._assembly.config
        mapping = PortMapping(config.port_mapping, config.gateway, self._listening, self._on_mapped, self._assembly.log)
        self._statistics["port_mapping"] = mapping.statistics
        nursery.start_soon(mapping.run)

    def _on_mapped(self, addresses: tuple[str, ...]) -> None:
        """The router lets others in elsewhere than before: tell that to who will connect, and to who is."""
        self._assembly.mapped = addresses
        self._driver.core.discovery.set_own_addresses(addresses)
        if self._nursery is not None:
            self._nursery.start_soon(self._announce)

    async def _announce(self) -> None:
        """Tell the peers of the new record; again when those that were shaking hands with the old one are connected."""
        self._tell_peers()
        await trio.sleep(HANDSHAKE_S)
        self._tell_peers()

    def _tell_peers(self) -> None:
        record = self._record()
        self._driver.give([Transmit(peer, Peers((record,))) for peer in self._driver.links.attached])
