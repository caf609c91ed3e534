"""The score of a peer, from four signals: useful first deliveries, invalid transactions, broken promises, stalls.

Only what a peer itself did counts, never how much it relays. Invalid transactions alone can ban: promises and stalls
also befall honest peers that are busy or far away, and cost no more than a place among the senders. Counts fade with a
half-life; a score outlives its connection, so that reconnecting washes nothing off.

Source: the networking specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.primitives.ids import PeerId

__all__ = ["Score", "Scores"]

_LOOKED_AT: Final = 16
"""Disconnected peers that are looked at per connection; more than one comes with it, so the past ones go in time."""


class Score:
    """What one peer did.

    Attributes:
        useful: first deliveries of what was accepted.
        invalid: transactions that were invalid whatever the state.
        broken: promises.
        stalls: times that it was replaced for silence.
        banned_until_us: no connection with it before; 0: none was banned.
        ban_us: length of the last ban.
        faded_us: up to when the half-life has been applied.
        gone_us: when it disconnected; None: it is connected.
    """

    __slots__ = ("ban_us", "banned_until_us", "broken", "faded_us", "gone_us", "invalid", "stalls", "useful")

    def __init__(self, now: int) -> None:
        """Start neutral."""
        self.useful = self.invalid = self.broken = self.stalls = 0
        self.banned_until_us = self.ban_us = 0
        self.faded_us = now
        self.gone_us: int | None = None


class Scores:
    """The scores of all connected and of the last disconnected peers."""

    __slots__ = ("_gone", "_parameters", "_scores")

    def __init__(self, parameters: GossipParameters) -> None:
        """Know nobody."""
        self._parameters = parameters
        self._scores: dict[PeerId, Score] = {}
        self._gone: dict[PeerId, Score] = {}  # those of them that are disconnected, in the order of their going

    def __len__(self) -> int:
        return len(self._scores)

    def items(self) -> Iterable[tuple[PeerId, Score]]:
        """Return all peers (32 bytes each) and their scores; those that are gone in the order of their going."""
        connected = [(peer, score) for peer, score in self._scores.items() if peer not in self._gone]
        return [*connected, *self._gone.items()]

    def restore(self, scores: Iterable[tuple[PeerId, Score]], now: int) -> None:
        """Know saved scores of peers that are gone, as if they had gone in this order; what is known already counts."""
        for peer, score in scores:
            if peer not in self._scores:
                self._scores[peer] = self._gone[peer] = score
        self._forget_old(now)

    def of(self, peer: PeerId) -> Score | None:
        """Return the score of a peer (32 bytes), None if nothing is known of it."""
        return self._scores.get(peer)

    def on_connected(self, peer: PeerId, now: int) -> Score:
        """Return the score of a peer (32 bytes) that connects."""
        self._forget_old(now)
        gone = self._gone.pop(peer, None)
        if gone is not None and self._until_us(gone) <= now:
            del self._scores[peer]
        score = self._scores.get(peer)
        if score is None:
            score = self._scores[peer] = Score(now)
        score.gone_us = None
        return score

    def on_disconnected(self, peer: PeerId, now: int) -> None:
        """Keep the score of a peer (32 bytes) that goes."""
        score = self._scores.get(peer)
        if score is not None:
            score.gone_us = now
            self._gone.pop(peer, None)
            self._gone[peer] = score
        self._forget_old(now)

    def points(self, score: Score, now: int) -> int:
        """Return a score as one number, after fading it."""
        parameters = self._parameters
        halvings = (now - score.faded_us) // parameters.score_half_life_us
        if halvings > 0:
            score.faded_us += halvings * parameters.score_half_life_us
            halvings = min(halvings, 64)
            score.useful >>= halvings
            score.invalid >>= halvings
            score.broken >>= halvings
            score.stalls >>= halvings
        return (
            min(score.useful, parameters.useful_max)
            - score.invalid * parameters.invalid_points
            - min(score.broken * parameters.broken_points, parameters.broken_points_max)
            - min(score.stalls * parameters.stall_points, parameters.stall_points_max)
        )

    def ban(self, score: Score, now: int) -> None:
        """Ban a peer, twice as long as the last time."""
        parameters = self._parameters
        score.ban_us = min(2 * score.ban_us or parameters.ban_us, parameters.ban_us_max)
        score.banned_until_us = now + score.ban_us
        score.invalid = 0

    def is_banned(self, peer: PeerId, now: int) -> bool:
        """Tell whether connections with a peer (32 bytes) are refused for the time being."""
        score = self._scores.get(peer)
        return score is not None and now < score.banned_until_us

    def _until_us(self, score: Score) -> int:
        """Return until when the score of a disconnected peer is kept."""
        return max((score.gone_us or 0) + self._parameters.score_kept_us, score.banned_until_us + score.ban_us)

    def _forget_old(self, now: int) -> None:
        """Drop scores past their time, and the longest gone beyond the bound.

        Only the longest gone are looked at: who connects often must not cost a walk through all that ever came.
        """
        surplus = len(self._gone) - self._parameters.scores_max
        for index, (peer, score) in enumerate(list(islice(self._gone.items(), max(surplus, 0) + _LOOKED_AT))):
            if index < surplus or self._until_us(score) <= now:
                del self._gone[peer]
                del self._scores[peer]
