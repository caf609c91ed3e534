"""Peer records: what a node says of itself, signed, so that others can pass it on.

A record is a canonical array: version, public key, genesis hash, addresses, sequence number, expiry, signature. Of two
records of one node the higher sequence number counts. A record of another network, of the past or of a far future, or
with a bad signature is refused by name: unsigned hearsay is neither stored nor passed on.

Source: the discovery section of the networking specification; the idea of self-certified records is that of ENR
(EIP-778).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.discovery.address import ADDRESS_BYTES_MAX, AddressError, parse_address
from p2pcommerce.primitives.codec import (
    HASH,
    KEY,
    SIGNATURE,
    U64,
    array,
    decode,
    pack,
    record,
    text,
    uint,
)
from p2pcommerce.primitives.crypto import SignatureScheme, signed_bytes
from p2pcommerce.primitives.errors import RemoteProtocolError
from p2pcommerce.primitives.ids import GenesisHash, PeerId

__all__ = [
    "RECORD_ADDRESSES_MAX",
    "RECORD_BYTES_MAX",
    "RECORD_LIFE_MS_MAX",
    "PeerRecord",
    "RecordAddressError",
    "RecordError",
    "RecordExpiredError",
    "RecordNetworkError",
    "RecordOwnerError",
    "RecordSignatureError",
    "RecordTooLargeError",
    "RecordTooLongLivedError",
    "check_owner",
    "check_record",
    "decode_record",
    "narrow_record",
    "sign_record",
]

RECORD_BYTES_MAX: Final = 1_024
RECORD_ADDRESSES_MAX: Final = 8
RECORD_LIFE_MS_MAX: Final = 15 * 86_400_000
"""A record may expire at most this far ahead: two weeks, and a day for clocks that differ."""

_VERSION: Final = 1
_DOMAIN: Final = "peer-record"


class RecordError(RemoteProtocolError):
    """A peer record that is not kept."""

    code = "PEER_RECORD"


class RecordNetworkError(RecordError):
    """A record of another network."""

    code = "PEER_RECORD_NETWORK"


class RecordExpiredError(RecordError):
    """A record whose expiry has passed: nobody's fault."""

    code = "PEER_RECORD_EXPIRED"


class RecordTooLongLivedError(RecordError):
    """A record that wants to live for longer than any may."""

    code = "PEER_RECORD_LIFE"


class RecordSignatureError(RecordError):
    """A record that the node it names did not sign."""

    code = "PEER_RECORD_SIGNATURE"


class RecordAddressError(RecordError):
    """A record with an address that is malformed, not in canonical form, named twice or names no place."""

    code = "PEER_RECORD_ADDRESS"


class RecordOwnerError(RecordError):
    """A peer that hands over another node's record as its own."""

    code = "PEER_RECORD_OWNER"


