"""Topics of embedding applications, on the same links as transactions.

Whoever listens to a topic gets what others publish on it, and passes it on to its peers that listen, too; of any other
topic nothing is stored or passed on. So a post reaches those who are connected with its origin through listeners. It is
pushed to the listening peers that chose this node as a sender, announced to the other listening ones, and pulled, by
the rules and the numbers of transactions; its origin pushes it to all listening peers. Nothing is offered again and
nothing old is told: who begins to listen, or connects, gets what is published from then on.

A post is taken in this order, the cheap first: seen? within the peer's budget? well-formed, of a topic that is listened
to, not expired, its sequence number new, within its origin's budget? signed by its origin? what do the application's
validators say? What is over a budget or of a topic unknown is dropped without being marked as seen and without blame:
an honest relay must not look bad, and another copy may come. Malformed posts, bad signatures and what a validator
REJECTs count as invalid against the peer that pushed it, in the score that its transactions count in.

Source: the networking specification (Gossip of transactions), whose rules it applies; the second kind of topic is
this project's own. Posts do not move the choice of senders: that is measured by transactions, or round-trip times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from p2pcommerce.gossip.effects import Deliver, Effect, SendTo
from p2pcommerce.gossip.kept_posts import KeptPosts
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.origins import Origins
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.post import Post, check_topic, decode_post, is_signed
from p2pcommerce.gossip.post_link import PostLink
from p2pcommerce.gossip.pulls import Pulls
from p2pcommerce.gossip.seen import OWN, REJECTED, Seen, short_id
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RemoteProtocolError, Verdict
from p2pcommerce.primitives.ids import MICROSECONDS, GenesisHash, PeerId, TransactionId
from p2pcommerce.wire.topic_messages import Listening, PullPosts

__all__ = ["Topics", "Validator"]

Validator: TypeAlias = Callable[[Post], Verdict]
"""An application's judgement of a post: its signature holds and it is no repetition. It must be quick and not raise."""

_CLOCKS_US = 60 * MICROSECONDS
_POST_BASE_BYTES = 64
"""Charged to a budget beside a post's bytes: what even an empty one costs."""


def _accept(_: Post) -> Verdict:
    return Verdict.ACCEPT


