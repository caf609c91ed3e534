"""A gossip world: nodes that do nothing but spread transactions, over the simulator's links.

Each node is a strategy behind the seam, with a bare stub of admission: one CPU that takes 50 us for a new transaction
and says whether it is one of those published. Messages are handed over as objects, unencrypted, and take the links as
long as their wire sizes say. `network` makes the connections, `traffic` says what is published and measured.

A strategy is woken at its deadline: at most one wake-up of each node is of any use in the queue, a later deadline is
looked at when the earlier one has come, and ones that were overtaken are passed over.

Source: the networking specification (simulated before a line was written); the deterministic simulator specification.
Deviations: lanes do not push back, as their bounds are far above what a gossip world queues; a transaction becomes
final when `final_s` have passed and two thirds of the nodes hold it, without messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from p2pcommerce.gossip import Examine, Fluff, Judged, Misbehaving, Offer, SendTo
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.simulation.baselines import Action, GossipMessage, SendFrame
from p2pcommerce.simulation.gossip.attacks import ATTACKS, Swarm
from p2pcommerce.simulation.gossip.meter import Meter
from p2pcommerce.simulation.gossip.network import Network
from p2pcommerce.simulation.gossip.publication import Publication
from p2pcommerce.simulation.gossip.result import SwarmFigures
from p2pcommerce.simulation.gossip.scenario import GossipScenario
from p2pcommerce.simulation.gossip.spying import Spying
from p2pcommerce.simulation.gossip.station import NEVER_US, OFFLINE, Station
from p2pcommerce.simulation.gossip.strategies import Chosen
from p2pcommerce.simulation.gossip.traffic import Traffic
from p2pcommerce.simulation.gossip.wire_sizes import wire_bytes
from p2pcommerce.simulation.queue import EventQueue
from p2pcommerce.simulation.streams import Streams
from p2pcommerce.simulation.trace import Trace
from p2pcommerce.wire.messages import Stem, Transactions

__all__ = ["World"]

Arrival: TypeAlias = tuple[PeerId, int, GossipMessage]
"""The sender (32 bytes), the number of the connection, the message."""
Event: TypeAlias = Arrival | Offer | Examine | Fluff | Callable[[int], None] | None
"""A message arrives; admission has judged an offer, or examined what is private; something happens in the world; a node
wants to be woken."""

_FEE_MINOR: Final = 1
_WORLD: Final = -1


class World:
    """One run.

    Attributes:
        scenario: what it is made of.
        meter: what is counted.
        trace: over all events.
        network: the nodes.
        honest: the nodes that count, in order.
        spying: what the attackers guess; None: they do not.
    """

    def __init__(self, scenario: GossipScenario) -> None:
        """Build the world; nothing has happened yet."""
        self.scenario = scenario
        self.trace = Trace()
        streams = Streams(scenario.seed)
        attack_class = ATTACKS[scenario.attack]
        taking_part = sorted(
            streams.of("attackers").sample(range(scenario.nodes), int(scenario.share * scenario.nodes))
        )
        self._is_attacker = [False] * scenario.nodes
        others = [True] * scenario.nodes
        for node in taking_part:
            self._is_attacker[node] = not attack_class.honest
            others[node] = False
        self.honest = [node for node, is_attacker in enumerate(self._is_attacker) if not is_attacker]
        self._is_attacking = False
        self._attack = attack_class(
            taking_part, [node for node, is_other in enumerate(others) if is_other], streams.of("attack")
        )
        self.meter = Meter(scenario.nodes, self._attack.only)
        self._traffic = Traffic(scenario, self._attack, self.meter, streams)
        self.network = Network(
            scenario,
            streams,
            near=taking_part if scenario.near else (),
            away=taking_part if attack_class.away else (),
            known=self._traffic,
        )
        self.spying = Spying(self._traffic.identify) if attack_class.spying else None
        self._stations = self.network.stations
        self._transmit = self.network.links.transmit
        self._queue: EventQueue[Event] = EventQueue()
        self._push = self._queue.push
        self.network.open(self)
        self._traffic.begin(self)

    # --- what attacks, network and traffic may do ---

    @property
    def now_us(self) -> int:
        """World time, microseconds."""
        return self._queue.now_us

    @property
    def node_rate(self) -> float:
        """Transactions per second that one node publishes on average."""
        return self.scenario.rate / self.scenario.nodes

    @property
    def payload_bytes(self) -> int:
        """Size of a transaction."""
        return self.scenario.payload_bytes

    def at(self, time_us: int, action: Callable[[int], None]) -> None:
        """Let something happen at a world time."""
        self._push(time_us, _WORLD, action)

    def peers(self, node: int) -> Sequence[int]:
        """Return who is connected to a node."""
        return [index for index, _ in self._stations[node].connections.values()]

    def inject(self, node: int, peer: int, message: GossipMessage) -> None:
        """Send a message to a peer that the node's core did not ask for."""
        self._send(self._stations[node], self._stations[peer].peer_id, message, self.now_us)

    def leave(self, node: int) -> None:
        """Take a node off the network."""
        self.network.leave(self, node, self.now_us)

    def join(self, node: int) -> None:
        """Bring a node back that knows nothing any more."""
        self._traffic.forget(node)
        self.network.join(self, node, self.now_us)

    def dialled(self, node: int) -> Sequence[int]:
        """Return whom a node has dialled and is connected to."""
        return self.network.dialled(node)

    def arrive(self, node: int, targets: Sequence[int]) -> None:
        """Bring a node that was away, which dials these, as far as they have room, and then anybody."""
        self.network.arrive(self, node, targets, self.now_us)

    def besiege(self, node: int, attackers: Sequence[int]) -> None:
        """Restart a node; attackers arrive and dial it before it dials those that it knows."""
        self._traffic.forget(node)
        self.network.besiege(self, node, attackers, self.now_us)

    def attack(self) -> None:
        """Let the attack begin."""
        if self.scenario.holds_back:
            return
        self._is_attacking = True
        self._attack.begin(self)

    def publish(self, publication: Publication, now: int) -> None:
        """Let a transaction's origin send it."""
        station = self._stations[publication.origin]
        self.trace.record(now, station.index, "publish", publication.tx_id)
        present = sum(self._stations[node].since_us != OFFLINE for node in self.honest)
        self.meter.publish(publication, present - 1)
        strategy = station.strategy
        if self.scenario.private and isinstance(strategy, Chosen):
            self.act(station, strategy.examined(publication.tx_id, publication.raw, None, Verdict.ACCEPT, now), now)
        else:
            self.act(station, strategy.publish(publication.tx_id, publication.raw, now), now)

    def retire(self, publications: list[Publication]) -> None:
        """Transactions are final: whoever holds them offers them no more."""
        for station in self._stations:
            if station.since_us != OFFLINE:
                held: list[TransactionId] = [item.tx_id for item in publications if item.held[station.index]]
                station.strategy.retire(held)

    def act(self, station: Station, actions: Sequence[Action], now: int) -> None:
        """Do what a strategy wants done, and wake it when it wants to be woken."""
        for action in actions:
            if isinstance(action, (SendTo, SendFrame)):
                self._send(station, action.peer, action.message, now)
            elif isinstance(action, (Offer, Examine, Fluff)):
                self._offer(station, action, now)
            elif isinstance(action, Misbehaving):
                self.network.ban(self, station, action.peer, now)
        deadline = station.strategy.deadline
        if deadline is not None and deadline < station.wake_us:
            # Not in this microsecond, so that a core that is never content does not stop the world.
            station.wake_us = wake_us = max(deadline, now + 1)
            self._push(wake_us, station.index, None)

    @property
    def swarm(self) -> SwarmFigures | None:
        """What a swarm has left to those under attack; None: there is none."""
        attack = self._attack
        if not isinstance(attack, Swarm) or attack.honest_dialled_min is None:
            return None
        return SwarmFigures(
            attackers_per_honest_node=len(attack.nodes) / len(attack.others),
            hostile_links=attack.hostile_links(self),
            honest_dialled_min=attack.honest_dialled_min,
        )

    # --- running ---

    @property
    def is_over(self) -> bool:
        """Whether the run is finished."""
        return self._traffic.is_over

    def run(self, events: int | None = None) -> None:
        """Run to the end, or for a number of events."""
        traffic, stations, pop, arrive = self._traffic, self._stations, self._queue.pop, self._arrive
        left = -1 if events is None else events
        while left and not traffic.is_over:
            left -= 1
            now, _, node, event = pop()
            if isinstance(event, tuple):
                arrive(stations[node], event, now)
            elif event is None:
                self._wake(stations[node], now)
            elif isinstance(event, (Offer, Fluff)):
                self._judge(stations[node], event, now)
            elif isinstance(event, Examine):
                self._examined(stations[node], event, now)
            else:
                self.trace.record(now, node, "world")
                event(now)

    def receivers(self) -> list[tuple[int, int]]:
        """Return the honest nodes that are online, each with since when it is so without a break."""
        since = [(node, self._stations[node].since_us) for node in self.honest]
        return [(node, since_us) for node, since_us in since if since_us != OFFLINE]

    # --- inside ---

    def _arrive(self, station: Station, arrival: Arrival, now: int) -> None:
        source, number, message = arrival
        self.trace.record(now, station.index, type(message).__name__, source)
        connection = station.connections.get(source)
        if connection is None or connection[1] != number:
            return  # the connection has ended meanwhile
        if isinstance(message, (Transactions, Stem)):
            self._see(station, self._stations[self.network.index_of[source]], message, now)
        self.act(station, station.strategy.receive(source, message, now), now)

    def _wake(self, station: Station, now: int) -> None:
        if station.wake_us != now:
            return  # an earlier wake-up took its place
        station.wake_us = NEVER_US
        if station.since_us == OFFLINE:
            return  # it starts anew when it comes back
        deadline = station.strategy.deadline
        if deadline is not None and deadline <= now:
            self.trace.record(now, station.index, "wake")
            self.act(station, station.strategy.on_deadline(now), now)
        else:
            self.act(station, (), now)

    def _send(self, station: Station, peer: PeerId, message: GossipMessage, now: int) -> None:
        connection = station.connections.get(peer)
        if connection is None:
            return
        index = station.index
        if self._is_attacking and self._is_attacker[index] and not self._attack.passes(message):
            return
        size = wire_bytes(message)
        if self.meter.is_open and not self._is_attacker[index]:
            self.meter.sent_bytes[index] += size
        target, number = connection
        for arrival_us in self._transmit(index, target, size, now):
            self._push(arrival_us, target, (station.peer_id, number, message))

    def _see(self, station: Station, sender: Station, message: Transactions | Stem, now: int) -> None:
        """Count transactions that arrive, and let spies look at them."""
        if not self._is_attacker[station.index]:
            if self.meter.is_open and isinstance(message, Transactions):
                self.meter.repeated += len(message.items)
        elif self.spying is not None and not self._is_attacker[sender.index]:
            delay_us = self.network.links.delay_us(sender.index, station.index)
            self.spying.watch(sender.index, now - delay_us, message.items)

    def _offer(self, station: Station, offer: Offer | Examine | Fluff, now: int) -> None:
        """Hand transactions to the node's CPU."""
        count = len(offer.items)
        if isinstance(offer, Offer) and self.meter.is_open and not self._is_attacker[station.index]:
            self.meter.repeated -= count
        begin_us = max(now, station.busy_until_us)
        station.busy_until_us = done_us = begin_us + count * self.scenario.admission_us
        self._push(done_us, station.index, offer)

    def _examined(self, station: Station, examine: Examine, now: int) -> None:
        """Tell a node what its admission says of private transactions."""
        self.trace.record(now, station.index, "examine", examine.items[0][0])
        strategy = station.strategy
        if station.since_us == OFFLINE or not isinstance(strategy, Chosen):
            return
        for tx_id, raw in examine.items:
            publication = self._traffic.publications.get(tx_id)
            verdict = Verdict.REJECT
            if publication is not None:
                verdict = Verdict.IGNORE if publication.held[station.index] else Verdict.ACCEPT
            self.act(station, strategy.examined(tx_id, raw, examine.origin, verdict, now), now)

    def _judge(self, station: Station, offer: Offer | Fluff, now: int) -> None:
        self.trace.record(now, station.index, "judge", offer.items[0][0])
        if station.since_us == OFFLINE:
            return
        items = offer.items if isinstance(offer, Fluff) else [(*item, offer.origin) for item in offer.items]
        verdicts: list[Judged] = [
            (tx_id, raw, self._verdict(station, tx_id, now), origin, _FEE_MINOR) for tx_id, raw, origin in items
        ]
        self.act(station, station.strategy.judged(verdicts, now), now)

    def _verdict(self, station: Station, tx_id: TransactionId, now: int) -> Verdict:
        publication = self._traffic.publications.get(tx_id)
        if publication is None:
            return Verdict.REJECT
        node = station.index
        is_attacker = self._is_attacker[node]
        if is_attacker and self._is_attacking:
            verdict = self._attack.verdict(publication)
            if verdict is not Verdict.ACCEPT:
                return verdict
        if publication.held[node]:
            return Verdict.IGNORE
        publication.held[node] = 1
        publication.holders += 1
        if not is_attacker and node != publication.origin:
            self.meter.deliver(publication, node, now, expected=station.since_us <= publication.at_us)
        return Verdict.ACCEPT
