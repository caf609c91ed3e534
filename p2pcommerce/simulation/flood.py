"""A mempool under a flood: what it keeps, and how long honest transactions wait for admission meanwhile.

One node, the product's own mempool with the default application, and one CPU: time passes by what the work takes,
either by a stopwatch or by a table. Honest peers send at a modest rate, each transaction by itself and over a link.
Flooders offer all of their junk at once: their sockets are full from the first moment, and as much is read from them as
the pool lets the node read. Nobody is banned and no block is made, so that everything falls on the pool alone.

Source: the deterministic simulator specification (mempool floods); issue: no honest transaction evicted, the pool
within its caps, honest latency at most 1.5 times.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from p2pcommerce.commerce import Commerce, Transfer, build_transaction
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.mempool import Admitted, Dropped, Examined, Mempool, MempoolParameters, Refused
from p2pcommerce.mempool import Effect as PoolEffect
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import GENESIS_HEIGHT, MICROSECONDS, PeerId, PublicKey, TransactionId
from p2pcommerce.simulation.junk import FUNDED, RICH_MINOR, SPONSOR_SEED, junk, sender_seed

__all__ = ["FloodResult", "FloodScenario", "FloodWorld", "run_flood"]

_MESSAGE_ITEMS: Final = 256
_HONEST_FEE_FACTOR: Final = 2
_HONEST_SENDERS: Final = 200
_START_US: Final = 1_000 * MICROSECONDS
_COST_US: Final = {RejectionCode.BAD_FORMAT: 10, RejectionCode.BAD_SIGNATURE: 75}
_REFUSED_US: Final = 35
_ADMITTED_US: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodScenario:
    """One flood.

    Attributes:
        kind: of junk; "none": there is no flood.
        junk: pieces.
        flooders: peers that share in sending it.
        honest: honest transactions.
        honest_peers: who send them.
        rate: of these, per second in all (Poisson).
        link_us: from a sender to this node, microseconds; half of the round trip between AWS regions at the median.
        seed: decides everything but the stopwatch.
        parameters: of the pool.
    """

    kind: str = "tiny"
    junk: int = 100_000
    flooders: int = 1
    honest: int = 500
    honest_peers: int = 8
    rate: float = 50.0
    link_us: int = 57_000
    seed: int = 1
    parameters: MempoolParameters = field(default_factory=MempoolParameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodResult:
    """What came of it.

    Attributes:
        admitted: honest transactions that the pool took; refused: that it did not; evicted: that it drove out later.
        met_flood: those of them that came while junk did, or waited: their latencies count.
        junk_admitted: pieces of junk that it took, some of them for a while.
        latency_p50_us, latency_p99_us: of honest ones, from their senders to admission, microseconds.
        wait_p50_us, wait_p99_us: of these, from arrival to admission.
        transactions_max, bytes_max, waiting_bytes_max: most that the pool held, and that waited before it.
        cpu_us: CPU for one piece of junk; None: there was none.
        floor: fee floor at the end, minor units per weight.
    """

    admitted: int
    met_flood: int
    refused: int
    evicted: int
    junk_admitted: int
    latency_p50_us: int
    latency_p99_us: int
    wait_p50_us: int
    wait_p99_us: int
    transactions_max: int
    bytes_max: int
    waiting_bytes_max: int
    cpu_us: float | None
    floor: int


class FloodWorld:
    """A network's genesis and state, made once for many floods."""

    def __init__(self, scheme: SignatureScheme, funded: int = FUNDED) -> None:
        """Fund honest senders, the sponsor of junk, and so many of its senders."""
        self.scheme = scheme
        seeds = [sender_seed(number, "honest") for number in range(_HONEST_SENDERS)]
        seeds += [SPONSOR_SEED, *(sender_seed(number) for number in range(funded))]
        balances = {scheme.public_key(seed): RICH_MINOR for seed in seeds}
        validator = scheme.public_key(b"validator".ljust(32))
        self.genesis = Genesis.local("flood", {validator: RICH_MINOR}, balances)
        self.application = Commerce()
        changes = founding_state(self.genesis, self.application.genesis(self.genesis))
        state = VersionedState({key: value for key, value in changes.items() if value is not None})
        self.view = state.final

    def mempool(self, parameters: MempoolParameters) -> Mempool:
        """Return an empty pool on the state at genesis."""
        mempool = Mempool(parameters, self.application, self.genesis, self.scheme)
        mempool.set_view(self.view, GENESIS_HEIGHT)
        return mempool

    def honest(self, count: int) -> list[bytes]:
        """Return so many transactions of honest senders, who pay twice the least fee."""
        payload = Transfer(to=PublicKey(bytes(32)), amount_minor=1)
        made: list[bytes] = []
        for number in range(count):
            seed, nonce = sender_seed(number % _HONEST_SENDERS, "honest"), number // _HONEST_SENDERS
            least = build_transaction(payload, self.genesis, seed, nonce, 1_000, scheme=self.scheme).fee
            fee = _HONEST_FEE_FACTOR * least
            made.append(build_transaction(payload, self.genesis, seed, nonce, 1_000, fee=fee, scheme=self.scheme).raw)
        return made

    def junk(self, scenario: FloodScenario) -> Iterator[bytes]:
        """Return a scenario's junk."""
        if scenario.kind == "none":
            return iter(())
        rng = random.Random(scenario.seed)  # noqa: S311 - a simulation must be repeatable
        return junk(scenario.kind, scenario.junk, self.genesis, self.scheme, rng)


