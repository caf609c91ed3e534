"""A cheap stand-in for signatures, and the constants of simulated networks."""

from __future__ import annotations

import hashlib

from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import (
    GenesisHash,
    PublicKey,
)

START_US = 1_700_000_000_000_000
GENESIS_HASH = GenesisHash(blake2b_256(b"a network for tests"))
DELAY_US = 10_000


class KeyedScheme:
    """A stand-in for Ed25519: whoever knows the public key can sign, which no host here does for another."""

    def public_key(self, seed: bytes) -> PublicKey:
        return PublicKey(blake2b_256(seed))

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return hashlib.blake2b(message, key=blake2b_256(seed), digest_size=64).digest()

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        return hashlib.blake2b(message, key=public_key, digest_size=64).digest() == signature

    def vrf_prove(self, seed: bytes, alpha: bytes) -> bytes:
        return self.sign(seed, b"vrf" + alpha) + bytes(16)

    def vrf_verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        if proof[64:] != bytes(16) or not self.verify(public_key, b"vrf" + alpha, proof[:64]):
            return None
        return hashlib.blake2b(proof).digest()


KEYED = KeyedScheme()