class Topics:
    """What is listened to here, and the posts on their way.

    Attributes:
        deadline: when something is due, microseconds; None: never.
    """

    __slots__ = (
        "_blame",
        "_counts",
        "_genesis_hash",
        "_kept",
        "_links",
        "_listeners",
        "_news_us",
        "_number",
        "_origins",
        "_parameters",
        "_pulls",
        "_scheme",
        "_seen",
        "_tell_us",
        "_told",
        "_told_us",
        "_topics",
    )

    def __init__(
        self,
        parameters: GossipParameters,
        scheme: SignatureScheme,
        genesis_hash: GenesisHash,
        blame: Callable[[Link, int, int], list[Effect]],
    ) -> None:
        """Listen to nothing.

        Args:
            parameters: the numbers.
            scheme: checks signatures.
            genesis_hash: the network, 32 bytes.
            blame: counts invalid posts of a peer in its score: (link, how many, now).
        """
        self._parameters = parameters
        self._scheme = scheme
        self._genesis_hash = genesis_hash
        self._blame = blame
        self._links: dict[PeerId, PostLink] = {}
        self._listeners: dict[int, tuple[str, Validator]] = {}
        self._number = 0
        self._topics: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._told_us: int | None = None
        self._tell_us: int | None = None
        self._kept = KeptPosts(parameters)
        self._origins = Origins(parameters)
        self._seen = Seen(parameters.post_seen_max)
        limits = replace(parameters, wants_max=parameters.post_wants_max, announced_max=parameters.post_announced_max)
        self._pulls = Pulls(limits, PullPosts)
        self._news_us: int | None = None
        self._counts: Counter[str] = Counter()

    # --- the application's side ---

    def listen(self, topic: str, validator: Validator | None, now: int) -> tuple[int, list[Effect]]:
        """Listen to a topic; return a number for `unlisten`, and what peers are told now, if it is not too soon.

        Raises:
            CodecError: the topic cannot be named so.
            LocalProtocolError: too many topics.
        """
        check_topic(topic)
        if topic not in self._topics and len(self._topics) >= self._parameters.topics_max:
            raise LocalProtocolError(f"this node listens to {len(self._topics)} topics already, and cannot to more")
        self._number += 1
        self._listeners[self._number] = (topic, validator or _accept)
        return self._number, self._change(now)

    def unlisten(self, number: int, now: int) -> list[Effect]:
        """Stop listening; `number` is of `listen`."""
        topic, _ = self._listeners.pop(number)
        effects = self._change(now)
        if topic not in self._topics:
            self._kept.forget(topic)
        return effects

    def publish(self, post: Post, now: int) -> list[Effect]:
        """Send an own post to every listening peer; it is not delivered here.

        Raises:
            LocalProtocolError: a validator here does not accept it: others would ban this node for it.
        """
        if self._judge(post) is not Verdict.ACCEPT:
            raise LocalProtocolError(f'this node\'s own validator of "{post.topic}" does not accept the post')
        post_id = _id(post.raw)
        self._seen.now = now
        if post_id not in self._seen:
            self._seen.add(post_id, OWN)
        self._origins.note(post, now)
        self._counts["posts_published"] += 1
        return self._spread(post, post_id, (), now, everybody=True)

    # --- connections ---

    def on_connected(self, gossip: Link, own_key: bytes, now: int) -> list[Effect]:
        """Take a new peer in, by its link for transactions; `own_key` is this node's announcement key, 16 bytes."""
        self._seen.key = own_key
        self._links[gossip.peer] = PostLink(gossip, self._parameters, now)
        return [SendTo(gossip.peer, Listening(self._told))] if self._told else []

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """Forget a peer (32 bytes)."""
        link = self._links.pop(peer, None)
        if link is not None:
            self._pulls.forget(link, now)

    # --- the peers' messages ---

    def on_listening(self, peer: PeerId, topics: Sequence[str], now: int) -> list[Effect]:
        """Learn what a peer (32 bytes) listens to.

        Raises:
            RemoteProtocolError: not in rising order, or a topic without a name.
        """
        del now
        if "" in topics or any(one >= other for one, other in pairwise(topics)):
            raise RemoteProtocolError("topics out of order, twice or without a name", "LISTENING")
        link = self._links.get(peer)
        if link is not None:
            link.topics = frozenset(topics)
        return []

    def on_posts(self, peer: PeerId, items: Sequence[bytes], now: int) -> list[Effect]:
        """Take posts that a peer (32 bytes) pushes."""
        link, key = self._links.get(peer), self._seen.key
        if link is None or key is None:
            return []
        effects: list[Effect] = []
        invalid = 0
        self._seen.make_room(len(items), now)
        for raw in items:
            post_id = _id(raw)
            short = short_id(key, post_id) if link.asks or len(self._pulls) else b""
            self._pulls.delivered(link, short)
            first = self._seen.first_us(post_id)
            if first is not None:
                self._counts["posts_duplicates"] += 1
                invalid += first == REJECTED
                link.has_shown(post_id)
                continue
            invalid += self._take(link, post_id, short, raw, effects, now)
        if invalid:
            effects += self._blame(link.gossip, invalid, now)
        return effects

    def on_announce(self, peer: PeerId, short_ids: Sequence[bytes], now: int) -> list[Effect]:
        """Take a peer's (32 bytes) announcements, and plan to pull what is not known."""
        link = self._links.get(peer)
        if link is None or not self._told:
            return []
        link.rtt_us = link.gossip.rtt_us
        for short in short_ids:
            found = self._seen.by_short(short)
            if found is None:
                self._pulls.announced(link, short, now)
            else:
                link.has_shown(found[0])
        return []

    def on_pull(self, peer: PeerId, short_ids: Sequence[bytes], now: int) -> list[Effect]:
        """Send what a peer (32 bytes) asks for, if it was announced to it; each announcement is good for one pull."""
        del now
        link = self._links.get(peer)
        if link is None:
            return []
        for short in short_ids:
            post_id = link.told.pop(short, None)
            raw = None if post_id is None else self._kept.get(post_id)
            self._counts["posts_unserved" if raw is None else "posts_served"] += 1
            if raw is not None:
                link.push(raw)
        return [*link.take_pushes()]

    # --- time ---

    @property
    def deadline(self) -> int | None:
        """When announcements, pulls or expiries are due."""
        pulls_us = self._pulls.deadline
        if self._news_us is None and self._tell_us is None and not len(self._kept) and pulls_us is None:
            return None
        return earliest(self._news_us, self._tell_us, pulls_us, self._kept.deadline)

    def on_deadline(self, now: int) -> list[Effect]:
        """Do what is due."""
        for link in self._pulls.broken(now):
            self._counts["posts_promises_broken"] += 1
            link.score.broken += 1
        self._kept.expire(now)
        effects: list[Effect] = [*self._pulls.on_deadline(now)]
        if self._tell_us is not None and self._tell_us <= now:
            effects += self._tell(now)
        if self._news_us is not None and self._news_us <= now:
            self._news_us = None
            for link in self._links.values():
                if link.news:
                    effects += link.take_news()
        return effects

    def age(self, now: int) -> None:
        """Let the seen-cache grow old, as that of transactions does."""
        self._seen.age(max(self._parameters.seen_us, self._parameters.post_life_us_max), now)

    # --- inside ---

    def _take(
        self, link: PostLink, post_id: TransactionId, short: bytes, raw: bytes, effects: list[Effect], now: int
    ) -> bool:
        """Judge a post that is not known (short id of 8 bytes if it may be wanted); return whether it is invalid."""
        size = len(raw) + _POST_BASE_BYTES
        if not link.budget.has(size, now):
            self._counts["posts_over_peer_budget"] += 1
            return False
        link.budget.spend(size, now)
        try:
            post = decode_post(raw)
        except CodecError:
            self._seen.add(post_id, REJECTED)
            self._counts["posts_rejected"] += 1
            return True
        reason = self._unwanted(post, now)
        if reason is not None:
            self._counts[reason] += 1
            return False
        is_good = is_signed(self._scheme, self._genesis_hash, post)
        verdict = Verdict.REJECT
        if is_good:
            self._origins.note(post, now)
            verdict = self._judge(post)
        announcers = self._pulls.arrived(short)
        self._seen.add(post_id, REJECTED if verdict is Verdict.REJECT else now)
        if verdict is Verdict.ACCEPT:
            self._counts["posts_received"] += 1
            link.score.useful += 1
            effects.append(Deliver(post))
            effects += self._spread(post, post_id, (link.peer, *announcers), now, everybody=False)
        else:
            self._counts["posts_rejected" if verdict is Verdict.REJECT else "posts_ignored"] += 1
        return verdict is Verdict.REJECT

    def _unwanted(self, post: Post, now: int) -> str | None:
        """Return the counter of why a post is dropped without anybody's fault, before its signature is looked at."""
        expires_us = post.expires_ms * 1_000
        if post.topic not in self._topics:
            return "posts_unknown_topic"
        if not now < expires_us <= now + self._parameters.post_life_us_max + _CLOCKS_US:
            return "posts_expired"
        if not self._origins.is_new(post):
            return "posts_replayed"
        if not self._origins.has_budget(post, now):
            return "posts_over_origin_budget"
        return None

    def _judge(self, post: Post) -> Verdict:
        """Return the strictest verdict of the topic's validators."""
        verdicts = [validator(post) for topic, validator in self._listeners.values() if topic == post.topic]
        for verdict in (Verdict.REJECT, Verdict.IGNORE):
            if verdict in verdicts:
                return verdict
        return Verdict.ACCEPT

    def _spread(
        self, post: Post, post_id: TransactionId, shown: Sequence[PeerId], now: int, *, everybody: bool
    ) -> list[Effect]:
        """Push to the listening choosers (or to all listening) and announce to the others that listen."""
        effects: list[Effect] = []
        told_max = self._parameters.post_announced_max
        has_news = False
        for peer, link in self._links.items():
            if post.topic not in link.topics or peer in shown or peer == post.origin:
                continue
            if everybody or link.gossip.is_chooser:
                link.push(post.raw)
                effects += link.take_pushes()
            else:
                link.tell(post_id, len(post.raw), 0, told_max)
                has_news = True
        if has_news:
            self._kept.put(post.topic, post_id, post.raw, now)
            if self._news_us is None:
                self._news_us = now + self._parameters.announce_us
        return effects

    def _change(self, now: int) -> list[Effect]:
        """See which topics are listened to now; peers are told, but not too often: they would take it for a flood."""
        self._topics = tuple(sorted({topic for topic, _ in self._listeners.values()}))
        if self._told_us is None or not 0 <= now - self._told_us < self._parameters.listening_us:
            return self._tell(now)
        self._tell_us = self._told_us + self._parameters.listening_us
        return []

    def _tell(self, now: int) -> list[Effect]:
        """Tell all peers what is listened to, if that has changed since they were told."""
        self._tell_us = None
        if self._topics == self._told:
            return []
        self._told, self._told_us = self._topics, now
        return [SendTo(peer, Listening(self._told)) for peer in self._links]

    def statistics(self) -> Mapping[str, int]:
        """Return counters by name."""
        return {
            "topics": len(self._topics),
            "posts_kept": len(self._kept),
            "posts_kept_bytes": self._kept.total_bytes,
            "posts_seen": len(self._seen),
            "posts_wanted": len(self._pulls),
            "post_origins": len(self._origins),
            **{name: self._counts[name] for name in sorted(self._counts)},
        }


def _id(raw: bytes) -> TransactionId:
    """Return a post's id, 32 bytes: in the router's eyes an item like a transaction."""
    return TransactionId(blake2b_256(raw))
