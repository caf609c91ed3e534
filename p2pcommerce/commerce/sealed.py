"""Sealed messages: what a buyer tells a store beside the chain, a delivery address above all.

The text is padded to a multiple of 512 bytes, so that its length says nothing, and sealed to the box key of the store
(`store.set`). It goes straight to the store's node; an order carries only H(salt | sealed) as its `address_hash`: the
store can check that the message belongs to the order, and nobody can guess an address from the chain, which never
forgets.

    plaintext = expiry (Unix ms, u64) | length (u32) | content | zeros        numbers big-endian

The expiry is inside the seal too: a message that a third party sends again later, under a new expiry, is refused.

Source: the commerce specification (Off chain); `crypto_box_seal` of libsodium.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.primitives.crypto import BOX_OVERHEAD_BYTES, blake2b_256, box_open, box_seal
from p2pcommerce.primitives.errors import CryptoError

__all__ = ["CONTENT_BYTES_MAX", "PADDED_BYTES", "Sealed", "box_secret", "open_address", "seal_address"]

PADDED_BYTES: Final = 512
"""Plaintexts are padded to a multiple of so many bytes."""
_HEAD_BYTES: Final = 12
_PADDED_BYTES_MAX: Final = 31 * PADDED_BYTES
CONTENT_BYTES_MAX: Final = _PADDED_BYTES_MAX - _HEAD_BYTES
"""Bytes of the content; with its seal it fits one message of the wire."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message.

    Attributes:
        salt: 32 bytes.
        sealed: a multiple of 512 bytes, and 48.
        expires_ms: Unix milliseconds.
    """

    salt: bytes
    sealed: bytes
    expires_ms: int

    @property
    def address_hash(self) -> bytes:
        """What `order.place` carries, 32 bytes."""
        return blake2b_256(self.salt + self.sealed)


def box_secret(seed: bytes) -> bytes:
    """Return the X25519 secret (32 bytes) with which a node opens messages: derived from its key's seed (32 bytes)."""
    return blake2b_256(b"p2pcommerce box key\x00" + seed)


def seal_address(box_key: bytes, content: bytes, expires_ms: int, rng: random.Random) -> Sealed:
    """Seal a message to a store.

    Args:
        box_key: of the store, 32 bytes.
        content: at most 15,860 bytes; text is UTF-8.
        expires_ms: Unix milliseconds; after it the store's node refuses the message.
        rng: draws salt and ephemeral key; `random.SystemRandom()` outside of simulations.

    Raises:
        FormatError: the content is too long.
        CryptoError: the box key is not usable.
    """
    if len(content) > CONTENT_BYTES_MAX:
        raise FormatError(f"a sealed message has at most {CONTENT_BYTES_MAX} bytes, this one {len(content)}")
    plaintext = expires_ms.to_bytes(8, "big") + len(content).to_bytes(4, "big") + content
    plaintext += bytes(-len(plaintext) % PADDED_BYTES)
    return Sealed(rng.randbytes(32), box_seal(box_key, rng.randbytes(32), plaintext), expires_ms)


def open_address(secret: bytes, sealed: Sealed, address_hash: bytes | None = None) -> bytes:
    """Open a sealed message.

    Args:
        secret: the X25519 secret of the box key, 32 bytes.
        sealed: the message.
        address_hash: of the order that it should belong to, 32 bytes; None: it is not compared.

    Raises:
        CryptoError: it is for another key, was changed, is not padded as it should be, has another expiry inside, or
            belongs to another order.
    """
    if address_hash is not None and sealed.address_hash != address_hash:
        raise CryptoError("the message is not the one whose hash the order carries")
    if (len(sealed.sealed) - BOX_OVERHEAD_BYTES) % PADDED_BYTES:
        raise CryptoError(f"a sealed message is a multiple of {PADDED_BYTES} bytes")
    plaintext = box_open(secret, sealed.sealed)
    if len(plaintext) < _HEAD_BYTES:
        raise CryptoError("a sealed message without its head")
    if int.from_bytes(plaintext[:8], "big") != sealed.expires_ms:
        raise CryptoError("the message was sent again under another expiry")
    size = int.from_bytes(plaintext[8:_HEAD_BYTES], "big")
    content = plaintext[_HEAD_BYTES : _HEAD_BYTES + size]
    padding = plaintext[_HEAD_BYTES + size :]
    if len(content) != size or len(padding) >= PADDED_BYTES or any(padding):
        raise CryptoError("a sealed message whose padding is not as it should be")
    return content
