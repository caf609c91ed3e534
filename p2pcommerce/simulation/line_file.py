"""A file of results, one line each: what is there already need not be run again.

A line belongs to a task by its key, which stands for the whole task and for the program. Lines of other sweeps may be
in the same file; they are left alone. A last line without an end, left by a crash, is cut. One sweep at a time has the
file.

Source: resumable sweeps of the simulator specification.
"""

from __future__ import annotations

import fcntl
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Generic, Protocol, Self, TypeVar

from p2pcommerce.primitives.errors import UsageError

__all__ = ["LINE_BYTES_MAX", "LineFile", "OutcomeFileError", "Row"]

LINE_BYTES_MAX: Final = 1 << 20
"""Of one result, its last events in words included."""


class OutcomeFileError(UsageError):
    """A file of results that cannot be read or written."""

    code = "OUTCOME_FILE"


class Row(Protocol):
    """One result."""

    @property
    def key(self) -> str:
        """Stands for its task and the program."""
        ...

    @property
    def program(self) -> str:
        """Digest of the sources that made it."""
        ...


R = TypeVar("R", bound=Row)


class LineFile(ABC, Generic[R]):
    """An open file of results; a context manager.

    Attributes:
        known: results that were in it, by the key of their task.
        other_programs: lines that other sources made; their tasks are run again.
    """

    def __init__(self, path: Path, program: str) -> None:
        """Open or make a file.

        Args:
            path: of the file.
            program: digest of the sources; results of others do not count.

        Raises:
            OutcomeFileError: it cannot be read or written, another sweep has it, or a line in it is no result.
        """
        self._path = path
        self.known: dict[str, R] = {}
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

    @abstractmethod
    def read_row(self, text: str, number: int) -> R | None:
        """Read a line, counted from 1, without its end; None: it is no result and belongs there (a header).

        Raises:
            UsageError: it is no result.
        """

    @abstractmethod
    def write_row(self, row: R) -> str:
        """Return a result as a line, without its end."""

    @property
    def first_line(self) -> str | None:
        """What a new file begins with."""
        return None

    def _take(self, program: str) -> None:
        """Lock the file, read what is in it, and cut what a crash left of a line."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            whole_bytes = self._read(program)
            self._file.truncate(whole_bytes)
            if self.first_line is not None and not whole_bytes:
                self._write(self.first_line)
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
            row = self.read_row(line.decode().rstrip("\r\n"), number)
        except (UsageError, UnicodeDecodeError, RecursionError) as error:
            raise self._strange(number, str(error)) from error
        if row is None:
            return
        if row.program == program:
            self.known[row.key] = row
        else:
            self.other_programs += 1

    def _strange(self, number: int, why: str) -> OutcomeFileError:
        return OutcomeFileError(f"{self._path}: line {number} is no result of a sweep ({why}); name another file")

    def add(self, row: R) -> None:
        """Append a result; it is handed to the operating system at once.

        Raises:
            OutcomeFileError: it cannot be written.
        """
        try:
            self._write(self.write_row(row))
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
