"""The picture `latency`: how long a transaction takes from its publication to a node, by strategy.

Source: the networking specification (strategies compared over the same links).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import INK, STRATEGY_COLORS, STRATEGY_NAMES, figure, percentile_ticks
from p2pcommerce.simulation.pictures.samples import QUANTILES, PictureSize, Task, gossip_scenario

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("chosen", "gossipsub", "flood")


def _task(size: PictureSize, strategy: str) -> Task:
    return gossip_scenario(size, strategy)


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    return [_task(size, strategy) for strategy in _STRATEGIES]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    rows = {strategy: results[_task(size, strategy)] for strategy in _STRATEGIES}
    first = rows[_STRATEGIES[0]]
    kept = ("latencies_ms", "latency_ms", "delivered", "trace_hash")
    return {
        "nodes": first["nodes"],
        "transactions": first["transactions"],
        "latency_table": first["latency_table"],
        "strategies": {strategy: {name: row[name] for name in kept} for strategy, row in rows.items()},
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: one curve for each strategy; on the right what remains, on a logarithmic axis, for the tail."""
    drawn, (whole, tail) = figure(2.9, 1, 2)
    for strategy, row in data["strategies"].items():
        values, latency = row["latencies_ms"], row["latency_ms"]
        last = len(values) - 1
        shares = [step / last for step in range(last + 1)]
        label = f"{STRATEGY_NAMES[strategy]}: {latency['p50']:.0f} / {latency['p99']:.0f} ms"
        look = {"color": STRATEGY_COLORS[strategy], "linewidth": 1.5, "label": label}
        whole.plot(values, shares, **look)
        tail.plot(values[:-1], [1 - share for share in shares[:-1]], **look)
    whole.set_xlabel("time from publication to a node, ms")
    whole.set_title("Deliveries made")
    whole.set_ylim(0, 1.01)
    percentile_ticks(whole, (0, 0.25, 0.5, 0.75, 1))
    whole.legend(
        loc="lower right",
        handlelength=1.2,
        fontsize=7.5,
        title="median / 99th percentile",
        title_fontsize=7.5,
        framealpha=1,
    )
    tail.set_yscale("log")
    tail.set_ylim(1 / QUANTILES, 1)
    tail.set_yticks([1, 0.1, 0.01], ["100 %", "10 %", "1 %"])
    tail.set_xlabel("time from publication to a node, ms")
    tail.set_title("Deliveries still to come")
    for axes in (whole, tail):
        axes.margins(x=0.02)
        axes.set_xlim(left=0)
    drawn.supxlabel(
        f"{data['nodes']} nodes, {data['transactions']} transactions, delays: {data['latency_table']}",
        fontsize=7.5,
        color=INK,
        x=0.01,
        ha="left",
    )
    return drawn
