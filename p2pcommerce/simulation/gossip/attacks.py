"""What goes wrong in a gossip world: small classes over the same cores.

An attacker runs the strategy like everybody else and behaves until the attack begins; then it withholds some of what
its core wants to send, judges some transactions differently, or sends more than its core wants. Churn and a cold start
are no attacks but are asked for in the same way.

A swarm (`Sybil`, `Eclipse`) is away until it comes all at once to a network that stands.

Source: the networking specification (Under attack); the deterministic simulator specification (Adversaries).
Deviations: a gossip world has no discovery; a swarm takes connections up to the product's caps by itself, and a victim
that comes back dials as the product's `Selection` does: half of the time whom it reached before, else anybody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.baselines import GossipMessage, IHave
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.wire.messages import SHORT_ID_BYTES, Announce, Found, Ids, Stem, Symbols, Transactions

__all__ = [
    "ATTACKS",
    "Attack",
    "Censor",
    "Churn",
    "ColdStart",
    "Eclipse",
    "Mute",
    "NeverAnswering",
    "Spam",
    "Spies",
    "Stage",
    "Swallow",
    "Swarm",
    "Sybil",
]


class Stage(Protocol):
    """What an attack may do to a world."""

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        ...

    @property
    def node_rate(self) -> float:
        """Transactions per second that one node publishes on average."""
        ...

    @property
    def payload_bytes(self) -> int:
        """Size of a transaction."""
        ...

    def at(self, time_us: int, action: Callable[[int], None]) -> None:
        """Let something happen at a world time."""
        ...

    def peers(self, node: int) -> Sequence[int]:
        """Return who is connected to a node."""
        ...

    def inject(self, node: int, peer: int, message: GossipMessage) -> None:
        """Send a message to a peer that the node's core did not ask for."""
        ...

    def leave(self, node: int) -> None:
        """Take a node off the network."""
        ...

    def join(self, node: int) -> None:
        """Bring a node back that knows nothing any more."""
        ...

    def dialled(self, node: int) -> Sequence[int]:
        """Return whom a node has dialled and is connected to."""
        ...

    def arrive(self, node: int, targets: Sequence[int]) -> None:
        """Bring a node that was away, which dials these, as far as they have room, and then anybody."""
        ...

    def besiege(self, node: int, attackers: Sequence[int]) -> None:
        """Restart a node; attackers arrive and dial it before it dials those that it knows."""
        ...


class Attack:
    """Nothing goes wrong; the base of all that does.

    Attributes:
        share: of the nodes that take part, unless the scenario says otherwise.
        near: those nodes have the fastest links, unless the scenario says otherwise.
        honest: those nodes count as honest.
        warm: nodes get to know each other before it begins.
        settle_s: seconds between its beginning and the measured window, unless the scenario says otherwise.
        away: those nodes are not there before it begins.
        spying: those nodes guess who published what.
    """

    share: ClassVar[float] = 0.0
    near: ClassVar[bool] = False
    honest: ClassVar[bool] = False
    warm: ClassVar[bool] = True
    settle_s: ClassVar[float] = 0.0
    away: ClassVar[bool] = False
    spying: ClassVar[bool] = False

    def __init__(self, nodes: Sequence[int], others: Sequence[int], rng: random.Random) -> None:
        """Take the nodes that take part, and the others, both in order."""
        self.nodes = nodes
        self.others = others
        self.rng = rng

    def begin(self, stage: Stage) -> None:
        """Start it."""

    def passes(self, message: GossipMessage) -> bool:
        """Tell whether an attacker sends what its core wants to send."""
        del message
        return True

    def verdict(self, publication: Publication) -> Verdict:
        """Return what an attacker says of a valid transaction."""
        del publication
        return Verdict.ACCEPT

    def origin(self) -> int:
        """Draw who publishes next."""
        return self.others[self.rng.randrange(len(self.others))]

    def is_measured(self, origin: int) -> bool:
        """Tell whether latency and delivery of a node's transactions count."""
        del origin
        return True

    @property
    def only(self) -> int | None:
        """The node whose sending and receiving alone is measured; None: that of all."""
        return None


class Mute(Attack):
    """Attackers take everything, and neither push nor announce anything."""

    share = 0.2

    @override
    def passes(self, message: GossipMessage) -> bool:
        """Send roles and questions, and no content."""
        return type(message) not in {Transactions, Announce, IHave, Symbols, Ids, Found}


class NeverAnswering(Attack):
    """Attackers with the fastest links announce everything, take every role, and send no transaction."""

    share = 0.2
    near = True

    @override
    def passes(self, message: GossipMessage) -> bool:
        """Send everything but transactions."""
        return type(message) is not Transactions


class Censor(Attack):
    """Attackers with the fastest links serve everybody well, but never pass on what one victim publishes.

    The victim publishes one transaction in four; only these are measured.
    """

    share = 0.2
    near = True
    _ONE_IN: Final = 4

    @property
    def victim(self) -> int:
        """Who is censored."""
        return self.others[0]

    @override
    def verdict(self, publication: Publication) -> Verdict:
        """Drop what is the victim's."""
        return Verdict.IGNORE if publication.origin == self.victim else Verdict.ACCEPT

    @override
    def origin(self) -> int:
        """Draw the victim often."""
        return self.victim if self.rng.randrange(self._ONE_IN) == 0 else super().origin()

    @override
    def is_measured(self, origin: int) -> bool:
        """Only the victim's count."""
        return origin == self.victim