class _Run:
    """One flood under way."""

    def __init__(
        self, world: FloodWorld, scenario: FloodScenario, pieces: Iterator[bytes], stopwatch: Callable[[], float] | None
    ) -> None:
        self.scenario = scenario
        self.stopwatch = stopwatch
        self.pool = world.mempool(scenario.parameters)
        self.now = _START_US
        self.pieces = pieces
        rng = random.Random(scenario.seed)  # noqa: S311 - a simulation must be repeatable
        self.flooders = [PeerId(PublicKey(rng.randbytes(32))) for _ in range(scenario.flooders)]
        peers = [PeerId(PublicKey(rng.randbytes(32))) for _ in range(scenario.honest_peers)]
        self.coming: deque[tuple[int, PeerId, bytes]] = deque()
        sent_us = _START_US
        for raw in world.honest(scenario.honest):
            sent_us += round(rng.expovariate(scenario.rate) * MICROSECONDS)
            self.coming.append((sent_us, peers[rng.randrange(len(peers))], raw))
        self.sent_us = {transaction_id(raw): sent_us for sent_us, _, raw in self.coming}
        self.admitted = 0
        self.latencies: list[int] = []
        self.met_flood: dict[TransactionId, None] = {}
        self.refused = self.evicted = self.junk_admitted = 0
        self.transactions_max = self.bytes_max = self.waiting_max = 0
        self.junk_cost_us = 0.0
        self.pieces_read = 0

    def run(self) -> None:
        """Go on until everything was judged."""
        while self.coming or self._is_busy():
            if not self._is_busy():
                self.now = max(self.now, self.coming[0][0] + self.scenario.link_us)
            self._read_honest()
            self._tick()

    def _is_busy(self) -> bool:
        due_us = self.pool.deadline
        return self._is_flooded() or (due_us is not None and due_us <= self.now)

    def _is_flooded(self) -> bool:
        return self.pieces_read < self.scenario.junk and self.scenario.kind != "none"

    def _read_honest(self) -> None:
        while self.coming and self.coming[0][0] + self.scenario.link_us <= self.now:
            _, peer, raw = self.coming[0]
            if not self.pool.has_room(peer):
                return
            self.coming.popleft()
            tx_id = transaction_id(raw)
            if self.scenario.kind == "none" or self._is_busy():
                self.met_flood[tx_id] = None
            self.pool.submit(raw, peer, tx_id, self.now)

    def _messages(self) -> list[tuple[PeerId, list[bytes]]]:
        """Read a message of each flooder that is not pushed back."""
        messages: list[tuple[PeerId, list[bytes]]] = []
        for flooder in self.flooders:
            if self._is_flooded() and self.pool.has_room(flooder):
                items = list(islice(self.pieces, _MESSAGE_ITEMS))
                self.pieces_read = self.pieces_read + len(items) if items else self.scenario.junk
                messages.append((flooder, items))
        return messages

    def _tick(self) -> None:
        messages, stopwatch = self._messages(), self.stopwatch
        begun = 0.0 if stopwatch is None else stopwatch()
        for flooder, items in messages:
            for raw in items:
                self.pool.submit(raw, flooder, transaction_id(raw), self.now)
        effects = self.pool.on_deadline(self.now)
        took_us = _table_us(effects) if stopwatch is None else (stopwatch() - begun) * MICROSECONDS
        self.now += max(1, round(took_us))
        own = self._take(effects)
        if len(effects) > own:
            self.junk_cost_us += took_us * (len(effects) - own) / len(effects)
        statistics = self.pool.statistics()
        self.transactions_max = max(self.transactions_max, statistics["transactions"])
        self.bytes_max = max(self.bytes_max, statistics["bytes"])
        self.waiting_max = max(self.waiting_max, statistics["waiting_bytes"])

    def _take(self, effects: Sequence[PoolEffect]) -> int:
        """Note what became of honest transactions; return how many effects concern them."""
        own = 0
        for effect in effects:
            sent_us = self.sent_us.get(TransactionId(effect.tx_id))
            own += sent_us is not None
            match effect:
                case Admitted():
                    if sent_us is None:
                        self.junk_admitted += 1
                    else:
                        self.admitted += 1
                        if effect.tx_id in self.met_flood:
                            self.latencies.append(self.now - sent_us)
                case Examined():
                    pass  # nothing here is private
                case Refused():
                    self.refused += sent_us is not None
                case Dropped():
                    self.evicted += sent_us is not None
        return own


