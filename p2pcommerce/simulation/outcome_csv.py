"""Outcomes as rows of a CSV file: the members of a JSON line, in the same order, one row on one line.

A member that is no number or text is JSON within its cell, so that nothing is lost and a sweep can be resumed from it.

Source: RFC 4180; the sweeps of the simulator specification (JSON lines or CSV).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from p2pcommerce.simulation.outcome import Outcome, OutcomeError

__all__ = ["HEADER", "check_header", "outcome_of_row", "row_of"]

_NAMES: Final = tuple(field.name for field in fields(Outcome))
_TEXTS: Final = frozenset({"key", "program", "trace_hash", "oracle", "detail"})


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


HEADER: Final = _line(_NAMES)
"""The first line of the file."""


def check_header(line: str) -> None:
    """Check the first line of a file.

    Raises:
        OutcomeError: it names other columns.
    """
    if line != HEADER:
        raise OutcomeError("the header names other columns")


def row_of(outcome: Outcome) -> str:
    """Return an outcome as one line, without its end."""
    members = json.loads(outcome.to_line())
    return _line(
        [
            " ".join(value.splitlines()) if name in _TEXTS else json.dumps(value, separators=(",", ":"))
            for name, value in members.items()
        ]
    )


def outcome_of_row(line: str) -> Outcome:
    """Read a line.

    Raises:
        OutcomeError: it is no outcome.
    """
    try:
        cells = next(csv.reader([line], strict=True), [])
        if len(cells) != len(_NAMES):
            raise OutcomeError(f"{len(cells)} columns, not {len(_NAMES)}")
        members = {name: cell if name in _TEXTS else json.loads(cell) for name, cell in zip(_NAMES, cells, strict=True)}
    except (ValueError, RecursionError, csv.Error) as error:
        raise OutcomeError(f"not readable: {error}") from error
    return Outcome.from_line(json.dumps(members))
