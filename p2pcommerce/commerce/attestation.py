"""Attestations: certificates whose status anyone reads from the chain.

Whoever issues one says which schema it follows and commits to its text by a hash; the text stays off the chain. There
is at most one of an issuer, a subject and a schema at a time. What is on the chain and not expired is valid; what was
revoked is not there: a proof of absence says so.

The schema "observe", issued to an account by an item's owner or issuer, lets that account observe the item.

Source: "Stores, goods, certificates" of the commerce specification.
Deviations: an account is a subject, too: a carrier who observes goods need not keep a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, Final

from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError, FormatError, NotFoundError, TooLateError
from p2pcommerce.commerce.item import ITEM
from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import PRODUCT
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import STORE
from p2pcommerce.primitives.codec import HASH, KEY, Shape, blob, encode, pack, record_of, text, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "ATTESTATION",
    "OBSERVE",
    "SUBJECT",
    "AttestIssue",
    "AttestRevoke",
    "Attestation",
    "Subject",
    "SubjectKind",
    "attestation_id",
    "is_attested",
]

SCHEMA_BYTES_MAX: Final = 32
SUBJECT_BYTES_MAX: Final = 96
ATTESTATION_BYTES: Final = 272
OBSERVE: Final = "observe"
"""Schema of the attestation that lets an account observe items of its issuer."""


@unique
class SubjectKind(IntEnum):
    """What an attestation is about."""

    ACCOUNT = 0
    STORE = 1
    PRODUCT = 2
    ITEM = 3


_KINDS: Final[dict[SubjectKind, Kind[Any]]] = {
    SubjectKind.ACCOUNT: ACCOUNT,
    SubjectKind.STORE: STORE,
    SubjectKind.PRODUCT: PRODUCT,
    SubjectKind.ITEM: ITEM,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What an attestation is about.

    Attributes:
        kind: see `SubjectKind`.
        id: of the record: an account (32 bytes), a product (46 bytes), an item (at most 96 bytes).
    """

    kind: int
    id: bytes


SUBJECT: Final[Shape[Subject]] = record_of(Subject, kind=uint(max(SubjectKind)), id=blob(SUBJECT_BYTES_MAX, 1))


@dataclass(frozen=True, slots=True)
class Attestation:
    """One attestation; its id is `attestation_id` (32 bytes).

    Attributes:
        issuer: account, 32 bytes.
        subject: what it is about.
        schema: what it says, in a word that issuer and readers agree on; 1 to 32 bytes.
        hash: SHA-256 of its text, 32 bytes.
        issued_ms: application time of its issue.
        expires_ms: application time until which it is valid.
    """

    issuer: PublicKey
    subject: Subject
    schema: str
    hash: bytes
    issued_ms: int
    expires_ms: int


ATTESTATION: Final = Kind(
    "attestation",
    b"\x15",
    record_of(
        Attestation,
        issuer=KEY,
        subject=SUBJECT,
        schema=text(SCHEMA_BYTES_MAX),
        hash=HASH,
        issued_ms=U63,
        expires_ms=U63,
    ),
    size=lambda _: ATTESTATION_BYTES,
)


def attestation_id(issuer: PublicKey, subject: Subject, schema: str) -> bytes:
    """Return the id (32 bytes) of the attestation of an issuer, a subject and a schema."""
    return blake2b_256(issuer + encode(SUBJECT, subject) + pack(schema))


def is_attested(ledger: Ledger, issuer: PublicKey, subject: Subject, schema: str) -> bool:
    """Tell whether an issuer attests something now."""
    found = ledger.get(ATTESTATION, attestation_id(issuer, subject, schema))
    return found is not None and ledger.now_ms <= found.expires_ms


@body("attest.issue", subject=SUBJECT, schema=text(SCHEMA_BYTES_MAX), hash=HASH, expires_ms=U63)
@dataclass(frozen=True, slots=True)
class AttestIssue(Body):
    """Certify something.

    Attributes:
        subject: an account, a store, a product or an item that exists.
        schema: what is said of it, 1 to 32 bytes.
        hash: SHA-256 of the text, 32 bytes.
        expires_ms: application time until which it is valid.
    """

    subject: Subject
    schema: str
    hash: bytes
    expires_ms: int

    @override
    def check(self, rules: Rules) -> None:
        """It says something."""
        if not self.schema:
            raise FormatError("an attestation must have a schema")

    @override
    def records(self) -> int:
        """The sender's account and the attestation."""
        return 2

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit."""
        return ATTESTATION_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the attestation; see `Body.apply`."""
        if ledger.get(_KINDS[SubjectKind(self.subject.kind)], self.subject.id) is None:
            raise NotFoundError("the subject of the attestation does not exist")
        if self.expires_ms < ledger.now_ms:
            raise TooLateError("the attestation would have expired already")
        identifier = attestation_id(call.sender, self.subject, self.schema)
        before = ledger.get(ATTESTATION, identifier)
        if before is not None and ledger.now_ms <= before.expires_ms:
            raise ExistsError("the sender attests this already; revoke it first")
        ledger.put(
            ATTESTATION,
            identifier,
            Attestation(call.sender, self.subject, self.schema, self.hash, ledger.now_ms, self.expires_ms),
        )
        return (call.sender, self.subject.id, identifier)


@body("attest.revoke", attestation=HASH)
@dataclass(frozen=True, slots=True)
class AttestRevoke(Body):
    """Take an attestation of the sender back, or remove an expired one.

    Attributes:
        attestation: its id, 32 bytes.
    """

    attestation: bytes

    @override
    def records(self) -> int:
        """The sender's account and the attestation."""
        return 2

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Remove the attestation; see `Body.apply`."""
        found = ledger.get(ATTESTATION, self.attestation)
        if found is None:
            raise NotFoundError("there is no such attestation, or it was revoked")
        if found.issuer != call.sender:
            raise ForbiddenError("only its issuer revokes an attestation")
        ledger.remove(ATTESTATION, self.attestation)
        return (call.sender, found.subject.id, self.attestation)
