"""Custody steps for the demo: from a folder of EPCIS documents, or made up in the same shape.

An ObjectEvent becomes a step by its business step: commissioning (or any first appearance: action ADD), shipping or
departing, receiving. Everything else is counted with its reason, and so is every identifier that is no GTIN with a
serial. Whether an item is already known to the ledger, and who signs the other half of a hand-over, the demo decides.

Source: commerce specification, traceability; CBV 2.0, business steps and dispositions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, unique
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from p2pcommerce.commerce.epcis import (
    DOCUMENT_BYTES_MAX,
    Document,
    Event,
    IdentifierError,
    NotEpcisError,
    Sgtin,
    Vocabulary,
    check_digit,
    event_hash,
    local_word,
    parse_document,
    parse_sgtin,
)
from p2pcommerce.workload.orders import SkippedLines, WorkloadError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

__all__ = ["ITEMS_MAX", "CustodyKind", "CustodyStep", "example_gtin14", "generated_custody", "read_custody"]

ITEMS_MAX = 64
"""Most items of one step. Source: commerce specification, ids of `trace.ship`."""

STORIES_OPEN = 16
"""How many made-up stories run at a time, so that the steps of one story stand apart."""

STORY_ITEMS_MAX = 12
_SUFFIXES = frozenset({".json", ".jsonld"})
_EXAMPLE_PREFIX = "9520001"
"""Company prefix of the made-up goods. Source: GS1 keeps 952 for demonstrations and examples."""
_STORY_START = datetime(2024, 1, 1, tzinfo=UTC)


@unique
class CustodyKind(Enum):
    """What happens to the items of a step."""

    COMMISSION = "commission"
    SHIP = "ship"
    RECEIVE = "receive"


_BY_STEP = {
    "commissioning": CustodyKind.COMMISSION,
    "shipping": CustodyKind.SHIP,
    "departing": CustodyKind.SHIP,
    "receiving": CustodyKind.RECEIVE,
}


@dataclass(frozen=True, slots=True)
class CustodyStep:
    """One step in the life of some items.

    Attributes:
        kind: what happens.
        items: 1 to 64 items, strictly increasing.
        event_hash: the EPCIS event hash, 32 bytes; steps of one long event share it.
        event_time_ms: Unix milliseconds of the event.
        source: the file and the place in it, or the made-up story.
    """

    kind: CustodyKind
    items: tuple[Sgtin, ...]
    event_hash: bytes
    event_time_ms: int
    source: str


def read_custody(folder: str | Path, skipped: SkippedLines) -> Iterator[CustodyStep]:
    """Yield the custody steps of the `*.json` and `*.jsonld` documents of a folder, in the order of their names.

    Args:
        folder: where the documents lie.
        skipped: counts each event and identifier that is left out; it is complete when the iteration ends.

    Raises:
        WorkloadError: at once when there is no document; while iterating when a file cannot be read.
        EpcisDocumentError: while iterating, when a document is malformed.
    """
    return _steps(_files(Path(folder)), skipped)


def _files(folder: Path) -> list[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())
    except OSError as error:
        raise WorkloadError(str(folder), "", f"{error.strerror}; give a folder of EPCIS documents") from None
    if not files:
        raise WorkloadError(str(folder), "", "the folder holds no *.json or *.jsonld file")
    return files


def _steps(files: list[Path], skipped: SkippedLines) -> Iterator[CustodyStep]:
    for file in files:
        document = _document(file, skipped)
        for event in document.events if document is not None else ():
            yield from _event_steps(event, skipped)


def _document(file: Path, skipped: SkippedLines) -> Document | None:
    """Read a file, None when it holds JSON that is not EPCIS; only a `.jsonld` promises to be."""
    try:
        with file.open("rb") as stream:
            data = stream.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise WorkloadError(str(file), "", error.strerror or "cannot be read") from None
    try:
        return parse_document(data, source=str(file))
    except NotEpcisError:
        if file.suffix.lower() == ".jsonld":
            raise
        skipped.add("file is no EPCIS document")
        return None


def _event_steps(event: Event, skipped: SkippedLines) -> Iterator[CustodyStep]:
    if event.type != "ObjectEvent":
        skipped.add(f"event type {event.type[:40]}")
        return
    kind = _kind(event)
    if kind is None:
        step = local_word(Vocabulary.BUSINESS_STEP, event.text("bizStep"), event.prefixes) or "none"
        skipped.add(f"business step {step[:40]}")
        return
    items: set[Sgtin] = set()
    for uri in event.texts("epcList"):
        try:
            items.add(parse_sgtin(uri))
        except IdentifierError:
            skipped.add("identifier is no GTIN with a serial")
    if not items:
        skipped.add("event without a serialised item")
        return
    ordered, digest = sorted(items), event_hash(event)
    for start in range(0, len(ordered), ITEMS_MAX):
        chunk = tuple(ordered[start : start + ITEMS_MAX])
        yield CustodyStep(kind, chunk, digest, event.time_ms, f"{event.source}: {event.place}")


def _kind(event: Event) -> CustodyKind | None:
    step = local_word(Vocabulary.BUSINESS_STEP, event.text("bizStep"), event.prefixes)
    if step in _BY_STEP:
        return _BY_STEP[step]
    if step:
        return None
    # Without a business step, the action or the state that the event leaves the goods in says what happened.
    disposition = local_word(Vocabulary.DISPOSITION, event.text("disposition"), event.prefixes)
    if event.text("action") == "ADD":
        return CustodyKind.COMMISSION
    return CustodyKind.SHIP if disposition == "in_transit" else None


def example_gtin14(number: int) -> str:
    """Return a GTIN-14 under the prefix that GS1 keeps for examples.

    Args:
        number: 0 to 99,999.
    """
    body = f"0{_EXAMPLE_PREFIX}{number:05d}"
    return body + check_digit(body)


def generated_custody(rng: random.Random, gtins: Sequence[str] | None = None) -> Iterator[CustodyStep]:
    """Yield made-up custody steps for ever: each story commissions a few serials and hands them over once or twice.

    Args:
        rng: the same seed gives the same stream.
        gtins: GTIN-14 of the goods; 64 example products by default.
    """
    goods = list(gtins) if gtins is not None else [example_gtin14(number) for number in range(64)]
    numbers = count(1)
    stories = [_story(rng, goods, next(numbers)) for _ in range(STORIES_OPEN)]
    while True:
        place = rng.randrange(STORIES_OPEN)
        step = next(stories[place], None)
        if step is None:
            stories[place] = _story(rng, goods, next(numbers))
        else:
            yield step


def _story(rng: random.Random, goods: list[str], number: int) -> Iterator[CustodyStep]:
    gtin14 = rng.choice(goods)
    items = tuple(Sgtin(gtin14, f"{number}-{unit:02d}") for unit in range(1, rng.randint(1, STORY_ITEMS_MAX) + 1))
    moment = _STORY_START + timedelta(minutes=number)
    steps = ["commissioning", *["shipping", "receiving"] * rng.randint(1, 2)]
    for place, step in enumerate(steps, 1):
        event = _story_event(step, items, moment, f"story {number}", place)
        yield CustodyStep(_BY_STEP[step], items, event_hash(event), event.time_ms, f"story {number}: event {place}")
        moment += timedelta(minutes=rng.randint(30, 3_000))


def _story_event(step: str, items: tuple[Sgtin, ...], moment: datetime, source: str, place: int) -> Event:
    fields: dict[str, object] = {
        "type": "ObjectEvent",
        "eventTime": moment.isoformat(timespec="milliseconds"),
        "eventTimeZoneOffset": "+00:00",
        "epcList": [f"https://id.gs1.org/01/{item.gtin14}/21/{item.serial}" for item in items],
        "action": "ADD" if step == "commissioning" else "OBSERVE",
        "bizStep": step,
        "disposition": {"commissioning": "active", "shipping": "in_transit", "receiving": "in_progress"}[step],
    }
    return Event.from_fields(fields, source=source, place=f"event {place}")
