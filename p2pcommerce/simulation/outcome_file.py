"""A file of outcomes of seeds, JSON or CSV by its name; how it is resumed is the matter of `line_file`.

Source: resumable sweeps of the simulator specification.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from p2pcommerce.primitives.compat import override
from p2pcommerce.simulation.line_file import LINE_BYTES_MAX, LineFile, OutcomeFileError
from p2pcommerce.simulation.outcome import Outcome
from p2pcommerce.simulation.outcome_csv import HEADER, check_header, outcome_of_row, row_of

__all__ = ["LINE_BYTES_MAX", "OutcomeFile", "OutcomeFileError"]

_CSV: Final = ".csv"


class OutcomeFile(LineFile[Outcome]):
    """An open file of outcomes, CSV if its name ends in `.csv`, else JSON lines; a context manager."""

    def __init__(self, path: Path, program: str) -> None:
        """Open or make a file; see `LineFile`."""
        self._is_csv = path.suffix.lower() == _CSV
        super().__init__(path, program)

    @property
    @override
    def first_line(self) -> str | None:
        """What a new file begins with; see `LineFile`."""
        return HEADER if self._is_csv else None

    @override
    def read_row(self, text: str, number: int) -> Outcome | None:
        """Read a line; see `LineFile`."""
        if self._is_csv and number == 1:
            check_header(text)
            return None
        return outcome_of_row(text) if self._is_csv else Outcome.from_line(text)

    @override
    def write_row(self, row: Outcome) -> str:
        """Return a line; see `LineFile`."""
        return row_of(row) if self._is_csv else row.to_line()
