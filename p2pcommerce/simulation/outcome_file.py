"""A file of outcomes, one JSON line each: what is there already need not be run again.

A line belongs to a task by its key, which stands for the whole world and for the program. Lines of other sweeps may be
in the same file; they are left alone. A last line without an end, left by a crash, is cut.

Source: resumable sweeps of the simulator specification.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.outcome import Outcome, OutcomeError

__all__ = ["OutcomeFile", "OutcomeFileError"]


class OutcomeFileError(UsageError):
    """A file of outcomes that cannot be read or written."""

    code = "OUTCOME_FILE"


class OutcomeFile:
    """An open file of outcomes; a context manager.

    Attributes:
        known: outcomes that were in it, by the key of their task.
        other_programs: lines that other sources made; their seeds are run again.
    """

    def __init__(self, path: Path, program: str) -> None:
        """Open or make a file.

        Args:
            path: of the file.
            program: digest of the sources; outcomes of others do not count.

        Raises:
            OutcomeFileError: it cannot be read or written, or a line in it is no outcome.
        """
        self._path = path
        self.known: dict[str, Outcome] = {}
        self.other_programs = 0
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            kept, _, torn = text.rpartition("\n")
            self._read(kept, program)
            if torn:
                with path.open("r+b") as file:
                    file.truncate(len((kept + "\n").encode()) if kept else 0)
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutcomeFileError(f"{path}: cannot hold results: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise OutcomeFileError(f"{path}: is no file of results; name another") from error

    def _read(self, text: str, program: str) -> None:
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                outcome = Outcome.from_line(line)
            except OutcomeError as error:
                raise OutcomeFileError(
                    f"{self._path}: line {number} is no result of a sweep ({error}); name another file"
                ) from error
            if outcome.program == program:
                self.known[outcome.key] = outcome
            else:
                self.other_programs += 1

    def add(self, outcome: Outcome) -> None:
        """Append an outcome; it is handed to the operating system at once."""
        self._file.write(outcome.to_line() + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()
