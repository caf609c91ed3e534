"""The library's errors: whose fault each is, and what it says of a peer or a transaction.

Every broken rule has a class of its own. An error that a person may see names what is wrong and what to do about it;
an error that a peer or a sender caused carries a stable `code` under which it is counted in `statistics()`.

Source: the split into local and remote protocol errors follows h11.
"""

from __future__ import annotations

from enum import Enum, unique

__all__ = [
    "CodecError",
    "CryptoError",
    "LocalProtocolError",
    "P2PError",
    "RejectionCode",
    "RemoteProtocolError",
    "TransactionDroppedError",
    "TransactionExpiredError",
    "TransactionRejectedError",
    "TransactionUnknownError",
    "UsageError",
    "Verdict",
]


class P2PError(Exception):
    """Base of every error that the library raises on purpose."""

    code: str = "ERROR"


class LocalProtocolError(P2PError):
    """This program broke a rule of the protocol: a defect of ours or of the embedding application."""

    code = "LOCAL_PROTOCOL"


class RemoteProtocolError(P2PError):
    """A peer broke a rule of the protocol: its connection is closed, and the breach is counted under `code`."""

    code = "REMOTE_PROTOCOL"

    def __init__(self, message: str, code: str | None = None) -> None:
        """Keep `message` for people and `code` for the counters (default: the code of the class)."""
        super().__init__(message)
        if code is not None:
            self.code = code


class CodecError(RemoteProtocolError):
    """Bytes that are malformed, oversized, of the wrong types or not in canonical form."""

    code = "MALFORMED"


class CryptoError(RemoteProtocolError):
    """A ciphertext or key share that does not authenticate."""

    code = "AUTHENTICATION"


class UsageError(P2PError):
    """A file, address or argument that a person gave cannot be used; one line says where, why and what to do."""

    code = "USAGE"


@unique
class Verdict(Enum):
    """What the room that owns a topic says of one gossiped item."""

    ACCEPT = "accept"
    """Valid: keep it and pass it on."""
    IGNORE = "ignore"
    """Not useful now, and nobody's fault: drop it."""
    REJECT = "reject"
    """Invalid whatever the state: drop it and lower the sender's score."""


@unique
class RejectionCode(Enum):
    """Why a transaction was refused or failed. Source: the codes of the commerce specification."""

    OK = "OK"
    BAD_FORMAT = "BAD_FORMAT"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    BAD_NONCE = "BAD_NONCE"
    EXPIRED = "EXPIRED"
    NO_FEE = "NO_FEE"
    NO_FUNDS = "NO_FUNDS"
    NOT_FOUND = "NOT_FOUND"
    EXISTS = "EXISTS"
    FORBIDDEN = "FORBIDDEN"
    BAD_STATE = "BAD_STATE"
    TOO_EARLY = "TOO_EARLY"
    TOO_LATE = "TOO_LATE"
    LIMIT = "LIMIT"
    NO_BUDGET = "NO_BUDGET"
    NO_STOCK = "NO_STOCK"
    DUPLICATE = "DUPLICATE"
    """Already in the pool or already final (pool only)."""
    POOL_FULL = "POOL_FULL"
    """The pool is full and this one pays less than everything in it (pool only)."""


class TransactionRejectedError(P2PError):
    """The pool refused a transaction.

    Attributes:
        rejection: the code.
        detail: a sentence for people.
    """

    def __init__(self, rejection: RejectionCode, detail: str) -> None:
        """Build the error from a code and a sentence."""
        super().__init__(f"{rejection.value}: {detail}")
        self.rejection = rejection
        self.code = rejection.value
        self.detail = detail


class TransactionExpiredError(P2PError):
    """A transaction can no longer become final: its expiry height has passed, or its nonce was used by another."""

    code = "EXPIRED"


class TransactionDroppedError(TransactionExpiredError):
    """A transaction left the pool for another reason than its expiry: replaced, driven out, refused.

    Attributes:
        rejection: the code.
        detail: a sentence for people.
    """

    def __init__(self, rejection: RejectionCode, detail: str) -> None:
        """Build the error from a code and a sentence."""
        super().__init__(detail)
        self.rejection = rejection
        self.code = f"DROPPED_{rejection.value}"
        self.detail = detail


class TransactionUnknownError(P2PError):
    """A transaction that this node has not heard of: it is in no pool, journal or block here."""

    code = "UNKNOWN_TRANSACTION"
