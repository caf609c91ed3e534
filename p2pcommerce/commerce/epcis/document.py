"""EPCIS 2.0 documents in JSON-LD: bytes to events, each of which keeps its place.

Understands an `EPCISDocument`, the event list of an `EPCISQueryDocument`, and a single event on its own. Checks the
shape, the size and the three fields that every event must have; what a field means is the business of the other rooms.
Nothing is fetched: a context given by its URL contributes the standard prefixes, and only prefixes that stand in the
document itself are added to them. Numbers stay decimal: 200.5 is never a binary fraction.

Source: EPCIS 2.0, sections 7 and 10; RFC 8259.
Deviations: a name that occurs twice in one object is refused, where JSON leaves open which of the two counts: an event
that says two things must not have a hash. NaN and infinities are refused for the same reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import NoReturn

from p2pcommerce.commerce.epcis.timestamp import canonical_time, time_ms
from p2pcommerce.commerce.epcis.vocabulary import STANDARD_PREFIXES, expand_curie
from p2pcommerce.primitives.errors import UsageError

__all__ = [
    "DEPTH_MAX",
    "DOCUMENT_BYTES_MAX",
    "EVENTS_MAX",
    "EVENT_TYPES",
    "Document",
    "EpcisDocumentError",
    "Event",
    "NotEpcisError",
    "parse_document",
]

DOCUMENT_BYTES_MAX = 8 * 1024 * 1024
"""Largest document that is decoded. Decoding takes about ten times as much memory."""

EVENTS_MAX = 20_000
"""Most events of one document; the smallest event that is complete has about 100 bytes, so that the size says more."""

DEPTH_MAX = 32
"""Deepest nesting of objects and lists; the deepest standard field, a sensor report, lies at 7."""

NUMBER_CHARS_MAX = 64
NUMBER_EXPONENT_MAX = 64
"""Bounds of a number, so that 1e999999999 is not written out."""

EVENT_TYPES = frozenset(
    {"ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"}
)
"""The event types of EPCIS 2.0."""

_DOCUMENT_TYPES = frozenset({"EPCISDocument", "EPCISQueryDocument"})
_EPCIS = STANDARD_PREFIXES["epcis"]
_ZONE = re.compile(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]|Z")


class EpcisDocumentError(UsageError):
    """A document, or one event of it, is malformed; the message is one line: source, place, reason."""

    code = "BAD_EPCIS"

    def __init__(self, source: str, place: str, reason: str) -> None:
        """Build the line `source: place: reason`."""
        super().__init__(f"{source}: {place}: {reason}")
        self.source = source
        self.place = place
        self.reason = reason


class NotEpcisError(EpcisDocumentError):
    """Well-formed JSON, but neither an EPCIS document nor an event."""

    code = "NOT_EPCIS"


@dataclass(frozen=True, slots=True)
class Event:
    """One EPCIS event.

    Attributes:
        source: what the document is called, for messages.
        place: where it stands in the document, such as `event 3`.
        type: one of `EVENT_TYPES`, or the full URI of an extension type.
        fields: the JSON object; numbers are `Decimal`.
        prefixes: the CURIE prefixes declared for it, to their namespaces.
    """

    source: str
    place: str
    type: str
    fields: Mapping[str, object]
    prefixes: Mapping[str, str]

    @classmethod
    def from_fields(cls, fields: Mapping[str, object], *, source: str = "event", place: str = "event 1") -> Event:
        """Build an event from its JSON object, after the checks that a parsed document passes.

        Raises:
            EpcisDocumentError: the object is no event.
        """
        _check_tree(fields, source, place)
        return _event(fields, source, place, {})

    @property
    def time_ms(self) -> int:
        """Unix milliseconds of `eventTime`."""
        return time_ms(self.text("eventTime"))

    def text(self, name: str) -> str:
        """Return a text field without surrounding white space, empty when it is absent.

        Raises:
            EpcisDocumentError: the field holds something else.
        """
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.fail(f"{name} must be text")
        return value.strip()

    def texts(self, name: str) -> list[str]:
        """Return a list of texts without surrounding white space, empty when the field is absent.

        Raises:
            EpcisDocumentError: the field holds something else.
        """
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(f"{name} must be a list of texts")
        return [item.strip() for item in value]

    def fail(self, reason: str) -> NoReturn:
        """Raise an `EpcisDocumentError` that names this event.

        Raises:
            EpcisDocumentError: always.
        """
        raise EpcisDocumentError(self.source, self.place, reason)


@dataclass(frozen=True, slots=True)
class Document:
    """The events of a document, in its order."""

    source: str
    events: tuple[Event, ...]


def parse_document(data: bytes, *, source: str = "document") -> Document:
    """Decode an EPCIS document.

    Args:
        data: UTF-8 JSON, at most `DOCUMENT_BYTES_MAX` bytes.
        source: what to call the document in messages, such as its file name.

    Raises:
        NotEpcisError: the JSON is something else than EPCIS.
        EpcisDocumentError: it is malformed, too large or too deep.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        raise EpcisDocumentError(source, "document", f"larger than {DOCUMENT_BYTES_MAX} bytes; split it")
    root = _decoded(data, source)
    _check_tree(root, source, "document")
    if not isinstance(root, dict):
        raise NotEpcisError(source, "document", "not a JSON object")
    kind = _type_name(root, {})
    if kind in EVENT_TYPES:
        return Document(source, (_event(root, source, "event 1", {}),))
    if kind not in _DOCUMENT_TYPES:
        raise NotEpcisError(source, "document", 'its "type" is neither EPCISDocument nor EPCISQueryDocument')
    prefixes = _prefixes(root.get("@context"), {}, source, "document")
    objects = _event_objects(root, source)
    return Document(source, tuple(_event(item, source, f"event {n}", prefixes) for n, item in enumerate(objects, 1)))


