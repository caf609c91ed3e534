"""Log lines: `UTC level node8 room message key=value`, to a file that is rotated by size, to stderr, or to both.

One line per call, whatever is in it: control characters are escaped, because much of what is logged was sent by
strangers. A log that cannot be written (a full disk) never stops a node: the lines are counted as lost, and writing is
tried again with the next one.

Source: the folder and log format of the interface specification.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["LEVELS", "LINE_CHARACTERS_MAX", "Log"]

LEVELS: Final = ("debug", "info", "warning", "error")
"""From the least to the most urgent."""
LINE_CHARACTERS_MAX: Final = 2_000
"""A longer line is cut, with its length named at the end."""
_FILE_BYTES_MAX: Final = 8 * 2**20
_OLD_FILES_MAX: Final = 3


def _utc_us() -> int:
    return time.time_ns() // 1_000


class Log:
    """Where a node's log lines go.

    Attributes:
        lost: lines that could not be written to the file.
    """

    def __init__(
        self,
        node: str,
        path: str | Path | None = None,
        *,
        stream: TextIO | None = None,
        level: str = "info",
        file_bytes_max: int = _FILE_BYTES_MAX,
        old_files_max: int = _OLD_FILES_MAX,
        clock_us: Callable[[], int] = _utc_us,
    ) -> None:
        """Open a log.

        Args:
            node: first 8 hex digits of the node's key.
            path: the file; older ones stand beside it as `<name>.1` to `<name>.<old_files_max>`. None: no file.
            stream: stderr, say; None: no stream.
            level: the least urgent level that is written: "debug", "info", "warning" or "error".
            file_bytes_max: the file is rotated before it would be larger.
            old_files_max: rotated files that are kept.
            clock_us: gives Unix time in microseconds.

        Raises:
            ValueError: `level` is none of `LEVELS`.
        """
        self.lost = 0
        self._node = node
        self._path = None if path is None else Path(path)
        self._stream = stream
        self._threshold = _urgency(level)
        self._file_bytes_max = file_bytes_max
        self._old_files_max = old_files_max
        self._clock_us = clock_us
        self._file: TextIO | None = None
        self._file_bytes = 0

    def debug(self, room: str, message: str, **fields: object) -> None:
        """Log what only a developer wants to know."""
        self.write("debug", room, message, **fields)

    def info(self, room: str, message: str, **fields: object) -> None:
        """Log what an operator may want to know."""
        self.write("info", room, message, **fields)

    def warning(self, room: str, message: str, **fields: object) -> None:
        """Log what should not happen and was dealt with."""
        self.write("warning", room, message, **fields)

    def error(self, room: str, message: str, **fields: object) -> None:
        """Log what somebody has to look at."""
        self.write("error", room, message, **fields)

    def write(self, level: str, room: str, message: str, /, **fields: object) -> None:
        """Log one line.

        Args:
            level: one of `LEVELS`.
            room: who says it ("gossip").
            message: a sentence; control characters are escaped.
            fields: written as key=value; bytes as hex.

        Raises:
            ValueError: `level` is none of `LEVELS`.
        """
        if _urgency(level) < self._threshold:
            return
        words = [_utc_text(self._clock_us()), level, self._node, room, _printable(message)]
        words += [f"{key}={_value_text(value)}" for key, value in fields.items()]
        line = " ".join(words)
        if len(line) > LINE_CHARACTERS_MAX:
            line = f"{line[:LINE_CHARACTERS_MAX]}... ({len(line)} characters)"
        if self._stream is not None:
            self._stream.write(line + "\n")
        if self._path is not None:
            self._write_file(self._path, line + "\n")

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_file(self, path: Path, line: str) -> None:
        size = len(line.encode("utf-8", "backslashreplace"))
        try:
            if self._file is None:
                self._file = self._open(path)
            if self._file_bytes and self._file_bytes + size > self._file_bytes_max:
                self.close()
                self._rotate(path)
                self._file = self._open(path)
            self._file.write(line)
            self._file_bytes += size
        except OSError:
            self.lost += 1
            self._abandon()

    def _open(self, path: Path) -> TextIO:
        # Line buffered: a line is with the system when `write` returns, and survives the process.
        file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._file_bytes = file.tell()
        return file

    def _abandon(self) -> None:
        """Drop a file that failed, and with it what it could not write."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                # Closing flushes once more and fails for the same reason; the line is counted already.
                return

    def _rotate(self, path: Path) -> None:
        names = [path, *(path.with_name(f"{path.name}.{number + 1}") for number in range(self._old_files_max))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        if not self._old_files_max:
            path.unlink()


def _urgency(level: str) -> int:
    if level not in LEVELS:
        raise ValueError(f'"{level}" is no log level; there are {", ".join(LEVELS)}')
    return LEVELS.index(level)


def _utc_text(now_us: int) -> str:
    seconds, micros = divmod(now_us, MICROSECONDS)
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _value_text(value: object) -> str:
    """Write a value so that a line can be split at its spaces and equal signs."""
    if isinstance(value, bytes):
        return value.hex()
    text = str(value)
    if not text or not text.isprintable() or any(c in text for c in ' ="'):
        return json.dumps(text)
    return text
