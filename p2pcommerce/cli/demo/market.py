"""The market: who may send next.

Whoever wants to send a transaction asks for a turn of a kind and waits. In the load, turns are given at fixed times (an
open loop: a slow network changes nothing about when the next one is due), each to the kind that lags furthest behind
its share of the mix. Before it, while shops are opened, they are given as fast as the network makes things final.

Source: the mix of the commerce specification.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Desk, Result, Sender
from p2pcommerce.commerce import Body
from p2pcommerce.workload.mix import MIX, is_peak

__all__ = ["WINDOW", "Market"]

_ROUNDING_S: Final = 1e-6
WINDOW: Final = 192
"""Transactions in flight while shops are opened; more where whole catalogues are."""
_OF_TYPE: Final = {
    "order.place": "place",
    "order.ship": "ship",
    "order.confirm": "confirm",
    "order.settle": "settle",
    "order.refund": "refund",
    "order.cancel": "refund",
    "order.dispute": "dispute",
    "order.resolve": "dispute",
    "review.post": "review",
    "token.transfer": "transfer",
}

_FAMILIES: Final = frozenset({"trace", "points", "campaign", "stake", "attest"})
"""Whose types are all of one kind, of the same name."""


class Market:
    """Gives turns.

    Attributes:
        given: turns of the load so far, by kind.
        starved: turns of the load that nobody wanted.
        load_start_s: when the load began, in trio's time.
        fillers: what may be done at any time where a kind lags behind its share and nobody asks for a turn.
    """

    def __init__(self, desk: Desk) -> None:
        """Prepare; nobody gets a turn yet."""
        self.given: Counter[str] = Counter()
        self.starved = 0
        self.fillers: dict[str, Callable[[], None]] = {}
        self._desk = desk
        self.load_start_s = 0.0
        self._out = 0
        self._waiting: dict[str, deque[_Turn]] = {kind: deque() for kind in MIX}
        self._changed = trio.Event()
        self._total_share = sum(MIX.values())

    async def perform(self, sender: Sender, payload: Body) -> Result:
        """Wait for a turn, send, and wait until it is final or refused."""
        turn = _Turn()
        queue = self._waiting[_kind(payload)]
        queue.append(turn)
        self._wake()
        try:
            await turn.given.wait()
        except trio.Cancelled:
            if turn in queue:
                queue.remove(turn)
            raise
        try:
            return await self._desk.send(sender, payload, turn.due_s, counted=turn.counted)
        finally:
            self._out -= 1
            self._wake()

    @property
    def out(self) -> int:
        """Turns that were given and have not come to their end."""
        return self._out

    def waiting(self, kind: str) -> int:
        """Return how many wait for a turn of a kind."""
        return len(self._waiting[kind])

    async def changed(self) -> None:
        """Wait until somebody got or wants a turn."""
        await self._changed.wait()

    async def pace_opening(self, window: int = WINDOW) -> None:
        """Give turns as fast as things become final, until cancelled; `window` are in flight at most."""
        while True:
            for kind in MIX:
                queue = self._waiting[kind]
                while queue and self._out < window:
                    self._give(kind, trio.current_time(), counted=False)
            await self._changed.wait()

    async def pace_load(self, rate_per_s: float, duration_s: float, peak: float = 1.0) -> None:
        """Give turns at fixed times.

        Args:
            rate_per_s: turns in a second.
            duration_s: for so many seconds; infinity: until cancelled.
            peak: how many times the rate is due in a peak, see `is_peak`.
        """
        self.load_start_s = start = trio.current_time()
        offset_s = 0.0
        while duration_s - offset_s > _ROUNDING_S:
            await trio.sleep_until(start + offset_s)
            self._give_next(start + offset_s)
            offset_s += 1 / (rate_per_s * peak if is_peak(offset_s) else rate_per_s)

    def _give_next(self, due_s: float) -> None:
        total = self.given.total() + 1
        lag = {kind: share * total / self._total_share - self.given[kind] for kind, share in MIX.items()}
        by_lag = sorted(MIX, key=lambda kind: -lag[kind])
        for kind in by_lag:
            if not self._waiting[kind] and lag[kind] >= 1 and kind in self.fillers:
                self.fillers[kind]()
            if self._waiting[kind]:
                self._give(kind, due_s, counted=True)
                self.given[kind] += 1
                return
        self.starved += 1

    def _give(self, kind: str, due_s: float, *, counted: bool) -> None:
        turn = self._waiting[kind].popleft()
        turn.due_s, turn.counted = due_s, counted
        turn.given.set()
        self._out += 1
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()


class _Turn:
    """Somebody who waits for a turn."""

    __slots__ = ("counted", "due_s", "given")

    def __init__(self) -> None:
        self.given = trio.Event()
        self.due_s = 0.0
        self.counted = False


def _kind(payload: Body) -> str:
    family = payload.TYPE.partition(".")[0]
    if family in _FAMILIES:
        return family
    return _OF_TYPE.get(payload.TYPE, "catalogue")