class Spies(Attack):
    """Attackers do all that they should, and note who hands them what first."""

    share = 0.2
    spying = True


class Swallow(Spies):
    """Spies that keep the private transactions which they should pass on."""

    @override
    def passes(self, message: GossipMessage) -> bool:
        """Send everything but what goes by a stem."""
        return type(message) is not Stem


class Churn(Attack):
    """Some nodes come and go: 10 s online and 5 s offline on average, and come back with an empty memory."""

    share = 0.2
    honest = True
    _ONLINE_S: Final = 10.0
    _OFFLINE_S: Final = 5.0

    @override
    def begin(self, stage: Stage) -> None:
        """Let each of them leave in its time."""
        for node in self.nodes:
            self._later(stage, self._ONLINE_S, partial(self._leave, stage, node))

    def _later(self, stage: Stage, mean_s: float, action: Callable[[int], None]) -> None:
        stage.at(stage.now_us + round(self.rng.expovariate(1 / mean_s) * MICROSECONDS), action)

    def _leave(self, stage: Stage, node: int, _now: int) -> None:
        stage.leave(node)
        self._later(stage, self._OFFLINE_S, partial(self._join, stage, node))

    def _join(self, stage: Stage, node: int, _now: int) -> None:
        stage.join(node)
        self._later(stage, self._ONLINE_S, partial(self._leave, stage, node))


class ColdStart(Attack):
    """Nobody has heard anything before the measured window."""

    warm = False


class Spam(Attack):
    """Attackers send invalid transactions and announce false ids, at 100 times a node's rate, to all peers."""

    share = 0.05
    _FACTOR: Final = 100
    _INTERVAL_US: Final = MICROSECONDS // 10

    @override
    def begin(self, stage: Stage) -> None:
        """Start all attackers, not all in one moment."""
        for node in self.nodes:
            first_us = stage.now_us + self.rng.randrange(self._INTERVAL_US)
            stage.at(first_us, partial(self._spam, stage, node))

    def _spam(self, stage: Stage, node: int, now: int) -> None:
        count = max(1, round(self._FACTOR * stage.node_rate * self._INTERVAL_US / MICROSECONDS))
        for peer in stage.peers(node):
            for _ in range(count):
                stage.inject(node, peer, Transactions((self.rng.randbytes(stage.payload_bytes),)))
            entries = tuple((self.rng.randbytes(SHORT_ID_BYTES), stage.payload_bytes, 1) for _ in range(count))
            stage.inject(node, peer, Announce(entries))
        stage.at(now + self._INTERVAL_US, partial(self._spam, stage, node))


class Swarm(NeverAnswering):
    """Four attackers for each honest node come at once, near to everybody, and never answer.

    Attributes:
        honest_dialled_min: fewest honest nodes that one of those under attack was connected to by its own dialling.
    """

    share = 0.8
    settle_s = 60.0
    away = True
    _LOOK_US: Final = MICROSECONDS // 10

    def __init__(self, nodes: Sequence[int], others: Sequence[int], rng: random.Random) -> None:
        """Take the swarm, and the honest nodes, both in order."""
        super().__init__(nodes, others, rng)
        self.honest_dialled_min: int | None = None
        self._is_honest = frozenset(others)

    @property
    def targets(self) -> Sequence[int]:
        """Who is under attack."""
        return self.others

    def watch(self, stage: Stage) -> None:
        """Count what those under attack are left with, ten times in a second."""
        left = min(sum(peer in self._is_honest for peer in stage.dialled(node)) for node in self.targets)
        self.honest_dialled_min = left if self.honest_dialled_min is None else min(left, self.honest_dialled_min)
        stage.at(stage.now_us + self._LOOK_US, lambda _: self.watch(stage))

    def hostile_links(self, stage: Stage) -> float:
        """Return the share of attackers among the connections of those under attack."""
        peers = [peer for node in self.targets for peer in stage.peers(node)]
        return sum(peer not in self._is_honest for peer in peers) / max(1, len(peers))


class Sybil(Swarm):
    """The swarm takes every free place for calls that honest nodes have; what they dialled before stays."""

    @override
    def begin(self, stage: Stage) -> None:
        """Let each of them dial honest nodes at random."""
        for node in self.nodes:
            stage.arrive(node, self.rng.sample(self.others, len(self.others)))
        self.watch(stage)


class Eclipse(Swarm):
    """All of the swarm dial one victim at the moment when it restarts: 25 dials for each connection that it had.

    The swarm is in the victim's book, too: four in five of those that it has not reached before. Only what the victim
    sends and receives is measured.
    """

    @property
    @override
    def only(self) -> int:
        """The victim."""
        return self.others[0]

    @property
    @override
    def targets(self) -> Sequence[int]:
        """The victim alone."""
        return self.others[:1]

    @override
    def begin(self, stage: Stage) -> None:
        """Let the victim restart amid them."""
        stage.besiege(self.only, self.nodes)
        self.watch(stage)


ATTACKS: Final[Mapping[str, type[Attack]]] = MappingProxyType(
    {
        "none": Attack,
        "mute": Mute,
        "never-answering": NeverAnswering,
        "censor": Censor,
        "spies": Spies,
        "swallow": Swallow,
        "churn": Churn,
        "cold-start": ColdStart,
        "spam": Spam,
        "sybil": Sybil,
        "eclipse": Eclipse,
    }
)
"""Name -> class."""
