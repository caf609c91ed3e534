"""What is published in a gossip world, when and by whom; and which part of it is measured.

    1 s          warmup_s      settle_s        transactions          a tenth of it, drain_s at most
                                                                     0.5 s at most
    connections | warm-up     | attack begins | measured window     | the same    | silence

Warm-up and settling have the traffic of the warm-up.

Source: the networking specification (the method of its simulations).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import MICROSECONDS, TransactionId
from p2pcommerce.simulation.gossip.attacks import Attack
from p2pcommerce.simulation.gossip.meter import Meter
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.scenario import GossipScenario
from p2pcommerce.simulation.streams import Streams

__all__ = ["Publisher", "Traffic"]

_START_US: Final = MICROSECONDS
_TAIL_US_MAX: Final = MICROSECONDS // 2
_TAIL_SHARE: Final = 10
_CHECK_US: Final = MICROSECONDS // 10
_FINAL_CHECK_US: Final = MICROSECONDS


class Publisher(Protocol):
    """What traffic needs of its world."""

    def at(self, time_us: int, action: Callable[[int], None]) -> None:
        """Let something happen at a world time."""
        ...

    def publish(self, publication: Publication, now: int) -> None:
        """Let a transaction's origin send it."""
        ...

    def retire(self, publications: list[Publication]) -> None:
        """Transactions are final."""
        ...

    def attack(self) -> None:
        """Let the attack begin."""
        ...


class Traffic:
    """The plan of one run.

    Attributes:
        publications: all transactions by id (32 bytes).
        is_over: the run is finished.
    """

    def __init__(self, scenario: GossipScenario, attack: Attack, meter: Meter, streams: Streams) -> None:
        """Plan a scenario; `attack` draws who publishes."""
        self._scenario = scenario
        self._attack = attack
        self._meter = meter
        self._times = streams.of("traffic")
        self._payloads = streams.of("payload")
        self._attack_us = _START_US + (round(scenario.warmup_s * MICROSECONDS) if attack.warm else 0)
        self._window_us = self._attack_us + round(scenario.settle * MICROSECONDS)
        self._final_us = round(scenario.final_s * MICROSECONDS)
        self._drain_us = round(scenario.drain_s * MICROSECONDS)
        self._left = scenario.transactions
        self._silent_us: int | None = None
        self._not_final: deque[Publication] = deque()
        self.publications: dict[TransactionId, Publication] = {}
        self._ids: dict[bytes, TransactionId] = {}
        self.is_over = False

    def begin(self, publisher: Publisher) -> None:
        """Enter everything into the queue."""
        publisher.at(self._attack_us, lambda _: publisher.attack())
        publisher.at(self._window_us, lambda _: self._open())
        publisher.at(_START_US, partial(self._finalize, publisher))
        self._next(publisher, _START_US)

    def raw(self, tx_id: TransactionId) -> bytes | None:
        """Return the bytes of a transaction by its id (32 bytes)."""
        publication = self.publications.get(tx_id)
        return None if publication is None else publication.raw

    def identify(self, raw: bytes) -> TransactionId:
        """Return the id (32 bytes) of a transaction by its bytes: that of a published one is hashed only once."""
        return self._ids.get(raw) or TransactionId(blake2b_256(raw))

    def forget(self, node: int) -> None:
        """A node starts with an empty memory: it no longer holds what is not final."""
        for publication in self._not_final:
            publication.holders -= publication.held[node]
            publication.held[node] = 0

    # --- inside ---

    def _open(self) -> None:
        self._meter.is_open = True

    def _next(self, publisher: Publisher, now: int) -> None:
        """Draw when the next transaction comes: a Poisson process."""
        rate = self._scenario.rate
        if now < self._window_us:
            rate = min(rate, self._scenario.warmup_rate)
        gap_us = round(self._times.expovariate(rate) * MICROSECONDS)
        if now < self._window_us < now + gap_us:  # the process has no memory: begin anew at the new rate
            publisher.at(self._window_us, partial(self._next, publisher))
        else:
            publisher.at(now + gap_us, partial(self._publish, publisher))

    def _publish(self, publisher: Publisher, now: int) -> None:
        if self._silent_us is not None and now >= self._silent_us:
            self._check(publisher, now)
            return
        origin = self._attack.origin()
        is_measured = self._meter.is_open and self._attack.is_measured(origin)
        raw = self._payloads.randbytes(self._scenario.payload_bytes)
        publication = Publication(
            TransactionId(blake2b_256(raw)),
            raw,
            origin=origin,
            at_us=now,
            is_measured=is_measured,
            nodes=self._scenario.nodes,
            is_private=self._scenario.private,
        )
        self.publications[publication.tx_id] = publication
        self._ids[raw] = publication.tx_id
        self._not_final.append(publication)
        publisher.publish(publication, now)
        if is_measured:
            self._left -= 1
            if not self._left:
                self._meter.is_open = False
                self._silent_us = now + min((now - self._window_us) // _TAIL_SHARE, _TAIL_US_MAX)
        self._next(publisher, now)

    def _check(self, publisher: Publisher, now: int) -> None:
        """End the run once all has come, or the time for it is over."""
        silent_us = now if self._silent_us is None else self._silent_us
        if not self._meter.pending or now >= silent_us + self._drain_us:
            self.is_over = True
        else:
            publisher.at(now + _CHECK_US, partial(self._check, publisher))

    def _finalize(self, publisher: Publisher, now: int) -> None:
        """Retire what is old enough and held by two thirds of the nodes, a swarm that comes later left aside."""
        nodes = len(self._attack.others) if self._attack.away else self._scenario.nodes
        finals: list[Publication] = []
        waiting: list[Publication] = []
        while self._not_final and self._not_final[0].at_us + self._final_us <= now:
            publication = self._not_final.popleft()
            (finals if 3 * publication.holders >= 2 * nodes else waiting).append(publication)
        self._not_final.extendleft(reversed(waiting))
        if finals:
            publisher.retire(finals)
        publisher.at(now + _FINAL_CHECK_US, partial(self._finalize, publisher))
