"""The picture `finality`: what faults do to the time until a block is final.

Four validators; one kind of fault at a time, on for the whole run, ever stronger.

Source: the finality specification (three message delays without faults).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from p2pcommerce.simulation.pictures.canvas import GREY, caption, figure
from p2pcommerce.simulation.pictures.samples import FAULT_HORIZON_S, FaultTask, PictureSize, Task
from p2pcommerce.simulation.result import quantile

__all__ = ["data", "draw", "tasks"]

_SWEPT: Final[Mapping[str, tuple[float, ...]]] = {
    "loss": (0.02, 0.05, 0.1, 0.2, 0.3),
    "reordering": (0.05, 0.1, 0.2, 0.35, 0.5),
    "asymmetric": (0.1, 0.25, 0.5, 0.75, 1.0),
    "partition": (0.1, 0.2, 0.3, 0.4, 0.5),
    "crash": (0.01, 0.02, 0.04, 0.07, 0.1),
    "clock_skew": (0.01, 0.02, 0.04, 0.07, 0.1),
    "disk_error": (0.001, 0.002, 0.005, 0.01, 0.02),
    "torn_write": (0.1, 0.25, 0.5, 0.75, 1.0),
}
_LABELS: Final[Mapping[str, str]] = {
    "loss": "messages lost, %",
    "reordering": "messages held back, %",
    "asymmetric": "pairs of nodes, %",
    "partition": "time spent cut apart, %",
    "crash": "crashes of each node in 100 s",
    "clock_skew": "clocks off by up to, s",
    "disk_error": "writes that fail, %",
    "torn_write": "crashes that tear one, %",
}
_TITLES: Final[Mapping[str, str]] = {
    "loss": "Loss",
    "reordering": "Reordering",
    "asymmetric": "Slower one way",
    "partition": "Partition",
    "crash": "Crash and restart",
    "clock_skew": "Clock skew",
    "disk_error": "Disk errors (EIO)",
    "torn_write": "Torn writes",
}
_SCALE: Final[Mapping[str, float]] = {"clock_skew": 300.0}
_SHARES_BPS: Final[Mapping[str, int]] = {"p50": 5_000, "p90": 9_000, "p99": 9_900}
_COLOR: Final = "#0072B2"
_COLUMNS: Final = 4
_UNDECIDED: Final = "#9a9a9a"
_IDEAL_DELAYS: Final = 3
_MARGIN: Final = 0.04
_BAR_ALPHA: Final = 0.45


def _tasks(size: PictureSize, kind: str, intensity: float) -> list[FaultTask]:
    return [FaultTask.of(seed, kind, intensity) for seed in range(size.seed, size.seed + size.seeds)]


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    wanted: list[Task] = [*_tasks(size, "", 0)]
    for kind, intensities in _SWEPT.items():
        for intensity in intensities:
            wanted += _tasks(size, kind, intensity)
    return wanted


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn: quantiles in message delays, blocks made final in a second, blocks that never were."""

    def point(kind: str, intensity: float) -> dict[str, Any]:
        rows = [results[task] for task in _tasks(size, kind, intensity)]
        centi = [value * 100 // row["delay_us"] for row in rows for value in row["finality_us"]]
        seconds = sum(task.scenario.horizon_us for task in _tasks(size, kind, intensity)) / 1_000_000
        quantiles = {name: quantile(centi, share) / 100 for name, share in _SHARES_BPS.items()}
        return {
            "intensity": intensity,
            **quantiles,
            "blocks_per_s": sum(row["height"] for row in rows) / seconds,
            "undecided": sum(row["undecided"] for row in rows) / max(1, sum(row["proposed"] for row in rows)),
        }

    quiet = point("", 0)
    return {
        "seeds": size.seeds,
        "latency_table": _tasks(size, "", 0)[0].scenario.table,
        "kinds": {kind: [quiet, *(point(kind, each) for each in levels)] for kind, levels in _SWEPT.items()},
    }


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it: a panel for each kind of fault; the median, and a band up to the 90th and 99th percentile."""
    kinds = data["kinds"]
    drawn, panels = figure(4.4, -(-len(kinds) // _COLUMNS), _COLUMNS, sharey=True)
    for number, (axes, (kind, points)) in enumerate(zip(panels.flat, kinds.items(), strict=False)):
        scale = _SCALE.get(kind, 100.0)
        xs = [point["intensity"] * scale for point in points]
        p50, p90, p99 = ([point[name] for point in points] for name in _SHARES_BPS)
        axes.fill_between(xs, p90, p99, color=_COLOR, alpha=0.12, linewidth=0, label="90 % to 99 %")
        axes.fill_between(xs, p50, p90, color=_COLOR, alpha=0.3, linewidth=0, label="50 % to 90 %")
        axes.plot(xs, p50, color=_COLOR, linewidth=1.6, marker="o", markersize=3, label="median", clip_on=False)
        ideal = f"{_IDEAL_DELAYS} message delays: without faults"
        axes.axhline(_IDEAL_DELAYS, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, label=ideal)
        _draw_undecided(axes, xs, points, is_last=number % _COLUMNS == _COLUMNS - 1)
        axes.set_title(_TITLES[kind])
        axes.set_xlabel(_LABELS[kind], fontsize=7.5)
        axes.set_xlim(-_MARGIN * xs[-1], (1 + _MARGIN) * xs[-1])
        axes.set_yscale("log")
        axes.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        axes.minorticks_off()
    for axes in panels.flat[::_COLUMNS]:
        axes.set_ylabel("time to finality,\nmessage delays")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    bar = importlib.import_module("matplotlib.patches").Patch(facecolor=_UNDECIDED, alpha=_BAR_ALPHA)
    handles, labels = [*handles[::-1], bar], [*labels[::-1], "never final, % (right)"]
    drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=7, columnspacing=1.0)
    seeds = data["seeds"]
    caption(
        drawn,
        f"4 validators, one kind of fault at a time, {seeds} {'seed' if seeds == 1 else 'seeds'} of "
        f"{FAULT_HORIZON_S} s for each point. Times are of blocks that became final; bars: "
        "the share of proposed blocks that never did. A message delay is the median between two validators; less than "
        f"{_IDEAL_DELAYS} of them are possible, as the nearest ones are a quorum.",
        latency_table=data["latency_table"],
    )
    return drawn


def _draw_undecided(axes: Any, xs: Sequence[float], points: Sequence[Mapping[str, Any]], *, is_last: bool) -> None:  # noqa: ANN401 - of an extra
    """Draw the share of blocks that were proposed and never final, as bars behind, with an axis on the right."""
    bars = axes.twinx()
    shares = [100 * point["undecided"] for point in points]
    bars.bar(xs, shares, width=xs[-1] / 25, color=_UNDECIDED, alpha=_BAR_ALPHA, linewidth=0)
    bars.set_ylim(0, 100)
    bars.grid(visible=False)
    bars.set_yticks([0, 50, 100], ["0", "50", "100"] if is_last else ["", "", ""])
    bars.tick_params(axis="y", length=0)
    axes.set_zorder(bars.get_zorder() + 1)
    axes.patch.set_visible(False)
