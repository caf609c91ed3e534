"""The EPCIS Event Hash ID: one content hash of an event, whatever way the event is written.

The hash stands on the chain instead of the event; whoever holds the event can show that it is the one. It covers every
field but those that a repository or a later correction adds: `eventID`, `recordTime`, `captureID`, `errorDeclaration`
and `rdfs:comment`.

    pre-hash string = the fields in canonical order, names and values run together
    hash            = SHA-256 of its UTF-8 bytes, 32 bytes
    id              = ni:///sha-256;<hex>?ver=CBV2.0

Source: CBV 2.0, Event Hash ID (rules 1 to 24 and the canonical property order); RFC 6920 for the form of the id.
Deviations, all of them to agree with the published reference hashes:
- `sensorElementList` stands before `bizTransactionList`, and everything behind it (`bizTransactionList`,
  `destinationList`, `ilmd`, `sourceList`, extensions) is in lexical order. The table of the standard has `sourceList`
  before `destinationList`, and sensor elements behind both.
- `type` stands before the transaction, source or destination that it belongs to; the text of rule 13 says behind.
- `certificationInfo` follows `eventTimeZoneOffset`; sensor reports have `exception`, `coordinateReferenceSystem`.
- text that reads as a number loses its trailing zeros in extensions too, as XML knows no other numbers.
Where reference hashes of XML and JSON-LD disagree (true, True), the rule decides that both hash alike: `true`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from p2pcommerce.commerce.epcis.document import NUMBER_CHARS_MAX, NUMBER_EXPONENT_MAX, Event
from p2pcommerce.commerce.epcis.timestamp import canonical_time
from p2pcommerce.commerce.epcis.vocabulary import Vocabulary, canonical_text, canonical_word, expand_curie

__all__ = ["event_hash", "event_hash_id", "prehash_string"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_COMMENT = "http://www.w3.org/2000/01/rdf-schema#comment"
_SENSOR_METADATA = (
    "time", "startTime", "endTime", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules",
)  # fmt: skip
_SENSOR_REPORT = (
    "type", "exception", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "time", "microorganism",
    "chemicalSubstance", "value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue", "minValue",
    "maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem",
)  # fmt: skip
_TIMES = frozenset({"time", "startTime", "endTime"})
_WORDS = {
    "type": Vocabulary.MEASUREMENT,
    "exception": Vocabulary.MEASUREMENT,
    "component": Vocabulary.COMPONENT,
}
_LEFT_OUT = frozenset(
    {"@context", "type", "@type", "eventID", "recordTime", "captureID", "errorDeclaration", "eventTime"}
)


def event_hash_id(event: Event) -> str:
    """Return the EPCIS Event Hash ID, a `ni:` URI.

    Raises:
        EpcisDocumentError: a field of the event has not the shape that EPCIS gives it.
    """
    return f"ni:///sha-256;{event_hash(event).hex()}?ver=CBV2.0"


def event_hash(event: Event) -> bytes:
    """Return the SHA-256 of the pre-hash string (32 bytes): what `trace.*` transactions carry as `event_hash`.

    Raises:
        EpcisDocumentError: as `event_hash_id`.
    """
    return hashlib.sha256(prehash_string(event).encode()).digest()


def prehash_string(event: Event) -> str:
    """Return the canonical string that is hashed.

    Raises:
        EpcisDocumentError: as `event_hash_id`.
    """
    return _Hasher(event).prehash()


class _Hasher:
    """Writes one event as its pre-hash string; holds the event for its prefixes and for the place in messages."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._prefixes = event.prefixes

    def prehash(self) -> str:
        """Return the whole string."""
        fields = self._event.fields
        ordered = {
            name: write(self, name, fields[name]) for name, write in _ORDER.items() if fields.get(name) is not None
        }
        rest: list[str] = []
        for name, value in fields.items():
            if name in _LAST and value is not None:
                rest.append(_LAST[name](self, name, value))
            elif name not in _ORDER and name not in _LAST and name not in _LEFT_OUT:
                rest += self._extension(name, value)
        event_time = canonical_time(self._event.text("eventTime"))
        return f"eventType={self._event.type}eventTime={event_time}" + "".join(ordered.values()) + "".join(sorted(rest))

    def plain(self, name: str, value: object) -> str:
        """`name=value`; a list repeats the name."""
        values = value if isinstance(value, list) else [value]
        return "".join(sorted(f"{name}={self._text(name, item)}" for item in values))

    def business_step(self, name: str, value: object) -> str:
        """A word of the business steps."""
        return f"{name}={self._word(Vocabulary.BUSINESS_STEP, name, value)}"

    def disposition(self, name: str, value: object) -> str:
        """A word of the dispositions."""
        return f"{name}={self._word(Vocabulary.DISPOSITION, name, value)}"

    def persistent_disposition(self, name: str, value: object) -> str:
        """`set` and `unset`, each a list of dispositions."""
        fields = self._mapping(name, value)
        # `set=` sorts before `unset=`, so that one sort puts both keys and their words in order.
        parts = sorted(
            f"{key}={self._word(Vocabulary.DISPOSITION, key, word)}"
            for key in ("set", "unset")
            for word in self._list(key, fields.get(key))
        )
        return name + "".join(parts) if parts else ""

    def epcs(self, name: str, value: object) -> str:
        """A list of identifiers."""
        epcs = sorted(f"epc={self._text(name, item)}" for item in self._list(name, value))
        return name + "".join(epcs) if epcs else ""

    def quantities(self, name: str, value: object) -> str:
        """A list of quantity elements."""
        elements = sorted(
            self._record("quantityElement", ("epcClass", "quantity", "uom"), self._mapping(name, item))
            for item in self._list(name, value)
        )
        return name + "".join(elements) if elements else ""

    def location(self, name: str, value: object) -> str:
        """A read point or business location: its id, then its extensions."""
        return self._record(name, ("id",), self._mapping(name, value))

    def typed_list(self, name: str, value: object) -> str:
        """Business transactions, sources or destinations: each its type, then its id."""
        vocabulary = Vocabulary.TRANSACTION_TYPE if name == "bizTransactionList" else Vocabulary.SOURCE_DESTINATION_TYPE
        key = name.removesuffix("List")
        elements = [
            self._record("", ("type", key), self._mapping(name, item), {"type": vocabulary})
            for item in self._list(name, value)
        ]
        return name + "".join(sorted(elements)) if elements else ""

    def sensors(self, name: str, value: object) -> str:
        """Sensor elements: metadata, reports in lexical order, extensions."""
        elements = []
        for item in self._list(name, value):
            fields = dict(self._mapping(name, item))
            metadata, reports = fields.pop("sensorMetadata", None), fields.pop("sensorReport", None)
            text = "sensorElement"
            if metadata is not None:
                text += self._record("sensorMetadata", _SENSOR_METADATA, self._mapping("sensorMetadata", metadata))
            text += "".join(
                sorted(
                    self._record("sensorReport", _SENSOR_REPORT, self._mapping("sensorReport", report), _WORDS)
                    for report in self._list("sensorReport", reports)
                )
            )
            elements.append(self._record(text, (), fields))
        return name + "".join(sorted(elements)) if elements else ""

    def master_data(self, name: str, value: object) -> str:
        """Instance or lot master data: extensions only."""
        return self._record(name, (), self._mapping(name, value))

    def _record(
        self,
        head: str,
        order: tuple[str, ...],
        fields: Mapping[str, object],
        words: Mapping[str, Vocabulary] | None = None,
    ) -> str:
        """Write the known fields in their order, then everything else in lexical order."""
        text = head
        for name in order:
            value = fields.get(name)
            if value is None:
                continue
            if words is not None and name in words:
                text += f"{name}={self._word(words[name], name, value)}"
            elif name in _TIMES:
                text += f"{name}={self._time(name, value)}"
            else:
                text += f"{name}={self._text(name, value)}"
        extensions = [
            part for name, value in fields.items() if name not in order for part in self._extension(name, value)
        ]
        return text + "".join(sorted(extensions))

    def _extension(self, name: str, value: object) -> list[str]:
        """Write a field of somebody else's namespace: a list repeats its name, an object holds its own fields."""
        key = self._key(name)
        if value is None or not key:
            return []
        if isinstance(value, list):
            return [part for item in value for part in self._extension(name, item)]
        if isinstance(value, Mapping):
            if "@value" in value:
                return self._extension(name, value["@value"])
            return [self._record(key, (), value)]
        text = self._text(name, value)
        return [f"{key}={text}" if text else key]

    def _key(self, name: str) -> str:
        """Return `{namespace}local`, the bare name where it has no namespace, or nothing for a comment."""
        if name == "@context":
            return ""
        full = expand_curie(name, self._prefixes)
        if full == _COMMENT:
            return ""
        if full == name:
            return name
        local = name.partition(":")[2]
        return f"{{{full.removesuffix(local)}}}{local}"

    def _text(self, name: str, value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal | int):
            return _number_text(Decimal(value))
        if not isinstance(value, str):
            self._event.fail(f"{name[:40]!a} must be a text or a number")
        text = value.strip()
        if len(text) <= NUMBER_CHARS_MAX and _NUMBER.fullmatch(text):
            number = Decimal(text)
            # A text is not refused for its size: beyond the bounds of a number it is hashed as it stands.
            return text if number and abs(number.adjusted()) > NUMBER_EXPONENT_MAX else _number_text(number)
        return canonical_text(text, self._prefixes)

    def _word(self, vocabulary: Vocabulary, name: str, value: object) -> str:
        if not isinstance(value, str):
            self._event.fail(f"{name} must be a word of its vocabulary")
        return canonical_word(vocabulary, value.strip(), self._prefixes)

    def _time(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            self._event.fail(f"{name} must be a timestamp")
        try:
            return canonical_time(value.strip())
        except ValueError as error:
            self._event.fail(f"{name}: {error}")

    def _list(self, name: str, value: object) -> list[object]:
        if value is None:
            return []
        if not isinstance(value, list):
            self._event.fail(f"{name} must be a list")
        return value

    def _mapping(self, name: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, Mapping):
            self._event.fail(f"{name} must hold objects")
        return value


def _number_text(number: Decimal) -> str:
    """Return a number without exponent, leading or trailing zeros."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_Writer = Callable[[_Hasher, str, object], str]
_ORDER: Mapping[str, _Writer] = {
    "eventTimeZoneOffset": _Hasher.plain,
    "certificationInfo": _Hasher.plain,
    "epcList": _Hasher.epcs,
    "parentID": _Hasher.plain,
    "inputEPCList": _Hasher.epcs,
    "childEPCs": _Hasher.epcs,
    "quantityList": _Hasher.quantities,
    "childQuantityList": _Hasher.quantities,
    "inputQuantityList": _Hasher.quantities,
    "outputEPCList": _Hasher.epcs,
    "outputQuantityList": _Hasher.quantities,
    "action": _Hasher.plain,
    "transformationID": _Hasher.plain,
    "bizStep": _Hasher.business_step,
    "disposition": _Hasher.disposition,
    "persistentDisposition": _Hasher.persistent_disposition,
    "readPoint": _Hasher.location,
    "bizLocation": _Hasher.location,
    "sensorElementList": _Hasher.sensors,
}
"""The canonical property order behind `eventType` and `eventTime`."""
_LAST: Mapping[str, _Writer] = {
    "bizTransactionList": _Hasher.typed_list,
    "destinationList": _Hasher.typed_list,
    "ilmd": _Hasher.master_data,
    "sourceList": _Hasher.typed_list,
}
"""Fields that are sorted in among the extensions at the end."""
