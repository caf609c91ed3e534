"""What links suffer: each message is judged by every fault that is on, each with a random stream of its own.

Every fault draws for every message, whatever the others decided, so that taking one away leaves the rest as it was.
Faults that belong to links and not to messages (`one_way`, `asymmetric`, `slow_link`) are drawn once for each pair of
nodes from the pair's own number: they do not depend on the traffic.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.faults import FAULTS, check_fault
from p2pcommerce.simulation.streams import Streams

__all__ = [
    "ASYMMETRIC_US_MAX",
    "PARTITION_SHAPES",
    "REORDERING_US_MAX",
    "RETRANSMISSIONS_MAX",
    "SLOW_BACKLOG_US_MAX",
    "SLOW_BYTES_PER_S",
    "Fate",
    "LinkFault",
    "LinkFaultError",
    "LinkFaults",
    "halves",
    "isolate",
    "partition",
    "ring",
]

REORDERING_US_MAX: Final = 200_000
"""A message is held back, or its copy follows, by at most this."""
ASYMMETRIC_US_MAX: Final = 400_000
"""More delay in one direction, at most."""
SLOW_BYTES_PER_S: Final = 1_000
"""What a slow link carries, bytes in a second."""
SLOW_BACKLOG_US_MAX: Final = 60_000_000
"""A slow link that is this far behind loses the message, and a stream its connection."""
RETRANSMISSIONS_MAX: Final = 6
"""Losses in a row after which a stream's connection breaks; each is waited for twice as long as the one before."""
_RETRANSMISSION_US_MIN: Final = 200_000
_UNIT: Final = 1 << 53
PARTITION_SHAPES: Final = ("halves", "ring", "isolate")


class LinkFaultError(UsageError):
    """A fault that links cannot have."""

    code = "LINK_FAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault:
    """A fault of links.

    Attributes:
        kind: a name of `FAULTS` whose part is "link".
        intensity: above 0 and at most 1, see `FAULTS`; None: the default. A partition has none: it is on or off.
        links: (source, target), the directed links that suffer; None: all, or the drawn share of pairs.
        groups: of a partition: nodes that hear their own group only; nodes that are not named are one more group.
        ring: of a partition: nodes that hear only their two neighbours in this order; others are not cut.
    """

    kind: str
    intensity: float | None = None
    links: frozenset[tuple[int, int]] | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    ring: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check kind, intensity and shape.

        Raises:
            UnknownFaultError: no such kind.
            FaultIntensityError: out of range.
            LinkFaultError: not a fault of links, or a partition without a shape.
        """
        check_fault(self.kind, self.strength)
        if FAULTS[self.kind].part != "link":
            raise LinkFaultError(f"fault {self.kind!r} is not one of links")
        if (self.kind == "partition") != bool(self.groups or self.ring):
            raise LinkFaultError("a partition, and nothing else, needs groups or a ring")

    @property
    def strength(self) -> float:
        """The intensity, or the kind's default."""
        if self.intensity is None:
            return FAULTS[self.kind].intensity if self.kind in FAULTS else 1.0
        return self.intensity


def halves(nodes: Iterable[int], rng: random.Random) -> LinkFault:
    """Return a partition into two random halves."""
    mixed = list(nodes)
    rng.shuffle(mixed)
    middle = len(mixed) // 2
    return LinkFault(kind="partition", groups=(tuple(mixed[:middle]), tuple(mixed[middle:])))


def ring(nodes: Iterable[int], rng: random.Random) -> LinkFault:
    """Return a partition in which each node hears two random neighbours only."""
    mixed = list(nodes)
    rng.shuffle(mixed)
    return LinkFault(kind="partition", ring=tuple(mixed))


def isolate(*nodes: int) -> LinkFault:
    """Return a partition in which each of `nodes` hears nobody."""
    return LinkFault(kind="partition", groups=tuple((node,) for node in nodes))


def partition(shape: str, nodes: Sequence[int], rng: random.Random) -> LinkFault:
    """Return a partition of a shape: one of `PARTITION_SHAPES`.

    Raises:
        LinkFaultError: no such shape.
    """
    match shape:
        case "halves":
            return halves(nodes, rng)
        case "ring":
            return ring(nodes, rng)
        case "isolate":
            return isolate(nodes[rng.randrange(len(nodes))])
        case _:
            raise LinkFaultError(f"unknown partition {shape!r}; choose one of {', '.join(PARTITION_SHAPES)}")


