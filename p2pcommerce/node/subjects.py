"""What can be proven, by the names that people use, and what a proven record says.

    account, balance   account=
    order              order=
    item               issuer= gtin= serial= (or lot=), or issuer= sscc=, or id=     with its whole history
    score              store=                               the reviews of a store
    certificate        attestation=, or issuer= schema= subject=KIND:ID
    state              key=                                 any record

The absence of a record is proven in the same way: that there is no such account, that a certificate was revoked, that
an item was never made.

Source: "Offline proof" of the commerce specification.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from p2pcommerce.commerce import KINDS, CommerceError, SubjectKind, attestation_id, item_id, item_key
from p2pcommerce.commerce import Subject as Attested
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.attestation import ATTESTATION
from p2pcommerce.commerce.item_ids import ITEM_ID, require_unit, unit_id
from p2pcommerce.commerce.order import ORDER
from p2pcommerce.commerce.rating import RATING, Rating
from p2pcommerce.primitives.errors import CodecError, UsageError
from p2pcommerce.primitives.ids import HASH_BYTES, PublicKey

__all__ = ["SUBJECTS", "Subject", "describe_record", "subject_of"]

SUBJECTS: Final = ("account", "balance", "certificate", "item", "order", "score", "state")
"""Names of what can be proven."""
_NAMES: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "account": (frozenset(("account",)),),
    "balance": (frozenset(("account",)),),
    "certificate": (frozenset(("attestation",)), frozenset(("issuer", "schema", "subject"))),
    "item": (frozenset(("issuer", "gtin", "serial", "lot")), frozenset(("issuer", "sscc")), frozenset(("id",))),
    "order": (frozenset(("order",)),),
    "score": (frozenset(("store",)),),
    "state": (frozenset(("key",)),),
}
"""Which arguments a subject may have, together."""
_ITEM_TAG: Final = item_key(b"")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proof is about.

    Attributes:
        key: the state key of its record.
        history_id: the id under which events name it, if its history belongs to the proof.
    """

    key: bytes
    history_id: bytes | None


def subject_of(name: str, arguments: Mapping[str, object]) -> Subject:
    """Return what a person wants proven.

    Args:
        name: one of `SUBJECTS`; the room's docstring says what belongs to each.
        arguments: keys and ids as lower-case hexadecimal, GTIN, serial, lot and schema as text.

    Raises:
        UsageError: no such subject, or an argument is missing, wrong, or none of its own: a name that is mistyped must
            not leave a proof of something else than was meant.
    """
    ways = _NAMES.get(name, ())
    if ways and not any(arguments.keys() <= way for way in ways):
        known = ", or ".join(", ".join(sorted(way)) for way in ways)
        raise UsageError(
            f"{name} has no such argument, or not together: {', '.join(map(ascii, arguments))}; it has {known}"
        )
    match name:
        case "account" | "balance":
            return Subject(ACCOUNT.key(_hex(arguments, "account", HASH_BYTES)), None)
        case "order":
            return Subject(ORDER.key(_hex(arguments, "order", HASH_BYTES)), None)
        case "score":
            return Subject(RATING.key(_hex(arguments, "store", HASH_BYTES)), None)
        case "certificate":
            return Subject(ATTESTATION.key(_attestation(arguments)), None)
        case "state":
            key = _hex(arguments, "key", None)
            return Subject(key, key.removeprefix(_ITEM_TAG) if key.startswith(_ITEM_TAG) else None)
        case "item":
            identifier = _item_id(arguments)
            return Subject(item_key(identifier), identifier)
        case _:
            raise UsageError(f'"{name}" cannot be proven; one of {", ".join(SUBJECTS)} can')


def describe_record(key: bytes, value: bytes | None) -> dict[str, object]:
    """Return what a proven record says, for people and JSON: keys and hashes as hexadecimal, numbers as they are.

    Args:
        key: its state key.
        value: its state value; None: it was proven to be absent.
    """
    kind = KINDS.get(key[0]) if key else None
    if kind is None:
        return {"kind": "unknown"}
    facts: dict[str, object] = {"kind": kind.name, "id": key[1:].hex()}
    if value is None:
        return facts
    try:
        record = kind.read(value)
    except CodecError:  # of an application of one's own
        return {"kind": "unknown"}
    for field in dataclasses.fields(record):
        facts[field.name] = _plain(getattr(record, field.name))
    if isinstance(record, Rating):
        facts["mean_millistars"] = record.mean_millistars
    return facts


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _attestation(arguments: Mapping[str, object]) -> bytes:
    if "attestation" in arguments:
        return _hex(arguments, "attestation", HASH_BYTES)
    issuer = PublicKey(_hex(arguments, "issuer", HASH_BYTES))
    kind, _, identifier = str(arguments.get("subject", "")).partition(":")
    kinds = {each.name.lower(): each for each in SubjectKind}
    schema = arguments.get("schema")
    if kind not in kinds or not isinstance(schema, str) or not schema:
        raise UsageError(
            f"certificate: give attestation=, or issuer=, schema= and subject=KIND:ID, KIND one of {', '.join(kinds)}"
        )
    about = Attested(kinds[kind], _hex({"subject's id": identifier}, "subject's id", None))
    return attestation_id(issuer, about, schema)


def _item_id(arguments: Mapping[str, object]) -> bytes:
    if "id" in arguments:
        try:
            return ITEM_ID.read(_hex(arguments, "id", None))
        except CodecError as error:
            raise UsageError(f"item: the id: {error}") from error
    issuer = PublicKey(_hex(arguments, "issuer", HASH_BYTES))
    texts: dict[str, str] = {}
    for name in ("gtin", "serial", "lot", "sscc"):
        value = arguments.get(name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} must be text")
        if value is not None:
            texts[name] = value
    try:
        if "sscc" in texts:
            unit = unit_id(issuer, texts["sscc"]) if texts["sscc"].isascii() else b""
            require_unit(unit)
            return unit
        return item_id(issuer, texts.get("gtin", ""), serial=texts.get("serial"), lot=texts.get("lot"))
    except CommerceError as error:
        raise UsageError(f"item: {error}") from error


def _hex(arguments: Mapping[str, object], name: str, size: int | None) -> bytes:
    value = arguments.get(name)
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not raw or (size is not None and len(raw) != size):
        what = f"{2 * size} hexadecimal digits" if size is not None else "hexadecimal digits"
        raise UsageError(f"{name} must be {what}")
    return raw
