"""Identifiers and units, as distinct types so that they cannot be mixed up.

Every identifier is raw bytes inside the program and lower-case hexadecimal for people; a short form of 8 hex digits
is used in logs.
"""

from __future__ import annotations

from typing import Final, NewType

__all__ = [
    "GENESIS_HEIGHT",
    "HASH_BYTES",
    "HEIGHT_MAX",
    "MICROSECONDS",
    "PUBLIC_KEY_BYTES",
    "SIGNATURE_BYTES",
    "U64_MAX",
    "ZERO_HASH",
    "BlockHash",
    "Epoch",
    "GenesisHash",
    "Height",
    "PeerId",
    "PublicKey",
    "Stake",
    "TransactionId",
    "View",
    "VoteWeight",
    "short",
]

PublicKey = NewType("PublicKey", bytes)
"""32 bytes: an Ed25519 public key; a node, a validator and an account are each one such key."""
PeerId = PublicKey
"""A node is its public key."""
BlockHash = NewType("BlockHash", bytes)
"""32 bytes: BLAKE2b-256 of the header's canonical bytes."""
TransactionId = NewType("TransactionId", bytes)
"""32 bytes: BLAKE2b-256 of all bytes of the transaction, signatures included."""
GenesisHash = NewType("GenesisHash", bytes)
"""32 bytes: BLAKE2b-256 of the canonical genesis; the chain id."""
Height = NewType("Height", int)
"""Number of blocks above genesis."""
Epoch = NewType("Epoch", int)
View = NewType("View", int)
Stake = NewType("Stake", int)
"""Bonded minor units of one validator."""
VoteWeight = NewType("VoteWeight", int)
"""Sum of the stake of distinct signers, in minor units."""

HASH_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
U64_MAX: Final = 2**64 - 1
HEIGHT_MAX: Final = 2**32 - 1
ZERO_HASH: Final = bytes(32)
GENESIS_HEIGHT: Final = Height(0)
MICROSECONDS: Final = 1_000_000
"""Microseconds in a second: `now` is in microseconds everywhere."""


def short(identifier: bytes) -> str:
    """Return the first 8 hex digits, for logs and people."""
    return identifier[:4].hex()
