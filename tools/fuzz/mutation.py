"""How an input is changed: by bits and bytes, by what it holds as msgpack, by its steps, by words of its kind.

Every change is drawn from a `random.Random`, so that a seed repeats it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgpack

from fuzz.target import Form, Step, script, steps_of

__all__ = ["INPUT_BYTES_MAX", "mutated"]

INPUT_BYTES_MAX: Final = 64 * 1024
_STACK_MAX: Final = 4
_NUMBERS: Final = (0, 1, -1, 2**7, 2**8 - 1, 2**16 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
_HEADERS: Final = (
    b"\xdd\xff\xff\xff\xff", b"\xdd\x00\x00\xff\xff", b"\xdc\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xc5\xff\xff",
    b"\xdb\xff\xff\xff\xff", b"\xdf\x00\x00\x00\x01", b"\xc9\xff\xff\xff\xff\x00", b"\xcb" + bytes(8), b"\xc1", b"\x80",
)  # fmt: skip
_WORDS: Final = (
    b"null", b"true", b"-0", b"1e999", b"NaN", b"Infinity", b'"', b"{}", b"[]", b"[" * 2_000, b"\\ud800", b"\x00",
    b"9" * 5_000, b"0.1", b"-1",
    b"\xff", b"\xed\xa0\x80", "\u202e".encode(), "\u0660".encode(), b"=", b":", b"/", b"%00",
)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], form: Form, rng: random.Random) -> bytes:
    """Return a changed input.

    Args:
        data: what to change.
        others: inputs of the same target, to take pieces from.
        form: what the bytes are.
        rng: draws the changes.
    """
    for _ in range(rng.randint(1, _STACK_MAX)):
        data = _CHANGES[form](data, others, rng)
    return data[:INPUT_BYTES_MAX]


def _bytes(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    return rng.choice(_AT_BYTES)(data, others, rng)


def _flip(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    return _at(data, rng, lambda byte: byte ^ 1 << rng.randrange(8))


def _set(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    return _at(data, rng, lambda _: rng.choice((0, 1, 0x7F, 0x80, 0xC0, 0xDC, 0xFF, rng.randrange(256))))


def _at(data: bytes, rng: random.Random, change: Callable[[int], int]) -> bytes:
    if not data:
        return rng.randbytes(1)
    place = rng.randrange(len(data))
    return data[:place] + bytes([change(data[place])]) + data[place + 1 :]


def _number(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    """Overwrite a place with a number of an interesting size, as a length or a count would stand there."""
    width = rng.choice((1, 2, 4, 8))
    place = rng.randrange(len(data) + 1)
    value: int = rng.choice(_NUMBERS) % 256**width
    return data[:place] + value.to_bytes(width, rng.choice(("big", "little"))) + data[place + width :]


def _cut(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    first = rng.randrange(len(data) + 1)
    last = len(data) if rng.random() < 0.5 else min(len(data), first + rng.randint(1, 64))
    return data[:first] + data[last:]


def _insert(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    piece = rng.choice((*_HEADERS, rng.randbytes(rng.randint(1, 16)), bytes(rng.randint(1, 64))))
    return data[:place] + piece + data[place:]


def _repeat(data: bytes, _others: Sequence[bytes], rng: random.Random) -> bytes:
    first = rng.randrange(len(data) + 1)
    piece = data[first : first + rng.randint(1, 64)]
    return data[:first] + piece * rng.choice((2, 3, 16, 64)) + data[first + len(piece) :]


def _splice(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice(others) if others else data
    first = rng.randrange(len(other) + 1)
    piece = other[first : first + rng.choice((4, 32, 64, len(other)))]
    place = rng.randrange(len(data) + 1)
    return data[:place] + piece + data[place + rng.choice((0, len(piece))) :]


def _packed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return _bytes(data, others, rng)
    value, other = _unpacked(data), _unpacked(rng.choice(others)) if others else None
    if value is None:
        return _bytes(data, others, rng)
    try:
        written: bytes = msgpack.packb(_changed(value, other, rng))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return _bytes(data, others, rng)
    return written


def _unpacked(data: bytes) -> object | None:
    try:
        value: object = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError):
        return None
    return value


def _changed(value: object, other: object, rng: random.Random) -> object:
    """Change one thing in a plain value, at any depth."""
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return value[:place] + [value[place]] * rng.choice((2, 3, 40)) + value[place + 1 :]
            case 2:
                return [*value[:place], _leaf(other, rng), *value[place + 1 :]]
            case 3:
                return value[::-1]
            case _:
                return [*value[:place], _changed(value[place], other, rng), *value[place + 1 :]]
    return _scalar(value, other, rng)


def _scalar(value: object, other: object, rng: random.Random) -> object:
    chance = rng.random()
    if chance < 0.1:
        return rng.choice((None, True, False, 0, -1, b"", "", [], 0.5, {}, [[]], "x" * 300, bytes(300)))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, value ^ 1 << rng.randrange(32), rng.choice(_NUMBERS)))
    if isinstance(value, bytes):
        inner = _unpacked(value) if chance < 0.5 else None
        if isinstance(inner, list):
            return msgpack.packb(_changed(inner, other, rng))
        return _bytes(value, (_leaf_bytes(other, rng),), rng)
    if isinstance(value, str):
        return _bytes(value.encode(), (b"\xc2\x85", b"a"), rng).decode(errors="replace")
    return _leaf(other, rng)


def _leaf(value: object, rng: random.Random) -> object:
    while isinstance(value, list) and value and rng.random() < 0.8:
        value = rng.choice(value)
    return value


def _leaf_bytes(value: object, rng: random.Random) -> bytes:
    leaf = _leaf(value, rng)
    return leaf if isinstance(leaf, bytes) else b""


def _tagged(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.05:
        return _bytes(data, others, rng)
    return data[:1] + _packed(data[1:], [other[1:] for other in others[:8]], rng)


def _text(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        return _bytes(data, others, rng)
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_WORDS) + data[place + rng.randrange(4) :]


def _script(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    steps = list(steps_of(data))
    if not steps or rng.random() < 0.05:
        return _bytes(data, others, rng)
    place = rng.randrange(len(steps))
    step = steps[place]
    match rng.randrange(9):
        case 0:
            del steps[place]
        case 1:
            steps.insert(rng.randrange(len(steps) + 1), step)
        case 2:
            steps[place] = Step(rng.randrange(16), step.argument, step.payload)
        case 3:
            steps[place] = Step(step.code, rng.randrange(256), step.payload)
        case 4:
            rest = list(steps_of(rng.choice(others))) if others else []
            steps[place:] = rest[rng.randrange(len(rest) + 1) :]
        case 5:
            rest = list(steps_of(rng.choice(others))) if others else []
            steps[place:place] = rng.sample(rest, min(len(rest), 3))
        case _:
            pieces = [other.payload for other in steps[:16]]
            steps[place] = Step(step.code, step.argument, _tagged(step.payload, pieces, rng)[: 2**16 - 1])
    return script(steps)


_AT_BYTES: Final = (_flip, _set, _number, _cut, _insert, _repeat, _splice)
_CHANGES: Final[dict[Form, Callable[[bytes, Sequence[bytes], random.Random], bytes]]] = {
    Form.PACKED: _packed,
    Form.TAGGED: _tagged,
    Form.RAW: _bytes,
    Form.TEXT: _text,
    Form.SCRIPT: _script,
}
