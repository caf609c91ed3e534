"""Identity: the one Ed25519 key that a node, a validator or an account is, and the file it is kept in.

The key file is readable JSON in exactly one form: who it belongs to, how the passphrase is stretched (argon2id), and
the sealed secret (secretbox). The seal holds the 32-byte seed and a hash of every clear field, and a file that is not
byte for byte what this room writes is refused: so no bit of it can be changed without notice, not even in a field that
is not secret or in white space.

Which network a signature is for is said at each signature, not in the file: one key may serve several networks.

Source: the identity section of the networking specification; RFC 8032; RFC 9106 (argon2id). The default cost (2 passes
over 64 MiB) is libsodium's "interactive" one, about 0.1 s.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from p2pcommerce.primitives import vrf
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.crypto import (
    SEED_BYTES,
    blake2b_256,
    ed25519_keypair,
    ed25519_sign,
    key_from_passphrase,
    secretbox_open,
    secretbox_seal,
    signed_bytes,
)
from p2pcommerce.primitives.errors import CryptoError, UsageError
from p2pcommerce.primitives.ids import GenesisHash, PublicKey, short
from p2pcommerce.runtime.durable_file import create_file

__all__ = ["KEY_FILE_BYTES_MAX", "KEY_FILE_VERSION", "Identity", "KeyFileCost", "KeyFileError"]

KEY_FILE_VERSION: Final = 1
KEY_FILE_BYTES_MAX: Final = 4_096
"""A key file is about 500 bytes; nothing larger is read."""
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 24
_SEALED_BYTES: Final = 2 * 32 + 16
"""The seed, the hash of the clear fields, and secretbox's tag."""
_KDF: Final = "argon2id"
_CIPHER: Final = "xsalsa20-poly1305"
_PASSES_MAX: Final = 64
_MEMORY_KIB_MIN: Final = 8
_MEMORY_KIB_MAX: Final = 2**20
"""1 GiB: a changed file must not make a node take all memory before it is refused."""
_FIELDS: Final = ("version", "public_key", "kdf", "salt", "cipher", "nonce", "sealed")


class KeyFileError(UsageError):
    """A key file that cannot be written, read or opened; one line names the file and the reason."""

    code = "KEY_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileCost:
    """How expensive it is to try one passphrase.

    Attributes:
        passes: argon2id passes over the memory, 1 to 64.
        memory_kib: argon2id memory in KiB, 8 to 1,048,576.
    """

    passes: int = 2
    memory_kib: int = 64 * 1024


class Identity:
    """An Ed25519 key pair.

    Attributes:
        public_key: 32 bytes; the name by which others know it.
        seed: 32 bytes; the secret, for wallets that sign transactions. Never logged, never shown.
    """

    __slots__ = ("_secret_key", "public_key", "seed")

    def __init__(self, seed: bytes) -> None:
        """Derive the key pair of a seed; `generate`, `from_seed` and `load` say where it is from."""
        if len(seed) != SEED_BYTES:
            raise KeyFileError(f"a seed is {SEED_BYTES} bytes, this one has {len(seed)}")
        self.seed = bytes(seed)
        self.public_key: PublicKey
        self._secret_key: bytes
        self.public_key, self._secret_key = ed25519_keypair(self.seed)

    @classmethod
    def generate(cls) -> Identity:
        """Return a new identity from the system's randomness."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> Identity:
        """Return the identity of a seed.

        Args:
            seed: 32 bytes.

        Raises:
            KeyFileError: `seed` is not 32 bytes.
        """
        return cls(seed)

    @override
    def __repr__(self) -> str:
        return f"<Identity {short(self.public_key)}>"

    def sign(self, kind: str, genesis_hash: GenesisHash, message: bytes) -> bytes:
        """Return the signature (64 bytes) of a message.

        Args:
            kind: domain tag of the message ("vote", "peer-record" ...): the signature is good for no other kind.
            genesis_hash: 32 bytes: the signature is good on no other network.
            message: the message's canonical bytes.
        """
        return ed25519_sign(self._secret_key, signed_bytes(kind, genesis_hash, message))

    def prove(self, alpha: bytes) -> bytes:
        """Return the proof (80 bytes) of the random output that this key has for an input (`primitives.vrf`).

        The input names the network by itself: a proof carries no domain tag.
        """
        return vrf.prove(self._secret_key, alpha)

    def save(self, path: str | Path, passphrase: str, *, cost: KeyFileCost | None = None) -> None:
        """Write a key file of mode 0600, durably; an existing file is never overwritten.

        Args:
            path: where to.
            passphrase: opens it again.
            cost: of one try; default 2 passes over 64 MiB.

        Raises:
            KeyFileError: the file exists or cannot be written, or the cost is out of range.
        """
        path = Path(path)
        document: dict[str, Any] = {
            "version": KEY_FILE_VERSION,
            "public_key": self.public_key.hex(),
            "kdf": {"name": _KDF, **asdict(cost or KeyFileCost())},
            "salt": secrets.token_hex(_SALT_BYTES),
            "cipher": _CIPHER,
            "nonce": secrets.token_hex(_NONCE_BYTES),
        }
        try:
            key = _stretch(document, passphrase)
        except (CryptoError, _FormError) as error:
            raise KeyFileError(f"{path}: {error}") from error
        secret = self.seed + _clear_hash(document)
        document["sealed"] = secretbox_seal(key, bytes.fromhex(document["nonce"]), secret).hex()
        try:
            create_file(path, _text(document), 0o600)
        except FileExistsError as error:
            raise KeyFileError(f"{path}: exists already; keys are never overwritten, choose another name") from error
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be written: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: str | Path, passphrase: str) -> Identity:
        """Read a key file.

        Args:
            path: where from.
            passphrase: the one given to `save`.

        Raises:
            KeyFileError: the file cannot be read, is malformed, the passphrase is wrong, or any bit was changed.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(KEY_FILE_BYTES_MAX + 1)
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            return cls(_open(_parse(data), passphrase))
        except (CryptoError, _FormError) as error:
            raise KeyFileError(f"{path}: {error}") from error


