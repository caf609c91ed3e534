"""The directory lock: one process per node folder.

Two processes on one folder would sign twice with one key, so the second is refused. The lock is the kernel's (`flock`
on the file `lock`): it goes with the process, however that ends, and is never stale. The process id inside the file is
for people only.

Source: "A second process on the same directory is refused", finality specification; flock(2).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from p2pcommerce.primitives.errors import UsageError

__all__ = ["LOCK_FILE", "DataDirectoryError", "DirectoryInUseError", "DirectoryLock"]

LOCK_FILE: Final = "lock"
_PID_BYTES_MAX: Final = 20


class DataDirectoryError(UsageError):
    """A node folder that cannot be made or written to."""

    code = "DATA_DIRECTORY"


class DirectoryInUseError(UsageError):
    """Another process runs a node in this folder."""

    code = "DIRECTORY_IN_USE"


class DirectoryLock:
    """A held lock; `acquire` takes it, `release` (or leaving the `with` block) gives it back."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        """Take over a locked descriptor; use `acquire`."""
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, folder: str | Path) -> DirectoryLock:
        """Lock a node folder; it is made (mode 0700) if there is none.

        Raises:
            DirectoryInUseError: another process holds it; the message names its id.
            DataDirectoryError: the folder cannot be made or written to.
        """
        folder = Path(folder)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryError(
                f"{folder}: cannot be used as a node's folder: {error.strerror or error}; choose another"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DirectoryInUseError(
                f"{folder}: is in use by {f'process {holder}' if holder else 'another process'}; stop it first, or "
                "choose another folder"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise DataDirectoryError(
                f"{folder}: cannot be locked: {error.strerror or error}; choose a folder on a local disk"
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            os.close(descriptor)
            raise DataDirectoryError(
                f"{folder}: cannot be written to: {error.strerror or error}; free some space, or choose another"
            ) from error
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back; releasing twice does nothing."""
        if self._descriptor is not None:
            # The file stays: removing it could pull it from under a process that has it open and is about to lock it.
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
