"""Names, keys and transfers for tests of nodes; a keyed hash stands in for Ed25519."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from p2pcommerce.commerce import Transfer
from p2pcommerce.commerce.wallet import build_transaction
from p2pcommerce.ledger.genesis import ChainParameters, Genesis
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.crypto import SignatureScheme, blake2b_256
from p2pcommerce.primitives.ids import PublicKey

START_US = 1_700_000_000_000_000
MS = 1_000
SECOND = 1_000_000
TOKEN = 1_000_000
WEEK_MS = 7 * 86_400_000


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


def seed_of(name: str) -> bytes:
    return blake2b_256(name.encode())


def make_genesis(
    validators: int = 4,
    accounts: Sequence[str] = ("ann", "bob", "cid", "dan"),
    scheme: SignatureScheme = KEYED,
    parameters: ChainParameters | None = None,
) -> Genesis:
    stakes = {scheme.public_key(seed_of(f"validator {number}")): 1_000 * TOKEN for number in range(validators)}
    balances = {scheme.public_key(seed_of(name)): 1_000 * TOKEN for name in accounts}
    return Genesis.new(
        "nodes", stakes, balances, time_ms=START_US // MS - 10_000, parameters=parameters or ChainParameters.local()
    )


def transfer(
    genesis: Genesis,
    name: str,
    nonce: int,
    *,
    to: str = "bob",
    amount: int = TOKEN,
    scheme: SignatureScheme = KEYED,
    **more,
) -> Transaction:
    payload = Transfer(scheme.public_key(seed_of(to)), amount)
    return build_transaction(payload, genesis, seed_of(name), nonce, more.pop("expires", 10**6), scheme=scheme, **more)
