"""Choosing eager senders: the receiver decides who pushes full transactions to it.

Of its peers a node chooses `senders`: those with the least mean lag (the time between the first arrival of a
transaction from anyone and a peer's showing of it, over those that the peer showed) and some at random, with a minimum
of peers that it dialled itself, whom an attacker cannot pick. By round-trip time until enough was heard, and until then
anew at each measurement of it, because a node chooses when it connects, before it has measured anybody. A ranking is
made each `rerank_us`; a sender that stalls, announces what it owes in full, or breaks promises is replaced at once if
there is anyone to take its place.

Source: the networking specification (Gossip of transactions, "The receiver chooses its senders").
"""

from __future__ import annotations

import random

from p2pcommerce.gossip.effects import SendTo
from p2pcommerce.gossip.link import Link
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.score import Scores
from p2pcommerce.primitives.ids import PeerId
from p2pcommerce.wire.messages import Choose, Unchoose

__all__ = ["Senders"]


class Senders:
    """The choice of senders among the links.

    Attributes:
        heard: transactions that first came from a peer, so far.
        replaced: senders that were replaced at once, so far.
        stall_check_us: when somebody may have stalled; None: nobody can.
    """

    __slots__ = ("_links", "_parameters", "_rng", "_scores", "heard", "replaced", "stall_check_us")

    def __init__(
        self, parameters: GossipParameters, links: dict[PeerId, Link], scores: Scores, rng: random.Random
    ) -> None:
        """Choose among `links`, which the router fills."""
        self._parameters = parameters
        self._links = links
        self._scores = scores
        self._rng = rng
        self.heard = 0
        self.replaced = 0
        self.stall_check_us: int | None = None

    def chosen(self) -> list[Link]:
        """Return the present senders, in order of connection."""
        return [link for link in self._links.values() if link.is_sender]

    def fill(self, now: int) -> list[SendTo]:
        """Choose the best of the others while there are too few senders."""
        effects: list[SendTo] = []
        chosen = self.chosen()
        candidates = self._candidates(now)
        while candidates and len(chosen) < self._parameters.senders:
            best = self._best(candidates, chosen)
            candidates.remove(best)
            chosen.append(best)
            effects.append(self._choose(best, now))
        return effects

    def on_rtt(self, now: int) -> list[SendTo]:
        """Let the nearest peers take places of others, as round-trip times come in, while these are what counts.

        Nothing fades by it and nothing is drawn by lot, unlike at a re-rank: `senders_random` senders stay as they are.
        """
        parameters = self._parameters
        effects = self.fill(now)
        if self.heard >= parameters.heard_min:
            return effects
        able = [link for link in self._links.values() if not link.has_refused and self._is_eligible(link, now)]
        best = sorted(able, key=self._rank)[: parameters.senders - parameters.senders_random]
        for link in best:
            if not link.is_sender:
                latest = self._latest(best, link)
                if latest is None:
                    break
                effects += [self._unchoose(latest), self._choose(link, now)]
        return effects

    def rerank(self, now: int) -> list[SendTo]:
        """Rank all peers anew, let penalties and old samples fade, and draw the random senders again."""
        parameters = self._parameters
        for link in self._links.values():
            link.has_refused = False
            link.penalty_us //= 2
            link.asked //= 2
            link.broken //= 2
            if link.lag_count > parameters.lag_samples_max:
                link.lag_us //= 2
                link.lag_count //= 2
        ranked = sorted((link for link in self._links.values() if self._is_eligible(link, now)), key=self._rank)
        best = ranked[: parameters.senders - parameters.senders_random]
        others = ranked[len(best) :]
        wanted = best + self._rng.sample(others, min(parameters.senders_random, len(others)))
        self._ensure_outbound(wanted, others)
        effects = [self._unchoose(link) for link in self.chosen() if link not in wanted]
        return effects + [self._choose(link, now) for link in wanted if not link.is_sender]

    def replace(self, link: Link, now: int) -> list[SendTo]:
        """Put the best of the others in a sender's place; nothing happens if there is none."""
        candidates = self._candidates(now)
        if not link.is_sender or not candidates:
            return []
        link.penalty_us += self._parameters.replaced_penalty_us
        self.replaced += 1
        effects = [self._unchoose(link)]
        return [*effects, self._choose(self._best(candidates, self.chosen()), now)]

    def on_refused(self, link: Link, now: int) -> list[SendTo]:
        """Look for another after a peer refused to be a sender."""
        link.has_refused = True
        if not link.is_sender:
            return []
        link.is_sender = False
        return self.fill(now)

    def on_shown(self, link: Link, now: int) -> None:
        """Note that a peer showed something, new or not."""
        link.heard_mark = self.heard
        link.shown_us = now

    def on_heard(self, link: Link, count: int, now: int) -> None:
        """Count transactions that first came from a peer."""
        self.heard += count
        self.on_shown(link, now)
        if self.stall_check_us is None:
            self.stall_check_us = now + self._parameters.stall_us

    def check_stalls(self, now: int) -> list[SendTo]:
        """Replace senders from whom nothing came while transactions came from others."""
        parameters = self._parameters
        effects: list[SendTo] = []
        self.stall_check_us = None
        for link in self.chosen():
            if self.heard - link.heard_mark < parameters.stall_heard:
                continue
            silent_until_us = max(link.shown_us, link.chosen_us) + parameters.stall_us
            if silent_until_us > now:
                if self.stall_check_us is None or silent_until_us < self.stall_check_us:
                    self.stall_check_us = silent_until_us
                continue
            replacement = self.replace(link, now)
            if replacement:
                link.score.stalls += 1
            link.heard_mark = self.heard
            effects += replacement
        return effects

    def _candidates(self, now: int) -> list[Link]:
        return [
            link
            for link in self._links.values()
            if not link.is_sender and not link.has_refused and self._is_eligible(link, now)
        ]

    def _is_eligible(self, link: Link, now: int) -> bool:
        return self._scores.points(link.score, now) > self._parameters.graylist_points

    def _best(self, candidates: list[Link], chosen: list[Link]) -> Link:
        """Return the best candidate, of those that were dialled if too few would be otherwise."""
        parameters = self._parameters
        lacking = parameters.senders_outbound_min - sum(link.outbound for link in chosen)
        if lacking >= parameters.senders - len(chosen):
            outbound = [link for link in candidates if link.outbound]
            candidates = outbound or candidates
        return min(candidates, key=self._rank)

    def _latest(self, best: list[Link], coming: Link) -> Link | None:
        """Return the last chosen sender but the best, whose place `coming` may take without too few dialled ones left.

        So a near peer gives way to a nearer one, and not all senders end up near: that is where an attacker would be.
        """
        chosen = self.chosen()
        leaving = [link for link in chosen if link not in best]
        if not coming.outbound and sum(link.outbound for link in chosen) <= self._parameters.senders_outbound_min:
            leaving = [link for link in leaving if not link.outbound]
        return max(leaving, key=lambda link: (link.chosen_us, self._rank(link)), default=None)

    def _ensure_outbound(self, wanted: list[Link], others: list[Link]) -> None:
        """Exchange the last of `wanted` for the best dialled peers outside until there are enough of these."""
        lacking = self._parameters.senders_outbound_min - sum(link.outbound for link in wanted)
        spare = [link for link in others if link.outbound and link not in wanted]
        for index in reversed(range(len(wanted))):
            if lacking <= 0 or not spare:
                return
            if not wanted[index].outbound:
                wanted[index] = spare.pop(0)
                lacking -= 1

    def _rank(self, link: Link) -> tuple[int, int, int]:
        """Return what a peer is ranked by: least first."""
        parameters = self._parameters
        rtt_us = parameters.retry_us_max if link.rtt_us is None else link.rtt_us
        if self.heard < parameters.heard_min:
            return 0, rtt_us + link.penalty_us, link.number
        if link.lag_count:
            return 0, link.lag_us // link.lag_count + link.penalty_us, link.number
        return 1, rtt_us + link.penalty_us, link.number

    def _choose(self, link: Link, now: int) -> SendTo:
        link.is_sender = True
        link.chosen_us = now
        link.broken_as_sender = 0
        link.heard_mark = self.heard
        return SendTo(link.peer, Choose())

    def _unchoose(self, link: Link) -> SendTo:
        link.is_sender = False
        return SendTo(link.peer, Unchoose())
