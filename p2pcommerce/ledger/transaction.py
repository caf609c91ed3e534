"""The transaction envelope: what is signed, what is hashed, and how it is read from untrusted bytes.

A transaction is a canonical msgpack array of 13 fields. The message that sender and sponsor sign is all fields before
the signatures, as they stand in the bytes: nothing is encoded again to verify a signature. The id is over **all**
bytes, signatures included: an id without them would let anyone poison a seen-cache with a bad signature.

What the body means is the application's business.

Source: the envelope of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from p2pcommerce.primitives.codec import (
    ANY,
    BOOL,
    KEY,
    SIGNATURE,
    U32,
    U64,
    Shape,
    maybe,
    pack,
    record,
    text,
    uint,
    unpack,
)
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256, signed_bytes
from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import HASH_BYTES, SIGNATURE_BYTES, U64_MAX, GenesisHash, PublicKey, TransactionId
from p2pcommerce.primitives.quick import quick

__all__ = [
    "ENVELOPE_VERSION",
    "SIGNATURE_DOMAIN",
    "TRANSACTION_BYTES_MAX",
    "TYPE_BYTES_MAX",
    "SignedTransaction",
    "Transaction",
    "UnsignedTransaction",
    "decode_transaction",
    "sign_transaction",
    "transaction_id",
]

ENVELOPE_VERSION: Final = 1
SIGNATURE_DOMAIN: Final = "transaction"
TRANSACTION_BYTES_MAX: Final = 16 * 1024
"""Bytes of one transaction at most."""
TYPE_BYTES_MAX: Final = 32

_FIELDS: Final = 13
_SIGNATURE_TAIL: Final = 2 + 64
"""A signature in msgpack: bin 8, its length, 64 bytes. An absent one (nil) is one byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransaction:
    """Everything that is signed.

    Attributes:
        chain_id: genesis hash, 32 bytes.
        type: the name of the transaction type ("token.transfer").
        sender: public key of the account, 32 bytes.
        nonce: the account's next nonce, u64.
        fee: minor units, u64.
        expires_height: the last height at which it may be included, u32.
        body: the payload as a plain array.
        key: the active key that signs for the sender, if the account has one; 32 bytes.
        sponsor: who pays the fee instead of the sender; 32 bytes.
        sponsor_pays: the sponsor also pays escrow and deposits.
    """

    chain_id: GenesisHash
    type: str
    sender: PublicKey
    nonce: int
    fee: int
    expires_height: int
    body: tuple[object, ...]
    key: PublicKey | None = None
    sponsor: PublicKey | None = None
    sponsor_pays: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Transaction:
    """One decoded transaction together with its bytes.

    Attributes:
        raw: its canonical bytes, at most 16 KiB; what is stored, hashed and passed on.
        id: BLAKE2b-256 of `raw`.
        signature: 64 bytes, by `key` or else by `sender`.
        sponsor_signature: 64 bytes, there iff `sponsor` is.
        (the other fields are those of `UnsignedTransaction`)
    """

    version: int
    chain_id: GenesisHash
    type: str
    sender: PublicKey
    nonce: int
    fee: int
    expires_height: int
    body: tuple[object, ...]
    key: PublicKey | None
    sponsor: PublicKey | None
    sponsor_pays: bool
    signature: bytes
    sponsor_signature: bytes | None
    raw: bytes = field(default=b"", repr=False)
    id: TransactionId = field(default=TransactionId(b""), repr=False)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transaction) and self.raw == other.raw

    @override
    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def signer(self) -> PublicKey:
        """The key whose signature speaks for the sender, 32 bytes."""
        return self.sender if self.key is None else self.key

    @property
    def payer(self) -> PublicKey:
        """Who pays the fee, 32 bytes."""
        return self.sender if self.sponsor is None else self.sponsor

    @property
    def message(self) -> bytes:
        """The canonical bytes of all fields before the signatures."""
        tail = _SIGNATURE_TAIL + (1 if self.sponsor_signature is None else _SIGNATURE_TAIL)
        return self.raw[1:-tail]

    def verify(self, scheme: SignatureScheme) -> bool:
        """Tell whether the signatures are good: the sender's, and the sponsor's if there is one."""
        signed = signed_bytes(SIGNATURE_DOMAIN, self.chain_id, self.message)
        if not scheme.verify(self.signer, signed, self.signature):
            return False
        if self.sponsor is None or self.sponsor_signature is None:
            return True
        return scheme.verify(self.sponsor, signed, self.sponsor_signature)


SignedTransaction = Transaction
"""The name by which embedding applications know it."""


def _read_body(value: Any) -> tuple[object, ...]:  # noqa: ANN401 - untrusted: any type may come
    if type(value) is not tuple:
        raise CodecError("must be an array")
    ANY.read(value)
    return value


