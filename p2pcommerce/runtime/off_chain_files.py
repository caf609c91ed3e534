"""Blobs and messages in the node's folder: one file each, whole or not there at all.

    <hash or id, 64 hex digits>.<tag>.<expiry in microseconds of Unix time>

The name holds all that is known of a file beside its bytes, so that nothing else can disagree with it; `sha256sum` of a
blob prints its own name. The time of its last use is its modification time. What a crash left half-written is removed
at the next start; a file with another name is nobody's and is left alone.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p2pcommerce.runtime.durable_file import replace_file
from p2pcommerce.runtime.lock import DataDirectoryError

__all__ = ["FoundFile", "OffChainFiles"]

_NAME: Final = re.compile(r"([0-9a-f]{64})\.([a-z]{2,8})\.(\d{1,20})")
_TEMPORARY: Final = re.compile(r"\.[0-9a-f]{64}\.[a-z]{2,8}\.\d{1,20}\.[0-9a-f]{8}\.tmp")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file.

    Attributes:
        name: 32 bytes.
        tag: what it is.
        expires_us: microseconds of Unix time; 0: never.
        size: bytes.
    """

    name: bytes
    tag: str
    expires_us: int
    size: int


class OffChainFiles:
    """The files of one kind."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, made if there is none; see `found`.

        Raises:
            DataDirectoryError: it cannot be read or written.
        """
        self._folder = folder
        self._paths: dict[bytes, Path] = {}
        self.found: list[FoundFile] = []
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._scan()
        except OSError as error:
            raise DataDirectoryError(
                f"{folder}: cannot be used: {error.strerror or error}; see to the folder, then start again"
            ) from error

    def _scan(self) -> None:
        """Find the files, the one used longest ago first; of two of one name the older goes."""
        found: list[tuple[int, str, FoundFile]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if _TEMPORARY.fullmatch(entry.name):
                    Path(entry.path).unlink()
                    continue
                match = _NAME.fullmatch(entry.name)
                if match is not None and entry.is_file(follow_symlinks=False):
                    state = entry.stat(follow_symlinks=False)
                    file = FoundFile(bytes.fromhex(match[1]), match[2], int(match[3]), state.st_size)
                    found.append((state.st_mtime_ns, entry.name, file))
        newest: dict[bytes, FoundFile] = {}
        for _, name, file in sorted(found, key=lambda each: each[:2]):
            older = self._paths.get(file.name)
            if older is not None:
                older.unlink()
                del newest[file.name]
            self._paths[file.name] = self._folder / name
            newest[file.name] = file
        self.found = list(newest.values())

    def write(self, name: bytes, tag: str, expires_us: int, data: bytes) -> None:
        """Write a file durably, in place of an older one of the same name (32 bytes).

        Raises:
            OSError: it cannot be written; the older one is left as it is.
        """
        path = self._folder / f"{name.hex()}.{tag}.{expires_us}"
        replace_file(path, data, 0o600)
        older, self._paths[name] = self._paths.get(name), path
        if older is not None and older != path:
            older.unlink(missing_ok=True)

    def read(self, name: bytes, bytes_max: int) -> bytes | None:
        """Return the bytes under a name (32 bytes) and note their use; None: missing, too large or unreadable.

        A file that cannot be read now is forgotten until the next start, but not removed: it may be good.
        """
        path = self._paths.get(name)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                data = file.read(bytes_max + 1)
        except OSError:
            del self._paths[name]
            return None
        with suppress(OSError):  # who may not note the use may still read
            os.utime(path)
        return data if len(data) <= bytes_max else None

    def remove(self, name: bytes) -> None:
        """Remove the file of a name (32 bytes), if it is there.

        Raises:
            OSError: it cannot be removed.
        """
        path = self._paths.pop(name, None)
        if path is not None:
            path.unlink(missing_ok=True)
