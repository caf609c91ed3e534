"""Numbers of GS1 whose last digit checks the others: GTINs of 8, 12, 13 and 14 digits, and SSCCs of 18.

The ledger knows GTINs of fourteen digits only; the shorter ones are the same with zeros in front.

Source: GS1 General Specifications, section 7.9 (check digit), section 3.3.2 (shorter GTINs in fourteen digits).
"""

from __future__ import annotations

from typing import Final

__all__ = ["GTIN_CHARS", "SSCC_CHARS", "check_digit", "gtin14_of", "is_gtin14", "is_sscc18"]

GTIN_CHARS: Final = 14
SSCC_CHARS: Final = 18
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, GTIN_CHARS})


def check_digit(digits: str) -> str:
    """Return the GS1 check digit of `digits` (any number of them): weights 3 and 1 in turn, from the right."""
    values = [int(digit) for digit in reversed(digits)]
    return str(-(3 * sum(values[::2]) + sum(values[1::2])) % 10)


def is_gtin14(text: str) -> bool:
    """Tell whether `text` is a GTIN-14 with the right check digit."""
    return _is_checked(text, GTIN_CHARS)


def is_sscc18(text: str) -> bool:
    """Tell whether `text` is 18 digits of which the last is the right check digit."""
    return _is_checked(text, SSCC_CHARS)


def gtin14_of(text: str) -> str:
    """Return a GTIN-8, GTIN-12 (UPC-A), GTIN-13 (EAN) or GTIN-14 as fourteen digits.

    Raises:
        ValueError: of another length, no digits, or the check digit is wrong; the message says which it must be.
    """
    if len(text) not in _GTIN_LENGTHS or not text.isascii() or not text.isdigit():
        raise ValueError("a GTIN has 8, 12, 13 or 14 digits")
    if check_digit(text[:-1]) != text[-1]:
        raise ValueError(f"GTIN {text} has a wrong check digit: it must end in {check_digit(text[:-1])}")
    return text.zfill(GTIN_CHARS)


def _is_checked(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit() and check_digit(text[:-1]) == text[-1]
