"""What is measured while the demo runs: the figures of the table, twice a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Desk, Link
from p2pcommerce.cli.demo.story import Story, StoryLine
from p2pcommerce.runtime.control_client import ControlError

__all__ = ["PERIOD_S", "Monitor", "NodeFigures", "Snapshot", "quantile_ms"]

PERIOD_S: Final = 0.5
_WINDOW_S: Final = 5.0
_HISTORY: Final = 120
_STORY_LINES: Final = 12
_NEWS_LINES: Final = 3
_NEWS_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One node.

    Attributes:
        name: for people.
        key: first 8 hexadecimal digits.
        state: "up", "down", or "behind".
        height: of its last final block.
        peers: connected to it.
        mempool: transactions waiting in it.
        rss_mib: memory; None: unknown.
        submitted: transactions that were handed to it.
    """

    name: str
    key: str
    state: str
    height: int
    peers: int
    mempool: int
    rss_mib: float | None
    submitted: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the table shows.

    Attributes:
        phase: what is going on.
        elapsed_s, total_s: of the load; the total is infinite or 0 where there is none.
        height: highest final block.
        tx_per_s: final in the last seconds.
        p50_ms, p99_ms: submit to final in the last seconds; None: nothing became final.
        finalized, submitted, failed, rejected, in_flight: counts.
        nodes: one row each.
        latency_history_ms: medians, one per period; rate_history: final per second, one per period.
        story: the last events, the newest last.
        news: the last ones of the network itself, the newest last.
    """

    phase: str
    elapsed_s: float
    total_s: float
    height: int
    tx_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    submitted: int
    finalized: int
    failed: int
    rejected: int
    in_flight: int
    nodes: tuple[NodeFigures, ...]
    latency_history_ms: tuple[float, ...]
    rate_history: tuple[float, ...]
    story: tuple[StoryLine, ...]
    news: tuple[StoryLine, ...] = ()


class Monitor:
    """Asks the nodes and sums up.

    Attributes:
        phase: what is going on.
        phase_changed: set when the phase ends, or when there is news of the network.
        rss_mib_max: the most memory that a node was seen with.
    """

    def __init__(self, desk: Desk, story: Story) -> None:
        """Prepare."""
        self.phase = ""
        self.phase_changed = trio.Event()
        self.rss_mib_max = 0.0
        self._desk = desk
        self._story = story
        story.on_news = self._wake
        self._load: tuple[float, float] | None = None
        self._finals: deque[tuple[float, int]] = deque(maxlen=round(_WINDOW_S / PERIOD_S) + 1)
        self._latency_history: deque[float] = deque(maxlen=_HISTORY)
        self._rate_history: deque[float] = deque(maxlen=_HISTORY)

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self._wake()

    def _wake(self) -> None:
        changed, self.phase_changed = self.phase_changed, trio.Event()
        changed.set()

    def load_started(self, total_s: float) -> None:
        """Note that the load begins now and lasts `total_s`."""
        self._load = (trio.current_time(), total_s)

    async def sample(self) -> Snapshot:
        """Ask every node and return the figures of now."""
        desk = self._desk
        nodes = await self._nodes()
        now = trio.current_time()
        self._finals.append((now, desk.finalized))
        (then, before), (_, after) = self._finals[0], self._finals[-1]
        rate = (after - before) / (now - then) if now > then else 0.0
        self._rate_history.append(rate)
        recent = _recent_s(desk, now - _WINDOW_S)
        self._latency_history.append(quantile_ms(_recent_s(desk, now - 2 * PERIOD_S), 50) or 0.0)
        started, total = self._load or (now, 0.0)
        return Snapshot(
            phase=self.phase,
            elapsed_s=min(now - started, total),
            total_s=total,
            height=desk.height,
            tx_per_s=rate,
            p50_ms=quantile_ms(recent, 50),
            p99_ms=quantile_ms(recent, 99),
            submitted=desk.submitted,
            finalized=desk.finalized,
            failed=desk.failed.total(),
            rejected=desk.rejected.total(),
            in_flight=len(desk.pending),
            nodes=nodes,
            latency_history_ms=tuple(self._latency_history),
            rate_history=tuple(self._rate_history),
            story=self._told(now),
            news=tuple(self._story.news),
        )

    def _told(self, now_s: float) -> tuple[StoryLine, ...]:
        """Return the last events; what befell the network stays last for some seconds."""
        lines = list(self._story.lines)
        news = [line for line in lines if line.icon == "!" and line.at_s > now_s - _NEWS_S][-_NEWS_LINES:]
        others = [line for line in lines if line.icon != "!"]
        return (*others[-_STORY_LINES + len(news) :], *news)

    async def _nodes(self) -> tuple[NodeFigures, ...]:
        figures: dict[int, NodeFigures] = {}

        async def ask(index: int, link: Link) -> None:
            figures[index] = await self._node(link)

        async with trio.open_nursery() as nursery:
            for index, link in enumerate(self._desk.links):
                nursery.start_soon(ask, index, link)
        return tuple(figures[index] for index in sorted(figures))

    async def _node(self, link: Link) -> NodeFigures:
        validator = link.validator
        statistics: dict[str, object] = {}
        if link.control is not None:
            try:
                with trio.move_on_after(1):
                    statistics = await link.control.statistics()
            except ControlError:
                statistics = {}
        rss_mib = validator.rss_mib()
        self.rss_mib_max = max(self.rss_mib_max, rss_mib or 0.0)
        behind = link.height < self._desk.height - 5
        return NodeFigures(
            name=f"validator {validator.index}",
            key=validator.public_key.hex()[:8],
            state="down" if not statistics else "behind" if behind else "up",
            height=link.height,
            peers=_count(statistics.get("peers")),
            mempool=_count(statistics.get("mempool")),
            rss_mib=rss_mib,
            submitted=link.submitted,
        )


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _recent_s(desk: Desk, since_s: float) -> list[float]:
    found = []
    for at_s, took_s in reversed(desk.latencies_s):
        if at_s < since_s:
            break
        found.append(took_s)
    return found


def quantile_ms(values_s: Sequence[float], percent: float) -> float | None:
    """Return a percentile in milliseconds (nearest rank), None of nothing."""
    if not values_s:
        return None
    ordered = sorted(values_s)
    rank = min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered)) - 1))
    return round(ordered[rank] * 1_000, 1)
