"""A file of outcomes, one line each, JSON or CSV by its name: what is there already need not be run again.

A line belongs to a task by its key, which stands for the whole world and for the program. Lines of other sweeps may be
in the same file; they are left alone. A last line without an end, left by a crash, is cut. One sweep at a time has the
file.

Source: resumable sweeps of the simulator specification.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.simulation.outcome import Outcome, OutcomeError
from p2pcommerce.simulation.outcome_csv import HEADER, check_header, outcome_of_row, row_of

__all__ = ["LINE_BYTES_MAX", "OutcomeFile", "OutcomeFileError"]

LINE_BYTES_MAX: Final = 1 << 20
"""Of one outcome, its last events in words included."""
_CSV: Final = ".csv"


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
            path: of the file; CSV if it ends in `.csv`, else JSON lines.
            program: digest of the sources; outcomes of others do not count.

        Raises:
            OutcomeFileError: it cannot be read or written, another sweep has it, or a line in it is no outcome.
        """
        self._path = path
        self._is_csv = path.suffix.lower() == _CSV
        self.known: dict[str, Outcome] = {}
        self.other_programs = 0
        try:
            if path.exists() and not path.is_file() and not path.is_dir():
                raise OutcomeFileError(f"{path}: is no file that can be resumed; name another")
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise OutcomeFileError(f"{path}: cannot hold results: {error.strerror or error}") from error
        try:
            self._take(program)
        except BaseException:
            self._file.close()
            raise

    def _take(self, program: str) -> None:
        """Lock the file, read what is in it, and cut what a crash left of a line."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            whole_bytes = self._read(program)
            self._file.truncate(whole_bytes)
            if self._is_csv and not whole_bytes:
                self._write(HEADER)
        except BlockingIOError as error:
            raise OutcomeFileError(f"{self._path}: another sweep is writing there; wait, or name another") from error
        except OSError as error:
            raise OutcomeFileError(f"{self._path}: cannot hold results: {error.strerror or error}") from error

    def _read(self, program: str) -> int:
        """Read all whole lines, and return their length in bytes."""
        whole_bytes = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if not line.endswith(b"\n"):
                    if len(line) > LINE_BYTES_MAX:
                        raise self._strange(number, f"longer than {LINE_BYTES_MAX} bytes")
                    break
                self._read_line(number, line, program)
                whole_bytes += len(line)
        return whole_bytes

    def _read_line(self, number: int, line: bytes, program: str) -> None:
        try:
            text = line.decode().rstrip("\r\n")
            if self._is_csv and number == 1:
                check_header(text)
                return
            outcome = outcome_of_row(text) if self._is_csv else Outcome.from_line(text)
        except (OutcomeError, UnicodeDecodeError, RecursionError) as error:
            raise self._strange(number, str(error)) from error
        if outcome.program == program:
            self.known[outcome.key] = outcome
        else:
            self.other_programs += 1

    def _strange(self, number: int, why: str) -> OutcomeFileError:
        return OutcomeFileError(f"{self._path}: line {number} is no result of a sweep ({why}); name another file")

    def add(self, outcome: Outcome) -> None:
        """Append an outcome; it is handed to the operating system at once.

        Raises:
            OutcomeFileError: it cannot be written.
        """
        try:
            self._write(row_of(outcome) if self._is_csv else outcome.to_line())
        except OSError as error:
            raise OutcomeFileError(f"{self._path}: cannot hold results: {error.strerror or error}") from error

    def _write(self, line: str) -> None:
        _write_all(self._file, (line + "\n").encode())

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines with their end; the last one may have none, and one that is too long is cut."""
    while line := file.readline(LINE_BYTES_MAX + 1):
        yield line


def _write_all(file: FileIO, data: bytes) -> None:
    """Write all of it: a full disk takes a part of a line before it refuses the rest."""
    while data:
        data = data[file.write(data) :]