_BODY: Final = Shape(_read_body, ANY.plain, ANY.form)
_UNSIGNED_FIELDS: Final[dict[str, Shape[Any]]] = {
    "chain_id": KEY,
    "type": text(TYPE_BYTES_MAX),
    "sender": KEY,
    "nonce": U64,
    "fee": U64,
    "expires_height": U32,
    "body": _BODY,
    "key": maybe(KEY),
    "sponsor": maybe(KEY),
    "sponsor_pays": BOOL,
}


def _as_read(*fields: object) -> tuple[Any, ...]:
    return fields


_SHAPE: Final = record(
    _as_read,
    version=uint(ENVELOPE_VERSION, ENVELOPE_VERSION),
    **_UNSIGNED_FIELDS,
    signature=SIGNATURE,
    sponsor_signature=maybe(SIGNATURE),
)
_HEIGHT_MAX: Final = 2**32 - 1
_transaction: Final[Callable[..., Transaction]] = quick(Transaction)


def transaction_id(raw: bytes) -> TransactionId:
    """Return the id (32 bytes) of a transaction's bytes."""
    return TransactionId(blake2b_256(raw))


def decode_transaction(raw: bytes, tx_id: TransactionId | None = None) -> Transaction:
    """Read one transaction from untrusted bytes; its signatures are not checked here.

    Args:
        raw: its bytes.
        tx_id: their hash, if it is known already.

    Raises:
        CodecError: over 16 KiB, malformed, not canonical, a field out of range, or a sponsor without its signature.
    """
    plain = unpack(raw, TRANSACTION_BYTES_MAX)
    fields = plain if _is_usual(plain) else _SHAPE.read(plain)
    transaction = _transaction(*fields, raw, transaction_id(raw) if tx_id is None else tx_id)
    if (transaction.sponsor is None) != (transaction.sponsor_signature is None):
        raise CodecError("a sponsor and the sponsor's signature go together")
    if transaction.sponsor is None and transaction.sponsor_pays:
        raise CodecError("sponsor_pays needs a sponsor")
    return transaction


def _is_usual(plain: Any) -> TypeGuard[tuple[Any, ...]]:  # noqa: ANN401 - untrusted: any type may come
    """Tell whether this is an envelope without active key and sponsor, as most are.

    It takes nothing that `_SHAPE` refuses, and spares it a call for each field; whatever it does not take, that
    judges and names.
    """
    if type(plain) is not tuple or len(plain) != _FIELDS:
        return False
    version, chain_id, name, sender, nonce, fee, expires_height, body, key, sponsor, pays, signature, sponsored = plain
    return (
        (type(version) is int and version == ENVELOPE_VERSION)
        and (type(chain_id) is bytes and len(chain_id) == HASH_BYTES)
        and (type(name) is str and len(name) <= TYPE_BYTES_MAX and name.isascii() and name.isprintable())
        and (type(sender) is bytes and len(sender) == HASH_BYTES)
        and (type(nonce) is int and 0 <= nonce <= U64_MAX)
        and (type(fee) is int and 0 <= fee <= U64_MAX)
        and (type(expires_height) is int and 0 <= expires_height <= _HEIGHT_MAX)
        and (key is None and sponsor is None and pays is False and sponsored is None)
        and (type(signature) is bytes and len(signature) == SIGNATURE_BYTES)
        and _is_body(body)
    )


def _is_body(value: Any) -> bool:  # noqa: ANN401 - untrusted: any type may come
    try:
        _read_body(value)
    except CodecError:
        return False
    return True


def sign_transaction(
    unsigned: UnsignedTransaction, seed: bytes, scheme: SignatureScheme, sponsor_seed: bytes | None = None
) -> Transaction:
    """Sign a transaction and return it as anyone would read it.

    Args:
        unsigned: everything but the signatures.
        seed: 32 bytes, of the sender's key (or of `unsigned.key`).
        scheme: the network's signature scheme.
        sponsor_seed: 32 bytes, of the sponsor's key, if there is a sponsor.

    Raises:
        CodecError: a field is out of range, or the whole is over 16 KiB.
    """
    fields = (ENVELOPE_VERSION, *_plain_fields(unsigned))
    message = b"".join(pack(value) for value in fields)
    signed = signed_bytes(SIGNATURE_DOMAIN, unsigned.chain_id, message)
    signature = scheme.sign(seed, signed)
    sponsor_signature = None if sponsor_seed is None else scheme.sign(sponsor_seed, signed)
    return decode_transaction(pack((*fields, signature, sponsor_signature)))


def _plain_fields(unsigned: UnsignedTransaction) -> tuple[object, ...]:
    return tuple(shape.plain(getattr(unsigned, name)) for name, shape in _UNSIGNED_FIELDS.items())
