"""One world: hosts, the links between them, their faults, their users, and the time that passes.

Everything is decided by a `Scenario`. Events come from one queue, in the order of time and then of their making; each
is an input of one host, or something that happens to the world. After each step the oracles look. The trace hash covers
every message delivered, crash, signature and final block: equal in any process and under any PYTHONHASHSEED.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from p2pcommerce.finality import FFG, Simplex, make_engine
from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.node.effects import Dropped, Submitted
from p2pcommerce.node.node import NodeParameters
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import MICROSECONDS, BlockHash, PeerId
from p2pcommerce.simulation.adversaries import Casting, Unscrupulous, UnscrupulousFFG
from p2pcommerce.simulation.churn import CHURNS, application_maker
from p2pcommerce.simulation.clocks import UNIX_BASE_US
from p2pcommerce.simulation.connections import Connections
from p2pcommerce.simulation.convictions import Convictions
from p2pcommerce.simulation.defects import words_of_defect
from p2pcommerce.simulation.epoch_judge import EpochJudge
from p2pcommerce.simulation.faults import FAULTS
from p2pcommerce.simulation.host import Host
from p2pcommerce.simulation.links import Links
from p2pcommerce.simulation.liveness import Liveness
from p2pcommerce.simulation.load import BALANCE_MINOR, Load
from p2pcommerce.simulation.options import WorldOptions, node_seed
from p2pcommerce.simulation.oracles import Oracles
from p2pcommerce.simulation.queue import EventQueue
from p2pcommerce.simulation.result import Result
from p2pcommerce.simulation.scenario import Scenario
from p2pcommerce.simulation.schedule import BREAKS_PROMISES, Schedule, victims_of
from p2pcommerce.simulation.scheme import scheme_for
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.tables import table
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.simulation.words import words_of
from p2pcommerce.wire.messages import Message

__all__ = ["BUFFER_CHECK_US", "World", "run_scenario"]

BUFFER_CHECK_US: Final = MICROSECONDS
"""Buffers are compared with their caps at least this often, microseconds of world time."""
_BOOTSTRAP_MAX: Final = 8
_LOAD_START_US: Final = MICROSECONDS

_UNSCRUPULOUS: Final[Mapping[str, Callable[[SignatureScheme], FinalityEngine]]] = {
    Simplex.name: Unscrupulous,
    FFG.name: UnscrupulousFFG,
}

Event: TypeAlias = tuple[Callable[..., None], int, tuple[Any, ...]]
"""What is called, the life of the host in which it may be called (-1: any), and the arguments."""


class World:
    """A running world.

    Attributes:
        scenario: what decides it.
        streams, trace, links, connections, oracles, schedule, load, liveness, convictions: its parts.
        hosts: the nodes, then second copies of twins.
        genesis, scheme, parameters, bootstrap: of the network.
        make_application: makes the application of one node.
        events, defect: how many were worked off; what a core raised, with its traceback, None: nothing.
    """

    def __init__(self, scenario: Scenario, options: WorldOptions | None = None) -> None:
        """Build a world at time 0, in which nothing runs yet."""
        self.scenario = scenario
        self._options = options = WorldOptions() if options is None else options
        self.streams = Streams(scenario.seed)
        self.trace = Trace(read=words_of)
        self.scheme = scheme_for(scenario.seed) if options.scheme is None else options.scheme
        self.parameters = NodeParameters() if options.parameters is None else options.parameters
        self._queue: EventQueue[Event] = EventQueue()
        self.load = Load(self, self.streams.of("load"), scenario.load_tps, orders=options.orders)
        self.genesis = self._found()
        casting = Casting(scenario)
        keys = [*range(scenario.nodes), *casting.twins]
        latencies = table(scenario.table) if options.table is None else options.table
        self.links = Links(latencies, self.streams, nodes=len(keys), bandwidth_bps=scenario.bandwidth_bps)
        villains = [self.scheme.public_key(node_seed(node)) for node in casting.strategies]
        moves_clocks = any(FAULTS[kind].part == "clock" for kind in scenario.faults)
        self.oracles = Oracles(
            self.genesis,
            casting.nodes(scenario.nodes),
            villains,
            scheme=self.scheme,
            clocks_ahead_ms=None if moves_clocks else 0,
        )
        if options.make_engine is None and scenario.engine == Simplex.name:
            self.oracles.watch_epochs(EpochJudge(self.genesis, self.scheme))
        victims = () if scenario.churn != CHURNS[0] else victims_of(scenario, scenario.stakes, self.streams)
        everybody = [self.scheme.public_key(node_seed(node)) for node in range(scenario.nodes)]
        churning = application_maker(scenario.seed, scenario.churn, everybody, villains)
        self.make_application = churning or options.make_application
        self.hosts: list[Host] = [
            Host(
                self,
                number,
                node_seed(key),
                f"tcp://10.{number >> 8}.{number & 255}.1:7400",
                self._faults_of(number, victims),
            )
            for number, key in enumerate(keys)
        ]
        self.bootstrap = tuple(host.address for host in self.hosts[: min(scenario.validators, _BOOTSTRAP_MAX)])
        self.connections = Connections(self, self.links, sessions=options.sessions)
        self.schedule = Schedule(self, victims)
        self.liveness = Liveness(self.oracles, scenario, self._delay_us())
        self.convictions = Convictions(self)
        self.on_offence = self.convictions.on_offence
        self.casting = casting
        casting.cast(self, self.streams, scenario.nodes)
        self.events = self._requests = self._stored = 0
        self.defect: Exception | None = None
        self._verdicts: dict[tuple[int, int], Callable[[RejectionCode], None]] = {}
        self._heights: dict[int, int] = {}
        self._listeners: list[Callable[[CommittedBlock], None]] = [self.convictions.on_stored]
        self._is_started = False

    def _found(self) -> Genesis:
        scenario, options = self.scenario, self._options
        keys = [self.scheme.public_key(node_seed(number)) for number in range(scenario.nodes)]
        chain = options.chain
        if chain is None:
            delay_ms = max(1, scenario.base_delay_us // 1_000)
            chain = ChainParameters(
                base_delay_ms=delay_ms, term_s_min=1, confirm_s_min=1, epoch_blocks=scenario.epoch_blocks
            )
        balances = dict.fromkeys(keys, BALANCE_MINOR) | dict(self.load.balances)
        balances |= {self.scheme.public_key(seed): amount for seed, amount in options.account_seeds}
        return Genesis.new(
            f"simulation {scenario.seed}"[:32],
            dict(zip(keys, scenario.stakes, strict=False)),
            balances,
            time_ms=UNIX_BASE_US // 1_000 - 10_000,
            parameters=chain,
            engine=scenario.engine if options.make_engine is None else options.make_engine().name,
        )

    def _faults_of(self, number: int, victims: Sequence[int]) -> dict[str, float]:
        faults = dict(self.scenario.faults)
        if number not in victims:
            for kind in BREAKS_PROMISES:
                faults.pop(kind, None)
        return faults

    def _delay_us(self) -> int:
        """Return the median delay between two validators, one way."""
        count = self.scenario.validators
        pairs = sorted(self.links.delay_us(a, b) for a in range(count) for b in range(count) if a != b)
        return pairs[len(pairs) // 2] if pairs else 0

    # --- time ---

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        return self._queue.now_us

    @property
    def delay_us(self) -> int:
        """The message delay: the median over pairs of validators, microseconds."""
        return self.liveness.delay_us

    def at(self, world_us: int, host: Host, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let a host do something at a moment, unless its life ends before."""
        self._queue.push(world_us, host.number, (call, host.life, arguments))

    def at_world(self, world_us: int, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Let something happen at a moment, whatever lives."""
        self._queue.push(world_us, -1, (call, -1, arguments))

    def start(self) -> None:
        """Start every host and plan faults and load; once."""
        if self._is_started:
            return
        self._is_started = True
        for host in self.hosts:
            self.at_world(self.streams.of("starts").randrange(50_000), host.start)
        self.schedule.begin()
        self.load.begin(_LOAD_START_US)
        self.at_world(BUFFER_CHECK_US, self._check_buffers)

    def step(self) -> bool:
        """Work off one event; False: there is none, or an oracle was violated."""
        if not len(self._queue) or self.oracles.violations:
            return False
        _, _, node, (call, life, arguments) = self._queue.pop()
        if node < 0 or self.hosts[node].life == life:
            self.events += 1
            try:
                call(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever a core raises is a defect, told with the seed and kept
                self.oracles.report("exception", self.now_us, f"node {node}: {words_of_defect(error)}")
                self.defect = error
        return True

    def run_until(self, world_us: int, done: Callable[[], bool] | None = None) -> bool:
        """Let time pass up to a moment, until something holds, or until an oracle is violated.

        Returns:
            Whether `done` holds; without one, whether the moment was reached.
        """
        self.start()
        queue = self._queue
        while (due_us := queue.next_us) is not None and due_us <= world_us:
            if (done is not None and done()) or not self.step():
                break
        else:
            queue.advance(world_us)
        return not self.oracles.violations if done is None else done()

    def _check_buffers(self) -> None:
        for host in self.hosts:
            self.oracles.check_buffers(host, self.parameters.mempool, self.now_us)
        self.at_world(self.now_us + BUFFER_CHECK_US, self._check_buffers)

    # --- for users ---

    def submit(self, node: int, transaction: Transaction) -> bool:
        """Submit a transaction at a node; False: it takes nothing now."""
        return self.hand_in(self.hosts[node], transaction, lambda _: None)

    def hand_in(self, host: Host, transaction: Transaction, told: Callable[[RejectionCode], None]) -> bool:
        """Submit a transaction; `told` hears the verdict. False: the node takes nothing now."""
        self._requests += 1
        key = host.number, self._requests
        self._verdicts[key] = told
        if host.submit(self._requests, transaction.raw):
            return True
        del self._verdicts[key]
        return False

    def subscribe(self, listener: Callable[[CommittedBlock], None]) -> None:
        """Hear of each final block, once the first node has stored it, in order."""
        self._listeners.append(listener)

    # --- what hosts ask of their surroundings ---

    def make_engine(self, host: Host) -> FinalityEngine:
        """Return an engine that has not started."""
        if self._options.make_engine is not None:
            return self._options.make_engine()
        adversary, name = host.behaviour, self.scenario.engine
        if adversary is not None and adversary.is_unscrupulous and name in _UNSCRUPULOUS:
            return _UNSCRUPULOUS[name](self.scheme)
        return make_engine(name, self.scheme)

    def transmit(self, host: Host, peer: PeerId, message: Message) -> None:
        """Send a message over the host's attached link with a peer."""
        self.connections.transmit(host, peer, message)

    def flush(self, host: Host) -> None:
        """Everything that the host sends in this turn has been given."""
        self.connections.flush(host)

    def dial(self, host: Host, address: str, expected: PeerId | None) -> None:
        """Connect to an address."""
        self.connections.dial(host, address, expected)

    def close(self, host: Host, link: int, code: str) -> None:
        """End a link; the host that asks is not told."""
        self.trace.record(self.now_us, host.number, "close", code.encode())
        other = self.connections.other_end(host, link)
        if other is not None:
            self.oracles.on_closed(host, other, code, self.now_us)
        self.connections.close(host, link)

    def close_all(self, host: Host) -> None:
        """End every link of a host that is gone."""
        self.connections.close_all(host)

    def on_sent(self, source: Host, target: Host, message: Message, arrives_us: int) -> None:
        """A message is on its way."""
        if self._options.watcher is not None:
            self._options.watcher("send", self.now_us, source.number, (target.number, arrives_us, message))

    def on_heard(self, host: Host, peer: PeerId, message: Message) -> None:
        """A host is about to give a peer's message to its core."""
        self.oracles.on_heard(host, peer, message)

    def on_final(self, host: Host, committed: CommittedBlock, *, is_restored: bool = False) -> None:
        """A core says that a block is final, or that it restored the state after one."""
        header = committed.block.header
        self.trace.record(self.now_us, host.number, "final", header.hash + header.state_root, f"height {header.height}")
        last_height = header.height - 1 if is_restored else self._heights.get(host.number, header.height - 1)
        self.oracles.on_final(host, committed, last_height, self.now_us)
        self._heights[host.number] = header.height
        self.liveness.on_final(host, header.hash, header.height, self.now_us)
        self.schedule.on_final(header.height)
        if self._options.watcher is not None:
            self._options.watcher("final", self.now_us, host.number, committed)

    def on_stored(self, host: Host, blocks: Sequence[CommittedBlock]) -> None:
        """Final blocks are stored: users are told."""
        if not self.oracles.is_honest(host):
            return
        for committed in blocks:
            if committed.block.header.height == self._stored + 1:
                self._stored += 1
                self.load.on_stored(committed)
                for listener in self._listeners:
                    listener(committed)

    def on_signed(self, host: Host, kind: str, data: bytes) -> None:
        """A host signs as a validator."""
        self.trace.record(self.now_us, host.number, "sign", data)
        self.oracles.on_signed(host, data, self.now_us)
        # A block of the solo engine has no proposal: the vote of its one validator is the first that is heard of it.
        if kind == "proposal" or self.scenario.engine == "solo":
            self.liveness.on_proposed(BlockHash(data[17:49]), self.now_us)
        if self._options.watcher is not None:
            self._options.watcher("sign", self.now_us, host.number, data)

    def on_submitted(self, host: Host, effect: Submitted) -> None:
        """The verdict on a submission."""
        told = self._verdicts.pop((host.number, effect.request), None)
        if told is not None:
            told(effect.code)

    def on_dropped(self, host: Host, effect: Dropped) -> None:
        """A transaction left a pool without becoming final."""
        self.trace.record(self.now_us, host.number, "dropped", effect.tx_id, effect.code.value)
        self.oracles.on_dropped(host, effect.tx_id, self.now_us)

    def on_log(self, host: Host, level: str, room: str, message: str) -> None:
        """A core says something."""
        if level in {"WARNING", "ERROR"}:
            self.trace.record(self.now_us, host.number, "log", words=f"{room}: {message}")

    def on_down(self, host: Host, kind: str, reason: str) -> None:
        """A host stopped."""
        self._heights.pop(host.number, None)
        for key in [key for key in self._verdicts if key[0] == host.number]:
            del self._verdicts[key]
        self.schedule.note_spoilt(host)
        self.oracles.on_down(host, kind, reason, self.now_us)
        self.schedule.on_down(host, kind)
        if self._options.watcher is not None:
            self._options.watcher("down", self.now_us, host.number, kind)

    # --- the end ---

    def result(self) -> Result:
        """Look a last time, and return what came of this world."""
        self.oracles.check_end(self.hosts, self.now_us, is_settled=self.liveness.has_settled(self.now_us))
        self.convictions.check_end(self.now_us)
        up = [host for host in self.hosts if host.core is not None]
        highest = max(up, key=lambda host: host.height, default=None)
        counters = {} if highest is None or highest.core is None else dict(highest.core.engine_status().counters)
        return Result(
            scenario=self.scenario,
            trace_hash=self.trace.hash,
            events=self.events,
            violations=tuple(self.oracles.violations),
            stalled=self.liveness.stalled(self.hosts, self.now_us, self.load.waiting),
            fired=dict(sorted(self.schedule.fired().items())),
            delay_us=self.delay_us,
            finality_us=tuple(self.liveness.finality_us),
            recovery_us=self.liveness.recovery_us,
            silent_bps=self.liveness.silent_bps(self.hosts),
            boundaries_us=tuple(self.liveness.boundaries.quiet_us),
            boundaries_struck_us=tuple(self.liveness.boundaries.struck_us),
            heights=tuple(host.height for host in self.hosts),
            state_roots=tuple(
                "" if host.core is None else host.core.chain.state.final.root.hex() for host in self.hosts
            ),
            submitted=self.load.submitted,
            finalized=self.load.finalized,
            failed=self.load.failed,
            refused=self.load.refused,
            submit_to_final_us=tuple(self.load.latencies_us),
            views=counters.get("views", 0),
            views_nullified=counters.get("views_nullified", 0),
            forks=self.oracles.forks,
            refused_to_sign=sum(host.refused_to_sign for host in self.hosts),
            adversary_acts=self.casting.acts(),
            convictions=self.convictions.counts(),
            tail=tuple(self.trace.tail()),
        )


def run_scenario(scenario: Scenario, options: WorldOptions | None = None) -> Result:
    """Run a world to its horizon, or to the first violation."""
    world = World(scenario, options)
    world.run_until(scenario.horizon_us)
    return world.result()
