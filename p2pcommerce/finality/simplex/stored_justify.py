"""What is stored with a final block of why it was allowed on its parent: one or two certificates.

Source: the evidence of the finality specification ("justifies are kept 21 days").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommerce.finality.certificates import CERTIFICATE, CERTIFICATE_BYTES_MAX, Certificate
from p2pcommerce.primitives.codec import Shape, array, decode, encode

__all__ = ["JUSTIFY_BYTES_MAX", "decode_justify", "encode_justify"]

_CERTIFICATES: Final[Shape[tuple[Certificate, ...]]] = array(CERTIFICATE, 2)
JUSTIFY_BYTES_MAX: Final = 2 * CERTIFICATE_BYTES_MAX + 16
"""Bytes that are stored with one block at most."""


def encode_justify(certificates: Iterable[Certificate | None]) -> bytes:
    """Return the bytes that are stored: of the parent's N or F and the Z of the view before, those that there are."""
    return encode(_CERTIFICATES, tuple(certificate for certificate in certificates if certificate is not None))


def decode_justify(data: bytes) -> tuple[Certificate, ...]:
    """Return the certificates.

    Raises:
        CodecError: malformed, too long, not canonical.
    """
    return decode(_CERTIFICATES, data, JUSTIFY_BYTES_MAX)
