"""GTINs: fourteen digits of which the last checks the others.

Source: GS1 General Specifications, section 7.9.
"""

from __future__ import annotations

from typing import Final

__all__ = ["GTIN_CHARS", "check_digit", "is_gtin14"]

GTIN_CHARS: Final = 14


def check_digit(digits: str) -> str:
    """Return the GS1 check digit of `digits` (any number of them): weights 3 and 1 in turn, from the right."""
    values = [int(digit) for digit in reversed(digits)]
    return str(-(3 * sum(values[::2]) + sum(values[1::2])) % 10)


def is_gtin14(text: str) -> bool:
    """Tell whether `text` is a GTIN-14 with the right check digit."""
    return len(text) == GTIN_CHARS and text.isascii() and text.isdigit() and check_digit(text[:-1]) == text[-1]
