"""Events to EPCIS 2.0 documents in JSON-LD, with the event hashes as ids.

What is written hashes as what was read: numbers keep their digits, and every event its own prefixes.

Source: EPCIS 2.0, section 10 (JSON-LD); CBV 2.0, Event Hash ID (its use as `eventID`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from p2pcommerce.commerce.epcis.document import Event
from p2pcommerce.commerce.epcis.event_hash import event_hash_id

__all__ = ["CONTEXT", "write_document", "write_event"]

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
"""The standard context. Source: EPCIS 2.0, section 10."""


def write_event(event: Event) -> dict[str, object]:
    """Return an event as a JSON object with its hash as `eventID` and, where it declared prefixes, its own context.

    Raises:
        EpcisDocumentError: a field of it has not the shape that EPCIS gives it.
    """
    fields = {name: value for name, value in event.fields.items() if name not in {"@context", "@type", "eventID"}}
    written: dict[str, object] = {"@context": [CONTEXT, dict(event.prefixes)]} if event.prefixes else {}
    return written | {"eventID": event_hash_id(event), "type": event.type} | fields


def write_document(events: Iterable[Event], created: str) -> bytes:
    """Return an EPCIS document (UTF-8).

    Args:
        events: in the order in which they shall stand.
        created: `creationDate`, a timestamp with an offset.

    Raises:
        EpcisDocumentError: a field of an event has not the shape that EPCIS gives it.
    """
    document = {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created,
        "epcisBody": {"eventList": [write_event(event) for event in events]},
    }
    return ("".join(_json(document, "\n")) + "\n").encode()


def _json(value: object, newline: str) -> Iterable[str]:
    """Write JSON as the standard library does, but decimal numbers with the digits that they have."""
    deeper = newline + "  "
    if isinstance(value, Decimal):
        yield format(value, "f")
    elif isinstance(value, Mapping) and value:
        for number, (name, inner) in enumerate(value.items()):
            yield f"{',' if number else '{'}{deeper}{json.dumps(name, ensure_ascii=False)}: "
            yield from _json(inner, deeper)
        yield newline + "}"
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield f"{',' if number else '['}{deeper}"
            yield from _json(inner, deeper)
        yield newline + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
