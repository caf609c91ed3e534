"""Routers that talk to each other over links of some milliseconds, by the bytes of their messages."""

import heapq
import itertools
import random

from p2pcommerce.gossip import GossipParameters, Misbehaving, Offer, Router, SendTo
from p2pcommerce.primitives.errors import RemoteProtocolError, Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.wire.messages import (
    Announce,
    Choose,
    Found,
    GetIds,
    GetSymbols,
    Ids,
    Lacking,
    Pull,
    Refuse,
    Symbols,
    Transactions,
    Unchoose,
    decode_message,
    encode_message,
)

from .rig import SECOND, id_of, key_of, peer_of

RECONCILING = (GetSymbols, Symbols, GetIds, Ids, Lacking, Found)


class House:
    """One node: a router, a pool that takes everything, and what it was sent."""

    def __init__(self, number, parameters, seed):
        self.number = number
        self.pool = {}
        self.index = IdIndex()
        self.router = Router(parameters, random.Random(seed), self.pool.get, self.index)
        self.deliveries = []

    def hold(self, raws):
        """Have transactions, as if they had come long ago from nobody in particular."""
        for raw in raws:
            self.pool[id_of(raw)] = raw
            self.index.add(id_of(raw))

    def count(self, name):
        return self.router.statistics().get(name, 0)


class Village:
    def __init__(self, houses, *, delay_us=10_000, seed=1, **parameters):
        chosen = GossipParameters(**parameters)
        self.houses = {number: House(number, chosen, f"{seed}.{number}") for number in range(1, houses + 1)}
        self.now = 100 * SECOND
        self.delay_us = delay_us
        self.log = []
        self.censor = lambda sender, receiver, message: message
        self.closed = []
        self._queue = []
        self._order = itertools.count()
        self._links = set()

    def __getitem__(self, number):
        return self.houses[number]

    def connect(self, caller, callee):
        self._links |= {(caller, callee), (callee, caller)}
        for here, there, outbound in ((caller, callee, True), (callee, caller, False)):
            effects = self[here].router.on_connected(
                peer_of(there), own_key=key_of(here), peer_key=key_of(there), outbound=outbound, now=self.now
            )
            self._do(self[here], effects)

    def cut(self, one, other):
        self._links -= {(one, other), (other, one)}
        for here, there in ((one, other), (other, one)):
            self._do(self[here], self[here].router.on_disconnected(peer_of(there), self.now))

    def inject(self, sender, receiver, message):
        """Send what no router asked for."""
        self._send(sender, receiver, message)

    def run(self, duration_us):
        until = self.now + duration_us
        while True:
            due = [
                (house.router.deadline, number)
                for number, house in self.houses.items()
                if house.router.deadline is not None
            ]
            if self._queue:
                due.append((self._queue[0][0], 0))
            if not due or min(due)[0] > until:
                self.now = until
                return
            when, number = min(due)
            self.now = max(self.now, when)
            if number:
                self._do(self[number], self[number].router.on_deadline(self.now))
            else:
                self._deliver(*heapq.heappop(self._queue)[2:])

    def sent_bytes(self, sender, kinds=RECONCILING):
        return sum(
            len(data) for origin, _, message, data in self.log if origin == sender and isinstance(message, kinds)
        )

    def sent(self, sender, kind):
        return [message for origin, _, message, _ in self.log if origin == sender and isinstance(message, kind)]

    def _do(self, house, effects):
        for effect in effects:
            match effect:
                case SendTo(peer, message):
                    self._send(house.number, peer[0], message)
                case Offer(items, origin):
                    house.deliveries += [raw for _, raw in items]
                    house.hold(raw for _, raw in items)
                    verdicts = [(tx_id, raw, Verdict.ACCEPT, origin, 1) for tx_id, raw in items]
                    self._do(house, house.router.on_verdicts(verdicts, self.now))
                case Misbehaving(peer, _):
                    self.closed.append((house.number, peer[0]))

    def _send(self, sender, receiver, message):
        message = self.censor(sender, receiver, message)
        if message is None:
            return
        data = encode_message(message)
        self.log.append((sender, receiver, message, data))
        heapq.heappush(self._queue, (self.now + self.delay_us, next(self._order), sender, receiver, data))

    def _deliver(self, sender, receiver, data):
        if (sender, receiver) not in self._links:
            return
        router, peer, message = self[receiver].router, peer_of(sender), decode_message(data)
        handlers = {
            Transactions: lambda: router.on_transactions(peer, message.items, self.now),
            Announce: lambda: router.on_announce(peer, message.entries, self.now),
            Pull: lambda: router.on_pull(peer, message.short_ids, self.now),
            Choose: lambda: router.on_choose(peer, self.now),
            Unchoose: lambda: router.on_unchoose(peer, self.now),
            Refuse: lambda: router.on_refuse(peer, self.now),
            **{kind: lambda: router.on_reconcile(peer, message, self.now) for kind in RECONCILING},
        }
        try:
            effects = handlers[type(message)]()
        except RemoteProtocolError:
            self.closed.append((receiver, sender))
            self.cut(receiver, sender)
            return
        self._do(self[receiver], effects)
