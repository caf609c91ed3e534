"""What a DNS seed holds: one TXT record for each peer that it names.

    v=p2pc1 n=1a2b3c4d a=tcp://192.0.2.7:7400        an address, of the network whose genesis hash begins so
    v=p2pc1 r=lgHEIP...                              a signed peer record, base64url without padding

A TXT record is a row of strings of at most 255 bytes; they are read as one, with nothing between them, so that a peer
record of up to 1,024 bytes fits in six. Whatever does not begin with `v=p2pc1` is somebody else's and is left aside.

Nothing here is believed: an address is worth one dial, a record is checked where every record is. How much of one
answer is looked at is capped, and so is what is taken of it.

Source: RFC 1035 section 3.3.14 (TXT), RFC 7208 sections 3.3 and 4.5 (strings are joined, a version first), RFC 4648
section 5 (base64url); RFC 6761, RFC 6762, RFC 8375 and ICANN's resolution 2024.07.29.06 (names of local networks).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from p2pcommerce.discovery.address import AddressError, parse_address
from p2pcommerce.discovery.group import is_local
from p2pcommerce.discovery.record import RECORD_BYTES_MAX
from p2pcommerce.discovery.source import Source
from p2pcommerce.primitives.ids import GenesisHash

__all__ = [
    "SEED_ADDRESSES_MAX",
    "SEED_RECORDS_MAX",
    "SEED_TEXTS_MAX",
    "SEED_TEXT_BYTES_MAX",
    "SeedAnswer",
    "read_seed_texts",
    "source_of_seed",
    "text_of_address",
    "text_of_record",
]

SEED_TEXTS_MAX: Final = 256
"""TXT records of one answer that are looked at; an honest seed names fewer peers."""
SEED_RECORDS_MAX: Final = 64
"""Peer records taken of one answer: each costs a signature's check."""
SEED_ADDRESSES_MAX: Final = 16
"""Addresses taken of one answer: a quarter of those that may wait to be dialled, so that no seed fills that alone."""
SEED_TEXT_BYTES_MAX: Final = 1_400
"""A peer record of 1,024 bytes in base64, and what is around it."""

_STRING_BYTES_MAX: Final = 255
_MARK: Final = b"v=p2pc1 "
_ADDRESS: Final = re.compile(rb"n=([0-9a-f]{8}) a=([!-~]{1,272})")
_RECORD: Final = re.compile(rb"r=([A-Za-z0-9_-]{1,1366})")
_TAG_DIGITS: Final = 8
_LOCAL_DOMAINS: Final = (".local", ".localhost", ".internal", ".home.arpa", ".test")


@dataclass(frozen=True, slots=True)
class SeedAnswer:
    """What one answer of a seed is worth.

    Attributes:
        addresses: canonical, of this network by its tag; at most 16.
        records: peer records as signed, unchecked; at most 64.
        malformed: texts that claim to be of this format and are not.
        foreign: addresses of another network.
        over: texts that were not looked at, or not taken, because there were too many.
    """

    addresses: tuple[str, ...]
    records: tuple[bytes, ...]
    malformed: int
    foreign: int
    over: int


def source_of_seed(name: str) -> Source:
    """Return a seed as a source of records: all that one seed ever tells is of one group.

    Local addresses are believed of a seed only if its name can only be one of a local network.
    """
    return Source.of_name(f"dns {name}", is_local=_is_local_name(name))


def read_seed_texts(texts: Sequence[Iterable[bytes]], genesis_hash: GenesisHash, name: str) -> SeedAnswer:
    """Read the TXT records of a seed.

    Args:
        texts: each a row of strings; untrusted, as many and as long as a DNS answer can hold.
        genesis_hash: of this network, 32 bytes.
        name: the seed's.
    """
    addresses: dict[str, None] = {}
    records: dict[bytes, None] = {}
    malformed = foreign = 0
    over = max(0, len(texts) - SEED_TEXTS_MAX)
    for text in texts[:SEED_TEXTS_MAX]:
        whole = b"".join(text)
        if not whole.startswith(_MARK):
            continue
        found = _read(whole[len(_MARK) :]) if len(whole) <= SEED_TEXT_BYTES_MAX else None
        if isinstance(found, bytes):
            records[found] = None
        elif found is None or (is_local(found[1]) and not _is_local_name(name)):
            malformed += 1
        elif found[0] != genesis_hash.hex()[:_TAG_DIGITS]:
            foreign += 1
        else:
            addresses[found[1]] = None
    over += max(0, len(addresses) - SEED_ADDRESSES_MAX) + max(0, len(records) - SEED_RECORDS_MAX)
    return SeedAnswer(
        tuple(addresses)[:SEED_ADDRESSES_MAX], tuple(records)[:SEED_RECORDS_MAX], malformed, foreign, over
    )


def text_of_address(address: str, genesis_hash: GenesisHash) -> tuple[bytes, ...]:
    """Return the strings of a TXT record that names an address.

    Args:
        address: as `parse_address` takes it.
        genesis_hash: of its network, 32 bytes.

    Raises:
        AddressError: malformed.
    """
    return _strings(_MARK + f"n={genesis_hash.hex()[:_TAG_DIGITS]} a={parse_address(address)}".encode())


def text_of_record(raw: bytes) -> tuple[bytes, ...]:
    """Return the strings of a TXT record that holds a peer record (at most 1,024 bytes, as signed)."""
    return _strings(_MARK + b"r=" + base64.urlsafe_b64encode(raw).rstrip(b"="))


def _strings(text: bytes) -> tuple[bytes, ...]:
    return tuple(text[at : at + _STRING_BYTES_MAX] for at in range(0, len(text), _STRING_BYTES_MAX))


def _read(text: bytes) -> tuple[str, str] | bytes | None:
    """Return the tag and the address, or the record, of what follows the mark; None: it is malformed."""
    record = _RECORD.fullmatch(text)
    if record is not None:
        return _base64(record[1])
    named = _ADDRESS.fullmatch(text)
    if named is None:
        return None
    try:
        place = parse_address(named[2].decode("ascii"))
    except AddressError:
        return None
    return (named[1].decode("ascii"), str(place)) if place.can_be_dialled else None


def _base64(text: bytes) -> bytes | None:
    """Decode base64url without padding; None: it is malformed, not canonical, or too long."""
    try:
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    if len(raw) > RECORD_BYTES_MAX or base64.urlsafe_b64encode(raw).rstrip(b"=") != text:
        return None
    return raw


def _is_local_name(name: str) -> bool:
    return f".{name.lower().rstrip('.')}".endswith(_LOCAL_DOMAINS)