@dataclass(slots=True)
class Fate:
    """What becomes of one message; one object, used again for each."""

    source: int = 0
    target: int = 0
    size_bytes: int = 0
    now_us: int = 0
    one_way_us: int = 0
    extra_us: int = 0
    copy_us: int = -1
    is_lost: bool = False
    is_corrupted: bool = False
    overtakes: bool = False


Judge = Callable[[Fate], None]


class LinkFaults:
    """The faults that are on.

    Attributes:
        fired: how often each kind changed the fate of a message.
    """

    def __init__(self, streams: Streams, *, keeps_order: bool) -> None:
        """Start without faults; `keeps_order`: the links are streams and not messages."""
        self.fired: Counter[str] = Counter()
        self._streams = streams
        self._keeps_order = keeps_order
        self._on: dict[str, LinkFault] = {}
        self._judges: tuple[Judge, ...] = ()
        self._fate = Fate()
        self._drawn: dict[tuple[str, int, int], int] = {}
        self._slow_free_us: dict[tuple[int, int], int] = {}
        self._group: dict[int, int] = {}
        self._place: dict[int, int] = {}
        self._makers: Mapping[str, Callable[[LinkFault], Judge]] = {
            "loss": self._loss,
            "duplication": self._duplication,
            "reordering": self._reordering,
            "corruption": self._corruption,
            "one_way": self._one_way,
            "asymmetric": self._asymmetric,
            "slow_link": self._slow_link,
            "partition": self._partition,
        }

    @property
    def active(self) -> dict[str, LinkFault]:
        """The faults that are on, by kind."""
        return dict(self._on)

    def set(self, fault: LinkFault) -> None:
        """Switch a fault on, in the place of one of its kind."""
        self._on[fault.kind] = fault
        self._rebuild()

    def clear(self, kind: str | None = None) -> None:
        """Switch a kind off; None: all of them."""
        for name in [kind] if kind is not None else list(self._on):
            self._on.pop(name, None)
        self._rebuild()

    def forget(self, source: int, target: int) -> None:
        """Drop what waits on a slow link: its connection is gone."""
        self._slow_free_us.pop((source, target), None)

    def _rebuild(self) -> None:
        self._drawn.clear()
        self._group, self._place = {}, {}
        # In the table's order, so that the order in which faults were set decides nothing.
        self._judges = tuple(self._makers[name](self._on[name]) for name in FAULTS if name in self._on)
        if "slow_link" not in self._on:
            self._slow_free_us.clear()

    def judge(self, source: int, target: int, size_bytes: int, now_us: int, one_way_us: int) -> Fate:
        """Return the fate of one message; valid until the next call."""
        fate = self._fate
        fate.source, fate.target, fate.size_bytes = source, target, size_bytes
        fate.now_us, fate.one_way_us = now_us, one_way_us
        fate.extra_us, fate.copy_us = 0, -1
        fate.is_lost = fate.is_corrupted = fate.overtakes = False
        for judge in self._judges:
            judge(fate)
        return fate

    def is_one_way(self, source: int, target: int) -> bool:
        """Tell whether `one_way` cuts what goes from `source` to `target`."""
        fault = self._on.get("one_way")
        return fault is not None and self._suffers(fault, source, target, directed=True)

    def is_cut(self, source: int, target: int) -> bool:
        """Tell whether nothing at all gets from `source` to `target`."""
        if self.is_one_way(source, target):
            return True
        if "partition" not in self._on:
            return False
        if self._group.get(source, -1) != self._group.get(target, -1):
            return True
        mine, theirs = self._place.get(source), self._place.get(target)
        if mine is None or theirs is None:
            return False
        return (mine - theirs) % len(self._place) not in {0, 1, len(self._place) - 1}

    def backlog_us(self, source: int, target: int, now_us: int) -> int:
        """Return how far a slow link is behind, microseconds."""
        return max(0, self._slow_free_us.get((source, target), 0) - now_us)

    def _suffers(self, fault: LinkFault, source: int, target: int, *, directed: bool) -> bool:
        if fault.links is not None:
            return (source, target) in fault.links
        number = self._number(fault.kind, source, target)
        if number % _UNIT >= fault.strength * _UNIT:
            return False
        return not directed or (number >> 64 & 1) == (source < target)

    def _number(self, kind: str, source: int, target: int) -> int:
        """Return the number that belongs to a kind of fault and a pair of nodes."""
        key = (kind, source, target) if source < target else (kind, target, source)
        number = self._drawn.get(key)
        if number is None:
            number = self._drawn[key] = self._streams.number(f"{key[0]}.{key[1]}.{key[2]}")
        return number

    def _draw(self, fault: LinkFault) -> Callable[[Fate], bool]:
        """Return what tells, for each message on the fault's links, whether the fault strikes."""
        draw, links, strength = self._streams.of(fault.kind).random, fault.links, fault.strength
        if links is None:
            return lambda _: draw() < strength
        return lambda fate: (fate.source, fate.target) in links and draw() < strength

    def _loss(self, fault: LinkFault) -> Judge:
        strikes = self._draw(fault)

        def lose(fate: Fate) -> None:
            if not strikes(fate):
                return
            self.fired["loss"] += 1
            if not self._keeps_order:
                fate.is_lost = True
                return
            wait_us = max(_RETRANSMISSION_US_MIN, 3 * fate.one_way_us)
            fate.extra_us += wait_us
            for _ in range(1, RETRANSMISSIONS_MAX):
                if not strikes(fate):
                    return
                wait_us *= 2
                fate.extra_us += wait_us
            fate.is_lost = True

        return lose

    def _duplication(self, fault: LinkFault) -> Judge:
        strikes, later = self._draw(fault), self._streams.of("duplication.delay").randrange

        def duplicate(fate: Fate) -> None:
            if strikes(fate):
                self.fired["duplication"] += 1
                fate.copy_us = 0 if self._keeps_order else later(REORDERING_US_MAX)

        return duplicate

    def _reordering(self, fault: LinkFault) -> Judge:
        strikes, later = self._draw(fault), self._streams.of("reordering.delay").randrange

        def reorder(fate: Fate) -> None:
            if strikes(fate) and (held_us := later(REORDERING_US_MAX)):
                self.fired["reordering"] += 1
                fate.extra_us += held_us
                fate.overtakes = not self._keeps_order

        return reorder

    def _corruption(self, fault: LinkFault) -> Judge:
        strikes = self._draw(fault)

        def corrupt(fate: Fate) -> None:
            if strikes(fate):
                self.fired["corruption"] += 1
                fate.is_corrupted = True

        return corrupt

    def _one_way(self, fault: LinkFault) -> Judge:
        def cut(fate: Fate) -> None:
            if self._suffers(fault, fate.source, fate.target, directed=True):
                self.fired["one_way"] += 1
                fate.is_lost = True

        return cut

    def _asymmetric(self, fault: LinkFault) -> Judge:
        def delay(fate: Fate) -> None:
            if self._suffers(fault, fate.source, fate.target, directed=True):
                more_us = (self._number("asymmetric", fate.source, fate.target) >> 128) % ASYMMETRIC_US_MAX
                if more_us:
                    self.fired["asymmetric"] += 1
                    fate.extra_us += more_us

        return delay

    def _slow_link(self, fault: LinkFault) -> Judge:
        def slow(fate: Fate) -> None:
            if not self._suffers(fault, fate.source, fate.target, directed=False):
                return
            self.fired["slow_link"] += 1
            link = (fate.source, fate.target)
            waiting_us = max(0, self._slow_free_us.get(link, 0) - fate.now_us)
            if waiting_us > SLOW_BACKLOG_US_MAX:
                fate.is_lost = True
                return
            waiting_us += fate.size_bytes * 1_000_000 // SLOW_BYTES_PER_S
            self._slow_free_us[link] = fate.now_us + waiting_us
            fate.extra_us += waiting_us

        return slow

    def _partition(self, fault: LinkFault) -> Judge:
        self._group = {node: index for index, group in enumerate(fault.groups) for node in group}
        self._place = {node: index for index, node in enumerate(fault.ring)}

        def cut(fate: Fate) -> None:
            if self.is_cut(fate.source, fate.target):
                self.fired["partition"] += 1
                fate.is_lost = True

        return cut
