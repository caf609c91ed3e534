"""Why a blob cannot be had or kept, or a message not be sent."""

from __future__ import annotations

from typing import Final

from p2pcommerce.blobs.effects import Failed, Failure
from p2pcommerce.primitives.errors import P2PError

__all__ = [
    "BlobNotFoundError",
    "BlobTooLargeError",
    "MessageExpiryError",
    "OffChainBusyError",
    "OffChainDiskError",
    "OffChainError",
    "OffChainQuotaError",
    "StoreUnknownError",
    "error_of",
]


class OffChainError(P2PError):
    """What is kept off the chain cannot be had, kept or sent."""

    code = "OFF_CHAIN"


class BlobNotFoundError(OffChainError):
    """No connected peer has the blob, nor has one of theirs."""

    code = "BLOB_NOT_FOUND"


class BlobTooLargeError(OffChainError):
    """The blob is empty or has more bytes than are taken."""

    code = "BLOB_TOO_LARGE"


class OffChainQuotaError(OffChainError):
    """The quota of own blobs, or of messages under way, is used up."""

    code = "OFF_CHAIN_QUOTA"


class OffChainBusyError(OffChainError):
    """Too much is under way at once; try again later."""

    code = "OFF_CHAIN_BUSY"


class OffChainDiskError(OffChainError):
    """The disk does not take it."""

    code = "OFF_CHAIN_DISK"


class MessageExpiryError(OffChainError):
    """A message that would have expired already, or would live too long."""

    code = "MESSAGE_EXPIRY"


class StoreUnknownError(OffChainError):
    """The account has no store, so that there is no box key to seal to."""

    code = "STORE_UNKNOWN"


_CLASSES: Final[dict[Failure, type[OffChainError]]] = {
    Failure.TOO_LARGE: BlobTooLargeError,
    Failure.QUOTA: OffChainQuotaError,
    Failure.BUSY: OffChainBusyError,
    Failure.NOT_FOUND: BlobNotFoundError,
    Failure.DISK: OffChainDiskError,
    Failure.EXPIRED: MessageExpiryError,
}


def error_of(failed: Failed) -> OffChainError:
    """Return the exception of a failure."""
    return _CLASSES[failed.failure](failed.detail)
