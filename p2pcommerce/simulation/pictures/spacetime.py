"""The picture `spacetime`: one seed in detail, around a crash.

Time runs to the right; each validator is a line, with a band that shows in which view it is; an arrow is a message.

Source: Lamport, Time, Clocks and the Ordering of Events (1978); the views of the finality specification.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from p2pcommerce.primitives.ids import MICROSECONDS
from p2pcommerce.simulation.pictures.canvas import INK, caption, figure
from p2pcommerce.simulation.pictures.samples import PictureSize, RecordTask, Task
from p2pcommerce.simulation.scenario import Scenario

__all__ = ["SEEDS_TRIED", "data", "draw", "tasks"]

_WINDOW_US: Final = 4_200_000
_BEFORE_US: Final = 800_000
_SETTLED_US: Final = 3 * MICROSECONDS
"""Before, the network is only starting."""
SEEDS_TRIED: Final = 12
"""Worlds of which the first one with a telling crash is drawn."""
_HORIZON_US: Final = 25 * MICROSECONDS
_COLORS: Final[Mapping[str, str]] = {
    "propose": "#0072B2",
    "notarize": "#009E73",
    "finalize": "#E69F00",
    "nullify": "#D55E00",
}
_NAMES: Final[Mapping[str, str]] = {
    "propose": "proposal",
    "notarize": "vote to notarize",
    "finalize": "vote to finalize",
    "nullify": "vote to nullify",
}
_BANDS: Final = ("#e3ebf3", "#c9d8e6")
_HALF_BAND: Final = 0.1
_LABEL_US_MIN: Final = 110_000
_PLACES: Final = (0.5, 0.35, 0.65, 0.2, 0.8)
_FAR_MS: Final = 60.0
_LOST_AT: Final = 0.42
"""Where on its way a lost message ends: on no line of another node."""


def _task(seed: int) -> RecordTask:
    horizon_us = _HORIZON_US
    return RecordTask(
        Scenario(seed=seed, faults={"crash": 0.05}, horizon_us=horizon_us, liveness_us=horizon_us // 5, load_tps=4)
    )


def tasks(size: PictureSize) -> list[Task]:
    """Return the worlds that it needs."""
    return [_task(seed) for seed in range(size.seed, size.seed + SEEDS_TRIED)]


def data(size: PictureSize, results: Mapping[Task, dict[str, Any]]) -> dict[str, Any]:
    """Return what is drawn: what happened around a crash, of the first seed that has a telling one."""
    records = [results[task] for task in tasks(size)]
    record = next((each for each in records if _telling(each) is not None), records[0])
    moment_us = _telling(record)
    start_us = (_any(record) if moment_us is None else moment_us) - _BEFORE_US
    end_us = start_us + _WINDOW_US

    def within(name: str) -> list[dict[str, Any]]:
        return [row for row in record[name] if start_us <= row["at_us"] <= end_us]

    return {
        "seed": record["seed"],
        "table": record["table"],
        "regions": record["regions"],
        "start_us": start_us,
        "end_us": end_us,
        "sent": [
            {**row, "is_lost": _is_lost(row, record["downs"])}
            for row in record["sent"]
            if start_us <= row["at_us"] and row["arrives_us"] <= end_us
        ],
        "finals": within("finals"),
        "downs": within("downs"),
        "ups": within("ups"),
        "views": [_pieces(views, start_us, end_us) for views in record["views"]],
        "trace_hash": record["trace_hash"],
    }


def _is_lost(row: Mapping[str, Any], downs: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether an end of a message's connection crashed while it was on its way: then it never arrived."""
    ends = {row["from"], row["to"]}
    return any(down["node"] in ends and row["at_us"] <= down["at_us"] <= row["arrives_us"] for down in downs)


def _telling(record: Mapping[str, Any]) -> int | None:
    """Return when the first crash was that led to votes to nullify and then to a block, all others up; None: never."""
    nullified = [int(row["at_us"]) for row in record["sent"] if row["kind"] == "nullify"]
    final = [int(row["at_us"]) for row in record["finals"]]
    for at_us in (int(down["at_us"]) for down in record["downs"] if down["at_us"] >= _SETTLED_US):
        start_us, end_us = at_us - _BEFORE_US, at_us - _BEFORE_US + _WINDOW_US
        voted = [vote_us for vote_us in nullified if start_us <= vote_us <= end_us]
        is_alone = sum(_is_down(views, start_us, end_us) for views in record["views"]) == 1
        if voted and is_alone and at_us < min(voted) and any(max(voted) < each < end_us for each in final):
            return at_us
    return None


def _is_down(views: Sequence[Sequence[int]], start_us: int, end_us: int) -> bool:
    """Tell whether a node is down at some time of a window."""
    return any(not view for _, _, view in _pieces(views, start_us, end_us))


def _any(record: Mapping[str, Any]) -> int:
    """Return when the first crash was, else the fifth second."""
    crashes = [int(down["at_us"]) for down in record["downs"] if down["at_us"] >= _SETTLED_US]
    return crashes[0] if crashes else 5 * MICROSECONDS


