"""The picture `attacks`: what is delivered, and how late, the more nodes attack or come and go.

Source: the networking specification (Under attack).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import INK, STRATEGY_COLORS, STRATEGY_NAMES, figure
from p2pcommerce.simulation.pictures.samples import PictureSize, Task, gossip_scenario

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("chosen", "gossipsub", "flood")
_ATTACKS: Final[Mapping[str, str]] = {
    "mute": "Mute",
    "never-answering": "Never answering",
    "censor": "Censor",
    "churn": "Come and go",
}
_SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8)


def _task(size: PictureSize, strategy: str, attack: str, share: float) -> Task:
    if not share:
        return gossip_scenario(size, strategy)
    return gossip_scenario(size, strategy, attack=attack, attack_share=share)


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    return [
        _task(size, strategy, attack, share) for attack in _ATTACKS for share in _SHARES for strategy in _STRATEGIES
    ]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    kept = ("delivered", "latency_ms", "trace_hash")
    rows = []
    for attack in _ATTACKS:
        for strategy in _STRATEGIES:
            for share in _SHARES:
                row = results[_task(size, strategy, attack, share)]
                found = {name: row[name] for name in kept}
                rows.append({"attack": attack, "share": share, "strategy": strategy, **found})
    base = gossip_scenario(size, _STRATEGIES[0])
    return {
        "nodes": base.nodes,
        "transactions": base.transactions,
        "latency_table": base.latency_table,
        "rows": rows,
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: a column for each attack, a curve for each strategy over the share of nodes that attack."""
    attacks = list(dict.fromkeys(row["attack"] for row in data["rows"]))
    strategies = list(dict.fromkeys(row["strategy"] for row in data["rows"]))
    drawn, panels = figure(3.9, 2, len(attacks), sharex=True, sharey="row")
    for column, attack in enumerate(attacks):
        upper, lower = panels[0][column], panels[1][column]
        for order, strategy in enumerate(strategies):
            rows = [row for row in data["rows"] if (row["attack"], row["strategy"]) == (attack, strategy)]
            late = [row for row in rows if row["latency_ms"]["p99"] is not None]
            look = {
                "color": STRATEGY_COLORS[strategy],
                "label": STRATEGY_NAMES[strategy],
                "linewidth": 1.5,
                "marker": "o",
                "markersize": 3.5,
                "zorder": 5 - order,
            }
            upper.plot([100 * row["share"] for row in rows], [100 * row["delivered"] for row in rows], **look)
            lower.plot([100 * row["share"] for row in late], [row["latency_ms"]["p99"] for row in late], **look)
        upper.set_title(_ATTACKS.get(attack, attack))
        lower.set_yscale("log")
    panels[0][0].set_ylabel("delivered to\nhonest nodes, %")
    panels[1][0].set_ylabel("99th percentile\nof the time, ms")
    panels[0][0].set_ylim(top=101)
    panels[1][0].set_yticks(*_time_ticks(data["rows"]))
    for axes in panels[1]:
        axes.minorticks_off()
        axes.set_xticks([0, 20, 40, 60, 80])
    handles, names = panels[0][0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside upper center", ncols=len(names))
    drawn.supxlabel("share of the nodes that do so, %", fontsize=8.5, color=INK)
    drawn.text(
        0.01,
        0.012,
        f"{data['nodes']} nodes, {data['transactions']} transactions, delays: {data['latency_table']}",
        fontsize=7.5,
        color=INK,
    )
    return drawn


def _time_ticks(rows: list[dict[str, Any]]) -> tuple[list[int], list[str]]:
    """Return round times up to the longest, with their labels."""
    most = max((row["latency_ms"]["p99"] or 0 for row in rows), default=0)
    ticks = [tick for tick in (200, 500, 1_000, 2_000, 5_000, 10_000, 20_000) if tick <= 2 * most]
    return ticks, [f"{tick:,}" for tick in ticks]
