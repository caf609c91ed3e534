"""Coded symbols of a set: rateless invertible Bloom lookup tables.

A set of short ids (8 bytes each) has an endless row of coded symbols. Every id is in symbol 0, and in symbol i with a
chance of 1 / (1 + i/2), by its own hash. A symbol is the sum, by exclusive or, of its ids and of their checks, and
their number. Symbols of two sets, subtracted one by one, are the symbols of what the sets differ in; about 1.35 to 1.7
of them for each difference are enough to find it (`peeling`). This room makes the symbols and their bytes; numbers are
big-endian, and nothing is rounded by a floating point unit, so that every implementation has the same ones.

**Hash of a short id** s: block 0 is BLAKE2b-512(s), unkeyed. Its bytes 0 to 2 are the check, byte 3 is not used, and
bytes 4 to 63 are 30 words of 16 bits. Block b, from 1 on, is BLAKE2b-512(s || b as one byte): 32 words more. The words
are drawn below in this order.

**Symbols of a short id**: the first is 0. From symbol i with the next word w the next one is

    i + 1 + floor((2 i + 3) * G[w] / 2**25)    where  G[w] = isqrt(floor(2**65 / (2 w + 1))) - 2**24

which is i + ceil((i + 1.5) * (1 / sqrt(u) - 1)), as in the source, with u = (w + 0.5) / 2**16.

**Bytes of a symbol** of a set of n short ids: the sum of the ids (8), the sum of their checks (3), then their count
less the expected one, e(i) = floor((2 n + floor((i + 2) / 2)) / (i + 2)), as a zigzag integer (0, -1, 1, -2 ... are 0,
1, 2, 3 ...) in groups of 7 bits, the lowest first, all but the last with the bit 0x80 set, without needless groups, at
most 5. Symbols follow one another without anything in between. About 12.1 bytes each for 10,000 short ids.

Source: Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation" (SIGCOMM 2024), sections 4 (mapping, alpha =
0.5) and 6 (compressed counts).
Deviations: words of 16 bits and integers instead of a 64-bit generator and floating point, for identical symbols
everywhere; a check of 3 bytes instead of 8: a symbol is taken for a single id only if it is one of that id's symbols,
too, so that about one question in a million goes wrong, and then costs no more than the fall-back to a list.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from math import isqrt
from typing import Final

from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.wire.messages import SHORT_ID_BYTES

__all__ = [
    "CHECK_BITS",
    "CHECK_BYTES",
    "SYMBOL_BYTES_MIN",
    "CodedSymbols",
    "read_symbols",
    "symbols_of",
    "value_of",
    "write_symbols",
]

CHECK_BYTES: Final = 3
CHECK_BITS: Final = 8 * CHECK_BYTES
SYMBOL_BYTES_MIN: Final = SHORT_ID_BYTES + CHECK_BYTES + 1
_COUNT_GROUPS_MAX: Final = 5
_SUM_BYTES: Final = SHORT_ID_BYTES + CHECK_BYTES
_SHIFT: Final = 25
_ONE: Final = 1 << (_SHIFT - 1)
_FIRST_WORDS: Final = struct.Struct(">4x30H").unpack
_MORE_WORDS: Final = struct.Struct(">32H").unpack
_blake2b = hashlib.blake2b


@cache
def _gaps() -> array[int]:
    """Return G: made at the first use, as it takes some milliseconds."""
    return array("Q", [isqrt((1 << (2 * _SHIFT + 15)) // (2 * word + 1)) - _ONE for word in range(1 << 16)])


def value_of(short: bytes) -> int:
    """Return a short id (8 bytes) and its check as one number: what a symbol sums."""
    return int.from_bytes(short + _blake2b(short).digest()[:CHECK_BYTES], "big")


def symbols_of(short: bytes, length: int) -> list[int]:
    """Return which of the first `length` symbols a short id (8 bytes) is in, in order."""
    gaps, found, place, block = _gaps(), [0], 0, 0
    words = _FIRST_WORDS(_blake2b(short).digest())
    while True:
        for word in words:
            place += 1 + ((2 * place + 3) * gaps[word] >> _SHIFT)
            if place >= length:
                return found
            found.append(place)
        block += 1
        words = _MORE_WORDS(_blake2b(short + bytes([block])).digest())


class CodedSymbols:
    """The first symbols of a set that may change.

    Attributes:
        values: of each symbol, the sum of its ids and of their checks (see `value_of`).
        counts: of each, how many ids it has.
    """

    __slots__ = ("counts", "values")

    def __init__(self, length: int) -> None:
        """Start with the empty set."""
        self.values: list[int] = [0] * length
        self.counts: list[int] = [0] * length

    def add(self, shorts: Iterable[bytes], sign: int = 1) -> None:
        """Add short ids (8 bytes each) that are not in the set; `sign` -1: take out those that are."""
        values, counts, gaps = self.values, self.counts, _gaps()
        length, read = len(values), int.from_bytes
        for short in shorts:
            block = _blake2b(short).digest()
            value = read(short + block[:CHECK_BYTES], "big")
            values[0] ^= value
            counts[0] += sign
            place = 0
            for word in _FIRST_WORDS(block):
                place += 1 + ((2 * place + 3) * gaps[word] >> _SHIFT)
                if place >= length:
                    break
                values[place] ^= value
                counts[place] += sign
            else:  # one in some hundred with thousands of symbols
                for far in symbols_of(short, length)[len(_FIRST_WORDS(block)) + 1 :]:
                    values[far] ^= value
                    counts[far] += sign


def write_symbols(values: Sequence[int], counts: Sequence[int], first: int, size: int) -> bytes:
    """Return the bytes of consecutive symbols of a set.

    Args:
        values: their sums.
        counts: their counts.
        first: place of the first of them.
        size: how many short ids the set has.
    """
    out = bytearray()
    for place, (value, count) in enumerate(zip(values, counts, strict=True), first):
        excess = count - _expected(place, size)
        number = 2 * excess if excess >= 0 else -2 * excess - 1
        out += value.to_bytes(_SUM_BYTES, "big")
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def read_symbols(data: bytes, first: int, size: int) -> list[tuple[int, int]]:
    """Return value and count of each symbol in untrusted bytes.

    Args:
        data: see the docstring of the room; whoever calls has capped it.
        first: place of the first symbol.
        size: how many short ids the set is said to have.

    Raises:
        CodecError: a symbol is cut off, or a count is not in its one form.
    """
    symbols: list[tuple[int, int]] = []
    start, end = 0, len(data)
    while start < end:
        value = int.from_bytes(data[start : start + _SUM_BYTES], "big")
        start += _SUM_BYTES
        number = groups = 0
        while True:
            if start >= end or groups == _COUNT_GROUPS_MAX:
                raise CodecError("a coded symbol is cut off, or its count is too long")
            group = data[start]
            start += 1
            number |= (group & 0x7F) << 7 * groups
            groups += 1
            if group < 0x80:
                break
        if groups > 1 and group == 0:
            raise CodecError("the count of a coded symbol has a needless group", "NOT_CANONICAL")
        excess = number >> 1 if number % 2 == 0 else -(number + 1 >> 1)
        symbols.append((value, excess + _expected(first + len(symbols), size)))
    return symbols


def _expected(place: int, size: int) -> int:
    return (2 * size + (place + 2) // 2) // (place + 2)
