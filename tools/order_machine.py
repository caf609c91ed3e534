"""Draw the order's state machine into docs/orders.md, from the table that the application runs.

    python tools/order_machine.py [--check]

It replaces what stands between the page's two marks, and draws the picture that it shows (`order_picture`). With
`--check` it changes nothing, and ends with status 1 if page or picture show something else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from order_picture import CLOSED, NOWHERE, picture

from p2pcommerce.commerce import TRANSITIONS
from p2pcommerce.commerce.order_machine import Transition

PAGE = Path(__file__).parents[1] / "docs" / "orders.md"
BEGIN = "<!-- drawn by tools/order_machine.py: begin -->"
END = "<!-- drawn by tools/order_machine.py: end -->"
PICTURE = PAGE.parent / "pictures" / "orders.svg"


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return what leads from one state to another."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        ends = (row.source.name if row.source else NOWHERE, row.target.name if row.target else CLOSED)
        names = found.setdefault(ends, [])
        if _named(row) not in names:
            names.append(_named(row))
    return found


def table() -> str:
    """Return all transitions, one row each."""
    lines = [
        "| transaction | who | from | when | only if | effect | to |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in TRANSITIONS:
        source, target = row.source.name if row.source else "", row.target.name if row.target else "closed"
        cells = (_named(row), row.who.value, source, row.when.value, row.only, row.effect.value, target)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _named(row: Transition) -> str:
    return f"{row.type} ({row.variant})" if row.variant else row.type


def drawn(page: str) -> str:
    """Return the page with the present machine between its marks.

    Raises:
        ValueError: a mark is missing.
    """
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n\n![The states of an order](pictures/{PICTURE.name})\n\n{table()}\n\n{page[end:]}"


def main(arguments: Sequence[str]) -> int:
    """Draw, or compare; return the exit status."""
    page = PAGE.read_text(encoding="utf-8")
    new, seen = drawn(page), picture(arrows())
    if "--check" in arguments:
        is_old = new != page or not PICTURE.exists() or seen != PICTURE.read_text(encoding="utf-8")
        if is_old:
            sys.stderr.write(f"{PAGE.name} does not show the table of transitions; run tools/order_machine.py\n")
        return int(is_old)
    PAGE.write_text(new, encoding="utf-8")
    PICTURE.write_text(seen, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
