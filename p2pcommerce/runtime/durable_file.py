"""Whole files that are on the disk, complete, or not there at all.

A file is written under a temporary name beside its place, synced, put in its place in one step, and the directory is
synced too: a rename without the last step can be undone by a power loss.

Errors are the system's own (`OSError`); each caller names the file and says what to do.

Source: fsync(2), rename(2); "rename without directory fsync" among the mistakes that the finality specification lists.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["create_file", "remove_leftovers", "replace_file", "sync_directory", "write_all"]


def create_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that must not exist yet, durably.

    Raises:
        FileExistsError: there is a file of this name; it is left as it is.
        OSError: it cannot be written.
    """
    temporary = _write_temporary(path, data, mode)
    try:
        # A hard link, not a rename: it refuses to take the place of an existing file, in one step.
        os.link(temporary, path)
    finally:
        temporary.unlink()
    sync_directory(path.parent)


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file durably, in place of one of the same name if there is one.

    Raises:
        OSError: it cannot be written; the old file is left as it is.
    """
    temporary = _write_temporary(path, data, mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    sync_directory(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files that a crash left beside `path`; nobody else may be writing it."""
    for leftover in sorted(path.parent.glob(f".{path.name}.*.tmp")):
        leftover.unlink()


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: the directory cannot be synced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however many calls it takes.

    Raises:
        OSError: some of it could not be written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_temporary(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        temporary.unlink()
        raise
    return temporary
