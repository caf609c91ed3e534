"""The events behind the hashes: a folder of EPCIS documents of one event each, named by the event's hash.

The chain holds hashes alone. Whoever imports events keeps them here, so that they can be given out again; whatever is
read is checked against its hash, so that the folder need not be trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.commerce.epcis import (
    DOCUMENT_BYTES_MAX,
    Document,
    EpcisDocumentError,
    Event,
    event_hash,
    parse_document,
    write_document,
)
from p2pcommerce.runtime.durable_file import replace_file

__all__ = ["EVENTS_FOLDER", "EventArchive", "read_file"]

EVENTS_FOLDER: Final = "epcis"
"""Where a node's folder keeps the events that were imported with it."""


def read_file(path: Path) -> tuple[bytes, Document]:
    """Return the bytes and the events of a document.

    Raises:
        ArgumentError: the file cannot be read.
        EpcisDocumentError: it is no EPCIS document.
    """
    try:
        with path.open("rb") as file:
            data = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    return data, parse_document(data, source=str(path))


class EventArchive:
    """The events of a folder, and of documents that are given besides."""

    def __init__(self, folder: Path, documents: Sequence[Path] = ()) -> None:
        """Use a node's folder.

        Raises:
            ArgumentError: a document cannot be read.
            EpcisDocumentError: one is no EPCIS document, or holds an event that has no hash.
        """
        self._folder = folder / EVENTS_FOLDER
        self._given = {event_hash(event): event for path in documents for event in read_file(path)[1].events}

    def keep(self, events: Iterable[Event]) -> None:
        """Keep events, each under its hash.

        Raises:
            ArgumentError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            for event in events:
                path = self._path(event_hash(event))
                if not path.exists():
                    replace_file(path, write_document([event], event.text("eventTime")))
        except OSError as error:
            raise ArgumentError(f"{self._folder}: cannot be written: {error.strerror or error}") from error

    def find(self, digest: bytes) -> Event | None:
        """Return the event of a hash (32 bytes), None if it is not here."""
        if digest in self._given:
            return self._given[digest]
        path = self._path(digest)
        if not path.exists():
            return None
        try:
            events = read_file(path)[1].events
        except EpcisDocumentError:
            return None
        return next((event for event in events if event_hash(event) == digest), None)

    def _path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.jsonld"
