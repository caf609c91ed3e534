"""Sending again, with a bound: how often, and how often to whom.

Nothing is sent again while every message arrives. Whoever stands still repeats itself after a wait with jitter, so that
the nodes of a network do not all do it at one moment; whoever is behind is helped, but each peer gets one answer of
each kind in a while, so that no question costs more than its answer.

Source: rule 9 of the finality specification.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from p2pcommerce.primitives.ids import PeerId

__all__ = ["Allowance", "Repeat"]


class Repeat:
    """Something that is done again and again while a reason lasts, each time after a wait plus 0-25 %.

    Attributes:
        at: when it is due, microseconds; None: there is no reason.
    """

    def __init__(self, wait_us: int, rng: random.Random) -> None:
        """Have no reason yet; `wait_us`: microseconds."""
        self.at: int | None = None
        self._wait_us = wait_us
        self._rng = rng

    def stop(self) -> None:
        """The reason is gone, or what was waited for has moved: the wait begins anew."""
        self.at = None

    def is_due(self, now: int) -> bool:
        """There is a reason: tell whether the wait is over, and begin the next one."""
        is_over = self.at is not None and self.at <= now
        if self.at is None or is_over:
            self.at = now + self._wait_us + self._rng.randint(0, self._wait_us // 4)
        return is_over


class Allowance:
    """One answer of each kind to each of some peers in a while."""

    def __init__(self, peers: Iterable[PeerId], wait_us: int) -> None:
        """Answer these at once; nobody else."""
        self._last_us: dict[PeerId, dict[str, int]] = {peer: {} for peer in peers}
        self._wait_us = wait_us

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._last_us

    @property
    def peers(self) -> list[PeerId]:
        """Who is answered at all."""
        return list(self._last_us)

    def take(self, peer: PeerId, kind: str, now: int) -> bool:
        """Tell whether a peer may be answered now; if so, it is."""
        told = self._last_us.get(peer)
        if told is None or (kind in told and now - told[kind] < self._wait_us):
            return False
        told[kind] = now
        return True

    def renew(self, peer: PeerId) -> None:
        """What was sent to a peer may be lost: it may be answered again at once."""
        if peer in self._last_us:
            self._last_us[peer].clear()
