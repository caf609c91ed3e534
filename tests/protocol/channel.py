"""Preamble, handshake, records, frames, from docs/protocol/connections.md."""

import hashlib
import hmac

import nacl.bindings

from . import curve
from .document import MESSAGES, TYPES, read
from .plain import RefusedError, encode, need

VERSION = 1
OPTIONAL_FROM, OPTIONAL_BYTES = 0x80, 65_536


def blake2b(data, size=32, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def signed(kind, genesis_hash, message):
    return b"p2pcommerce/1/" + kind.encode() + b"\x00" + genesis_hash + message


def preamble(genesis_hash):
    return blake2b(b"p2pcommerce/magic" + genesis_hash)[:4] + bytes([VERSION])


def _hash(data):
    return hashlib.blake2s(data).digest()


def _hkdf(key, material):
    secret = hmac.digest(key, material, "blake2s")
    first = hmac.digest(secret, b"\x01", "blake2s")
    return first, hmac.digest(secret, first + b"\x02", "blake2s")


def _nonce(number):
    return bytes(4) + number.to_bytes(8, "little")


class Noise:
    """One end of Noise_XX_25519_ChaChaPoly_BLAKE2s."""

    def __init__(self, prologue, static, ephemeral, *, initiator):
        self.chain = self.hash = _hash(b"Noise_XX_25519_ChaChaPoly_BLAKE2s")
        self.key, self.count = None, 0
        self.static, self.ephemeral, self.initiator = static, ephemeral, initiator
        self.their_static = self.their_ephemeral = b""
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.hash = _hash(self.hash + data)

    def agree(self, word):
        """Mix in ee, es or se: the initiator's key is named first."""
        mine, theirs = word if self.initiator else word[::-1]
        secret = self.ephemeral if mine == "e" else self.static
        public = self.their_ephemeral if theirs == "e" else self.their_static
        self.chain, self.key = _hkdf(self.chain, nacl.bindings.crypto_scalarmult(secret, public))
        self.count = 0

    def seal(self, plaintext):
        sealed = plaintext
        if self.key is not None:
            sealed = nacl.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
                plaintext, self.hash, _nonce(self.count), self.key
            )
            self.count += 1
        self.mix_hash(sealed)
        return sealed

    def open(self, data):
        plaintext = data
        if self.key is not None:
            plaintext = nacl.bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
                data, self.hash, _nonce(self.count), self.key
            )
            self.count += 1
        self.mix_hash(data)
        return plaintext

    def write(self, words, payload):
        message = b""
        for word in words:
            if word == "e":
                public = nacl.bindings.crypto_scalarmult_base(self.ephemeral)
                self.mix_hash(public)
                message += public
            elif word == "s":
                message += self.seal(nacl.bindings.crypto_scalarmult_base(self.static))
            else:
                self.agree(word)
        return message + self.seal(payload)

    def read(self, words, message):
        for word in words:
            if word == "e":
                self.their_ephemeral, message = message[:32], message[32:]
                self.mix_hash(self.their_ephemeral)
            elif word == "s":
                self.their_static, message = self.open(message[:48]), message[48:]
            else:
                self.agree(word)
        return self.open(message)


PATTERN = (("e",), ("e", "ee", "s", "es"), ("s", "se"))


class End:
    """One end of a connection, from its secrets."""

    def __init__(self, genesis_hash, secrets, *, initiator):
        self.genesis_hash, self.initiator = genesis_hash, initiator
        self.secrets = {name: value if name == "role" else bytes.fromhex(value) for name, value in secrets.items()}
        prologue = b"p2pcommerce\x00" + bytes([VERSION]) + genesis_hash
        self.noise = Noise(
            prologue, self.secrets["static_secret"], self.secrets["ephemeral_secret"], initiator=initiator
        )

    def payload(self):
        static = nacl.bindings.crypto_scalarmult_base(self.secrets["static_secret"])
        role = bytes([0 if self.initiator else 1])
        signature = curve.sign(self.secrets["seed"], signed("handshake", self.genesis_hash, role + static))
        key = curve.public_key(self.secrets["seed"])
        return encode((key, signature, self.secrets["announcement_key"], self.secrets["peer_record"]))

    def write(self, step):
        message = self.noise.write(PATTERN[step], self.payload() if step else b"")
        return (preamble(self.genesis_hash) if step < 2 else b"") + len(message).to_bytes(2, "big") + message

    def read(self, step, data):
        """Take a message of the other end; return its payload."""
        if step < 2:
            need(data[:5] == preamble(self.genesis_hash), "another network or version")
            data = data[5:]
        need(len(data) == 2 + int.from_bytes(data[:2], "big") <= 2 + 2_048, "a length that is none")
        payload = self.noise.read(PATTERN[step], data[2:])
        if not step:
            need(not payload, "a payload in clear")
            return None
        said = read("handshake payload", payload, 1_152)
        role = bytes([1 if self.initiator else 0])
        message = signed("handshake", self.genesis_hash, role + self.noise.their_static)
        need(curve.verify(said["identity"], message, said["signature"]), "another's static key")
        return said

    def keys(self):
        """Return the keys of what the initiator and the responder send."""
        return _hkdf(self.noise.chain, b"")


def seal_record(key, number, plaintext):
    sealed = nacl.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, b"", _nonce(number), key)
    return len(sealed).to_bytes(2, "big") + sealed


def open_record(key, number, record):
    size = int.from_bytes(record[:2], "big")
    need(17 <= size == len(record) - 2, "a length that is none")
    return nacl.bindings.crypto_aead_chacha20poly1305_ietf_decrypt(record[2:], b"", _nonce(number), key)


def next_key(key):
    return nacl.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(32), b"", _nonce(2**64 - 1), key)[:32]


class Frames:
    """Takes plaintexts apart."""

    def __init__(self):
        self.begun = {}
        self.skipped = 0

    def receive(self, plaintext):
        """Return the lanes and bytes of the messages that a plaintext completes."""
        found = []
        while plaintext:
            need(len(plaintext) >= 3, "cut off")
            what, lane = divmod(plaintext[0], 16)
            size = int.from_bytes(plaintext[1:3], "big")
            head = 7 if what == 1 else 3
            need(what <= 2 and lane <= 4 and size and len(plaintext) >= head + size, "no frame")
            content, total = plaintext[head : head + size], int.from_bytes(plaintext[3:7], "big")
            plaintext = plaintext[head + size :]
            need((lane in self.begun) is (what == 2), "out of turn")
            if what == 2:
                total, kept = self.begun.pop(lane)
                content = kept + content
            elif what == 0:
                total = len(content)
            else:
                need(len(content) < total, "a first fragment that is all")
            known = check_kind(lane, content[0], total)
            need(len(content) <= total, "past the end")
            if len(content) < total:
                self.begun[lane] = total, content
            elif known:
                found.append((lane, content))
            else:
                self.skipped += 1
        return found


def check_kind(lane, kind, size):
    """Tell whether a message is known; raise if it may not come."""
    if kind in MESSAGES:
        need(MESSAGES[kind]["lane"] == lane and size <= MESSAGES[kind]["cap"], "another lane, or over the cap")
        return True
    need(kind >= OPTIONAL_FROM and size <= OPTIONAL_BYTES, "an unknown kind")
    return False


def read_message(data):
    """Return the name and the fields of a message."""
    row = MESSAGES.get(data[0])
    if row is None:
        raise RefusedError("an unknown kind")
    need(len(data) <= row["cap"], "over the cap")
    return row["name"], TYPES.read(row["fields"], data[1:])