def _decoded(data: bytes, source: str) -> object:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EpcisDocumentError(source, f"byte {error.start}", "not UTF-8") from None
    try:
        return json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise EpcisDocumentError(source, f"line {error.lineno} column {error.colno}", error.msg) from None
    except RecursionError:
        raise EpcisDocumentError(source, "document", f"nested deeper than {DEPTH_MAX}") from None
    except ValueError as error:
        raise EpcisDocumentError(source, "document", str(error)) from None


def _number(text: str) -> Decimal:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError(f"a number of more than {NUMBER_CHARS_MAX} characters")
    number = Decimal(text)
    if number and abs(number.adjusted()) > NUMBER_EXPONENT_MAX:
        raise ValueError(f"the number {text} is beyond 10 to the power of {NUMBER_EXPONENT_MAX}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name[:40]!a} occurs twice in one object")
        found[name] = value
    return found


def _check_tree(root: object, source: str, place: str) -> None:
    """Refuse what is too deep to walk by recursion, and text that has no UTF-8 form."""
    level: list[object] = [root]
    for _ in range(DEPTH_MAX):
        deeper: list[object] = []
        for value in level:
            if isinstance(value, Mapping):
                deeper.extend(value.keys())
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
            elif isinstance(value, str) and not value.isascii():
                _check_text(value, source, place)
        level = deeper
        if not level:
            return
    raise EpcisDocumentError(source, place, f"nested deeper than {DEPTH_MAX}")


def _check_text(text: str, source: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EpcisDocumentError(source, place, f"{text[:40]!a} holds half of a character pair") from None


def _event_objects(root: dict[str, object], source: str) -> list[object]:
    body = root.get("epcisBody")
    if isinstance(body, dict) and isinstance(results := body.get("queryResults"), dict):
        body = results.get("resultsBody")
    if not isinstance(body, dict):
        raise EpcisDocumentError(source, "document", "has no epcisBody")
    if "event" in body:
        return [body["event"]]
    events = body.get("eventList")
    if not isinstance(events, list):
        raise EpcisDocumentError(source, "document", "its epcisBody has no eventList")
    if len(events) > EVENTS_MAX:
        raise EpcisDocumentError(source, "document", f"more than {EVENTS_MAX} events; split it")
    return events


def _prefixes(context: object, outer: Mapping[str, str], source: str, place: str) -> Mapping[str, str]:
    """Collect the namespaces that a `@context` declares, over those of the surrounding document."""
    found = dict(outer)
    for part in context if isinstance(context, list) else [context]:
        if part is None or isinstance(part, str):
            continue
        if not isinstance(part, dict):
            raise EpcisDocumentError(source, place, "its @context must hold URLs and objects of prefixes")
        for prefix, term in part.items():
            namespace = term.get("@id") if isinstance(term, dict) else term
            if isinstance(namespace, str) and not prefix.startswith("@"):
                found[prefix] = namespace
    return MappingProxyType(found)


def _type_name(fields: Mapping[str, object], prefixes: Mapping[str, str]) -> str:
    value = fields.get("type", fields.get("@type"))
    return expand_curie(value.strip(), prefixes).removeprefix(_EPCIS) if isinstance(value, str) else ""


def _event(fields: object, source: str, place: str, outer: Mapping[str, str]) -> Event:
    if not isinstance(fields, Mapping):
        raise EpcisDocumentError(source, place, "not a JSON object")
    prefixes = _prefixes(fields.get("@context"), outer, source, place)
    kind = _type_name(fields, prefixes)
    event = Event(source, place, kind, fields, prefixes)
    if kind not in EVENT_TYPES and ":" not in kind:
        event.fail('its "type" is none of ' + ", ".join(sorted(EVENT_TYPES)))
    try:
        canonical_time(event.text("eventTime"))
    except ValueError as error:
        event.fail(f"eventTime: {error}")
    if not _ZONE.fullmatch(event.text("eventTimeZoneOffset")):
        event.fail("eventTimeZoneOffset must be an offset such as +02:00")
    return event