class _FormError(Exception):
    """A document that is no key file; the message completes a line that names the file."""


def _parse(data: bytes) -> dict[str, Any]:
    """Read the one form that `save` writes."""
    if len(data) > KEY_FILE_BYTES_MAX:
        raise _FormError(f"is larger than {KEY_FILE_BYTES_MAX} bytes, which no key file is")
    try:
        document = json.loads(data.decode("ascii"))
    except json.JSONDecodeError as error:
        raise _FormError(f"is no key file: line {error.lineno} column {error.colno}: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _FormError("is no key file: it is not readable JSON") from error
    if not isinstance(document, dict):
        raise _FormError("is no key file: it must hold a JSON object")
    _check_fields(document)
    if _text(document) != data:
        raise _FormError("was changed: it is not in the form in which key files are written; restore it from a copy")
    return document


def _check_fields(document: dict[str, Any]) -> None:
    version = document.get("version")
    if type(version) is int and KEY_FILE_VERSION < version < 2**16:
        raise _FormError(f"is a key file of version {version}, this program reads {KEY_FILE_VERSION}: update it")
    if version != KEY_FILE_VERSION or tuple(document) != _FIELDS:
        raise _FormError(f"is no key file: it must have exactly {', '.join(_FIELDS)}, in this order")
    for name, size in (("public_key", 32), ("salt", _SALT_BYTES), ("nonce", _NONCE_BYTES), ("sealed", _SEALED_BYTES)):
        if not _is_hex(document[name], size):
            raise _FormError(f"is damaged: {name} must be {2 * size} lower-case hexadecimal digits")
    if document["cipher"] != _CIPHER:
        raise _FormError(f'is damaged: cipher must be "{_CIPHER}"')
    _cost(document)


def _open(document: dict[str, Any], passphrase: str) -> bytes:
    """Return the seed of a well-formed document."""
    key = _stretch(document, passphrase)
    try:
        secret = secretbox_open(key, bytes.fromhex(document["nonce"]), bytes.fromhex(document["sealed"]))
    except CryptoError as error:
        raise _FormError("does not open: wrong passphrase, or the file was changed") from error
    seed, clear_hash = secret[:SEED_BYTES], secret[SEED_BYTES:]
    clear = {name: value for name, value in document.items() if name != "sealed"}
    if clear_hash != _clear_hash(clear) or ed25519_keypair(seed)[0].hex() != document["public_key"]:
        raise _FormError("was changed: its clear fields are not those it was written with; restore it from a copy")
    return seed


def _stretch(document: dict[str, Any], passphrase: str) -> bytes:
    cost = _cost(document)
    return key_from_passphrase(passphrase, bytes.fromhex(document["salt"]), cost.passes, cost.memory_kib * 1024)


def _cost(document: dict[str, Any]) -> KeyFileCost:
    kdf = document["kdf"]
    if not isinstance(kdf, dict) or tuple(kdf) != ("name", "passes", "memory_kib") or kdf["name"] != _KDF:
        raise _FormError(f'is damaged: kdf must have name "{_KDF}", passes and memory_kib')
    passes, memory_kib = kdf["passes"], kdf["memory_kib"]
    if type(passes) is not int or not 1 <= passes <= _PASSES_MAX:
        raise _FormError(f"kdf passes must be 1 to {_PASSES_MAX}")
    if type(memory_kib) is not int or not _MEMORY_KIB_MIN <= memory_kib <= _MEMORY_KIB_MAX:
        raise _FormError(f"kdf memory_kib must be {_MEMORY_KIB_MIN} to {_MEMORY_KIB_MAX}")
    return KeyFileCost(passes=passes, memory_kib=memory_kib)


def _is_hex(value: object, size: int) -> bool:
    return isinstance(value, str) and len(value) == 2 * size and all(digit in "0123456789abcdef" for digit in value)


def _clear_hash(clear: dict[str, Any]) -> bytes:
    return blake2b_256(_text(clear))


def _text(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode("ascii")
