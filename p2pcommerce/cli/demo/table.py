"""The demo's live table, drawn with rich (the extra `tui`)."""

from __future__ import annotations

import math
from typing import Final

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from p2pcommerce.cli.demo.monitor import PERIOD_S, Monitor, NodeFigures, Snapshot
from p2pcommerce.cli.demo.plain import latency_text, progress_text
from p2pcommerce.cli.demo.story import StoryLine

__all__ = ["TableView", "draw", "sparkline"]

_BARS: Final = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH: Final = 48
_STORY_ROWS: Final = 9
_FAST_MS: Final = 500
_SLOW_MS: Final = 2_000
_ICONS: Final = {
    "+": ("🛒", "cyan"),
    "$": ("💰", "green"),
    "<": ("↩ ", "yellow"),
    ">": ("📦", "blue"),
    "!": ("⚡", "bold red"),
}
_STATES: Final = {"up": ("● up", "green"), "behind": ("◐ catching up", "yellow"), "down": ("○ down", "bold red")}


class TableView:
    """A table that redraws itself in place."""

    def __init__(self, console: Console) -> None:
        """Draw on a console that is a terminal."""
        self._console = console

    async def run(self, monitor: Monitor) -> None:
        """Show figures until cancelled; the last ones stay on the screen."""
        with Live(console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                live.update(draw(await monitor.sample()), refresh=True)
                await trio.sleep(PERIOD_S)


def draw(snapshot: Snapshot) -> RenderableType:
    """Return the whole picture."""
    return Group(
        Panel(
            Group(_headline(snapshot), _progress(snapshot), Text(), _figures(snapshot)),
            title="[bold]p2pcommerce[/] · a merchant network without a middleman",
            border_style="cyan",
        ),
        Panel(_nodes(snapshot.nodes, snapshot.height), title="validators", border_style="blue"),
        Panel(_story(snapshot.story), title="just now", border_style="magenta"),
    )


def sparkline(values: tuple[float, ...], width: int = _SPARK_WIDTH) -> str:
    """Draw the last `width` values as bars of one character; the highest is full."""
    shown = values[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return ""
    return "".join(_BARS[min(8, math.ceil(value / top * 8))] for value in shown)


def _headline(snapshot: Snapshot) -> Text:
    text = Text()
    text.append(snapshot.phase, style="bold")
    text.append(progress_text(snapshot), style="dim")
    return text


def _progress(snapshot: Snapshot) -> RenderableType:
    if not snapshot.total_s or math.isinf(snapshot.total_s):
        return Text()
    return ProgressBar(total=snapshot.total_s, completed=snapshot.elapsed_s)


def _figures(snapshot: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    table.add_column(justify="right")
    table.add_column(min_width=12)
    table.add_column()
    history_ms = snapshot.latency_history_ms
    top_ms = max(history_ms[-_SPARK_WIDTH:], default=0.0)
    table.add_row("[dim]block height", f"[bold]{snapshot.height:,}", "")
    table.add_row(
        "[dim]final in",
        f"[bold {_colour(snapshot.p50_ms)}]{latency_text(snapshot.p50_ms)}[/] [dim]p50",
        f"[{_colour(snapshot.p50_ms)}]{sparkline(history_ms)}[/] [dim]{f'up to {top_ms:.0f} ms' if top_ms else ''}",
    )
    table.add_row("", f"[{_colour(snapshot.p99_ms)}]{latency_text(snapshot.p99_ms)}[/] [dim]p99", "")
    table.add_row(
        "[dim]throughput",
        f"[bold]{snapshot.tx_per_s:.0f}[/] [dim]tx/s",
        f"[magenta]{sparkline(snapshot.rate_history)}",
    )
    refused = snapshot.failed + snapshot.rejected
    refused_text = f"[red]{refused:,}[/]" if refused else "0"
    table.add_row(
        "[dim]transactions",
        f"[bold]{snapshot.finalized:,}[/] [dim]final",
        f"{snapshot.in_flight:,} [dim]in flight,[/] {refused_text} [dim]refused or failed",
    )
    return table


def _colour(latency_ms: float | None) -> str:
    if latency_ms is None:
        return "dim"
    return "green" if latency_ms <= _FAST_MS else "yellow" if latency_ms <= _SLOW_MS else "red"


def _nodes(nodes: tuple[NodeFigures, ...], height: int) -> RenderableType:
    table = Table(box=None, expand=True, header_style="dim")
    for title in ("", "key", ""):
        table.add_column(title)
    for title in ("height", "peers", "mempool", "submitted here", "memory"):
        table.add_column(title, justify="right")
    for node in nodes:
        state, colour = _STATES[node.state]
        behind = height - node.height
        table.add_row(
            node.name,
            f"[dim]{node.key}",
            f"[{colour}]{state}",
            f"{node.height:,}" + (f" [yellow]-{behind}" if behind > 1 else ""),
            str(node.peers),
            str(node.mempool),
            f"{node.submitted:,}",
            "-" if node.rss_mib is None else f"{node.rss_mib:.0f} MiB",
        )
    return table


def _story(lines: tuple[StoryLine, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=2)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", width=8)
    shown = lines[-_STORY_ROWS:]
    for line in reversed(shown):
        icon, colour = _ICONS[line.icon]
        table.add_row(icon, Text(line.text, style=colour), f"[dim]{line.took_s * 1_000:.0f} ms" if line.took_s else "")
    for _ in range(_STORY_ROWS - len(shown)):
        table.add_row("", "", "")
    return table
