"""Poisoned records and restarts: is a node that restarts again and again left alone with an attacker?

An honest network has formed; then its bootstrap nodes vanish and a swarm comes, with ten records for each honest one,
that fills books and places for calls. One node restarts a hundred times from its book. After each restart the honest
peers among those that it dialled are counted, when it had a minute to dial.

Source: issue 5 of the project (address poisoning 10:1 and 100 restarts); Heilman et al. 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from p2pcommerce.discovery import Discovery, DiscoveryParameters, sign_record
from p2pcommerce.discovery.book import Book
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, GenesisHash
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.peers.flat_book import FlatBook
from p2pcommerce.simulation.peers.host import Host
from p2pcommerce.simulation.peers.swarm import Swarm
from p2pcommerce.simulation.peers.world import PeersWorld
from p2pcommerce.simulation.scheme import STAND_IN
from p2pcommerce.simulation.streams import Streams

__all__ = ["BOOKS", "PoisonResult", "PoisonScenario", "PoisonScenarioError", "run_poison"]

_GENESIS: Final = GenesisHash(blake2b_256(b"a world of discovery"))
_RECORD_LIFE_MS: Final = 14 * 86_400_000
_DOWN_US: Final = 5 * MICROSECONDS
_SETTLED_US: Final = 10 * MICROSECONDS
_LOOK_US: Final = 60 * MICROSECONDS
_BOOTSTRAP: Final = 2
_HONEST_ENOUGH: Final = 2
_PORT: Final = 7_400

BOOKS: Final[Mapping[str, tuple[type[Book], DiscoveryParameters]]] = MappingProxyType(
    {
        "buckets": (Book, DiscoveryParameters()),
        "flat": (
            FlatBook,
            DiscoveryParameters(outbound_per_group_max=8, outbound_new_bps=10_000, feeler_us=0, anchors_max=0),
        ),
    }
)
"""Name -> the address book, and the rules that go with it: the product's, and those of a node without defences."""


