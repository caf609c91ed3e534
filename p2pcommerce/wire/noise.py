"""Noise_XX_25519_ChaChaPoly_BLAKE2s: two strangers agree on keys, and each proves its static key.

    -> e
    <- e, ee, s, es
    -> s, se

The three state objects of the Noise specification, for this one protocol. What the payloads mean is `handshake`'s
matter, how transport messages are framed that of `records`. Secrets, the ephemeral one included, are handed in.

Source: The Noise Protocol Framework, revision 34, sections 4 (crypto functions), 5 (processing rules), 7.5 (XX),
11.3 (rekey), 12.1 (25519), 12.3 (ChaChaPoly), 12.7 (BLAKE2s).

Deviations: no pre-messages, no pre-shared keys, no fallback: XX needs none. A failed read ends a handshake state for
good instead of leaving it usable.
"""

from __future__ import annotations

import hashlib
from typing import Final

from p2pcommerce.primitives.crypto import AEAD_TAG_BYTES, aead_open, aead_seal, x25519, x25519_public
from p2pcommerce.primitives.errors import LocalProtocolError, RemoteProtocolError

__all__ = ["PROTOCOL_NAME", "CipherState", "HandshakeState", "NoiseMessageError", "SymmetricState"]

PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_BLAKE2s"
_PATTERN: Final = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_blake2s: Final = hashlib.blake2s
_REKEY_NONCE: Final = ((2**64 - 1) << 32).to_bytes(12, "little")
_NONCE_MAX: Final = 2**64 - 2
"""The highest nonce of a message; the one above belongs to rekeying."""


class NoiseMessageError(RemoteProtocolError):
    """A handshake message that is too short to hold the keys it must."""

    code = "NOISE_MESSAGE"


def _hmac(key: bytes, data: bytes) -> bytes:
    """Return HMAC-BLAKE2s (32 bytes) under a key of 32 bytes.

    RFC 2104 in one line: the standard library's goes through OpenSSL, which looks the hash up by name each time and
    takes longer for that than for hashing.
    """
    block = key.ljust(_BLOCK_BYTES, b"\x00")
    return _blake2s(block.translate(_OUTER) + _blake2s(block.translate(_INNER) + data).digest()).digest()


