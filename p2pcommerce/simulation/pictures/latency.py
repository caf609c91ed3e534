"""The picture `latency`: how long a transaction takes from its publication to a node, by strategy.

Source: the networking specification (strategies compared over the same links).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import (
    DASHES,
    STRATEGY_COLORS,
    STRATEGY_NAMES,
    caption,
    figure,
    percentile_ticks,
    seeds_text,
)
from p2pcommerce.simulation.pictures.samples import QUANTILES, PictureSize, Task, gossip_scenarios, pooled

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("flood", "gossipsub", "chosen")


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    return [task for strategy in _STRATEGIES for task in gossip_scenarios(size, strategy)]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    worlds = {strategy: [results[task] for task in gossip_scenarios(size, strategy)] for strategy in _STRATEGIES}
    first = worlds[_STRATEGIES[0]][0]
    return {
        "nodes": first["nodes"],
        "transactions": first["transactions"],
        "latency_table": first["latency_table"],
        "seeds": size.seeds,
        "strategies": {strategy: pooled(rows) for strategy, rows in worlds.items()},
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: one curve for each strategy; on the right what remains, on a logarithmic axis, for the tail."""
    drawn, (whole, tail) = figure(3.1, 1, 2)
    for strategy, row in data["strategies"].items():
        values, latency = row["latencies_ms"], row["latency_ms"]
        shares = [step / QUANTILES for step in range(len(values))]
        times = " / ".join("never" if latency[name] is None else f"{latency[name]:,.0f}" for name in ("p50", "p99"))
        look = {
            "color": STRATEGY_COLORS[strategy],
            "linestyle": DASHES[strategy],
            "linewidth": 1.6,
            "label": f"{STRATEGY_NAMES[strategy]}: {times} ms",
            "drawstyle": "steps-post",
        }
        whole.plot(values, shares, **look)
        tail.plot(values[:-1], [1 - share for share in shares[:-1]], **look)
    whole.set_title("Deliveries made")
    whole.set_ylim(0, 1.01)
    percentile_ticks(whole, (0, 0.25, 0.5, 0.75, 1))
    handles, labels = whole.get_legend_handles_labels()
    whole.legend(
        handles[::-1],
        labels[::-1],
        loc="lower right",
        borderaxespad=0.2,
        handlelength=2.0,
        fontsize=7.5,
        title="median / 99th percentile",
        title_fontsize=7.5,
        alignment="left",
    )
    tail.set_yscale("log")
    tail.set_ylim(1 / QUANTILES, 1)
    floor = 1 / QUANTILES
    tail.set_yticks([1, 0.1, 0.01, floor], ["100 %", "10 %", "1 %", f"{100 * floor:g} %"])
    tail.minorticks_off()
    tail.set_title("Deliveries still to come")
    for axes in (whole, tail):
        axes.set_xlabel("time from publication to a node, ms")
        axes.margins(x=0.02)
        axes.set_xlim(left=0)
    caption(
        drawn,
        f"{data['nodes']:,} nodes, {data['transactions']:,} transactions, {seeds_text(data['seeds'])}; steps of "
        f"{100 / QUANTILES:g} % of all deliveries.",
        latency_table=data["latency_table"],
    )
    return drawn
