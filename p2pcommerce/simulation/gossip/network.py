"""The nodes of a gossip world and the connections between them: made, measured, lost, made again.

It moves no messages; what strategies want done is handed to the world.

Source: the networking specification (Discovery; Gossip of transactions).
Deviations: a closed connection is noticed at once on both ends. The round-trip time of a link is the sum of its median
delays, learnt one round trip after connecting, as by the first ping of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from p2pcommerce.primitives.ids import MICROSECONDS, PeerId, PublicKey, TransactionId
from p2pcommerce.simulation.baselines import Action, Strategy
from p2pcommerce.simulation.gossip.scenario import GossipScenario
from p2pcommerce.simulation.gossip.station import OFFLINE, Station
from p2pcommerce.simulation.gossip.strategies import STRATEGIES, Setting
from p2pcommerce.simulation.gossip.topology import Topology
from p2pcommerce.simulation.links import Links
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import LatencyTable, place, table

__all__ = ["Known", "Network", "Runner"]

_CONNECT_US: Final = MICROSECONDS
"""Nodes dial at random moments of the first second."""
_REDIAL_US: Final = MICROSECONDS
"""A lost connection is replaced after so long."""
_NEAR_US: Final = 5_000
"""One-way delay of an attacker with the fastest links, to and from everybody."""
_KEY_BYTES: Final = 16


class Runner(Protocol):
    """What a network needs of its world."""

    def at(self, time_us: int, action: Callable[[int], None]) -> None:
        """Let something happen at a world time."""
        ...

    def act(self, station: Station, actions: Sequence[Action], now: int) -> None:
        """Do what a strategy wants done."""
        ...


class Known(Protocol):
    """What a world knows of its transactions, for all nodes."""

    def raw(self, tx_id: TransactionId) -> bytes | None:
        """Return the bytes of a transaction by its id (32 bytes)."""
        ...

    def identify(self, raw: bytes) -> TransactionId:
        """Return the id (32 bytes) of a transaction by its bytes."""
        ...


class Network:
    """Nodes and connections.

    Attributes:
        links: how long messages take.
        stations: the nodes.
        index_of: a node's place by its id (32 bytes).
    """

    def __init__(
        self,
        scenario: GossipScenario,
        streams: Streams,
        near: Sequence[int],
        away: Sequence[int],
        known: Known,
    ) -> None:
        """Build the nodes, without connections.

        Args:
            scenario: their number, strategy and links.
            streams: of the world.
            near: the nodes with the fastest links.
            away: the nodes that are not there before they `arrive`.
            known: the world's transactions.
        """
        self._scenario = scenario
        self._streams = streams
        self._known = known
        self._table = _table(scenario.latency_table)
        regions = place(table(scenario.latency_table), scenario.nodes, streams.of("place"))
        for node in near:
            regions[node] = len(self._table.regions) - 1
        self.links = Links(self._table, streams, nodes=regions, bandwidth_bps=scenario.bandwidth_bps, frame_bytes=0)
        self._dialling = streams.of("dialling")
        self._topology = Topology(
            scenario.nodes, outbound=scenario.outbound, inbound_max=scenario.inbound_max, rng=streams.of("topology")
        )
        identity = streams.of("identity")
        ids = [PublicKey(identity.randbytes(32)) for _ in range(scenario.nodes)]
        self.index_of = {peer: index for index, peer in enumerate(ids)}
        self._keys = {peer: identity.randbytes(_KEY_BYTES) for peer in ids}
        self._starts = 0
        self._connections = 0
        self._banned: dict[tuple[int, int], None] = {}
        hidden = streams.of("nat").sample(range(scenario.nodes), int(scenario.nat * scenario.nodes))
        self._hidden = dict.fromkeys(hidden)
        self.stations = [Station(node, peer, self._strategy(peer)) for node, peer in enumerate(ids)]
        for node in away:
            self.stations[node].since_us = OFFLINE

    def open(self, runner: Runner) -> None:
        """Let everybody dial within the first second."""
        for station in self.stations:
            when_us = self._dialling.randrange(_CONNECT_US)
            runner.at(when_us, partial(self._fill, runner, station))

    def leave(self, runner: Runner, node: int, now: int) -> None:
        """Take a node off the network."""
        station = self.stations[node]
        for peer in list(station.connections):
            self.cut(runner, station, peer, now)
        station.since_us = OFFLINE

    def join(self, runner: Runner, node: int, now: int) -> None:
        """Bring a node back that knows nothing any more."""
        station = self.stations[node]
        station.restart(self._strategy(station.peer_id), now)
        self._fill(runner, station, now)

    def arrive(self, runner: Runner, node: int, targets: Sequence[int], now: int) -> None:
        """Bring a node that was away, which dials these, as far as they have room, and then anybody."""
        station = self.stations[node]
        station.restart(self._strategy(station.peer_id), now)
        self._crowd(runner, station, targets, now)
        self._fill(runner, station, now)

    def besiege(self, runner: Runner, node: int, attackers: Sequence[int], now: int) -> None:
        """Restart a node; attackers arrive and dial it before it dials those that it knows."""
        station = self.stations[node]
        self._topology.remember(node)
        self.leave(runner, node, now)
        station.restart(self._strategy(station.peer_id), now)
        for attacker in attackers:
            self.arrive(runner, attacker, (node,), now)
        self._fill(runner, station, now)

    def dialled(self, node: int) -> Sequence[int]:
        """Return whom a node has dialled and is connected to."""
        return self._topology.dialled(node)

    def _crowd(self, runner: Runner, station: Station, targets: Sequence[int], now: int) -> None:
        for target in targets:
            if target in self._hidden:
                continue
            if target not in self._topology.neighbours[station.index] and self._topology.call(station.index, target):
                self._connect(runner, station, self.stations[target], now)

    def ban(self, runner: Runner, station: Station, peer: PeerId, now: int) -> None:
        """Cut a connection for good: its node refuses the peer (32 bytes) from now on."""
        self._banned[station.index, self.index_of[peer]] = None
        if peer in station.connections:
            self.cut(runner, station, peer, now)

    def cut(self, runner: Runner, station: Station, peer: PeerId, now: int) -> None:
        """End the connection of a node with a peer (32 bytes); whoever lacks one then dials again."""
        other = self.stations[self.index_of[peer]]
        del station.connections[peer], other.connections[station.peer_id]
        self._topology.cut(station.index, other.index)
        for here, there in ((station, other), (other, station)):
            self.links.reset(here.index, there.index)
            runner.act(here, here.strategy.disconnect(there.peer_id, now), now)
            runner.at(now + _REDIAL_US, partial(self._fill, runner, here))

    # --- inside ---

    def _strategy(self, peer: PeerId) -> Strategy:
        self._starts += 1
        setting = Setting(
            rng=self._streams.fresh(f"node.{self._starts}"),
            key_of=self._keys.__getitem__,
            own_key=self._keys[peer],
            lookup=self._known.raw,
            identify=self._known.identify,
            expected_rate=min(self._scenario.rate, self._scenario.warmup_rate),
            idontwant=self._scenario.idontwant,
            mesh=self._scenario.mesh,
        )
        return STRATEGIES[self._scenario.strategy](setting)

    def _may_call(self, caller: int, callee: int) -> bool:
        banned = self._banned
        return (
            self.stations[callee].since_us != OFFLINE
            and callee not in self._hidden
            and (caller, callee) not in banned
            and (callee, caller) not in banned
        )

    def _fill(self, runner: Runner, station: Station, now: int) -> None:
        """Let a node dial until it has the connections that it wants."""
        if station.since_us == OFFLINE:
            return
        for target in self._topology.fill(station.index, self._may_call):
            self._connect(runner, station, self.stations[target], now)

    def _connect(self, runner: Runner, caller: Station, callee: Station, now: int) -> None:
        self._connections = number = self._connections + 1
        caller.connections[callee.peer_id] = (callee.index, number)
        callee.connections[caller.peer_id] = (caller.index, number)
        runner.act(caller, caller.strategy.connect(callee.peer_id, outbound=True, now=now), now)
        runner.act(callee, callee.strategy.connect(caller.peer_id, outbound=False, now=now), now)
        links = self.links
        rtt_us = links.delay_us(caller.index, callee.index) + links.delay_us(callee.index, caller.index)
        runner.at(now + rtt_us, partial(self._measure, runner, (caller, callee, number), rtt_us))

    def _measure(self, runner: Runner, ends: tuple[Station, Station, int], rtt_us: int, now: int) -> None:
        """Tell both ends how far they are apart, if they are still connected."""
        caller, callee, number = ends
        for here, there in ((caller, callee), (callee, caller)):
            if here.connections.get(there.peer_id) == (there.index, number):
                runner.act(here, here.strategy.measured(there.peer_id, rtt_us, now), now)


def _table(name: str) -> LatencyTable:
    """Return a table with one more region, in which nobody is placed by weight: near to all others."""
    given = table(name)
    size = len(given.regions) + 1
    return replace(
        given,
        regions=(*given.regions, "near"),
        one_way_us=(*((*row, _NEAR_US) for row in given.one_way_us), (_NEAR_US,) * size),
        jitter_us=(*((*row, 0) for row in given.jitter_us), (0,) * size),
        weights=(*given.weights, 0),
    )