def _hkdf(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Return two keys (32 bytes each) from a chaining key (32 bytes) and input key material."""
    secret = _hmac(chaining_key, material)
    first = _hmac(secret, b"\x01")
    return first, _hmac(secret, first + b"\x02")


class CipherState:
    """One direction's key and nonce."""

    __slots__ = ("_key", "nonce")

    def __init__(self, key: bytes) -> None:
        """Start at nonce 0 under a key of 32 bytes."""
        self._key = key
        self.nonce = 0

    def seal(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        """Return the ciphertext (16 bytes longer) of the next message.

        Raises:
            LocalProtocolError: all nonces of this key are used.
        """
        nonce = self.nonce
        if nonce > _NONCE_MAX:
            raise LocalProtocolError("all nonces of this key are used; rekey earlier")
        # 4 zero bytes, then the counter as 8 bytes little-endian.
        ciphertext = aead_seal(self._key, (nonce << 32).to_bytes(12, "little"), associated, plaintext)
        self.nonce = nonce + 1
        return ciphertext

    def open(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        """Return the plaintext of the peer's next message.

        Raises:
            CryptoError: it does not authenticate; the nonce stays.
            LocalProtocolError: all nonces of this key are used.
        """
        nonce = self.nonce
        if nonce > _NONCE_MAX:
            raise LocalProtocolError("all nonces of this key are used; rekey earlier")
        plaintext = aead_open(self._key, (nonce << 32).to_bytes(12, "little"), associated, ciphertext)
        self.nonce = nonce + 1
        return plaintext

    def rekey(self) -> None:
        """Replace the key by one that does not reveal it; the nonce goes on."""
        self._key = aead_seal(self._key, _REKEY_NONCE, b"", bytes(_KEY_BYTES))[:_KEY_BYTES]


class SymmetricState:
    """The chaining key, the transcript hash and the handshake's cipher."""

    __slots__ = ("_chaining_key", "_cipher", "transcript_hash")

    def __init__(self, protocol_name: bytes, prologue: bytes) -> None:
        """Bind the protocol's name and what both ends already agree on."""
        named = (
            protocol_name.ljust(32, b"\x00") if len(protocol_name) <= 32 else hashlib.blake2s(protocol_name).digest()
        )
        self._chaining_key = named
        self._cipher: CipherState | None = None
        self.transcript_hash = named
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        """Take `data` into the transcript."""
        self.transcript_hash = _blake2s(self.transcript_hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        """Take a shared secret (32 bytes) into the keys."""
        self._chaining_key, key = _hkdf(self._chaining_key, material)
        self._cipher = CipherState(key)

    def seal(self, plaintext: bytes) -> bytes:
        """Return `plaintext` encrypted once there is a key, and take the result into the transcript."""
        sealed = plaintext if self._cipher is None else self._cipher.seal(plaintext, self.transcript_hash)
        self.mix_hash(sealed)
        return sealed

    def open(self, data: bytes) -> bytes:
        """Return the plaintext of `data`, and take `data` into the transcript.

        Raises:
            CryptoError: it does not authenticate.
        """
        plaintext = data if self._cipher is None else self._cipher.open(data, self.transcript_hash)
        self.mix_hash(data)
        return plaintext

    def has_key(self) -> bool:
        """Tell whether what follows is encrypted."""
        return self._cipher is not None

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the ciphers of the initiator's and of the responder's messages."""
        first, second = _hkdf(self._chaining_key, b"")
        return CipherState(first), CipherState(second)


class HandshakeState:
    """One end of one handshake: `write_message` and `read_message` in turn, then `split`.

    Attributes:
        remote_static: the peer's static key (32 bytes) once it is known; proven when the message that carried it
            was read without error.
        static_public: this end's static key (32 bytes).
    """

    __slots__ = (
        "_ephemeral_secret",
        "_initiator",
        "_remote_ephemeral",
        "_static_secret",
        "_step",
        "_symmetric",
        "remote_static",
        "static_public",
    )

    def __init__(
        self,
        *,
        initiator: bool,
        prologue: bytes,
        static_secret: bytes,
        ephemeral_secret: bytes,
        static_public: bytes | None = None,
    ) -> None:
        """Start a handshake.

        Args:
            initiator: True at the end that writes first.
            prologue: what both ends must agree on; the handshake fails where it differs.
            static_secret: 32 bytes.
            ephemeral_secret: 32 bytes, random, never used for another handshake.
            static_public: the public key of `static_secret`, if it is known already.
        """
        self._symmetric = SymmetricState(PROTOCOL_NAME, prologue)
        self._initiator = initiator
        self._static_secret = static_secret
        self.static_public = x25519_public(static_secret) if static_public is None else static_public
        self._ephemeral_secret = ephemeral_secret
        self._remote_ephemeral = b""
        self.remote_static = b""
        self._step = 0

    @property
    def transcript_hash(self) -> bytes:
        """Hash (32 bytes) of all that was exchanged; the same at both ends."""
        return self._symmetric.transcript_hash

    def is_complete(self) -> bool:
        """Tell whether all three messages have been exchanged."""
        return self._step == len(_PATTERN)

    def write_message(self, payload: bytes) -> bytes:
        """Return the next handshake message, carrying `payload`.

        Raises:
            LocalProtocolError: it is the peer's turn.
            CryptoError: the peer's key share is of small order.
        """
        parts = []
        for word in self._take_turn(writing=True):
            if word == "e":
                public = x25519_public(self._ephemeral_secret)
                self._symmetric.mix_hash(public)
                parts.append(public)
            elif word == "s":
                parts.append(self._symmetric.seal(self.static_public))
            else:
                self._symmetric.mix_key(self._agree(word))
        parts.append(self._symmetric.seal(payload))
        self._step += 1
        return b"".join(parts)

    def read_message(self, message: bytes) -> bytes:
        """Return the payload of the peer's next handshake message.

        Raises:
            NoiseMessageError: it is too short.
            CryptoError: it does not authenticate, or a key share is of small order.
            LocalProtocolError: it is not the peer's turn.
        """
        words = self._take_turn(writing=False)
        step, self._step = self._step, -1
        place = 0
        for word in words:
            if word in ("e", "s"):
                end = place + _KEY_BYTES
                if word == "s" and self._symmetric.has_key():
                    end += AEAD_TAG_BYTES
                if len(message) < end:
                    raise NoiseMessageError(f"handshake message {step + 1} has only {len(message)} bytes")
                key = self._symmetric.open(message[place:end]) if word == "s" else message[place:end]
                place = end
                if word == "e":
                    self._symmetric.mix_hash(key)
                    self._remote_ephemeral = key
                else:
                    self.remote_static = key
            else:
                self._symmetric.mix_key(self._agree(word))
        payload = self._symmetric.open(message[place:])
        self._step = step + 1
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the ciphers for sending and for receiving.

        Raises:
            LocalProtocolError: the handshake is not complete.
        """
        if not self.is_complete():
            raise LocalProtocolError("the handshake is not complete")
        first, second = self._symmetric.split()
        return (first, second) if self._initiator else (second, first)

    def _take_turn(self, *, writing: bool) -> tuple[str, ...]:
        if self._step < 0 or self.is_complete():
            raise LocalProtocolError("this handshake is over")
        if writing != (self._initiator == (self._step % 2 == 0)):
            raise LocalProtocolError("it is the other end's turn in the handshake")
        return _PATTERN[self._step]

    def _agree(self, word: str) -> bytes:
        """Return the shared secret of `ee`, `es` or `se`: the initiator's key is named first."""
        local, remote = (word[0], word[1]) if self._initiator else (word[1], word[0])
        secret = self._ephemeral_secret if local == "e" else self._static_secret
        public = self._remote_ephemeral if remote == "e" else self.remote_static
        return x25519(secret, public)
