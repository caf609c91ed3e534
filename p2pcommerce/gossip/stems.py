"""Private transactions: passed from peer to peer along a stem, and made public by somebody who is not their origin.

A stem transaction is in no pool, in no index, in no seen-cache: it is announced to nobody, served to nobody, and who
asks for it or shows it meets a node that has never heard of it. It goes to one peer. Each node that takes it examines
it, so that nothing invalid is carried, and then does what it has drawn for the present epoch (10 minutes, jittered):
nine nodes of ten pass on whatever comes, the tenth makes it public ("fluffs") as if it were its own. An epoch has two
relays, of the peers that this node dialled, and a map from where a transaction comes to one of them; the node's own are
one more place to come from, and always passed on. A copy over a second edge is passed on as if it were the first, so
that nobody learns by sending one whether it was here; a copy over the same edge goes round in a circle, and is fluffed.

Each node that passed one on waits for it to become public, for a fixed time and a drawn one: memoryless, so that among
those who wait each is as likely as the others to fluff first, except the origin, which waits longer. A relay that keeps
what it is given costs just that wait. What is left of an earlier life of this node is first waited for, too, and
then goes by a stem: others may have made it public meanwhile. An own one is never offered again as public ones are, not
even when it is public.

Limits: per peer a budget and a number held, in all a number and bytes. What is beyond them is dropped and costs
its sender nothing, who may be as honest as its own peers let it be.

Source: Fanti et al., Dandelion++ (arXiv 1805.11060): quasi-4-regular graph, per-edge forwarding, a role per epoch,
fail-safe timer.
Deviations: the fixed part of the wait, and the origin's longer one. Without a peer that it dialled the origin waits,
then takes any peer; others fluff. A private transaction that came back from the network counts as a peer's in the pool.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from p2pcommerce.gossip.arrivals import Arrivals
from p2pcommerce.gossip.effects import Effect, Examine, Fluff, SendTo
from p2pcommerce.gossip.link import Link, batched
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.stem_room import StemRoom
from p2pcommerce.gossip.stem_routes import StemRoutes
from p2pcommerce.primitives.errors import Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.messages import STEM_ITEMS_MAX, Stem

__all__ = ["Stems"]

_MESSAGE_BYTES_MAX: Final = Stem.BYTES_MAX - 16
_ORIGIN_WAITS: Final = 2
"""Times the fixed part of the wait that an origin waits."""


class _Stem:
    """One transaction.

    Attributes:
        raw: its bytes.
        edges: the peers that it came from, in order; none: it is this node's own.
        due_us: when to fluff it, microseconds; None: it is being examined.
        is_sent: it was passed on.
    """

    __slots__ = ("due_us", "edges", "is_sent", "raw")

    def __init__(self, raw: bytes, edge: PeerId | None) -> None:
        self.raw = raw
        self.edges: dict[PeerId, None] = {} if edge is None else {edge: None}
        self.due_us: int | None = None
        self.is_sent = False

    @property
    def origin(self) -> PeerId | None:
        """Who brought it first; None: nobody."""
        return next(iter(self.edges), None)


class Stems:
    """The transactions that are not public yet."""

    __slots__ = (
        "_arrivals",
        "_blame",
        "_counts",
        "_due",
        "_fluffing",
        "_fluffs",
        "_identify",
        "_index",
        "_later",
        "_links",
        "_order",
        "_outbox",
        "_own",
        "_parameters",
        "_rng",
        "_room",
        "_routes",
        "_stems",
    )

    def __init__(
        self,
        parameters: GossipParameters,
        links: Mapping[PeerId, Link],
        arrivals: Arrivals,
        index: IdIndex,
        rng: random.Random,
        identify: Callable[[bytes], TransactionId],
        blame: Callable[[Link, int, int], list[Effect]],
        counts: Counter[str],
    ) -> None:
        """Hold nothing.

        Args:
            parameters: the numbers.
            links: the connected peers, which the router fills.
            arrivals: what is public.
            index: ids of the pool.
            rng: draws relays, roles and waits.
            identify: the id (32 bytes) of a transaction by its bytes.
            blame: counts invalid transactions of a peer.
            counts: where everything is counted, as `stems_...`.
        """
        self._parameters = parameters
        self._links = links
        self._arrivals = arrivals
        self._index = index
        self._rng = rng
        self._identify = identify
        self._blame = blame
        self._counts = counts
        self._routes = StemRoutes(parameters, links, rng)
        self._stems: dict[TransactionId, _Stem] = {}
        self._own: dict[TransactionId, None] = {}
        self._later: dict[TransactionId, bytes] = {}
        self._room = StemRoom(parameters)
        self._due: list[tuple[int, int, TransactionId]] = []
        self._order = 0
        self._fluffing: dict[TransactionId, None] = {}
        self._fluffs: list[tuple[TransactionId, bytes, PeerId | None]] = []
        self._outbox: dict[PeerId, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._stems)

    # --- connections ---

    def on_connected(self, link: Link, now: int) -> list[Effect]:
        """Take a new peer in: own transactions that found no relay may go by it, if this node dialled it."""
        self._room.on_connected(link.peer, now)
        if link.outbound:
            for tx_id in self._own:
                if not self._stems[tx_id].is_sent:
                    self._send_own(tx_id, now)
        return self._flush()

    def on_disconnected(self, peer: PeerId) -> None:
        """Let a peer (32 bytes) go; what it brought travels on."""
        self._room.on_disconnected(peer)
        self._routes.forget(peer)

    # --- what peers and users bring ---

    def on_stem(self, peer: PeerId, items: Iterable[bytes], now: int) -> list[Effect]:
        """Take transactions that a peer (32 bytes) sends along their stems."""
        if peer not in self._links:
            return []
        fresh: list[tuple[TransactionId, bytes]] = []
        for raw in items:
            if not self._room.spend(peer, len(raw), now):
                self._counts["stems_over_budget"] += 1
                continue
            tx_id = self._identify(raw)
            stem = self._stems.get(tx_id)
            if tx_id in self._arrivals.seen or tx_id in self._index:
                self._counts["stems_known"] += 1
            elif stem is not None:
                self._again(tx_id, stem, peer, now)
            elif not self._room.has(peer, len(raw)):
                self._counts["stems_overflowed"] += 1
            else:
                self._counts["stems_received"] += 1
                self._put(tx_id, _Stem(raw, peer))
                fresh.append((tx_id, raw))
        examine: list[Effect] = [Examine(tuple(fresh), peer)] if fresh else []
        return examine + self._flush()

    def on_examined(
        self, tx_id: TransactionId, raw: bytes, origin: PeerId | None, verdict: Verdict, now: int
    ) -> list[Effect]:
        """Learn what admission says of a transaction (id of 32 bytes) that was examined, and is not in the pool.

        Args:
            tx_id: 32 bytes.
            raw: its bytes.
            origin: the peer that it came from; None: a user of this node.
            verdict: ACCEPT: it is as good as one that the pool takes.
            now: microseconds.
        """
        if origin is None:
            return self._begin(tx_id, raw, now) if verdict is Verdict.ACCEPT else []
        stem = self._stems.get(tx_id)
        if stem is None or stem.due_us is not None:
            return []  # it became public, or final, or is this node's own, meanwhile
        if verdict is Verdict.ACCEPT:
            self._wait(tx_id, stem, now + self._patience_us())
            for edge in list(stem.edges):
                self._route(tx_id, stem, edge, now)
            return self._flush()
        self._counts["stems_refused"] += 1
        self._remove(tx_id)
        effects: list[Effect] = []
        for edge in stem.edges if verdict is Verdict.REJECT else ():
            link = self._links.get(edge)
            if link is not None:
                effects += self._blame(link, 1, now)
        return effects

    def resume(self, tx_id: TransactionId, raw: bytes, now: int) -> None:
        """Take up an own transaction (id of 32 bytes) of an earlier life: see whether it is public, then examine it."""
        self._later[tx_id] = raw
        self._plan(tx_id, now + self._patience_us(_ORIGIN_WAITS))

    # --- what becomes of them ---

    def on_verdict(self, tx_id: TransactionId, verdict: Verdict) -> bool:
        """A transaction (id of 32 bytes) was judged for the pool; tell whether this node makes it public."""
        if not (self._stems or self._later or self._fluffing):
            return False  # of most transactions of most nodes
        if verdict is Verdict.ACCEPT:
            self._remove(tx_id)
            self._later.pop(tx_id, None)
        is_fluff = tx_id in self._fluffing
        if is_fluff:
            del self._fluffing[tx_id]
        return is_fluff

    def retire(self, tx_id: TransactionId) -> None:
        """A transaction (id of 32 bytes) is final, expired or dropped."""
        self._remove(tx_id)
        self._later.pop(tx_id, None)
        self._fluffing.pop(tx_id, None)

    @property
    def deadline(self) -> int | None:
        """When a wait ends, microseconds; None: there is none."""
        return self._due[0][0] if self._due else None

    def on_deadline(self, now: int) -> list[Effect]:
        """Fluff what has waited long enough."""
        due = self._due
        if not due or now < due[0][0]:
            return []
        effects: list[Effect] = []
        while due and due[0][0] <= now:
            due_us, _, tx_id = heapq.heappop(due)
            stem = self._stems.get(tx_id)
            if stem is not None and stem.due_us == due_us:
                self._end_wait(tx_id, stem, now)
            elif tx_id in self._later:
                if tx_id in self._stems or tx_id in self._arrivals.flight:
                    self._plan(tx_id, now + self._parameters.stem_wait_us)  # it is on its way here
                else:
                    effects.append(Examine(((tx_id, self._later.pop(tx_id)),), None))
        return effects + self._flush()

    # --- inside ---

    def _begin(self, tx_id: TransactionId, raw: bytes, now: int) -> list[Effect]:
        """Send an own transaction."""
        stem = self._stems.get(tx_id)
        if stem is None:
            stem = _Stem(raw, None)
            self._put(tx_id, stem)
            self._own[tx_id] = None
            self._wait(tx_id, stem, now + self._parameters.stem_wait_us)
            self._send_own(tx_id, now)
        return self._flush()

    def _send_own(self, tx_id: TransactionId, now: int, *, by_anybody: bool = False) -> None:
        stem = self._stems[tx_id]
        relay = self._routes.relay(None, now, by_anybody=by_anybody)
        if relay is None:
            return
        stem.is_sent = True
        self._outbox.setdefault(relay, []).append(stem.raw)
        self._counts["stems_begun"] += 1
        self._wait(tx_id, stem, now + self._patience_us(_ORIGIN_WAITS))

    def _again(self, tx_id: TransactionId, stem: _Stem, edge: PeerId, now: int) -> None:
        """Pass on a copy that came over another edge; one over the same edge has come round in a circle."""
        if edge not in stem.edges:
            stem.edges[edge] = None
            if stem.due_us is not None:
                self._route(tx_id, stem, edge, now)
        elif stem.due_us is not None:
            self._counts["stems_looped"] += 1
            self._fluff(tx_id)

    def _route(self, tx_id: TransactionId, stem: _Stem, edge: PeerId, now: int) -> None:
        if tx_id not in self._stems:
            return  # one of several edges has ended it
        relay = None if self._routes.is_diffuser(now) else self._routes.relay(edge, now)
        if relay is None:
            self._fluff(tx_id)
        else:
            stem.is_sent = True
            self._outbox.setdefault(relay, []).append(stem.raw)
            self._counts["stems_forwarded"] += 1

    def _end_wait(self, tx_id: TransactionId, stem: _Stem, now: int) -> None:
        if not self._links or tx_id in self._arrivals.flight:
            self._wait(tx_id, stem, now + self._parameters.stem_wait_us)
        elif not stem.is_sent:
            self._wait(tx_id, stem, now + self._parameters.stem_wait_us)
            self._send_own(tx_id, now, by_anybody=True)
        else:
            self._counts["stems_timed_out"] += 1
            self._fluff(tx_id)

    def _fluff(self, tx_id: TransactionId) -> None:
        """Make a transaction public: from here on it is like one that was pushed here, and is pushed to all."""
        stem = self._stems[tx_id]
        origin = None if tx_id in self._own else stem.origin
        self._remove(tx_id)
        self._counts["stems_fluffed"] += 1
        self._fluffing[tx_id] = None
        self._arrivals.launch(tx_id)
        self._fluffs.append((tx_id, stem.raw, origin))

    def _flush(self) -> list[Effect]:
        effects: list[Effect] = []
        if self._outbox:
            outbox, self._outbox = self._outbox, {}
            effects += [
                SendTo(relay, Stem(row))
                for relay, raws in outbox.items()
                for row in batched(raws, STEM_ITEMS_MAX, _MESSAGE_BYTES_MAX)
            ]
        if self._fluffs:
            effects.append(Fluff(tuple(self._fluffs)))
            self._fluffs = []
        return effects

    def _patience_us(self, waits: int = 1) -> int:
        """Draw how long to wait for others: so many times the fixed part, and a memoryless one."""
        wait_us = self._parameters.stem_wait_us
        return waits * wait_us + round(self._rng.expovariate(1.0) * wait_us)

    def _wait(self, tx_id: TransactionId, stem: _Stem, due_us: int) -> None:
        stem.due_us = due_us
        self._plan(tx_id, due_us)

    def _plan(self, tx_id: TransactionId, due_us: int) -> None:
        self._order += 1
        heapq.heappush(self._due, (due_us, self._order, tx_id))

    def _put(self, tx_id: TransactionId, stem: _Stem) -> None:
        self._stems[tx_id] = stem
        if stem.origin is not None:  # the node bounds its own
            self._room.take(stem.origin, len(stem.raw))

    def _remove(self, tx_id: TransactionId) -> None:
        stem = self._stems.pop(tx_id, None)
        if stem is None:
            return
        if tx_id in self._own:
            del self._own[tx_id]
        elif stem.origin is not None:
            self._room.give_back(stem.origin, len(stem.raw))
