"""A router with a clock that is set by hand."""

import random

from p2pcommerce.gossip import GossipParameters, Misbehaving, Offer, Router, SendTo, short_id
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.wire.messages import Announce, Choose, Pull, Transactions, Unchoose

MS = 1_000
SECOND = 1_000_000
OWN_KEY = b"o" * 16
NEVER = 10**9 * SECOND
QUIET = {"reconcile_us": NEVER, "reconcile_connect_us": NEVER}
"""No reconciliation: peers of a rig answer only what a test lets them answer."""


def peer_of(number):
    return PublicKey(bytes([number]) * 32)


def key_of(number):
    return bytes([number]) * 16


def raw_of(number, size=250):
    return number.to_bytes(8, "big").rjust(size, b"t")


def id_of(raw):
    return transaction_id(raw)


class Rig:
    def __init__(self, peers=0, outbound=3, seed=1, rtts=(), **parameters):
        self.pool = {}
        self.index = IdIndex()
        self.router = Router(GossipParameters(**(QUIET | parameters)), random.Random(seed), self.pool.get, self.index)
        self.now = 100 * SECOND
        self.effects = []
        for number in range(1, peers + 1):
            self.connect(number, outbound=number <= outbound)
        for number, rtt_us in enumerate(rtts, start=1):
            self.effects += self.router.on_rtt(peer_of(number), rtt_us, self.now)

    def connect(self, number, *, outbound=False):
        effects = self.router.on_connected(
            peer_of(number), own_key=OWN_KEY, peer_key=key_of(number), outbound=outbound, now=self.now
        )
        self.effects += effects
        return effects

    def show(self, number, *raws):
        """A peer pushes transactions."""
        return self.router.on_transactions(peer_of(number), tuple(raws), self.now)

    def announce(self, number, *raws, fee=5):
        entries = tuple((short_id(OWN_KEY, id_of(raw)), len(raw), fee) for raw in raws)
        return self.router.on_announce(peer_of(number), entries, self.now)

    def judge(self, *raws, origin=None, verdict=Verdict.ACCEPT, fee=7):
        """Admission has judged transactions."""
        if verdict is Verdict.ACCEPT:
            self.pool.update((id_of(raw), raw) for raw in raws)
            for raw in raws:
                self.index.add(id_of(raw))
        source = None if origin is None else peer_of(origin)
        return self.router.on_verdicts([(id_of(raw), raw, verdict, source, fee) for raw in raws], self.now)

    def retire(self, *raws):
        """Transactions are final: the pool drops them."""
        for raw in raws:
            self.index.discard(id_of(raw))
            self.pool.pop(id_of(raw), None)
        self.router.retire([id_of(raw) for raw in raws])

    def relay(self, number, *raws):
        """A peer pushes transactions that are good."""
        self.show(number, *raws)
        return self.judge(*raws, origin=number)

    def wait(self, duration_us):
        """Let time pass, waking the router whenever it wants it."""
        until = self.now + duration_us
        effects = []
        while (deadline := self.router.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            effects += self.router.on_deadline(self.now)
        self.now = until
        return effects

    def senders(self):
        """Return who is chosen, by the messages that were sent."""
        return {link.peer[0] for link in self.router._senders.chosen()}

    def count(self, name):
        return self.router.statistics().get(name, 0)


def sent(effects, kind):
    """Return what goes to whom: number of the peer -> messages of a kind."""
    messages = {}
    for effect in effects:
        if isinstance(effect, SendTo) and isinstance(effect.message, kind):
            messages.setdefault(effect.peer[0], []).append(effect.message)
    return messages


def pushed(effects):
    return {
        number: [raw for message in messages for raw in message.items]
        for number, messages in sent(effects, Transactions).items()
    }


def pulled(effects):
    return {
        number: [short for message in messages for short in message.short_ids]
        for number, messages in sent(effects, Pull).items()
    }


def told(effects):
    return {
        number: [entry for message in messages for entry in message.entries]
        for number, messages in sent(effects, Announce).items()
    }


def offered(effects):
    return [tx_id for effect in effects if isinstance(effect, Offer) for tx_id, _ in effect.items]


def chosen(effects):
    return sorted(sent(effects, Choose))


def unchosen(effects):
    return sorted(sent(effects, Unchoose))


def misbehaving(effects):
    return [effect.peer[0] for effect in effects if isinstance(effect, Misbehaving)]
