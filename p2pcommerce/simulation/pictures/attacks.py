"""The picture `attacks`: what is delivered, and how late, the more nodes attack or come and go.

The nodes that do not take part are the same number everywhere, and attackers are added: fewer honest nodes would be
reached in fewer steps, and an attack would look like a help.

Source: the networking specification (Under attack).
Deviations: spam is not drawn. Its senders are banned after three invalid transactions; it costs bytes and work, for
which this picture has no axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import DASHES, STRATEGY_COLORS, STRATEGY_NAMES, caption, figure, seeds_text
from p2pcommerce.simulation.pictures.samples import PictureSize, Task, gossip_scenarios, pooled

__all__ = ["data", "draw", "tasks"]

_STRATEGIES: Final = ("chosen", "gossipsub", "flood")
_ATTACKS: Final[Mapping[str, str]] = {
    "mute": "Mute",
    "never-answering": "Never answering",
    "censor": "Censor",
    "churn": "Come and go",
}
_SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
_WHO: Final[Mapping[str, str]] = {"churn": "coming and going, %"}
_DODGE: Final = {"chosen": -2.0, "gossipsub": 0.0, "flood": 2.0}
"""How far the points of a strategy stand beside the share that they belong to, %."""
_DELIVERED_FROM: Final = (99, 95, 90, 75, 50, 0)
"""Where the axis of deliveries may begin, %."""
_MARKERS: Final = {"chosen": "o", "gossipsub": "s", "flood": "^"}
_TICKS_MS: Final = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)


def _tasks(size: PictureSize, strategy: str, attack: str, share: float) -> list[Task]:
    if not share:
        return gossip_scenarios(size, strategy)
    # Rounded up, and a little more share than nodes: the world rounds the number of attackers down.
    nodes = round(size.nodes / (1 - share))
    return gossip_scenarios(size, strategy, attack=attack, attack_share=(nodes - size.nodes + 0.5) / nodes, nodes=nodes)


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    points = [(strategy, attack, share) for attack in _ATTACKS for share in _SHARES for strategy in _STRATEGIES]
    return [task for point in points for task in _tasks(size, *point)]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn."""
    kept = ("delivered", "latency_ms", "p99_range", "trace_hashes")
    rows = []
    for attack in _ATTACKS:
        for strategy in _STRATEGIES:
            for share in _SHARES:
                row = pooled([results[task] for task in _tasks(size, strategy, attack, share)])
                found = {name: row[name] for name in kept}
                rows.append({"attack": attack, "share": share, "strategy": strategy, **found})
    first = results[gossip_scenarios(size, _STRATEGIES[0])[0]]
    return {
        "honest": first["nodes"],
        "transactions": first["transactions"],
        "latency_table": first["latency_table"],
        "seeds": size.seeds,
        "rows": rows,
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: a column for each attack, a curve for each strategy over the share of nodes that attack."""
    attacks = list(dict.fromkeys(row["attack"] for row in data["rows"]))
    drawn, panels = figure(4.3, 2, len(attacks), sharex=True, sharey="row")
    for column, attack in enumerate(attacks):
        _draw_attack(panels[0][column], panels[1][column], [row for row in data["rows"] if row["attack"] == attack])
        panels[0][column].set_title(_ATTACKS.get(attack, attack))
    panels[0][0].set_ylabel("delivered to\nhonest nodes, %")
    panels[1][0].set_ylabel("99th percentile\nof the time, ms")
    least = min(100 * row["delivered"] for row in data["rows"])
    low = next((bound for bound in _DELIVERED_FROM if bound < least), 0)
    panels[0][0].set_ylim(low, 100 + (100 - low) / 20)
    marks = (low, (100 + low) / 2, 100)
    panels[0][0].set_yticks(marks, [f"{mark:g}" for mark in marks])
    for axes, attack in zip(panels[0], attacks, strict=True):
        if all(row["delivered"] == 1 for row in data["rows"] if row["attack"] == attack):
            axes.text(
                40, (100 + low) / 2, "100 % by all three,\nat every share", ha="center", va="center", fontsize=7.5
            )
    times = [row["latency_ms"]["p99"] for row in data["rows"] if row["latency_ms"]["p99"] is not None]
    ticks = _time_ticks(times)
    panels[1][0].set_yscale("log")
    panels[1][0].set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    panels[1][0].set_ylim(ticks[0], max(ticks[-1], 1.1 * max(times, default=0)))
    for axes, attack in zip(panels[1], attacks, strict=True):
        axes.minorticks_off()
        axes.set_xticks([100 * share for share in _SHARES])
        axes.set_xlim(-5, 100 * _SHARES[-1] + 5)
        axes.set_xlabel(_WHO.get(attack, "attackers, %"))
    handles, names = panels[0][0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside upper center", ncols=len(names), handlelength=2.4)
    bars = "; bars: from the least to the most of the seeds" if data["seeds"] > 1 else ""
    caption(
        drawn,
        f"{data['honest']:,} nodes that do not take part, and as many more as their share of all nodes says; "
        f"{data['transactions']:,} transactions, {seeds_text(data['seeds'])}{bars}. Measured from the attack's first "
        "moment on, at nodes that are there; the time is that of what was delivered. Points of one share stand side by "
        "side. Censor: one victim's transactions alone. Each share is a world of its own, with nodes in other places.",
        latency_table=data["latency_table"],
    )
    return drawn


def _draw_attack(upper: Any, lower: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401 - of an extra
    for order, strategy in enumerate(_STRATEGIES):
        mine = [row for row in rows if row["strategy"] == strategy]
        late = [row for row in mine if row["latency_ms"]["p99"] is not None]
        look = {
            "color": STRATEGY_COLORS[strategy],
            "label": STRATEGY_NAMES[strategy],
            "linestyle": DASHES[strategy],
            "linewidth": 1.4,
            "marker": _MARKERS[strategy],
            "markersize": 3.5,
            "zorder": 5 - order,
        }
        upper.plot(
            [100 * row["share"] + _DODGE[strategy] for row in mine], [100 * row["delivered"] for row in mine], **look
        )
        xs = [100 * row["share"] + _DODGE[strategy] for row in late]
        lower.plot(xs, [row["latency_ms"]["p99"] for row in late], **look)
        lows, highs = [row["p99_range"][0] for row in late], [row["p99_range"][1] for row in late]
        lower.vlines(xs, lows, highs, color=STRATEGY_COLORS[strategy], linewidth=0.8, zorder=2)


def _time_ticks(times_ms: Sequence[float]) -> list[int]:
    """Return round times from below the least to the one below twice the greatest."""
    most, least = max(times_ms, default=1_000), min(times_ms, default=200)
    low = max((tick for tick in _TICKS_MS if tick <= least), default=_TICKS_MS[0])
    return [tick for tick in _TICKS_MS if low <= tick <= 2 * most]
