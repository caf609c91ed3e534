"""The structure of an EPCIS 2.0 event: which fields each event type has, which it must have, and what they hold.

What passes here is a valid event of the standard's JSON form once it is written, whatever it means. A bare word in a
vocabulary field must be one of CBV 2.0; other vocabularies are named by URIs or CURIEs.

Source: EPCIS 2.0, sections 7.3 and 7.4 (fields, and when they are required); CBV 2.0, section 7 (words).
Deviations: a sensor report's numbers and the names of its fields are checked, its measurement types are not: they live
in the GS1 Web Vocabulary, which grows on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from p2pcommerce.commerce.epcis.document import Event
from p2pcommerce.commerce.epcis.timestamp import canonical_time

__all__ = ["FIELDS", "check_structure"]

Check = Callable[[object], str]
"""Says what is wrong with a value, and nothing if it is right."""

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_OFFSET: Final = re.compile(r"[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)")
_UOM: Final = re.compile(r"[A-Z0-9]{2,3}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")

_STEP_WORDS: Final = (
    "accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting "
    "decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting "
    "installing killing loading other packing picking receiving removing repackaging repairing replacing reserving "
    "retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting "
    "unloading unpacking void_shipping"
)
_DISPOSITION_WORDS: Final = (
    "active available completeness_verified completeness_inferred conformant container_closed container_open damaged "
    "destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance "
    "mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed "
    "recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown"
)
_TRANSACTION_WORDS: Final = "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt"
_BUSINESS_STEPS: Final = frozenset(_STEP_WORDS.split())
_DISPOSITIONS: Final = frozenset(_DISPOSITION_WORDS.split())
_TRANSACTION_TYPES: Final = frozenset(_TRANSACTION_WORDS.split())
_PARTY_TYPES: Final = frozenset(("owning_party", "possessing_party", "location"))
_ERROR_REASONS: Final = frozenset(("did_not_occur", "incorrect_data"))


def check_structure(event: Event) -> None:
    """Demand that an event of a standard type is one by the letter.

    Raises:
        EpcisDocumentError: it is not; the message names the field.
    """
    fields = event.fields
    allowed = FIELDS[event.type]
    for name, value in fields.items():
        check = allowed.get(name)
        if check is None:
            if ":" not in name:
                event.fail(f"{name[:40]!a} is no field of EPCIS 2.0 in a {event.type}; an extension has a namespace")
        elif fault := check(value):
            event.fail(f"{name}: {fault}")
    if event.type != "TransformationEvent" and "action" not in fields:
        event.fail("its action is none of ADD, OBSERVE and DELETE")
    if fault := _REQUIRED[event.type](fields):
        event.fail(fault)


# --- values ---


def _text(value: object) -> str:
    return "" if isinstance(value, str) else "must be text"


def _uri(value: object) -> str:
    return "" if isinstance(value, str) and _URI.fullmatch(value.strip()) else f"{str(value)[:60]!a} is no URI"


def _matches(pattern: re.Pattern[str], what: str) -> Check:
    return lambda value: "" if isinstance(value, str) and pattern.fullmatch(value.strip()) else f"must be {what}"


def _number(value: object) -> str:
    return "" if isinstance(value, Decimal | int) and not isinstance(value, bool) else "must be a number"


def _boolean(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _time(value: object) -> str:
    if not isinstance(value, str):
        return "must be a timestamp"
    try:
        canonical_time(value.strip())
    except ValueError as error:
        return str(error)
    return ""


def _word(words: frozenset[str]) -> Check:
    def check(value: object) -> str:
        if isinstance(value, str) and (value.strip() in words or _URI.fullmatch(value.strip())):
            return ""
        return f"{str(value)[:60]!a} is neither a word of CBV 2.0 nor a URI"

    return check


def _list(check: Check, *, least: int = 0, is_set: bool = False) -> Check:
    def check_all(value: object) -> str:
        if not isinstance(value, list):
            return "must be a list"
        if len(value) < least:
            return "must not be empty"
        if is_set and len({str(item) for item in value}) < len(value):
            return "holds the same twice"
        return next((fault for item in value if (fault := check(item))), "")

    return check_all


def _record(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, extensible: bool = False
) -> Check:
    known = {**required, **(optional or {})}

    def check(value: object) -> str:
        if not isinstance(value, Mapping):
            return "must be an object"
        for name in required:
            if name not in value:
                return f"lacks {name}"
        for name, inner in value.items():
            if name not in known and not (extensible and ":" in name):
                return f"{name[:40]!a} has no place in it"
            fault = known[name](inner) if name in known else ""
            if fault:
                return f"{name}: {fault}"
        return ""

    return check


def _namespaced(value: object) -> str:
    if not isinstance(value, Mapping):
        return "must be an object"
    return next((f"{name[:40]!a} has no namespace" for name in value if ":" not in name and name != "@context"), "")


def _anything(_: object) -> str:
    return ""


def _one_or_many(value: object) -> str:
    return _uri(value) if not isinstance(value, list) else _list(_uri)(value)


_QUANTITY: Final = _record(
    {"epcClass": _uri}, {"quantity": _number, "uom": _matches(_UOM, "a unit of UN/CEFACT Recommendation 20")}
)
_EPCS: Final = _list(_uri, is_set=True)
_QUANTITIES: Final = _list(_QUANTITY)
_PLACE: Final = _record({"id": _uri}, extensible=True)
_TRANSACTION: Final = _record({"bizTransaction": _uri}, {"type": _word(_TRANSACTION_TYPES)})
_DEVICE: Final = dict.fromkeys(("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod"), _uri)
_METADATA: Final = _record(
    {}, {**_DEVICE, "time": _time, "startTime": _time, "endTime": _time, "bizRules": _uri}, extensible=True
)
_REPORT: Final = _record(
    {},
    {
        **_DEVICE,
        **dict.fromkeys(("type", "exception", "component", "coordinateReferenceSystem", "stringValue", "uom"), _text),
        **dict.fromkeys(("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), _number),
        **dict.fromkeys(("microorganism", "chemicalSubstance", "uriValue"), _uri),
        "time": _time,
        "booleanValue": _boolean,
        "hexBinaryValue": _matches(_HEX, "hexadecimal digits"),
    },
    extensible=True,
)
_SENSORS: Final = _list(
    _record({"sensorReport": _list(_REPORT, least=1)}, {"sensorMetadata": _METADATA}, extensible=True)
)
_ERROR: Final = _record(
    {"declarationTime": _time},
    {"reason": _word(_ERROR_REASONS), "correctiveEventIDs": _list(_uri)},
    extensible=True,
)
_PERSISTENT: Final = _record({}, dict.fromkeys(("set", "unset"), _list(_word(_DISPOSITIONS))))
_ACTION: Final = _matches(re.compile("ADD|OBSERVE|DELETE"), "one of ADD, OBSERVE and DELETE")


# --- events ---

_COMMON: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("@context", "type", "@type", "captureID"), _anything),
    "eventID": _uri,
    "eventTime": _time,
    "recordTime": _time,
    "eventTimeZoneOffset": _matches(_OFFSET, "an offset such as +02:00"),
    "errorDeclaration": _ERROR,
    "certificationInfo": _one_or_many,
    "bizStep": _word(_BUSINESS_STEPS),
    "disposition": _word(_DISPOSITIONS),
    "persistentDisposition": _PERSISTENT,
    "readPoint": _PLACE,
    "bizLocation": _PLACE,
    "bizTransactionList": _list(_TRANSACTION),
    "sourceList": _list(_record({"type": _word(_PARTY_TYPES), "source": _uri})),
    "destinationList": _list(_record({"type": _word(_PARTY_TYPES), "destination": _uri})),
    "sensorElementList": _SENSORS,
}
_THINGS: Final[Mapping[str, Check]] = {"epcList": _EPCS, "quantityList": _QUANTITIES, "action": _ACTION}
_FAMILY: Final[Mapping[str, Check]] = {
    "parentID": _uri,
    "childEPCs": _EPCS,
    "childQuantityList": _QUANTITIES,
    "action": _ACTION,
}
FIELDS: Final[Mapping[str, Mapping[str, Check]]] = {
    "ObjectEvent": {**_COMMON, **_THINGS, "ilmd": _namespaced},
    "AggregationEvent": {**_COMMON, **_FAMILY},
    "AssociationEvent": {**_COMMON, **_FAMILY},
    "TransactionEvent": {
        **_COMMON,
        **_THINGS,
        "parentID": _uri,
        "bizTransactionList": _list(_TRANSACTION, least=1),
    },
    "TransformationEvent": {
        **_COMMON,
        **dict.fromkeys(("inputEPCList", "outputEPCList"), _EPCS),
        **dict.fromkeys(("inputQuantityList", "outputQuantityList"), _QUANTITIES),
        "transformationID": _uri,
        "ilmd": _namespaced,
    },
}
"""For each event type its fields, each with the check of its value."""


def _object(fields: Mapping[str, object]) -> str:
    if fields.get("ilmd") is not None and fields["action"] != "ADD":
        return "ilmd: instance and lot master data are for an ObjectEvent with ADD"
    if fields.get("sensorElementList") and fields.get("readPoint"):
        return ""
    return "" if "epcList" in fields or fields.get("quantityList") else "it has neither an epcList nor a quantityList"


def _has_children(fields: Mapping[str, object]) -> bool:
    is_all = fields["action"] == "DELETE"
    return bool(fields.get("childEPCs") or fields.get("childQuantityList")) or is_all


def _aggregation(fields: Mapping[str, object]) -> str:
    if "parentID" not in fields and fields["action"] != "OBSERVE":
        return "its parentID is missing: what the goods are packed in"
    return "" if _has_children(fields) else "it names no children"


def _association(fields: Mapping[str, object]) -> str:
    if "parentID" not in fields:
        return "its parentID is missing"
    return "" if _has_children(fields) else "it names no children"


def _transaction(fields: Mapping[str, object]) -> str:
    if "bizTransactionList" not in fields:
        return "its bizTransactionList is missing"
    is_named = "epcList" in fields or fields.get("quantityList") or fields["action"] == "DELETE"
    return "" if is_named else "it has neither an epcList nor a quantityList"


def _transformation(fields: Mapping[str, object]) -> str:
    inputs = fields.get("inputEPCList") or fields.get("inputQuantityList")
    outputs = fields.get("outputEPCList") or fields.get("outputQuantityList")
    if "transformationID" in fields:
        return "" if inputs or outputs else "it has neither inputs nor outputs"
    if not inputs:
        return "it takes nothing"
    return "" if outputs else "it makes nothing"


_REQUIRED: Final[Mapping[str, Callable[[Mapping[str, object]], str]]] = {
    "ObjectEvent": _object,
    "AggregationEvent": _aggregation,
    "AssociationEvent": _association,
    "TransactionEvent": _transaction,
    "TransformationEvent": _transformation,
}
"""What a type must have beyond its fields' own shapes, most of it by its action."""
