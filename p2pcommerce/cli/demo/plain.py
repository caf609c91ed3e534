"""The demo's figures as plain lines, for a log, a pipe, or where rich is not installed."""

from __future__ import annotations

import math
from typing import Final, TextIO

import trio

from p2pcommerce.cli.demo.monitor import Monitor, Snapshot

__all__ = ["PlainView", "latency_text", "progress_text"]

_PERIOD_S: Final = 5.0


class PlainView:
    """One line each few seconds, and one for each new phase."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream
        self._story_s = -math.inf

    async def run(self, monitor: Monitor, period_s: float = _PERIOD_S) -> None:
        """Show figures until cancelled."""
        while True:
            changed = monitor.phase_changed
            self.show(await monitor.sample())
            with trio.move_on_after(period_s):
                await changed.wait()

    def show(self, snapshot: Snapshot) -> None:
        """Write one line, and the network's own events since the last one."""
        for line in snapshot.news:
            if line.at_s > self._story_s:
                self._story_s = line.at_s
                self._write(f"  ! {line.text}")
        nodes = " ".join(
            f"{node.height}/{node.peers}p/{node.mempool}m" if node.state != "down" else "down"
            for node in snapshot.nodes
        )
        self._write(
            f"{snapshot.phase}{progress_text(snapshot)}: height {snapshot.height}, {snapshot.tx_per_s:.0f} tx/s, "
            f"final in {latency_text(snapshot.p50_ms)} (p99 {latency_text(snapshot.p99_ms)}), "
            f"{snapshot.finalized} final, {snapshot.in_flight} in flight, nodes {nodes}"
        )

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def latency_text(latency_ms: float | None) -> str:
    """Write a latency as a person reads it."""
    return "-" if latency_ms is None else f"{latency_ms:.0f} ms"


def progress_text(snapshot: Snapshot) -> str:
    """Write how much of the load is over."""
    if not snapshot.total_s:
        return ""
    total = "" if math.isinf(snapshot.total_s) else f" of {snapshot.total_s:.0f}"
    return f" {snapshot.elapsed_s:.0f}{total} s"
