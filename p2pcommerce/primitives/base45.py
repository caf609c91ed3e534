"""Base45: bytes as text that a QR code holds in its alphanumeric mode.

Any scanner hands such text on as it is. Two bytes are three characters, a last single byte is two. A QR code spends 5.5
bits on a character, so that text of this form takes 3 % more room than bare bytes, which many scanners take for text in
some encoding and spoil.

Source: RFC 9285.
"""

from __future__ import annotations

from typing import Final

from p2pcommerce.primitives.errors import CodecError

__all__ = ["base45_decode", "base45_encode"]

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_BASE: Final = 45


def base45_encode(data: bytes) -> str:
    """Return the text of some bytes: three characters for two bytes, two for a last one."""
    text: list[str] = []
    for start in range(0, len(data), 2):
        part = data[start : start + 2]
        number = int.from_bytes(part, "big")
        for _ in range(len(part) + 1):
            number, value = divmod(number, _BASE)
            text.append(_ALPHABET[value])
    return "".join(text)


def base45_decode(text: str) -> bytes:
    """Return the bytes of a text; each text that is taken is the only one of its bytes.

    Args:
        text: untrusted; its length is for the caller to bound.

    Raises:
        CodecError: a character that is none of the 45, a length that no bytes have, or a group above its bytes' range.
    """
    if len(text) % 3 == 1:
        raise CodecError("is not base45: it was cut")
    data = bytearray()
    for start in range(0, len(text), 3):
        part = text[start : start + 3]
        number = 0
        for character in reversed(part):
            value = _VALUES.get(character)
            if value is None:
                raise CodecError(f"is not base45: it holds {character!a}")
            number = number * _BASE + value
        size = len(part) - 1
        if number >> 8 * size:
            raise CodecError(f"is not base45: {part!a} stands for no {size} bytes")
        data += number.to_bytes(size, "big")
    return bytes(data)
