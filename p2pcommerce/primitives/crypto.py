"""Cryptography: the one room, beside `curve`, that knows PyNaCl.

Ed25519 signatures, verifiable random outputs of the same keys (`vrf`), X25519 key agreement, ChaCha20-Poly1305,
BLAKE2b-256, and the sealing of key files (argon2id and secretbox). Nothing here is invented. What untrusted bytes make
the library below raise becomes `CryptoError`; an own key or nonce of a wrong length is a defect of the caller and stays
a `ValueError` or `TypeError`.

A signed message is `p2pcommerce/1/<kind>` NUL | genesis hash (32 bytes) | message, so that a signature is good for one
kind of message on one network only (`signed_bytes`).

Cores take a `SignatureScheme` so that the simulator can put a cheap one in its place; the network's own is `ED25519`,
and nothing in the runtime chooses another. Verification is libsodium's: two implementations of Ed25519 accept different
edge cases, which on a chain is a fork.

Source: RFC 8032 (Ed25519), RFC 7748 (X25519), RFC 8439 (ChaCha20-Poly1305), RFC 7693 (BLAKE2), RFC 9106 (argon2id).
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

import nacl.bindings
import nacl.exceptions
import nacl.pwhash.argon2id

from p2pcommerce.primitives import vrf
from p2pcommerce.primitives.errors import CryptoError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey

__all__ = [
    "AEAD_TAG_BYTES",
    "BOX_OVERHEAD_BYTES",
    "ED25519",
    "SEED_BYTES",
    "Ed25519",
    "SignatureScheme",
    "aead_open",
    "aead_seal",
    "blake2b_256",
    "box_open",
    "box_seal",
    "domain_prefix",
    "ed25519_keypair",
    "ed25519_sign",
    "key_from_passphrase",
    "keyed_hash",
    "secretbox_open",
    "secretbox_seal",
    "signed_bytes",
    "x25519",
    "x25519_public",
]

SEED_BYTES: Final = 32
AEAD_TAG_BYTES: Final = 16
BOX_OVERHEAD_BYTES: Final = 48
"""What a sealed box adds: the sender's ephemeral key and a tag."""
_SIGNATURE_BYTES: Final = 64
_PUBLIC_KEY_BYTES: Final = 32

_sign_open = nacl.bindings.crypto_sign_open
_encrypt = nacl.bindings.crypto_aead_chacha20poly1305_ietf_encrypt
_decrypt = nacl.bindings.crypto_aead_chacha20poly1305_ietf_decrypt
_blake2b = hashlib.blake2b
_FAILURES: Final = (nacl.exceptions.CryptoError, RuntimeError, ValueError, TypeError)
# PyNaCl reports an all-zero X25519 result and some tampering as RuntimeError (its own subclass), the rest as
# CryptoError or, for a wrong length, as ValueError or TypeError.


class SignatureScheme(Protocol):
    """Signs and verifies; a seam for the simulator's cheap stand-in."""

    def public_key(self, seed: bytes) -> PublicKey:
        """Return the public key (32 bytes) of a seed (32 bytes)."""
        ...

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return the signature (64 bytes) of `message` by the key of `seed` (32 bytes)."""
        ...

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` (64 bytes) of `message` is by `public_key` (32 bytes)."""
        ...

    def vrf_prove(self, seed: bytes, alpha: bytes) -> bytes:
        """Return the proof (80 bytes) of the random output that the key of `seed` (32 bytes) has for `alpha`."""
        ...

    def vrf_verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """Return the random output (64 bytes) that `proof` (80 bytes) shows, None if it shows nothing."""
        ...


