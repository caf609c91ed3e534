"""The router: who gets which transaction, and from whom this node gets them.

It moves opaque bytes with an id. A transaction that a peer shows for the first time is marked as seen and in flight and
offered to admission; everything after that is a duplicate, which costs a hash and a look-up. Once accepted it is pushed
to the peers that chose this node as a sender, and announced to the others, who pull it if it does not come to them by
push. What is submitted here goes to everybody, and again until it is final. What is missed all the same comes by set
reconciliation (`reconciler`), on connecting and each minute.

It knows nothing of validity, blocks or sockets. The effects of one call carry at most one message per link and kind,
unless a message would exceed its cap.

Source: the networking specification (Gossip of transactions).
Deviations: an ignored transaction counts as seen for a few seconds only, so that one that came too early (a nonce gap,
a balance on its way) is not lost by having been seen; finality messages come by a room of their own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from p2pcommerce.gossip.arrivals import TRANSACTION_ID, Arrivals
from p2pcommerce.gossip.choosers import Choosers
from p2pcommerce.gossip.effects import Effect, Judged, Misbehaving, Offer
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.pulls import Pulls
from p2pcommerce.gossip.reconciler import ReconcileMessage, Reconciler
from p2pcommerce.gossip.score import Scores
from p2pcommerce.gossip.seen import short_id
from p2pcommerce.gossip.senders import Senders
from p2pcommerce.gossip.shelf import Shelf
from p2pcommerce.gossip.spreading import Spreading
from p2pcommerce.gossip.stems import Stems
from p2pcommerce.gossip.topics import Topics
from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.errors import LocalProtocolError, Verdict
from p2pcommerce.primitives.id_index import IdIndex
from p2pcommerce.primitives.ids import GenesisHash, PeerId, TransactionId
from p2pcommerce.wire.messages import AnnounceEntry

__all__ = ["Router"]


_NO_NETWORK: Final = GenesisHash(bytes(32))


class Router:
    """The core that spreads transactions.

    Attributes:
        topics: what it spreads for embedding applications.
        stems: what is not public yet.
    """

    __slots__ = (
        "_arrivals",
        "_choosers",
        "_connections",
        "_counts",
        "_index",
        "_links",
        "_lookup",
        "_parameters",
        "_pulls",
        "_reconciler",
        "_rerank_us",
        "_scores",
        "_senders",
        "_shelf",
        "_spreading",
        "stems",
        "topics",
    )

    def __init__(
        self,
        parameters: GossipParameters,
        rng: random.Random,
        lookup: Callable[[TransactionId], bytes | None],
        index: IdIndex,
        identify: Callable[[bytes], TransactionId] = TRANSACTION_ID,
        unwilling: Callable[[TransactionId], Sequence[PeerId]] = lambda _: (),
        scheme: SignatureScheme = ED25519,
        genesis_hash: GenesisHash = _NO_NETWORK,
    ) -> None:
        """Start without peers.

        Args:
            parameters: the numbers.
            rng: draws the random senders, and when peers are asked what they have.
            lookup: the bytes of an accepted transaction by its id (32 bytes), to serve pulls.
            index: ids of the pool, which alone writes it.
            identify: the id of a transaction by its bytes; who runs many routers in one process may remember ids.
            unwilling: the peers that would refuse a transaction (id of 32 bytes), and are neither pushed nor told it.
            scheme: checks the signatures of posts.
            genesis_hash: the network of posts, 32 bytes.
        """
        self._parameters = parameters
        self._lookup = lookup
        self._index = index
        self._links: dict[PeerId, Link] = {}
        self._connections = 0
        self._arrivals = Arrivals(parameters, identify)
        self._scores = Scores(parameters)
        self._senders = Senders(parameters, self._links, self._scores, rng)
        self._pulls = Pulls(parameters)
        self._shelf = Shelf(parameters)
        self._rerank_us: int | None = None
        self._counts: Counter[str] = Counter()
        self._spreading = Spreading(parameters, self._links, unwilling)
        self._choosers = Choosers(parameters, self._links, self._counts)
        self.stems = Stems(parameters, self._links, self._arrivals, index, rng, identify, self._blame, self._counts)
        self.topics = Topics(parameters, scheme, genesis_hash, self._blame)
        self._reconciler = Reconciler(parameters, rng, index, self._arrivals.seen, self._pulls, self._counts)

    # --- connections ---

    def on_connected(self, peer: PeerId, *, own_key: bytes, peer_key: bytes, outbound: bool, now: int) -> list[Effect]:
        """Take a new peer in.

        Args:
            peer: 32 bytes.
            own_key: this node's announcement key, 16 bytes, the same on all connections.
            peer_key: the peer's announcement key, 16 bytes.
            outbound: this node dialled.
            now: microseconds.

        Raises:
            LocalProtocolError: the peer is connected already, or `own_key` differs from that of an earlier connection.
        """
        if peer in self._links:
            raise LocalProtocolError("the peer is connected already: disconnect it first")
        if self._arrivals.seen.key not in {None, own_key}:
            raise LocalProtocolError("the node's announcement key must be the same on all connections")
        self._arrivals.seen.key = own_key
        self._connections += 1
        score = self._scores.on_connected(peer, now)
        link = self._links[peer] = Link(peer, self._connections, peer_key, score, outbound=outbound)
        link.shown_us = now
        if self._rerank_us is None:
            self._rerank_us = now + self._parameters.rerank_us
        self._reconciler.on_connected(link, own_key, now)
        joined = (
            self._senders.fill(now),
            self.topics.on_connected(link, own_key, now),
            self.stems.on_connected(link, now),
        )
        return [effect for effects in joined for effect in effects]

    def on_disconnected(self, peer: PeerId, now: int) -> list[Effect]:
        """Let a peer (32 bytes) go; its score is kept."""
        link = self._links.pop(peer, None)
        if link is None:
            return []
        self._scores.on_disconnected(peer, now)
        self._pulls.forget(link, now)
        self._reconciler.on_disconnected(peer, now)
        self.topics.on_disconnected(peer, now)
        self.stems.on_disconnected(peer)
        if not self._links:
            self._rerank_us = None
        return [*self._senders.fill(now)]

    def on_rtt(self, peer: PeerId, rtt_us: int, now: int) -> list[Effect]:
        """Learn a peer's (32 bytes) round-trip time."""
        link = self._links.get(peer)
        if link is None:
            return []
        link.rtt_us = rtt_us
        return [*self._senders.on_rtt(now)]

    @property
    def scores(self) -> Scores:
        """What the peers did, to be saved and restored."""
        return self._scores

    @property
    def choosers(self) -> list[PeerId]:
        """The peers (32 bytes each) that chose this node as a sender."""
        return [link.peer for link in self._links.values() if link.is_chooser]

    def is_banned(self, peer: PeerId, now: int) -> bool:
        """Tell whether connections with a peer (32 bytes) are refused for the time being."""
        return self._scores.is_banned(peer, now)

    # --- the peers' messages ---

    def on_transactions(self, peer: PeerId, items: Sequence[bytes], now: int) -> list[Effect]:
        """Take transactions that a peer (32 bytes) pushes, and offer the new ones to admission."""
        link = self._links.get(peer)
        if link is None:
            return []
        arrival = self._arrivals.take(link, items, now)
        fresh, known = arrival.fresh, arrival.known
        counts = self._counts
        counts["received"] += len(fresh)
        counts["duplicates"] += len(known)
        if arrival.dropped:
            counts["overflowed"] += arrival.dropped
        key = self._arrivals.seen.key
        if key is not None and (len(self._pulls) or link.asks):
            for tx_id, announcers in self._pulls.settle(link, key, [tx_id for tx_id, _ in fresh], known):
                self._arrivals.shown_by(tx_id, announcers)
        if fresh:
            self._senders.on_heard(link, len(fresh), now)
            effects: list[Effect] = [Offer(tuple(fresh), peer)]
        else:
            self._senders.on_shown(link, now)
            effects = []
        if arrival.invalid:
            effects += self._blame(link, arrival.invalid, now)
        return effects

    def on_announce(self, peer: PeerId, entries: Sequence[AnnounceEntry], now: int) -> list[Effect]:
        """Take the announcements of a peer (32 bytes), and plan to pull what is not known."""
        link = self._links.get(peer)
        if link is None:
            return []
        unknown = 0
        for short, _, _ in entries:
            if not self._arrivals.announced(link, short, now):
                unknown += 1
                self._pulls.announced(link, short, now)
        self._senders.on_shown(link, now)
        self._counts["announced"] += len(entries)
        if unknown and link.is_sender and now - link.chosen_us >= self._parameters.owed_us:
            return [*self._senders.replace(link, now)]
        return []

    def on_pull(self, peer: PeerId, short_ids: Sequence[bytes], now: int) -> list[Effect]:
        """Send what a peer (32 bytes) asks for, if it was announced to it; each announcement is good for one pull."""
        del now
        link = self._links.get(peer)
        if link is None:
            return []
        for short in short_ids:
            tx_id = link.told.pop(short, None)
            raw = None if tx_id is None else self._lookup(tx_id)
            self._counts["pulls_unserved" if raw is None else "pulls_served"] += 1
            if raw is not None:
                link.push(raw)
        return [*link.take_pushes()]

    def on_choose(self, peer: PeerId, now: int) -> list[Effect]:
        """Serve a peer (32 bytes) by push from now on, or refuse."""
        del now
        return self._choosers.add(peer)

    def on_unchoose(self, peer: PeerId, now: int) -> list[Effect]:
        """Announce to a peer (32 bytes) from now on."""
        self._choosers.discard(peer)
        return []

    def on_refuse(self, peer: PeerId, now: int) -> list[Effect]:
        """Look for another sender: this peer (32 bytes) serves enough."""
        link = self._links.get(peer)
        return [] if link is None else [*self._senders.on_refused(link, now)]

    def on_reconcile(self, peer: PeerId, message: ReconcileMessage, now: int) -> list[Effect]:
        """Find out with a peer (32 bytes) what each side lacks.

        Raises:
            CodecError: the message holds malformed symbols.
        """
        return [*self._reconciler.take(peer, message, now)]

    # --- the node's own side ---

    def mark_known(self, tx_id: TransactionId, now: int) -> None:
        """Count a transaction (32 bytes) as seen: it is being submitted here, and its verdict will come."""
        self._arrivals.seen.now = now
        self._arrivals.know(tx_id)

    def publish(self, tx_id: TransactionId, raw: bytes, fee: int, now: int) -> list[Effect]:
        """Send an accepted own transaction (id of 32 bytes, fee in minor units) to all, and again until `retire`."""
        return self.on_verdicts([(tx_id, raw, Verdict.ACCEPT, None, fee)], now)

    def on_verdicts(self, verdicts: Iterable[Judged], now: int) -> list[Effect]:
        """Pass on what was accepted, drop the rest, and hold senders of invalid transactions to account."""
        effects: list[Effect] = []
        for judged in verdicts:
            tx_id, _, verdict, _, _ = judged
            shown = self._arrivals.land(tx_id)
            is_fluff = self.stems.on_verdict(tx_id, verdict)
            if verdict is Verdict.ACCEPT:
                self._accept(judged, shown, now, is_fluff=is_fluff)
            elif verdict is Verdict.IGNORE:
                self._counts["ignored"] += 1
                if tx_id not in self._index:  # otherwise a second copy of what was accepted before
                    self._arrivals.ignore(tx_id, now)
            else:
                self._counts["rejected"] += 1
                self._arrivals.seen.reject(tx_id)
                for peer in dict.fromkeys(shown):
                    link = self._links.get(peer)
                    if link is not None:
                        effects += self._blame(link, 1, now)
        return effects + self._spreading.take_pushes()

    def retire(self, tx_ids: Iterable[TransactionId]) -> None:
        """Stop offering and wanting transactions (32 bytes each): they are final, expired or dropped."""
        key = self._arrivals.seen.key
        retired = dict.fromkeys(tx_ids)
        for tx_id in retired:
            self._shelf.retire(tx_id)
            self.stems.retire(tx_id)
            self._arrivals.know(tx_id)
            if len(self._pulls) and key is not None:
                short = short_id(key, tx_id)
                self._pulls.arrived(short)
                for link in self._links.values():
                    self._pulls.delivered(link, short)
        for link in self._links.values() if retired else ():
            link.untell(retired)

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When announcements, pulls, re-offers or rankings are due."""
        first = self._pulls.deadline
        stall_us = self._senders.stall_check_us if self._links else None
        # Asked for after each input, so in the plainest way.
        for due_us in (
            self._spreading.news_us,
            stall_us,
            self._rerank_us,
            self._shelf.deadline,
            self._reconciler.deadline,
            self.topics.deadline,
            self.stems.deadline,
        ):
            if due_us is not None and (first is None or due_us < first):
                first = due_us
        return first

    def on_deadline(self, now: int) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link in self._pulls.broken(now):
            self._counts["promises_broken"] += 1
            link.score.broken += 1
            if link.is_sender and link.broken_as_sender >= self._parameters.broken_max:
                effects += self._senders.replace(link, now)
        if self._rerank_us is not None and self._rerank_us <= now:
            self._rerank_us = now + self._parameters.rerank_us
            self._arrivals.seen.age(self._parameters.seen_us, now)
            self.topics.age(now)
            effects += self._senders.rerank(now)
        stall_check_us = self._senders.stall_check_us
        if stall_check_us is not None and stall_check_us <= now:
            effects += self._senders.check_stalls(now)
        for tx_id, raw, fee in self._shelf.due(now):
            self._counts["reoffered"] += 1
            self._spreading.spread(tx_id, raw, fee, (), now, everybody=False)
        pulls = self._pulls.on_deadline(now)
        self._counts["pulls_sent"] += len(pulls)
        effects += pulls
        effects += self._reconciler.on_deadline(now)
        effects += self._spreading.on_deadline(now)
        effects += self.stems.on_deadline(now)
        return effects + self.topics.on_deadline(now)

    # --- inside ---

    def blame(self, peer: PeerId, invalid: int, now: int) -> list[Effect]:
        """Count invalid messages of a peer (32 bytes) that came by other rooms."""
        link = self._links.get(peer)
        return [] if link is None else self._blame(link, invalid, now)

    def _accept(self, judged: Judged, shown: Sequence[PeerId], now: int, *, is_fluff: bool) -> None:
        tx_id, raw, _, origin, fee = judged
        if origin is None:
            self.mark_known(tx_id, now)
            if not is_fluff:  # whoever offers it again is its origin
                self._shelf.put_own(tx_id, raw, fee, now)
        else:
            link = self._links.get(origin)
            if link is not None:
                link.score.useful += 1
        self._spreading.spread(tx_id, raw, fee, shown, now, everybody=is_fluff or origin is None)

    def _blame(self, link: Link, invalid: int, now: int) -> list[Effect]:
        """Count invalid transactions of a peer, and say so when it is enough."""
        link.score.invalid += invalid
        points = self._scores.points(link.score, now)
        if points > self._parameters.ban_points or now < link.score.banned_until_us:
            return []
        self._scores.ban(link.score, now)
        self._counts["banned"] += 1
        return [Misbehaving(link.peer, f"it sent invalid transactions: {points} points")]

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name."""
        return {
            "peers": len(self._links),
            "senders": len(self._senders.chosen()),
            "choosers": len(self._choosers),
            "seen": len(self._arrivals.seen),
            "in_flight": len(self._arrivals.flight),
            "ignored_waiting": self._arrivals.ignored_count,
            "asking": self._reconciler.asking,
            "stems": len(self.stems),
            "own": self._shelf.own_count,
            "wanted": len(self._pulls),
            "announcements_surplus": self._pulls.surplus,
            "senders_replaced": self._senders.replaced,
            "scores": len(self._scores),
            **{name: self._counts[name] for name in sorted(self._counts)},
            **self.topics.statistics(),
        }
