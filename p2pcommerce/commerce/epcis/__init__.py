"""EPCIS 2.0 events and the standard hash by which the chain refers to them.

- `document`: JSON-LD bytes to events
- `structure`: which fields each type of event has
- `lines`: where its events stand; `writing`: events to JSON-LD bytes
- `steps`: what an event asks of the ledger
- `event_hash`: the EPCIS Event Hash ID of an event
- `identifiers`: EPC URNs and GS1 Digital Links, GTIN-14 and SSCC-18
- `digital_link`: Digital Links and EPC URNs of goods
- `vocabulary`: the words of the Core Business Vocabulary in one form
- `timestamp`: timestamps in one form

Pure functions over the standard library: no I/O, no network, no other part of the ledger.
"""

from __future__ import annotations

from p2pcommerce.commerce.epcis.digital_link import Goods, parse_goods, write_link
from p2pcommerce.commerce.epcis.document import (
    DOCUMENT_BYTES_MAX,
    EVENT_TYPES,
    Document,
    EpcisDocumentError,
    Event,
    NotEpcisError,
    parse_document,
)
from p2pcommerce.commerce.epcis.event_hash import event_hash, event_hash_id, prehash_string
from p2pcommerce.commerce.epcis.identifiers import (
    IdentifierError,
    Lgtin,
    Sgtin,
    canonical_uri,
    check_digit,
    is_gtin14,
    is_sscc18,
    parse_lgtin,
    parse_sgtin,
    parse_sscc,
    to_epc_urn,
)
from p2pcommerce.commerce.epcis.lines import event_lines
from p2pcommerce.commerce.epcis.steps import Step, StepKind, read_step
from p2pcommerce.commerce.epcis.vocabulary import Vocabulary, local_word
from p2pcommerce.commerce.epcis.writing import write_document, write_event

__all__ = [
    "DOCUMENT_BYTES_MAX",
    "EVENT_TYPES",
    "Document",
    "EpcisDocumentError",
    "Event",
    "Goods",
    "IdentifierError",
    "Lgtin",
    "NotEpcisError",
    "Sgtin",
    "Step",
    "StepKind",
    "Vocabulary",
    "canonical_uri",
    "check_digit",
    "event_hash",
    "event_hash_id",
    "event_lines",
    "is_gtin14",
    "is_sscc18",
    "local_word",
    "parse_document",
    "parse_goods",
    "parse_lgtin",
    "parse_sgtin",
    "parse_sscc",
    "prehash_string",
    "read_step",
    "to_epc_urn",
    "write_document",
    "write_event",
    "write_link",
]
