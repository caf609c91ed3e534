"""Finality messages on their way among many validators.

Up to 64 validators everybody is connected with everybody, and tells all others straight. Beyond, each stays connected
to some of the others, and what one says reaches the rest by relaying: pushed to those that chose this node as a sender
and do not hear its maker straight, announced to the other connected validators, and pulled by these if it does not come
to them. Who says something itself pushes it to all of them. Only validators relay, and only to validators.

The messages are opaque bytes with an id (BLAKE2b-256). Whoever owns them judges each once, before it is passed on:
ACCEPT - it is signed and changes something here -, IGNORE - it changes nothing any more -, REJECT - no honest node
passes it on -, or None: it is too early to tell, and it is not remembered. So what is spread is bounded by what a judge
accepts: of the engine's, at most two different votes of one voter, kind and view. An ignored vote needs no relaying:
before it was superfluous here, whoever chose this node had been pushed all that made it so.

What was accepted is kept for two seconds, and as long as nothing becomes final. It is announced again, at most once a
second, when this node repeats itself because its view stands still, and to a validator that connects: so what one lacks
and any neighbour has, it gets.

Source: the networking specification (Proposals, votes, certificates: by the router beyond 64 validators).
Deviations: it is an instance of the router's parts, not of the router: there is no flight between arrival and verdict,
no reconciliation and no re-offer, as certificates and the standstill of the engine do the same better; announcing what
a sender owes is no fault, since it is announced again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias, cast

from p2pcommerce.gossip.choosers import Choosers
from p2pcommerce.gossip.effects import Effect, SendTo
from p2pcommerce.gossip.kept_messages import KeptMessages
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.pulls import Pulls
from p2pcommerce.gossip.relay_hearing import Hearing, Maker
from p2pcommerce.gossip.relay_link import RelayLink, RelayPeer
from p2pcommerce.gossip.relay_names import Names, Series, names_in, names_message
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.gossip.score import Scores
from p2pcommerce.gossip.seen import OWN, REJECTED, Seen
from p2pcommerce.gossip.senders import Senders
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import LocalProtocolError, Verdict
from p2pcommerce.primitives.ids import PeerId, TransactionId
from p2pcommerce.wire.finality_messages import ROLE_CHOSEN, ROLE_NONE, ROLE_REFUSED, RelayIds, RelayRole
from p2pcommerce.wire.messages import SHORT_ID_BYTES, Choose, Refuse, Unchoose

__all__ = ["Judge", "Relay"]

Judge: TypeAlias = Callable[[bytes], Verdict | None]
"""Says what a message is worth; None: it cannot be said yet."""

_ROLES: Final[Mapping[type[object], int]] = {Choose: ROLE_CHOSEN, Unchoose: ROLE_NONE, Refuse: ROLE_REFUSED}


class Relay:
    """The core that spreads finality messages.

    Attributes:
        is_active: whether there is anybody to relay for.
    """

    def __init__(
        self,
        parameters: RelayParameters,
        gossip: GossipParameters,
        scores: Scores,
        rng: random.Random,
        blame: Callable[[PeerId, int, int], list[Effect]],
        series: Series,
        maker: Maker,
    ) -> None:
        """Relay for nobody.

        Args:
            parameters: the numbers.
            gossip: those of transactions, for what is as with them.
            scores: the scores that transactions count in.
            rng: draws the random senders.
            blame: counts invalid messages of a peer in its score: (peer, how many, now).
            series: tells votes on one ballot, which are named together.
            maker: tells whose a message is.
        """
        self._parameters = parameters
        self._gossip = numbers = replace(
            gossip,
            senders=parameters.senders,
            senders_random=parameters.senders_random,
            choosers_max=parameters.choosers_max,
            grace_us=parameters.grace_us,
        )
        self._blame = blame
        self._scores = scores
        self._peers: dict[PeerId, RelayPeer] = {}
        self._connections = 0
        self._links: dict[PeerId, RelayLink] = {}
        self._hearing = Hearing(self._links, maker)
        links = cast("dict[PeerId, Link]", self._links)  # the rooms below only look links up
        self._counts: Counter[str] = Counter()
        self._senders = Senders(numbers, links, scores, rng)
        self._choosers = Choosers(numbers, links, self._counts)
        self._pulls = Pulls(numbers, partial(names_message, is_pull=True))
        self._names = Names(series, parameters.ballots_max)
        self._seen = Seen(parameters.seen_max)
        self._kept = KeptMessages(parameters.kept_max, parameters.kept_bytes_max)
        self._audience: Collection[PeerId] = ()
        self._news_us: int | None = None
        self._turn_us: int | None = None
        self._turned_us = 0
        self._rerank_us: int | None = None
        self._reminded_us: int | None = None
        self._rotated_us = 0

    # --- who takes part ---

    @property
    def is_active(self) -> bool:
        """Whether there is anybody to relay for."""
        return bool(self._audience)

    def set_audience(self, members: Collection[PeerId], now: int) -> list[Effect]:
        """Relay for these (32 bytes each), and for nobody else."""
        if not members:
            self._kept.clear()
        self._audience = members
        for peer in [peer for peer in self._links if peer not in members]:
            self._pulls.forget(self._links.pop(peer), now)
            self._hearing.changed(now)
        for known in self._peers.values():
            if known.peer in members and known.peer not in self._links:
                self._join(known, now)
        return self._roles(self._senders.fill(now))

    def serves(self, peer: PeerId) -> bool:
        """Tell whether a peer (32 bytes) is connected and one of those for whom is relayed."""
        return peer in self._links

    def on_connected(self, peer: PeerId, *, own_key: bytes, peer_key: bytes, outbound: bool, now: int) -> list[Effect]:
        """Take a new peer in, that the router has taken in before; see `Router.on_connected`."""
        score = self._scores.of(peer)
        if score is None:
            raise LocalProtocolError("the router takes a peer in before its relay does")
        self._seen.key = own_key
        self._connections += 1
        known = self._peers[peer] = RelayPeer(peer, self._connections, peer_key, score, outbound)
        if peer not in self._audience:
            return []
        self._join(known, now)
        return self._roles(self._senders.fill(now))

    def on_disconnected(self, peer: PeerId, now: int) -> list[Effect]:
        """Forget a peer (32 bytes)."""
        self._peers.pop(peer, None)
        link = self._links.pop(peer, None)
        if link is None:
            return []
        self._pulls.forget(link, now)
        self._hearing.changed(now)
        return self._roles(self._senders.fill(now))

    def on_rtt(self, peer: PeerId, rtt_us: int, now: int) -> list[Effect]:
        """Learn a peer's (32 bytes) round-trip time."""
        known, link = self._peers.get(peer), self._links.get(peer)
        if known is not None:
            known.rtt_us = rtt_us
        if link is None:
            return []
        link.rtt_us = rtt_us
        return self._roles(self._senders.on_rtt(now))

    def _join(self, known: RelayPeer, now: int) -> None:
        link = self._links[known.peer] = RelayLink(known, self._parameters, len(self._audience), self._names, now)
        self._hearing.changed(now)
        if self._rerank_us is None:
            self._rerank_us = now + self._parameters.first_rerank_us
        self._tell_kept(link, now)

    # --- the node's own side ---

    def publish(self, raw: bytes, now: int) -> list[Effect]:
        """Push an own message to all connected validators; one that is repeated tells that things stand still."""
        item_id = _id(raw)
        self._seen.now = now
        if item_id in self._seen:
            self._counts["relayed_repeated"] += 1
            self._remind(now)
        else:
            self._seen.add(item_id, OWN)
            self._counts["relayed_own"] += 1
            self._names.note(self._seen.key, item_id, raw, OWN)
            self._kept.put(item_id, raw)
        for link in self._links.values():
            link.owe(item_id, raw)
        return self._flush(now)

    def on_final(self, now: int) -> None:
        """A block became final: what is kept for long enough need not be told any more."""
        if now - self._rotated_us >= self._parameters.kept_us:
            self._rotated_us = now
            self._kept.rotate()

    # --- the peers' messages ---

    def on_relayed(self, peer: PeerId, items: Sequence[bytes], judge: Judge, now: int) -> list[Effect]:
        """Take messages that a peer (32 bytes) pushes, have the new ones judged, and spread what is accepted."""
        link, key = self._links.get(peer), self._seen.key
        if link is None or key is None:
            self._counts["relayed_unasked"] += len(items)
            return []
        invalid = new = 0
        self._seen.make_room(len(items), now)
        for raw in items:
            item_id = _id(raw)
            first = self._seen.first_us(item_id)
            name = self._names.name(key, item_id, raw) if link.asks or len(self._pulls) else b""
            self._pulls.delivered(link, name)
            if first is not None:
                self._counts["relayed_duplicates"] += 1
                invalid += first == REJECTED
                self._again(link, item_id, first, now)
                continue
            if not link.budget.has(len(raw), now):
                self._counts["relayed_over_budget"] += 1
                continue
            link.budget.spend(len(raw), now)
            announcers = self._pulls.arrived(name)
            verdict = judge(raw)
            if verdict is None:
                self._counts["relayed_early"] += 1
                continue
            new += 1
            invalid += verdict is Verdict.REJECT
            self._seen.add(item_id, REJECTED if verdict is Verdict.REJECT else now)
            if verdict is not Verdict.REJECT:
                self._names.note(key, item_id, raw, now)
            self._counts[f"relayed_{verdict.name.lower()}"] += 1
            if verdict is Verdict.ACCEPT:
                link.score.useful += 1
                self._spread(item_id, raw, (peer, *announcers), now)
        if new:
            link.lag_count += new
            self._senders.on_heard(link, new, now)
        else:
            self._senders.on_shown(link, now)
        return self._turn(now) + (self._blame(peer, invalid, now) if invalid else [])

    def on_ids(self, peer: PeerId, message: RelayIds, now: int) -> list[Effect]:
        """Take what a peer (32 bytes) announces or asks for; each announcement is good for one pull."""
        link = self._links.get(peer)
        if link is None:
            return []
        names = names_in(message, len(self._audience))
        if message.is_pull:
            for name in names:
                item_id = link.told.pop(name, None)
                raw = None if item_id is None else self._kept.get(item_id)
                self._counts["relayed_unserved" if raw is None else "relayed_served"] += 1
                if item_id is not None and raw is not None:
                    link.owe(item_id, raw)
            return [*link.take_pushes()]
        for name in names:
            found = self._seen.by_short(name) if len(name) == SHORT_ID_BYTES else self._names.find(name)
            if found is None:
                self._pulls.announced(link, name, now)
            else:
                self._again(link, *found, now)
        self._senders.on_shown(link, now)
        return []

    def on_role(self, peer: PeerId, message: RelayRole, now: int) -> list[Effect]:
        """Learn what this node is to a peer (32 bytes), and whom that hears."""
        link, role = self._links.get(peer), message.role
        if link is None:
            return [SendTo(peer, RelayRole(ROLE_REFUSED, ()))] if role == ROLE_CHOSEN and peer in self._peers else []
        if role == ROLE_CHOSEN:
            self._hearing.on_chosen(link, message.hears, self._audience, self._seen.key or b"")
            return self._roles(self._choosers.add(peer))
        if role == ROLE_NONE:
            self._choosers.discard(peer)
            return []
        return self._roles(self._senders.on_refused(link, now))

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When announcements, pulls or rankings are due, microseconds; None: never."""
        if not self._links:
            return None
        rooms = self._hearing.deadline, self._pulls.deadline, self._senders.stall_check_us
        return earliest(self._turn_us, self._news_us, self._rerank_us, *rooms)

    def on_deadline(self, now: int) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link in self._pulls.broken(now):
            self._counts["relay_promises_broken"] += 1
            link.score.broken += 1
        if self._rerank_us is not None and self._rerank_us <= now:
            self._rerank_us = now + self._gossip.rerank_us
            self._seen.age(self._gossip.seen_us, now)
            effects += self._roles(self._senders.rerank(now))
        stall_us = self._senders.stall_check_us
        if stall_us is not None and stall_us <= now:
            effects += self._roles(self._senders.check_stalls(now))
        if self._turn_us is not None and self._turn_us <= now:
            effects += self._flush(now)
        effects += [*self._hearing.on_deadline(now), *self._pulls.on_deadline(now)]
        if self._news_us is not None and self._news_us <= now:
            self._news_us = None
            for each in self._links.values():
                if each.news:
                    effects += each.take_news()
        return effects

    # --- inside ---

    def _again(self, link: RelayLink, item_id: TransactionId, first: int, now: int) -> None:
        """Take a peer's showing of what was seen before as a sample of its lag."""
        link.has_shown(item_id)
        if first > OWN:
            link.lag_us += min(now - first, self._gossip.lag_us_max)
            link.lag_count += 1

    def _spread(self, item_id: TransactionId, raw: bytes, shown: Sequence[PeerId], now: int) -> None:
        """Push to choosers, and announce to the others."""
        self._kept.put(item_id, raw)
        maker = self._hearing.maker(raw)
        for peer, link in self._links.items():
            if peer in shown or peer == maker:
                continue
            if link.is_chooser and maker not in link.hears:
                link.owe(item_id, raw)
            else:
                self._tell(link, item_id, raw, now)

    def _tell(self, link: RelayLink, item_id: TransactionId, raw: bytes, now: int) -> None:
        link.spread(item_id, raw, self._parameters.kept_max)
        if self._news_us is None:
            self._news_us = now + self._parameters.announce_us

    def _tell_kept(self, link: RelayLink, now: int) -> None:
        for item_id, raw in self._kept.items():
            self._tell(link, item_id, raw, now)

    def _remind(self, now: int) -> None:
        """Announce all that is kept again, unless that was done lately."""
        if self._reminded_us is not None and now - self._reminded_us < self._parameters.remind_us:
            return
        self._reminded_us = now
        self._counts["relay_reminders"] += 1
        for link in self._links.values():
            self._tell_kept(link, now)

    def _turn(self, now: int) -> list[Effect]:
        """Push what is owed, unless that was done just now: then soon, with what comes until then."""
        if now - self._turned_us >= self._parameters.turn_us:
            return self._flush(now)
        if self._turn_us is None:
            self._turn_us = self._turned_us + self._parameters.turn_us
        return []

    def _flush(self, now: int) -> list[Effect]:
        self._turn_us = None
        effects: list[Effect] = [each for link in self._links.values() if link.is_owing for each in link.take_pushes()]
        if effects:
            self._turned_us = now
        return effects

    def _roles(self, effects: Sequence[Effect]) -> list[Effect]:
        """Say what the choice of senders says in the words of this room."""
        return [
            SendTo(effect.peer, self._hearing.role(effect.peer, _ROLES[type(effect.message)]))
            for effect in effects
            if isinstance(effect, SendTo)
        ]

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name."""
        return {
            "relay_peers": len(self._links),
            "relay_senders": len(self._senders.chosen()),
            "relay_choosers": len(self._choosers),
            "relayed_kept": len(self._kept),
            "relayed_kept_bytes": self._kept.total_bytes,
            "relayed_wanted": len(self._pulls),
            "relay_votes_known": len(self._names),
            "relay_senders_replaced": self._senders.replaced,
            **{name: self._counts[name] for name in sorted(self._counts)},
        }


def _id(raw: bytes) -> TransactionId:
    """Return a message's id, 32 bytes: in the eyes of the router's parts an item like a transaction."""
    return TransactionId(blake2b_256(raw))
