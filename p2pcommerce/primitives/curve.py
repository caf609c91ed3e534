"""Points and scalars of edwards25519, by libsodium: what the verifiable random function is built of.

A point is its 32 bytes, a scalar 32 bytes, little-endian. What is not a point, or a product that is the neutral
element, becomes `CryptoError`. Multiplication wants a point of the prime-order group, which libsodium checks each time;
addition takes any point of the curve, so that the cofactor can be cleared.

Secret scalars go through libsodium alone, in constant time; Python's integers see public ones only.

Source: RFC 8032, sections 5.1.2 to 5.1.5.
"""

from __future__ import annotations

from typing import Final

import nacl.bindings
import nacl.exceptions

from p2pcommerce.primitives.errors import CryptoError

__all__ = [
    "FIELD_PRIME",
    "GROUP_ORDER",
    "POINT_BYTES",
    "SCALAR_BYTES",
    "add",
    "clear_cofactor",
    "is_canonical",
    "is_prime_order",
    "multiply",
    "multiply_add",
    "multiply_base",
    "reduce_scalar",
    "subtract",
]

POINT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
FIELD_PRIME: Final = 2**255 - 19
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

_Y_MASK: Final = 2**255 - 1
_FAILURES: Final = (nacl.exceptions.CryptoError, RuntimeError)
_add = nacl.bindings.crypto_core_ed25519_add
_subtract = nacl.bindings.crypto_core_ed25519_sub
_is_valid_point = nacl.bindings.crypto_core_ed25519_is_valid_point
_multiply = nacl.bindings.crypto_scalarmult_ed25519_noclamp
_multiply_base = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp
_scalar_add = nacl.bindings.crypto_core_ed25519_scalar_add
_scalar_multiply = nacl.bindings.crypto_core_ed25519_scalar_mul
_scalar_reduce = nacl.bindings.crypto_core_ed25519_scalar_reduce


def is_canonical(data: bytes) -> bool:
    """Tell whether 32 bytes may encode a point: y below the prime, and no negative zero as x.

    libsodium's addition takes y modulo the prime and any sign, RFC 8032 (section 5.1.3) does not.
    """
    if len(data) != POINT_BYTES:
        return False
    number = int.from_bytes(data, "little")
    y = number & _Y_MASK
    return y < FIELD_PRIME and not (number >> 255 and y in (1, FIELD_PRIME - 1))


def is_prime_order(data: bytes) -> bool:
    """Tell whether bytes are the canonical form of a point of the prime-order group, other than the neutral element."""
    return is_canonical(data) and _is_valid_point(data)


def add(one: bytes, other: bytes) -> bytes:
    """Return the sum of two points of the curve (32 bytes each).

    Raises:
        CryptoError: one of them is no point.
    """
    try:
        return _add(one, other)
    except _FAILURES as error:
        raise CryptoError("no point of the curve") from error


def subtract(one: bytes, other: bytes) -> bytes:
    """Return the difference of two points of the curve (32 bytes each).

    Raises:
        CryptoError: one of them is no point.
    """
    try:
        return _subtract(one, other)
    except _FAILURES as error:
        raise CryptoError("no point of the curve") from error


def clear_cofactor(point: bytes) -> bytes:
    """Return eight times a point of the curve (32 bytes).

    Raises:
        CryptoError: it is no point.
    """
    for _ in range(3):
        point = add(point, point)
    return point


def multiply(scalar: bytes, point: bytes) -> bytes:
    """Return a point of the prime-order group (32 bytes) times a scalar (32 bytes; its top bit does not count).

    Raises:
        CryptoError: the point is not of that group, or the product is the neutral element.
    """
    try:
        return _multiply(scalar, point)
    except _FAILURES as error:
        raise CryptoError("a product that is no point of the prime-order group") from error


def multiply_base(scalar: bytes) -> bytes:
    """Return the base point times a scalar (32 bytes; its top bit does not count).

    Raises:
        CryptoError: the product is the neutral element.
    """
    try:
        return _multiply_base(scalar)
    except _FAILURES as error:
        raise CryptoError("a product that is the neutral element") from error


def reduce_scalar(number: bytes) -> bytes:
    """Return a number (at most 64 bytes, little-endian) modulo the group order, as 32 bytes."""
    return _scalar_reduce(number.ljust(64, b"\x00"))


def multiply_add(one: bytes, other: bytes, addend: bytes) -> bytes:
    """Return one x other + addend modulo the group order; reduced scalars of 32 bytes each."""
    return _scalar_add(_scalar_multiply(one, other), addend)
