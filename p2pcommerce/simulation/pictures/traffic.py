"""The picture `bytes`: what a strategy costs in bytes, against how fast it is.

Source: the networking specification (the goal: gossipsub's latency for less of its traffic).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import INK, STRATEGY_COLORS, STRATEGY_NAMES, figure
from p2pcommerce.simulation.pictures.samples import PictureSize, Task, gossip_scenario

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("chosen", "gossipsub", "gossipsub, IDONTWANT", "flood")
_PAYLOADS: Final = (100, 250, 1_000, 4_000)
"""Bytes of a transaction."""
_TICKS_MS: Final = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)


def _task(size: PictureSize, strategy: str, payload_bytes: int) -> Task:
    return gossip_scenario(size, strategy, payload_bytes=payload_bytes)


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    return [_task(size, strategy, payload_bytes) for payload_bytes in _PAYLOADS for strategy in _STRATEGIES]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    kept = ("latency_ms", "delivered", "bytes_per_payload_byte", "duplicates_per_delivery", "trace_hash")
    rows = []
    for strategy in _STRATEGIES:
        for payload_bytes in _PAYLOADS:
            row = results[_task(size, strategy, payload_bytes)]
            found = {name: row[name] for name in kept}
            rows.append({"strategy": strategy, "payload_bytes": payload_bytes, **found})
    base = gossip_scenario(size, _STRATEGIES[0])
    return {"nodes": base.nodes, "rate": base.rate, "latency_table": base.latency_table, "rows": rows}


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: bytes to the right, time upwards; a line joins the sizes of one strategy."""
    drawn, panels = figure(3.1, 1, 2, sharex=True)
    for axes, name, title in zip(panels, ("p50", "p99"), ("Median", "99th percentile"), strict=True):
        for strategy in dict.fromkeys(row["strategy"] for row in data["rows"]):
            rows = [row for row in data["rows"] if row["strategy"] == strategy]
            color = STRATEGY_COLORS[strategy]
            xs, ys = [row["bytes_per_payload_byte"] for row in rows], [row["latency_ms"][name] for row in rows]
            axes.plot(xs, ys, color=color, linewidth=1, alpha=0.6)
            sizes = [10 + 20 * index for index in range(len(rows))]
            axes.scatter(xs, ys, s=sizes, color=color, label=STRATEGY_NAMES[strategy], zorder=3, linewidths=0)
        axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xlabel("bytes sent for each byte of payload delivered")
        axes.set_xlim(left=0)
        ticks = _time_ticks([row["latency_ms"][name] for row in data["rows"]])
        axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.set_ylim(ticks[0], ticks[-1])
        axes.minorticks_off()
    panels[0].set_ylabel("time from publication to a node, ms")
    handles, labels = panels[0].get_legend_handles_labels()
    legend = drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), handletextpad=0.2)
    for handle in legend.legend_handles:
        handle.set_sizes([30])
    payloads = ", ".join(f"{each:,}" for each in sorted({row["payload_bytes"] for row in data["rows"]}))
    drawn.supxlabel(
        f"small to large dots: transactions of {payloads} bytes; {data['nodes']} nodes, {data['rate']:g} transactions "
        f"per second, delays: {data['latency_table']}",
        fontsize=7.5,
        color=INK,
        x=0.01,
        ha="left",
    )
    return drawn


def _time_ticks(times_ms: Sequence[float]) -> list[int]:
    """Return round times from below the least to above the greatest."""
    low = max((tick for tick in _TICKS_MS if tick <= min(times_ms)), default=_TICKS_MS[0])
    high = min((tick for tick in _TICKS_MS if tick >= max(times_ms)), default=_TICKS_MS[-1])
    return [tick for tick in _TICKS_MS if low <= tick <= high]
