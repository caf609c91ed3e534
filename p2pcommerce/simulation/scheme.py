"""A cheap signature scheme for simulations, and the one place that chooses it.

The stand-in's signature is BLAKE2b keyed by the public key. Anybody can make one, so it protects nothing; it serves
because no adversary of the simulator forges: adversaries sign with keys they own. It is deterministic, sizes are those
of Ed25519, a changed bit of key, message or signature is noticed. Its random outputs are keyed hashes in the same way.
One seed in a hundred runs on real Ed25519.

`runtime/` cannot import this room: the floors forbid it.

Source: the deterministic simulator specification.
"""

from __future__ import annotations

import hashlib
from typing import Final

from p2pcommerce.primitives.crypto import ED25519, SignatureScheme
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.primitives.vrf import VRF_PROOF_BYTES
from p2pcommerce.simulation.streams import Streams

__all__ = ["REAL_SHARE", "STAND_IN", "StandIn", "scheme_for"]

REAL_SHARE: Final = 100
"""One seed in this many uses Ed25519."""
_blake2b = hashlib.blake2b
_PERSON: Final = b"stand-in key"
_VRF_PERSON: Final = b"stand-in vrf"


class StandIn:
    """Keyed BLAKE2b in the place of Ed25519."""

    def public_key(self, seed: bytes) -> PublicKey:
        """Return the public key (32 bytes) of a seed (32 bytes)."""
        return PublicKey(_blake2b(seed, digest_size=32, person=_PERSON).digest())

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return the signature (64 bytes) of `message` by the key of `seed` (32 bytes)."""
        return _blake2b(message, key=self.public_key(seed)).digest()

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is by `public_key`; wrong lengths are simply false."""
        return len(public_key) == 32 and _blake2b(message, key=public_key).digest() == signature

    def vrf_prove(self, seed: bytes, alpha: bytes) -> bytes:
        """Return the proof (80 bytes) of the random output that the key of `seed` (32 bytes) has for `alpha`."""
        return self._proof(self.public_key(seed), alpha)

    def vrf_verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """Return the random output (64 bytes) that `proof` shows, None if it shows nothing, whatever the bytes."""
        if len(public_key) != 32 or self._proof(public_key, alpha) != proof:
            return None
        return _blake2b(proof, person=_VRF_PERSON).digest()

    @staticmethod
    def _proof(public_key: bytes, alpha: bytes) -> bytes:
        first = _blake2b(alpha, key=public_key, person=_VRF_PERSON).digest()
        return first + _blake2b(first, digest_size=VRF_PROOF_BYTES - len(first), person=_VRF_PERSON).digest()


STAND_IN: Final = StandIn()


def scheme_for(seed: int) -> SignatureScheme:
    """Return the scheme that a world of this seed uses."""
    return ED25519 if Streams(seed).number("scheme") % REAL_SHARE == 0 else STAND_IN
