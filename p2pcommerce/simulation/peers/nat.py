"""A network in which many nodes cannot be dialled: does everybody find peers, and are those found that are wanted?

A share of the nodes is hidden: who dials them waits in vain, though their records name an address, as those of nodes
behind a router do. Each node dials ordinary peers as ever, and keeps places for some others that it drew, as validators
of a large set keep places for their neighbours; the others did not draw it. Whoever wants a hidden node has it only if
the hidden one dials: by chance, or because it was asked to through a peer of both.

Source: the discovery section of the networking specification (NAT).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Final

from p2pcommerce.discovery import Discovery, DiscoveryParameters, sign_record
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, GenesisHash, PeerId
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.peers.host import Host
from p2pcommerce.simulation.peers.world import PeersWorld
from p2pcommerce.simulation.scheme import STAND_IN
from p2pcommerce.simulation.streams import Streams

__all__ = ["NatResult", "NatScenario", "NatScenarioError", "run_nat"]

_GENESIS: Final = GenesisHash(blake2b_256(b"a world behind routers"))
_RECORD_LIFE_MS: Final = 14 * 86_400_000
_BOOTSTRAP: Final = 2
_NODES_PER_BOOTSTRAP: Final = 10
_STARTS_US: Final = 10 * MICROSECONDS


class NatScenarioError(UsageError):
    """A scenario of hidden nodes that cannot be run."""

    code = "NAT_SCENARIO"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatScenario:
    """One network with hidden nodes.

    Attributes:
        seed: decides everything.
        nodes: how many; a tenth of them can be dialled and is known: each node begins with two of these.
        hidden: share of them that nobody can dial.
        wanted: nodes that each keeps places for.
        inbound_max: calls that a node takes which others begin with.
        run_s: seconds of world time.
        asks: whether nodes ask to be dialled; False: reverse dialling is left out, to compare with.
    """

    seed: int = 1
    nodes: int = 100
    hidden: float = 0.3
    wanted: int = 8
    inbound_max: int = 40
    run_s: float = 600.0
    asks: bool = True

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            NatScenarioError: a field is out of its range.
        """
        ranges = (
            ("nodes", 12, 10_000),
            ("hidden", 0, 0.8),
            ("wanted", 0, 64),
            ("inbound_max", 0, 10_000),
            ("run_s", 1, 10**6),
        )
        for name, low, high in ranges:
            value = getattr(self, name)
            if not low <= value <= high:
                raise NatScenarioError(f"{name} is {value}; give a value from {low:,} to {high:,}")
        if self.wanted >= self.nodes:
            raise NatScenarioError(f"wanted is {self.wanted} of {self.nodes} nodes; give more nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatResult:
    """Who is connected to whom at the end.

    Attributes:
        seed, nodes, asks: as in the scenario.
        hidden: nodes that nobody can dial.
        outbound_min, outbound_mean: connections to ordinary peers that a node dialled; without the bootstrap nodes,
            whom the others have called before they could dial them.
        pairs: a node that can be dialled wants a hidden one.
        pairs_met: share of these pairs that are connected.
        met_s: median of the seconds until they were, over those that ever were; None: none was.
        unplanned_share: share of the hidden nodes with a connection that they did not plan.
        unplanned_mean: such connections of a hidden node.
        asked: requests that were sent.
        relayed: requests that were passed on.
        called: dials at others' wish.
        called_max: of one node.
        trace_hash: over all events, 64 hexadecimal digits.
    """

    seed: int
    nodes: int
    asks: bool
    hidden: int
    outbound_min: int
    outbound_mean: float
    pairs: int
    pairs_met: float
    met_s: float | None
    unplanned_share: float
    unplanned_mean: float
    asked: int
    relayed: int
    called: int
    called_max: int
    trace_hash: str

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def run_nat(scenario: NatScenario, *, on_second: Callable[[int], None] = lambda _: None) -> NatResult:
    """Run a network to its end; the same scenario gives the same result.

    Args:
        scenario: what to run.
        on_second: hears after each second of world time how many there were.
    """
    run = _Run(scenario)
    run.run(on_second)
    return run.result()


class _Run:
    """One network of a scenario."""

    def __init__(self, scenario: NatScenario) -> None:
        self._scenario = scenario
        self._streams = streams = Streams(scenario.seed)
        groups = [(first, second) for first in range(11, 100) for second in range(256)]
        streams.of("groups").shuffle(groups)
        count = scenario.nodes
        self._known = max(_BOOTSTRAP + 1, count // _NODES_PER_BOOTSTRAP)
        hidden = streams.of("hidden").sample(range(self._known, count), int(scenario.hidden * count))
        self._seeds: dict[PeerId, bytes] = {}
        self._hosts = [self._host(number, groups[number], is_hidden=number in hidden) for number in range(count)]
        self._wanted: dict[PeerId, list[PeerId]] = {}
        for host in self._hosts:
            others = [other.key for other in self._hosts if other is not host]
            self._wanted[host.key] = streams.of("wanted").sample(others, scenario.wanted)
        self._met_us: dict[tuple[PeerId, PeerId], int] = {}
        self._world = PeersWorld(self._core, lambda _: ())
        for host in self._hosts:
            self._world.add(host)

    def _host(self, number: int, group: tuple[int, int], *, is_hidden: bool) -> Host:
        address = f"tcp://{group[0]}.{group[1]}.1.1:7400"
        seed = blake2b_256(b"host %d %d" % (self._scenario.seed, number))
        record = sign_record(STAND_IN, seed, _GENESIS, (address,), number + 1, UNIX_BASE_US // 1_000 + _RECORD_LIFE_MS)
        self._seeds[record.public_key] = seed
        return Host(address, record.public_key, record.raw, is_hidden=is_hidden)

    def _core(self, host: Host, life: int) -> Discovery:
        rng = self._streams.fresh(f"{host.address} {life}")
        known = [each.address for each in self._hosts[: self._known] if each is not host]
        addresses = self._streams.of("bootstrap").sample(known, _BOOTSTRAP)
        is_known = host in self._hosts[: self._known]
        parameters = DiscoveryParameters(inbound_max=self._scenario.inbound_max) if is_known else DiscoveryParameters()
        core = Discovery(parameters, host.key, _GENESIS, addresses, STAND_IN, rng)
        if self._scenario.asks:
            core.calls.set_caller(host.record, partial(STAND_IN.sign, self._seeds[host.key]))
        core.set_wanted(self._wanted[host.key])
        return core

    def run(self, on_second: Callable[[int], None]) -> None:
        """Let time pass, and note who meets whom when."""
        starts = self._streams.of("starts")
        for number, host in enumerate(self._hosts):
            at_us = 0 if number < self._known else starts.randrange(_STARTS_US)
            self._world.at(at_us, partial(self._world.start, host))
        for second in range(1, int(self._scenario.run_s) + 1):
            self._world.run_until(second * MICROSECONDS)
            for own, peer in self._pairs():
                if peer.key in own.links:
                    self._met_us.setdefault((own.key, peer.key), self._world.now_us)
            on_second(second)

    def _pairs(self) -> Iterator[tuple[Host, Host]]:
        """Go through the nodes that can be dialled and want a hidden one."""
        for own in self._hosts:
            if not own.is_hidden:
                for peer in self._wanted[own.key]:
                    other = self._world.host(peer)
                    if other.is_hidden:
                        yield own, other

    def result(self) -> NatResult:
        """Return what came of it."""
        pairs = list(self._pairs())
        cores = [(host, host.core) for host in self._hosts if host.core is not None]
        outbound = [core.connections.count(outbound=True) for _, core in cores[self._known :]]
        hidden = [core for host, core in cores if host.is_hidden]
        unplanned = [sum(not each.outbound for each in core.connections.values()) for core in hidden]
        told = [core.statistics() for _, core in cores]
        called = [each.get("CALLS_DIALLED", 0) for each in told]
        met_s = [at_us / MICROSECONDS for at_us in self._met_us.values()]
        return NatResult(
            seed=self._scenario.seed,
            nodes=self._scenario.nodes,
            asks=self._scenario.asks,
            hidden=len(hidden),
            outbound_min=min(outbound),
            outbound_mean=sum(outbound) / len(outbound),
            pairs=len(pairs),
            pairs_met=sum(peer.key in own.links for own, peer in pairs) / max(1, len(pairs)),
            met_s=median(met_s) if met_s else None,
            unplanned_share=sum(map(bool, unplanned)) / max(1, len(unplanned)),
            unplanned_mean=sum(unplanned) / max(1, len(unplanned)),
            asked=sum(each.get("CALLS_ASKED", 0) for each in told),
            relayed=sum(each.get("CALLS_RELAYED", 0) for each in told),
            called=sum(called),
            called_max=max(called),
            trace_hash=self._world.trace.hash,
        )