def _pieces(views: Sequence[Sequence[int]], start_us: int, end_us: int) -> list[tuple[int, int, int]]:
    """Cut a node's views to the window: from, to, view; 0: down."""
    ends = [at_us for at_us, _ in views[1:]] + [end_us]
    pieces = [
        (max(at_us, start_us), min(until_us, end_us), view) for (at_us, view), until_us in zip(views, ends, strict=True)
    ]
    return [piece for piece in pieces if piece[0] < piece[1]]


def draw(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a figure of an extra
    """Draw it."""
    drawn, axes = figure(4.2)
    start_us: int = data["start_us"]

    def ms(time_us: int) -> float:
        return (time_us - start_us) / 1_000

    finals = [[ms(row["at_us"]) for row in data["finals"] if row["node"] == node] for node in range(len(data["views"]))]
    _draw_bands(axes, data["views"], finals, ms)
    _draw_messages(axes, data["sent"], ms)
    for row in data["finals"]:
        axes.plot(ms(row["at_us"]), row["node"], marker="D", markersize=4, color=INK, zorder=6, linewidth=0)
    for row in data["downs"]:
        axes.plot(ms(row["at_us"]), row["node"], marker="x", markersize=7, markeredgewidth=2, color="#b00020", zorder=7)
    names = [f"validator {node}\n{region}" for node, region in enumerate(data["regions"])]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.75, -0.25)
    axes.set_xlim(0, ms(data["end_us"]))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"world time since {start_us / MICROSECONDS:.3f} s, ms")
    _draw_legend(drawn, is_crash=bool(data["downs"]))
    caption(
        drawn,
        "Four validators; numbers: views. Dotted, with a cross: on its way when an end of its connection crashed, and "
        "never received; who did not receive a proposal sends no vote for it.",
        f"To draw it again: p2pcommerce sim picture spacetime --seed {data['seed']}",
        latency_table=data["table"],
    )
    return drawn


def _clear_ms(begin: float, length: float, taken: list[float]) -> float:
    """Return where in a band its number stands: as far from the marks on it as can be, the middle before others."""
    places = [begin + length * share for share in _PLACES]
    return max(places, key=lambda place: min([_FAR_MS, *(abs(place - mark) for mark in taken)]))


def _draw_bands(
    axes: Any,  # noqa: ANN401 - of an extra
    views: list[list[tuple[int, int, int]]],
    finals: list[list[float]],
    ms: Callable[[int], float],
) -> None:
    for node, pieces in enumerate(views):
        for begin_us, end_us, view in pieces:
            begin, length = ms(begin_us), (end_us - begin_us) / 1_000
            if not view:
                axes.plot([begin, begin + length], [node, node], color="#b00020", linewidth=1, linestyle=(0, (1, 2)))
                continue
            axes.broken_barh(
                [(begin, length)],
                (node - _HALF_BAND, 2 * _HALF_BAND),
                facecolors=_BANDS[view % 2],
                linewidth=0,
                zorder=2,
            )
            if end_us - begin_us >= _LABEL_US_MIN:
                axes.text(
                    _clear_ms(begin, length, finals[node]),
                    node,
                    str(view),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="#41586e",
                    zorder=5,
                )


def _draw_messages(axes: Any, sent: list[dict[str, Any]], ms: Callable[[int], float]) -> None:  # noqa: ANN401 - of an extra
    for kind, color in _COLORS.items():
        rows = [row for row in sent if row["kind"] == kind]
        for row in rows:
            side = _HALF_BAND if row["to"] > row["from"] else -_HALF_BAND
            start = (ms(row["at_us"]), row["from"] + side)
            end = (ms(row["arrives_us"]), row["to"] - side)
            if row["is_lost"]:
                middle = tuple(begin + _LOST_AT * (stop - begin) for begin, stop in zip(start, end, strict=True))
                axes.plot(*zip(start, middle, strict=True), color=color, linewidth=1.2, linestyle=":", zorder=5)
                axes.plot(*middle, color=color, marker="x", markersize=5, markeredgewidth=1.4, zorder=5)
            else:
                _draw_arrow(axes, start, end, color, is_rare=kind in {"propose", "nullify"})


def _draw_arrow(
    axes: Any,  # noqa: ANN401 - of an extra
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    *,
    is_rare: bool,
) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>,head_length=0.28,head_width=0.11",
            "color": color,
            "linewidth": 1.0 if is_rare else 0.6,
            "alpha": 0.95 if is_rare else 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
            "zorder": 4 if is_rare else 3,
        },
        zorder=4 if is_rare else 3,
    )


def _draw_legend(drawn: Any, *, is_crash: bool) -> None:  # noqa: ANN401 - of an extra
    line = importlib.import_module("matplotlib.lines").Line2D
    entries = [line([], [], color=color, linewidth=1.4, label=_NAMES[kind]) for kind, color in _COLORS.items()]
    entries.append(line([], [], color=INK, marker="D", markersize=4, linewidth=0, label="block final"))
    if is_crash:
        entries.append(
            line([], [], color="#b00020", marker="x", markersize=6, markeredgewidth=2, linewidth=0, label="crash")
        )
    drawn.legend(handles=entries, loc="outside upper center", ncols=len(entries), handlelength=1.3, columnspacing=1.2)