class RecordTooLargeError(RecordError):
    """An own record that would be over 1,024 bytes."""

    code = "PEER_RECORD_SIZE"


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Where a node can be reached, in its own words.

    Attributes:
        version: 1.
        public_key: the node, 32 bytes.
        genesis_hash: its network, 32 bytes.
        addresses: at most 8, canonical; none: it cannot be dialled.
        sequence: of two records the higher one counts; u64.
        expires_ms: Unix milliseconds.
        signature: 64 bytes, by `public_key`.
        raw: the record's canonical bytes, at most 1,024.
    """

    version: int
    public_key: PeerId
    genesis_hash: GenesisHash
    addresses: tuple[str, ...]
    sequence: int
    expires_ms: int
    signature: bytes
    raw: bytes = field(default=b"", repr=False, compare=False)


_SHAPE: Final = record(
    PeerRecord,
    version=uint(_VERSION, _VERSION),
    public_key=KEY,
    genesis_hash=HASH,
    addresses=array(text(ADDRESS_BYTES_MAX), RECORD_ADDRESSES_MAX),
    sequence=U64,
    expires_ms=U64,
    signature=SIGNATURE,
)


def _message(public_key: bytes, genesis_hash: bytes, addresses: tuple[str, ...], sequence: int, expires: int) -> bytes:
    return pack((_VERSION, public_key, genesis_hash, addresses, sequence, expires))


def _sign(
    sign: Callable[[bytes], bytes],
    public_key: PeerId,
    genesis_hash: GenesisHash,
    addresses: tuple[str, ...],
    sequence: int,
    expires_ms: int,
) -> bytes:
    message = _message(public_key, genesis_hash, addresses, sequence, expires_ms)
    signature = sign(signed_bytes(_DOMAIN, genesis_hash, message))
    return pack((_VERSION, public_key, genesis_hash, addresses, sequence, expires_ms, signature))


def sign_record(
    scheme: SignatureScheme,
    seed: bytes,
    genesis_hash: GenesisHash,
    addresses: tuple[str, ...],
    sequence: int,
    expires_ms: int,
) -> PeerRecord:
    """Return this node's own record.

    Args:
        scheme: the network's signature scheme.
        seed: 32 bytes, of the node's key.
        genesis_hash: 32 bytes.
        addresses: at most 8, each as `parse_address` takes it; written in canonical form.
        sequence: above that of every earlier record of this node; its start in Unix milliseconds serves.
        expires_ms: Unix milliseconds, at most 14 days ahead.

    Raises:
        RecordTooLargeError: over 1,024 bytes.
        AddressError: an address that is malformed.
        CodecError: a number out of range, or over 8 addresses.
        RecordAddressError: an address twice, or one that names no place.
    """
    public_key = scheme.public_key(seed)
    written = tuple(str(parse_address(address)) for address in addresses)
    raw = _sign(lambda message: scheme.sign(seed, message), public_key, genesis_hash, written, sequence, expires_ms)
    if len(raw) > RECORD_BYTES_MAX:
        raise RecordTooLargeError(f"the record would have {len(raw)} bytes, {RECORD_BYTES_MAX} at most: announce less")
    return decode_record(raw)


def narrow_record(own: PeerRecord, addresses: tuple[str, ...], sign: Callable[[bytes], bytes]) -> PeerRecord:
    """Return this node's own record as it is to be told where some of its addresses are of no use.

    Args:
        own: as signed.
        addresses: some of its addresses, in its order.
        sign: signs bytes with the key of the record, 64 bytes.
    """
    raw = _sign(sign, own.public_key, own.genesis_hash, addresses, own.sequence, own.expires_ms)
    return decode_record(raw)


def decode_record(raw: bytes) -> PeerRecord:
    """Read a record from untrusted bytes; `check_record` says whether it counts.

    Raises:
        CodecError: over 1,024 bytes, malformed or not canonical.
        RecordAddressError: an address that is malformed, not in canonical form, named twice or names no place.
    """
    parsed = decode(_SHAPE, raw, RECORD_BYTES_MAX)
    for address in parsed.addresses:
        try:
            place = parse_address(address)
        except AddressError as error:
            raise RecordAddressError(f"a peer record with a bad address: {error}") from error
        if str(place) != address or not place.can_be_dialled:
            raise RecordAddressError(f'a peer record with an address that cannot be dialled: "{address}"')
    if len(dict.fromkeys(parsed.addresses)) != len(parsed.addresses):
        raise RecordAddressError("a peer record that names an address twice")
    object.__setattr__(parsed, "raw", raw)
    return parsed


def check_record(parsed: PeerRecord, scheme: SignatureScheme, genesis_hash: GenesisHash, now: int) -> None:
    """Check that a record counts on this network at this time; the cheap checks come first.

    Args:
        parsed: from `decode_record`.
        scheme: the network's signature scheme.
        genesis_hash: this network, 32 bytes.
        now: microseconds.

    Raises:
        RecordNetworkError: another network.
        RecordExpiredError: of the past.
        RecordTooLongLivedError: of a far future.
        RecordSignatureError: not signed by the node it names.
    """
    if parsed.genesis_hash != genesis_hash:
        raise RecordNetworkError("a peer record of another network")
    now_ms = now // 1_000
    if parsed.expires_ms <= now_ms:
        raise RecordExpiredError("a peer record that has expired")
    if parsed.expires_ms > now_ms + RECORD_LIFE_MS_MAX:
        raise RecordTooLongLivedError("a peer record that expires too far ahead")
    message = _message(parsed.public_key, parsed.genesis_hash, parsed.addresses, parsed.sequence, parsed.expires_ms)
    signed = signed_bytes(_DOMAIN, genesis_hash, message)
    if not scheme.verify(parsed.public_key, signed, parsed.signature):
        raise RecordSignatureError("a peer record with a bad signature")


def check_owner(parsed: PeerRecord, owner: PeerId | None) -> None:
    """Check that a record is the own one of `owner` (32 bytes); None: anybody's will do.

    Raises:
        RecordOwnerError: it is another node's.
    """
    if owner is not None and parsed.public_key != owner:
        raise RecordOwnerError("a handshake with the record of another node")
