"""The picture `bytes`: what a strategy costs in bytes, against how fast it is.

Source: the networking specification (the goal: gossipsub's latency for less of its traffic).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import GREY, STRATEGY_COLORS, STRATEGY_NAMES, caption, figure, seeds_text
from p2pcommerce.simulation.pictures.samples import GOSSIP_RATE, PictureSize, Task, gossip_scenarios, pooled

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("chosen", "gossipsub", "gossipsub, IDONTWANT", "flood")
_PAYLOADS: Final = (100, 250, 1_000, 4_000)
"""Bytes of a transaction."""
_TICKS_MS: Final = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_LINEAR_SPAN: Final = 4
"""A linear axis shows best how much times differ, unless they span more than this."""
_MARGIN: Final = 0.12
_MARKERS: Final = ("o", "s", "D", "^")
_MARK: Final[Mapping[str, Any]] = {
    "markersize": 6,
    "linewidth": 0,
    "markeredgewidth": 0.7,
    "markeredgecolor": "white",
}
"""A light edge tells markers apart where they overlap."""


def _tasks(size: PictureSize, strategy: str, payload_bytes: int) -> list[Task]:
    return gossip_scenarios(size, strategy, payload_bytes=payload_bytes)


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    pairs = [(strategy, payload_bytes) for payload_bytes in _PAYLOADS for strategy in _STRATEGIES]
    return [task for pair in pairs for task in _tasks(size, *pair)]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    kept = ("latency_ms", "delivered", "bytes_per_payload_byte", "trace_hashes")
    rows = []
    for strategy in _STRATEGIES:
        for payload_bytes in _PAYLOADS:
            row = pooled([results[task] for task in _tasks(size, strategy, payload_bytes)])
            rows.append({"strategy": strategy, "payload_bytes": payload_bytes, **{name: row[name] for name in kept}})
    first = results[_tasks(size, _STRATEGIES[0], _PAYLOADS[0])[0]]
    return {
        "nodes": first["nodes"],
        "transactions": first["transactions"],
        "rate": GOSSIP_RATE,
        "latency_table": first["latency_table"],
        "seeds": size.seeds,
        "rows": rows,
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: bytes to the right, time upwards; a line joins the sizes of one strategy."""
    drawn, panels = figure(3.4, 1, 2, sharex=True)
    rows = [row for row in data["rows"] if row["latency_ms"]["p99"] is not None]
    payloads = sorted({row["payload_bytes"] for row in rows})
    for axes, name, title in zip(panels, ("p50", "p99"), ("Median", "99th percentile"), strict=True):
        for strategy in dict.fromkeys(row["strategy"] for row in rows):
            mine = sorted((row for row in rows if row["strategy"] == strategy), key=lambda row: row["payload_bytes"])
            xs, ys = [row["bytes_per_payload_byte"] for row in mine], [row["latency_ms"][name] for row in mine]
            color = STRATEGY_COLORS[strategy]
            axes.plot(xs, ys, color=color, linewidth=1, alpha=0.6, label=STRATEGY_NAMES[strategy])
            for row, x, y in zip(mine, xs, ys, strict=True):
                marker = _MARKERS[payloads.index(row["payload_bytes"]) % len(_MARKERS)]
                axes.plot(x, y, color=color, marker=marker, zorder=3, **_MARK)
        axes.set_title(title)
        axes.set_xlabel("bytes sent for each byte of payload delivered")
        xs = [row["bytes_per_payload_byte"] for row in rows]
        axes.set_xlim(*_span(xs))
        _scale(axes, [row["latency_ms"][name] for row in rows])
    panels[0].set_ylabel("time from publication to a node, ms")
    _legends(drawn, panels[0], payloads)
    caption(
        drawn,
        f"{data['nodes']:,} nodes, {data['transactions']:,} transactions at {data['rate']:g} per second, "
        f"{seeds_text(data['seeds'])}; no axis begins at 0.",
        latency_table=data["latency_table"],
    )
    return drawn


def _legends(drawn: Any, axes: Any, payloads: Sequence[int]) -> None:  # noqa: ANN401 - of an extra
    """Name the strategies by colour above the figure, and the sizes by shape within its first panel."""
    handles, labels = axes.get_legend_handles_labels()
    legend = drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), handlelength=1.4)
    for handle in legend.legend_handles:
        handle.set(linewidth=3, alpha=1)
    shapes = [
        axes.plot([], [], color=GREY, marker=marker, **_MARK)[0] for marker, _ in zip(_MARKERS, payloads, strict=False)
    ]
    axes.legend(
        shapes,
        [f"{payload:,} bytes" for payload in payloads],
        loc="best",
        fontsize=7.5,
        title="a transaction of",
        title_fontsize=7.5,
        alignment="left",
        handletextpad=0.2,
        labelspacing=0.3,
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis: those of the data, and a margin."""
    margin = _MARGIN * (max(values) - min(values)) or 0.1 * max(values)
    return max(0.0, min(values) - margin), max(values) + margin


def _scale(axes: Any, times_ms: Sequence[float]) -> None:  # noqa: ANN401 - of an extra
    """Set the axis of times: around the data, or logarithmic between round times."""
    if max(times_ms) <= _LINEAR_SPAN * min(times_ms):
        axes.set_ylim(*_span(times_ms))
        return
    low = max((tick for tick in _TICKS_MS if tick <= min(times_ms) / 2), default=_TICKS_MS[0])
    high = min((tick for tick in _TICKS_MS if tick >= max(times_ms)), default=_TICKS_MS[-1])
    ticks = [tick for tick in _TICKS_MS if low <= tick <= high]
    axes.set_yscale("log")
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_ylim(ticks[0], ticks[-1])
    axes.minorticks_off()