class Ed25519:
    """The network's signature scheme."""

    def public_key(self, seed: bytes) -> PublicKey:
        """Return the public key (32 bytes) of a seed (32 bytes)."""
        return ed25519_keypair(seed)[0]

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """Return the signature (64 bytes) of `message` by the key of `seed` (32 bytes)."""
        return ed25519_sign(ed25519_keypair(seed)[1], message)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is by `public_key`; wrong lengths are simply false."""
        if len(signature) != _SIGNATURE_BYTES or len(public_key) != _PUBLIC_KEY_BYTES:
            return False
        try:
            _sign_open(signature + message, public_key)
        except nacl.exceptions.BadSignatureError:
            return False
        return True

    def vrf_prove(self, seed: bytes, alpha: bytes) -> bytes:
        """Return the proof (80 bytes) of the random output that the key of `seed` (32 bytes) has for `alpha`."""
        return vrf.prove(ed25519_keypair(seed)[1], alpha)

    def vrf_verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        """Return the random output (64 bytes) that `proof` shows, None if it shows nothing, whatever the bytes."""
        return vrf.verify(public_key, alpha, proof)


ED25519: Final = Ed25519()


def ed25519_keypair(seed: bytes) -> tuple[PublicKey, bytes]:
    """Return the public key (32 bytes) and the expanded secret key (64 bytes) of a seed (32 bytes)."""
    public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
    return PublicKey(public), secret


def ed25519_sign(secret_key: bytes, message: bytes) -> bytes:
    """Return the signature (64 bytes) of `message` by an expanded secret key (64 bytes)."""
    return nacl.bindings.crypto_sign(message, secret_key)[:_SIGNATURE_BYTES]


def blake2b_256(data: bytes) -> bytes:
    """Return the BLAKE2b hash (32 bytes) of `data`."""
    return _blake2b(data, digest_size=32).digest()


def keyed_hash(key: bytes, data: bytes, size: int) -> bytes:
    """Return a BLAKE2b hash of `size` bytes of `data` under a key of at most 64 bytes."""
    return _blake2b(data, key=key, digest_size=size).digest()


def domain_prefix(kind: str, genesis_hash: GenesisHash) -> bytes:
    """Return what stands before every signed message of one kind on one network."""
    return b"p2pcommerce/1/" + kind.encode("ascii") + b"\x00" + genesis_hash


def signed_bytes(kind: str, genesis_hash: GenesisHash, message: bytes) -> bytes:
    """Return the bytes that a signature of a message of this kind covers.

    Args:
        kind: the domain tag, ASCII without NUL ("transaction", "vote" ...).
        genesis_hash: 32 bytes.
        message: the message's canonical bytes.
    """
    return domain_prefix(kind, genesis_hash) + message


def x25519_public(secret: bytes) -> bytes:
    """Return the X25519 public key (32 bytes) of a secret (32 bytes).

    Raises:
        ValueError: `secret` is not 32 bytes.
    """
    _check_secret(secret)
    return nacl.bindings.crypto_scalarmult_base(secret)


def x25519(secret: bytes, public: bytes) -> bytes:
    """Return the shared secret (32 bytes).

    Raises:
        CryptoError: `public` is a point of small order, or not 32 bytes.
        ValueError: `secret` is not 32 bytes.
    """
    _check_secret(secret)
    # PyNaCl hands the bytes to libsodium without looking at their length: it would read past their end.
    if len(public) != _PUBLIC_KEY_BYTES:
        raise CryptoError("a key share that is not 32 bytes")
    try:
        return nacl.bindings.crypto_scalarmult(secret, public)
    except _FAILURES as error:
        raise CryptoError("the peer's key share is not usable") from error


def _check_secret(secret: bytes) -> None:
    if len(secret) != SEED_BYTES:
        raise ValueError(f"an X25519 secret has {SEED_BYTES} bytes, not {len(secret)}")


def aead_seal(key: bytes, nonce: bytes, associated: bytes, plaintext: bytes) -> bytes:
    """Return ChaCha20-Poly1305 ciphertext: the plaintext's length plus 16 bytes.

    Args:
        key: 32 bytes.
        nonce: 12 bytes, never used twice under one key.
        associated: authenticated, not encrypted.
        plaintext: any length.
    """
    return _encrypt(plaintext, associated, nonce, key)


def aead_open(key: bytes, nonce: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    """Return the plaintext of `ciphertext`.

    Raises:
        CryptoError: the ciphertext was not made under this key, nonce and associated data.
    """
    if len(ciphertext) < AEAD_TAG_BYTES:
        raise CryptoError("a ciphertext shorter than its tag")
    try:
        return _decrypt(ciphertext, associated, nonce, key)
    except _FAILURES as error:
        raise CryptoError("a ciphertext that does not authenticate") from error


def key_from_passphrase(passphrase: str, salt: bytes, operations: int, memory_bytes: int) -> bytes:
    """Return the argon2id key (32 bytes) of a passphrase.

    Args:
        passphrase: any text, encoded as UTF-8.
        salt: 16 bytes.
        operations: argon2id passes.
        memory_bytes: argon2id memory.

    Raises:
        CryptoError: the parameters are out of range, or the memory is not there.
    """
    try:
        return nacl.pwhash.argon2id.kdf(32, passphrase.encode(), salt, opslimit=operations, memlimit=memory_bytes)
    except (*_FAILURES, MemoryError) as error:
        raise CryptoError("the passphrase cannot be stretched with these parameters") from error


def secretbox_seal(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """Return XSalsa20-Poly1305 ciphertext under a key of 32 and a nonce of 24 bytes."""
    return nacl.bindings.crypto_secretbox(plaintext, nonce, key)


def secretbox_open(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    """Return the plaintext of `secretbox_seal`.

    Raises:
        CryptoError: wrong key, or a changed byte.
    """
    try:
        return nacl.bindings.crypto_secretbox_open(ciphertext, nonce, key)
    except _FAILURES as error:
        raise CryptoError("the sealed bytes do not open with this key") from error


def box_seal(public: bytes, ephemeral_secret: bytes, plaintext: bytes) -> bytes:
    """Return a sealed box, which only the secret key of `public` opens: the plaintext's length plus 48 bytes.

    It is libsodium's `crypto_box_seal`, but for the ephemeral key, which a core is handed.

    Args:
        public: X25519 key of the reader, 32 bytes.
        ephemeral_secret: 32 random bytes, used for this box alone.
        plaintext: any length.

    Raises:
        CryptoError: `public` is no usable key.
        ValueError: `ephemeral_secret` is not 32 bytes.
    """
    ephemeral = x25519_public(ephemeral_secret)
    if len(public) != _PUBLIC_KEY_BYTES:
        raise CryptoError("a box key that is not 32 bytes")
    nonce = _blake2b(ephemeral + public, digest_size=24).digest()
    try:
        return ephemeral + nacl.bindings.crypto_box(plaintext, nonce, public, ephemeral_secret)
    except _FAILURES as error:
        raise CryptoError("the box key is not usable") from error


def box_open(secret: bytes, sealed: bytes) -> bytes:
    """Return the plaintext of a sealed box for the X25519 key of `secret` (32 bytes).

    Raises:
        CryptoError: it is for another key, or was changed.
        ValueError: `secret` is not 32 bytes.
    """
    public = x25519_public(secret)
    if len(sealed) < BOX_OVERHEAD_BYTES:
        raise CryptoError("sealed bytes shorter than their overhead")
    try:
        return nacl.bindings.crypto_box_seal_open(sealed, public, secret)
    except _FAILURES as error:
        raise CryptoError("the sealed bytes do not open with this key") from error
