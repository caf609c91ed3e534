"""The style of all pictures, and how they become files.

One width, the colours of Okabe and Ito (told apart by most colour-blind readers), thin axes, no frame; equal data gives
equal files. Nothing here needs a display.

Source: Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.tables import table

__all__ = [
    "DASHES",
    "GREY",
    "INK",
    "STRATEGY_COLORS",
    "STRATEGY_NAMES",
    "CanvasError",
    "caption",
    "figure",
    "percentile_ticks",
    "save",
    "seeds_text",
    "style",
]

STRATEGY_COLORS: Final[Mapping[str, str]] = MappingProxyType(
    {"chosen": "#0072B2", "gossipsub": "#D55E00", "gossipsub, IDONTWANT": "#E69F00", "flood": "#009E73"}
)
STRATEGY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "chosen": "chosen senders",
        "gossipsub": "gossipsub v1.1",
        "gossipsub, IDONTWANT": "gossipsub, IDONTWANT",
        "flood": "flood",
    }
)
DASHES: Final[Mapping[str, object]] = MappingProxyType(
    {"chosen": "-", "gossipsub": (0, (5, 1.5)), "gossipsub, IDONTWANT": (0, (3, 1, 1, 1)), "flood": (0, (1.5, 1.2))}
)
"""How the curve of a strategy is drawn: told apart without colours, and where curves coincide."""
INK: Final = "#222222"
GREY: Final = "#8a8a8a"
WIDTH_IN: Final = 6.8
_DPI: Final = 200
_CAPTION_SIZE: Final = 7.5
_CAPTION_LINE_IN: Final = 0.15
_CAPTION_LINE_CHARS: Final = 118
_OCTREE: Final = 2
"""How Pillow chooses them: so that thin lines keep their own."""
_PNG_COLORS: Final = 256
"""Enough for the few colours of a picture and their soft edges; the file is a third as large."""
_STYLE: Final[Mapping[str, object]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "p2pcommerce",
    "svg.fonttype": "path",
    "savefig.facecolor": "white",
}


class CanvasError(UsageError):
    """A picture cannot be drawn or kept."""

    code = "PICTURE"


def _matplotlib() -> Any:  # noqa: ANN401 - a module of an extra that may be missing
    try:
        importlib.import_module("numpy")
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise CanvasError("pictures need an extra: pip install 'p2pcommerce[sim]'") from error


def style() -> AbstractContextManager[None]:
    """Return a context in which everything is drawn in the common style.

    Raises:
        CanvasError: the extra is missing.
    """
    context: AbstractContextManager[None] = _matplotlib().rc_context(dict(_STYLE))
    return context


def figure(height_in: float, rows: int = 1, columns: int = 1, **options: object) -> tuple[Any, Any]:
    """Return an empty figure of the common width, and its axes: one, or an array of them; within `style`.

    Args:
        height_in: inches.
        rows: of axes.
        columns: of axes.
        options: for `Figure.subplots`.

    Raises:
        CanvasError: the extra is missing.
    """
    _matplotlib()
    module = importlib.import_module("matplotlib.figure")
    drawn = module.Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return drawn, drawn.subplots(rows, columns, **options)


def caption(drawn: Any, *lines: str, latency_table: str) -> None:  # noqa: ANN401 - see `_matplotlib`
    """Write below a figure what was run, and which delays the links had."""
    whole = (*lines, f"Link delays: {latency_table}: {table(latency_table).source}.")
    wrapped = [part for line in whole for part in textwrap.wrap(line, _CAPTION_LINE_CHARS)]
    text = "\n".join(wrapped)
    height_in = drawn.get_size_inches()[1]
    share = (len(wrapped) * _CAPTION_LINE_IN + 0.06) / height_in
    drawn.get_layout_engine().set(rect=(0, share, 1, 1 - share), w_pad=0.06)
    drawn.text(0.01, 0.05 / height_in, text, fontsize=_CAPTION_SIZE, color=INK, va="bottom", linespacing=1.25)


def seeds_text(seeds: int) -> str:
    """Return how many seeds there are, in words."""
    return "1 seed" if seeds == 1 else f"{seeds} seeds"


def percentile_ticks(axes: Any, shares: Sequence[float]) -> None:  # noqa: ANN401 - see `_matplotlib`
    """Label the shares on the y axis as percentages."""
    axes.set_yticks(shares, [f"{100 * share:.0f} %" for share in shares])


def save(drawn: Any, folder: Path, name: str) -> list[Path]:  # noqa: ANN401 - see `_matplotlib`
    """Keep a figure as `name`.png and `name`.svg; within `style`.

    Raises:
        CanvasError: the extra is missing, or a file cannot be written.
    """
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    try:
        _save_png(drawn, paths[0])
        drawn.savefig(paths[1], metadata={"Date": None, "Creator": None})
    except OSError as error:
        raise CanvasError(f"{folder}: pictures cannot be written: {error.strerror or error}") from error
    return paths


def _save_png(drawn: Any, path: Path) -> None:  # noqa: ANN401 - see `_matplotlib`
    canvas = importlib.import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(drawn)
    drawn.set_dpi(_DPI)
    canvas.draw()
    image = importlib.import_module("PIL.Image").fromarray(
        importlib.import_module("numpy").asarray(canvas.buffer_rgba())
    )
    image.convert("RGB").quantize(_PNG_COLORS, method=_OCTREE).save(path, format="png", dpi=(_DPI, _DPI), optimize=True)