def _table_us(effects: Sequence[PoolEffect]) -> int:
    """Return what effects would take, microseconds: about what a benchmark measured."""
    took_us = 0
    for effect in effects:
        match effect:
            case Admitted() | Examined():
                took_us += _ADMITTED_US
            case Refused():
                took_us += _COST_US.get(effect.code, _REFUSED_US)
            case Dropped():
                pass
    return took_us


def run_flood(
    world: FloodWorld,
    scenario: FloodScenario,
    *,
    pieces: Sequence[bytes] | None = None,
    stopwatch: Callable[[], float] | None = None,
) -> FloodResult:
    """Run one flood.

    Args:
        world: where.
        scenario: what comes.
        pieces: junk that was made before, so that making it takes no time of a stopwatch's; None: it is made now.
        stopwatch: seconds of CPU; None: time passes by a table, and the result is the same each time.
    """
    run = _Run(world, scenario, world.junk(scenario) if pieces is None else iter(pieces), stopwatch)
    run.run()
    ranked = sorted(run.latencies)
    p50, p99 = (ranked[min(len(ranked) - 1, len(ranked) * share // 100)] if ranked else -1 for share in (50, 99))
    link_us = scenario.link_us
    return FloodResult(
        admitted=run.admitted,
        met_flood=len(ranked),
        refused=run.refused,
        evicted=run.evicted,
        junk_admitted=run.junk_admitted,
        latency_p50_us=p50,
        latency_p99_us=p99,
        wait_p50_us=p50 - link_us,
        wait_p99_us=p99 - link_us,
        transactions_max=run.transactions_max,
        bytes_max=run.bytes_max,
        waiting_bytes_max=run.waiting_max,
        cpu_us=run.junk_cost_us / run.pieces_read if run.pieces_read else None,
        floor=run.pool.fee_floor,
    )
