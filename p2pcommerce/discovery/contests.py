"""Test before evict: contests for places in the table of peers reached.

A peer that was reached and finds its place taken waits while whoever lies there is dialled. If that one answers, it
stays; if it does not, or was not to be tested for 40 minutes, the newcomer takes the place. Whoever was reached in the
last four hours stays without a test. So an attacker who makes this node reach many addresses pushes out nobody who is
alive.

Source: Bitcoin Core's `AddrMan::ResolveCollisions` and `SelectTriedCollision`, with its numbers; Heilman et al.,
countermeasure 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from p2pcommerce.discovery.entry import Entry, Place
from p2pcommerce.primitives.ids import PeerId

__all__ = ["CONTESTS_MAX", "Contests", "Outcome"]

CONTESTS_MAX: Final = 10
"""Newcomers that wait at once; further ones stay in the other table and come again."""
_FRESH_MS: Final = 4 * 3_600_000
_WINDOW_MS: Final = 40 * 60_000


@unique
class Outcome(Enum):
    """What becomes of a contest."""

    OPEN = "open"
    STAYS = "stays"
    """Whoever lies there stays."""
    YIELDS = "yields"
    """The newcomer takes the place."""


@dataclass(frozen=True, slots=True)
class _Contest:
    place: Place
    since_ms: int


class Contests:
    """The newcomers that wait for a place."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        """Start without any."""
        self._waiting: dict[PeerId, _Contest] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, newcomer: PeerId, place: Place, now_ms: int) -> None:
        """Let a newcomer (32 bytes) wait for a place, if there is room to wait."""
        if newcomer not in self._waiting and len(self._waiting) < CONTESTS_MAX:
            self._waiting[newcomer] = _Contest(place, now_ms)

    def drop(self, newcomer: PeerId) -> None:
        """Let a newcomer (32 bytes) wait no more."""
        self._waiting.pop(newcomer, None)

    def places(self) -> list[tuple[PeerId, Place]]:
        """Return who waits for which place, the longest waiting first."""
        return [(newcomer, contest.place) for newcomer, contest in self._waiting.items()]

    def judge(self, newcomer: PeerId, incumbent: Entry, now_ms: int) -> Outcome:
        """Return what becomes of a contest of somebody who waits."""
        contest = self._waiting[newcomer]
        if now_ms - incumbent.reached_ms < _FRESH_MS:
            return Outcome.STAYS
        if incumbent.counted_ms >= contest.since_ms or now_ms - contest.since_ms > _WINDOW_MS:
            return Outcome.YIELDS
        return Outcome.OPEN

    def to_test(self, lying_at: Callable[[Place], Entry | None], now_ms: int) -> Entry | None:
        """Return whom to dial, to decide the contest that has waited longest; None: there is none open."""
        for newcomer, contest in self._waiting.items():
            incumbent = lying_at(contest.place)
            if incumbent is not None and self.judge(newcomer, incumbent, now_ms) is Outcome.OPEN:
                return incumbent
        return None
