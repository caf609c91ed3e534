"""The order's state machine as an SVG picture: where each state stands, and which way each arrow takes.

What is written on the arrows comes from the table of transitions; an arrow without a way is an error, so that a new
transition cannot be missing from the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["CLOSED", "NOWHERE", "picture"]

NOWHERE: Final = "(none)"
CLOSED: Final = "(closed)"

_SIZE: Final = (960, 470)
_HALF: Final = (62, 24)
_STATES: Final = {"PLACED": (230, 120), "SHIPPED": (500, 120), "DONE": (850, 120), "DISPUTED": (675, 255)}
"""The middle of each state's box."""
_BAR: Final = (120, 400, 800, 42)
"""Where orders end: x, y, width, height."""
_START: Final = (52, 120)

_WAYS: Final[Mapping[tuple[str, str], tuple[str, tuple[int, int, str]]]] = {
    (NOWHERE, "PLACED"): ("M60,120 H168", (112, 108, "middle")),
    ("PLACED", "SHIPPED"): ("M292,120 H438", (365, 108, "middle")),
    ("SHIPPED", "DONE"): ("M562,120 H788", (675, 92, "middle")),
    ("SHIPPED", "DISPUTED"): ("M545,144 L627,231", (578, 200, "end")),
    ("DISPUTED", "DONE"): ("M723,231 L805,144", (750, 182, "end")),
    ("PLACED", CLOSED): ("M230,144 V400", (240, 258, "start")),
    ("SHIPPED", CLOSED): ("M460,144 V400", (470, 345, "start")),
    ("DISPUTED", CLOSED): ("M675,279 V400", (685, 336, "start")),
    ("DONE", CLOSED): ("M850,144 V400", (860, 300, "start")),
    ("PLACED", "PLACED"): ("M205,96 C190,46 270,46 255,96", (230, 46, "middle")),
    ("SHIPPED", "SHIPPED"): ("M475,96 C460,46 540,46 525,96", (500, 46, "middle")),
    ("DISPUTED", "DISPUTED"): ("M613,245 C565,232 565,278 613,265", (592, 294, "end")),
}
"""The line of each arrow, and where its words begin: x, y, which end of them."""
_LINE: Final = 15

_HEAD: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img"
  font-family="system-ui, sans-serif" font-size="13" fill="#1f2933">
<title>The states of an order</title>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0,0 L10,5 L0,10 z" fill="#52606d"/></marker></defs>
<rect width="{0}" height="{1}" fill="#ffffff"/>"""


def picture(arrows: Mapping[tuple[str, str], Sequence[str]]) -> str:
    """Return the picture.

    Args:
        arrows: from a state to a state (or `NOWHERE`, `CLOSED`): the transactions that lead there.

    Raises:
        KeyError: an arrow has no way yet, or a way no arrow.
    """
    if set(arrows) != set(_WAYS):
        raise KeyError(f"give these arrows a way in tools/order_picture.py: {sorted(set(arrows) ^ set(_WAYS))}")
    lines = [_HEAD.format(*_SIZE)]
    for ends, names in arrows.items():
        path, (x, y, anchor) = _WAYS[ends]
        lines.append(f'<path d="{path}" fill="none" stroke="#52606d" stroke-width="1.5" marker-end="url(#tip)"/>')
        for number, name in enumerate(names):
            at = y + number * _LINE
            lines.append(
                f'<text x="{x}" y="{at}" text-anchor="{anchor}" stroke="#ffffff" stroke-width="4"'
                f' paint-order="stroke">{escape(name)}</text>'
            )
    lines.append(f'<circle cx="{_START[0]}" cy="{_START[1]}" r="8" fill="#1f2933"/>')
    for name, (x, y) in _STATES.items():
        lines.append(
            f'<rect x="{x - _HALF[0]}" y="{y - _HALF[1]}" width="{2 * _HALF[0]}" height="{2 * _HALF[1]}" rx="8"'
            f' fill="#e3f2f1" stroke="#1b6b67" stroke-width="1.5"/>'
        )
        lines.append(f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-weight="600">{name}</text>')
    x, y, width, height = _BAR
    lines.append(
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="#f0f2f5" stroke="#52606d"'
        ' stroke-width="1.5"/>'
    )
    words = "closed: the record is removed"
    lines.append(f'<text x="{x + width // 2}" y="{y + height // 2 + 5}" text-anchor="middle">{words}</text>')
    return "\n".join((*lines, "</svg>", ""))