class PoisonScenarioError(UsageError):
    """A scenario of poisoned records that cannot be run."""

    code = "POISON_SCENARIO"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonScenario:
    """One world of poisoned records.

    Attributes:
        seed: decides everything.
        honest: honest nodes, without those of the bootstrap.
        poison: hostile records for each honest one; the swarm answers at each of their addresses.
        groups: address groups (/16) in which the swarm has addresses.
        restarts: of the victim.
        warm_s: seconds before the swarm comes.
        attack_s: seconds of attack before the first restart.
        life_s: seconds between restarts.
        book: `buckets` (the product's) or `flat`.
    """

    seed: int = 1
    honest: int = 50
    poison: int = 10
    groups: int = 32
    restarts: int = 100
    warm_s: float = 1_200.0
    attack_s: float = 300.0
    life_s: float = 120.0
    book: str = "buckets"

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            PoisonScenarioError: a field is out of its range, or a name is not known.
        """
        if self.book not in BOOKS:
            raise PoisonScenarioError(f'unknown book "{self.book}"; choose one of {", ".join(BOOKS)}')
        ranges = (("honest", 2, 10_000), ("poison", 0, 1_000), ("groups", 1, 10_000), ("restarts", 1, 100_000))
        for name, low, high in (*ranges, ("warm_s", 0, 10**6), ("attack_s", 0, 10**6), ("life_s", 61, 10**6)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise PoisonScenarioError(f"{name} is {value}; give a value from {low:,} to {high:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonResult:
    """What the restarts led to.

    Attributes:
        seed, book, honest, poison, groups, restarts: as in the scenario.
        honest_outbound: after each restart, the honest peers that the victim had dialled.
        ok_share: share of restarts with at least two of them.
        honest_outbound_min, honest_outbound_mean: over the restarts.
        honest_outbound_low: the fewest at any full second of the victim's lives, from 10 s after each restart.
        honest_in_tried: share of honest peers among those reached, in the victim's book at the end.
        trace_hash: over all events, 64 hexadecimal digits.
    """

    seed: int
    book: str
    honest: int
    poison: int
    groups: int
    restarts: int
    honest_outbound: tuple[int, ...]
    ok_share: float
    honest_outbound_min: int
    honest_outbound_mean: float
    honest_outbound_low: int
    honest_in_tried: float
    trace_hash: str

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def run_poison(scenario: PoisonScenario, *, on_restart: Callable[[int], None] = lambda _: None) -> PoisonResult:
    """Run a world to its end; the same scenario gives the same result.

    Args:
        scenario: what to run.
        on_restart: hears after each restart how many there were.
    """
    run = _Run(scenario)
    counts = run.counts(on_restart)
    return PoisonResult(
        seed=scenario.seed,
        book=scenario.book,
        honest=scenario.honest,
        poison=scenario.poison,
        groups=scenario.groups,
        restarts=scenario.restarts,
        honest_outbound=tuple(counts),
        ok_share=sum(count >= _HONEST_ENOUGH for count in counts) / len(counts),
        honest_outbound_min=min(counts),
        honest_outbound_mean=sum(counts) / len(counts),
        honest_outbound_low=run.low,
        honest_in_tried=run.honest_in_tried(),
        trace_hash=run.world.trace.hash,
    )


class _Run:
    """One world of a scenario."""

    def __init__(self, scenario: PoisonScenario) -> None:
        self._scenario = scenario
        self._streams = streams = Streams(scenario.seed)
        groups = [(first, second) for first in range(11, 100) for second in range(256)]
        streams.of("groups").shuffle(groups)
        hostile, others = groups[: scenario.groups], groups[scenario.groups :]
        self.low = DiscoveryParameters().outbound_target
        self._made = 0
        self._honest = [self._host(others[number % len(others)]) for number in range(scenario.honest + _BOOTSTRAP)]
        self._bootstrap = self._honest[:_BOOTSTRAP]
        count = scenario.honest * scenario.poison
        puppets = [self._host(hostile[number % len(hostile)], is_hostile=True) for number in range(count)]
        self._swarm = Swarm(puppets, streams.of("swarm"))
        self.world = PeersWorld(self._core, self._swarm.answer)
        for host in (*self._honest, *puppets):
            self.world.add(host)

    def _host(self, group: tuple[int, int], *, is_hostile: bool = False) -> Host:
        self._made += 1
        rng = self._streams.of("addresses")
        address = (
            f"tcp://{group[0]}.{group[1]}.{rng.randrange(256)}.{rng.randrange(1, 255)}:{_PORT + self._made % 1_000}"
        )
        seed = blake2b_256(b"host %d %d" % (self._scenario.seed, self._made))
        expires_ms = UNIX_BASE_US // 1_000 + _RECORD_LIFE_MS
        record = sign_record(STAND_IN, seed, _GENESIS, (address,), self._made, expires_ms)
        return Host(address, record.public_key, record.raw, is_hostile=is_hostile)

    def _core(self, host: Host, life: int) -> Discovery:
        book, parameters = BOOKS[self._scenario.book]
        rng = self._streams.fresh(f"{host.address} {life}")
        addresses = [each.address for each in self._bootstrap if each is not host]
        made = book(_GENESIS, parameters, rng)
        return Discovery(parameters, host.key, _GENESIS, addresses, STAND_IN, rng, made)

    def counts(self, on_restart: Callable[[int], None]) -> list[int]:
        """Let the attack run; return the honest peers that the victim had dialled after each restart."""
        scenario, world = self._scenario, self.world
        starts = self._streams.of("starts")
        for host in self._honest:
            world.at(starts.randrange(10 * MICROSECONDS), partial(world.start, host))
        world.run_until(_us(scenario.warm_s))
        for host in self._bootstrap:
            world.stop(host)
        _, parameters = BOOKS[scenario.book]
        if self._swarm.puppets:
            self._swarm.begin(world, self._honest[_BOOTSTRAP:], self._honest[-1], parameters.inbound_max)
        world.run_until(world.now_us + _us(scenario.attack_s))
        counts: list[int] = []
        for _ in range(scenario.restarts):
            counts.append(self._restart())
            on_restart(len(counts))
        return counts

    def _restart(self) -> int:
        """Restart the victim, and return how many honest peers it has dialled a minute later."""
        world, victim = self.world, self._honest[-1]
        world.stop(victim)
        world.run_until(world.now_us + _DOWN_US)
        world.start(victim)
        begun_us = world.now_us
        world.run_until(begun_us + _SETTLED_US)
        self._watch(begun_us + _LOOK_US)
        honest = self._honest_outbound()
        self._watch(begun_us + _us(self._scenario.life_s) - _DOWN_US)
        return honest

    def _watch(self, until_us: int) -> None:
        """Let time pass, and look each second at what the victim is left with."""
        while self.world.now_us < until_us:
            self.low = min(self.low, self._honest_outbound())
            self.world.run_until(self.world.now_us + MICROSECONDS)

    def _honest_outbound(self) -> int:
        return sum(not peer.is_hostile for peer in self.world.outbound(self._honest[-1]))

    def honest_in_tried(self) -> float:
        """Return the share of honest peers among those that the victim has reached."""
        core = self._honest[-1].core
        reached = [] if core is None else [entry.peer for entry in core.book if entry.reached_ms]
        return sum(not self.world.host(peer).is_hostile for peer in reached) / max(1, len(reached))


def _us(seconds: float) -> int:
    return round(seconds * MICROSECONDS)
