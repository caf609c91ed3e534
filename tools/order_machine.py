"""Draw the order's state machine into docs/orders.md, from the table that the application runs.

    python tools/order_machine.py [--check]

It replaces what stands between the page's two marks. With `--check` it changes nothing, and ends with status 1 if the
page shows something else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from p2pcommerce.commerce import TRANSITIONS
from p2pcommerce.commerce.order_machine import Transition

PAGE = Path(__file__).parents[1] / "docs" / "orders.md"
BEGIN = "<!-- drawn by tools/order_machine.py: begin -->"
END = "<!-- drawn by tools/order_machine.py: end -->"
NOWHERE = "(none)"
CLOSED = "(closed)"


def diagram() -> str:
    """Return the states and what leads from one to another."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        ends = (row.source.name if row.source else NOWHERE, row.target.name if row.target else CLOSED)
        arrows.setdefault(ends, []).append(_named(row))
    width = max(len(source) for source, _ in arrows)
    lines = []
    for (source, target), names in arrows.items():
        lines.append(f"{source:>{width}} --> {target:<9} {', '.join(dict.fromkeys(names))}")
    return "\n".join(("```text", *lines, "```"))


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
    return f"{page[:start]}\n\n{diagram()}\n\n{table()}\n\n{page[end:]}"


def main(arguments: Sequence[str]) -> int:
    """Draw, or compare; return the exit status."""
    page = PAGE.read_text()
    new = drawn(page)
    if "--check" in arguments:
        if new != page:
            sys.stderr.write(f"{PAGE.name} does not show the table of transitions; run tools/order_machine.py\n")
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
