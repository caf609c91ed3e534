"""Values and types, from docs/protocol/encoding.md."""

import re
import struct

LENGTHS = {0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4), 0xD9: ("text", 1), 0xDA: ("text", 2),
           0xDB: ("text", 4), 0xDC: ("array", 2), 0xDD: ("array", 4)}  # fmt: skip
NUMBERS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
RANGES = {"u8": (0, 2**8), "u16": (0, 2**16), "u32": (0, 2**32), "u63": (0, 2**63), "u64": (0, 2**64),
          "i64": (-(2**63), 2**63)}  # fmt: skip
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


class RefusedError(Exception):
    """Bytes that no implementation may take."""


def need(condition, reason):
    if not condition:
        raise RefusedError(reason)


# --- values ---


def encode(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _encode_number(value)
    if isinstance(value, bytes):
        return _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        data = value.encode()
        return _head(len(data), (0xA0, 31), (0xD9, 0xDA, 0xDB)) + data
    return _head(len(value), (0x90, 15), (None, 0xDC, 0xDD)) + b"".join(encode(item) for item in value)


def _encode_number(value):
    if -32 <= value <= 127:
        return struct.pack(">b", value)
    for code, form in NUMBERS.items():
        signed = form[1].islower()
        size = 8 * struct.calcsize(form)
        low, high = (-(2 ** (size - 1)), 2 ** (size - 1)) if signed else (0, 2**size)
        if low <= value < high and signed is (value < 0):
            return bytes([code]) + struct.pack(form, value)
    raise RefusedError("a number without a form")


def _head(length, short, codes):
    if short is not None and length <= short[1]:
        return bytes([short[0] + length])
    for code, size in zip(codes, (1, 2, 4), strict=True):
        if code is not None and length < 256**size:
            return bytes([code]) + length.to_bytes(size, "big")
    raise RefusedError("too long")


def decode(data):
    """Return the value of bytes in the one form that they may have."""
    value, end = _decode(data, 0)
    need(end == len(data), "something behind the value")
    need(encode(value) == data, "another form of the same value")
    return value


def _decode(data, place):
    need(place < len(data), "cut off")
    first, place = data[place], place + 1
    if first < 0x80 or first >= 0xE0:
        return struct.unpack(">b", bytes([first]))[0], place
    if first in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[first], place
    if first in NUMBERS:
        size = struct.calcsize(NUMBERS[first])
        return struct.unpack(NUMBERS[first], _take(data, place, size))[0], place + size
    if 0x90 <= first < 0xA0:
        return _decode_array(data, place, first - 0x90)
    if 0xA0 <= first < 0xC0:
        return _text(_take(data, place, first - 0xA0)), place + first - 0xA0
    need(first in LENGTHS, "neither integer, bytes, text, boolean, nil nor array")
    kind, size = LENGTHS[first]
    length, place = int.from_bytes(_take(data, place, size), "big"), place + size
    if kind == "array":
        return _decode_array(data, place, length)
    content = _take(data, place, length)
    return (content if kind == "bytes" else _text(content)), place + length


def _decode_array(data, place, count):
    need(count <= len(data) - place, "more items than bytes")
    items = []
    for _ in range(count):
        item, place = _decode(data, place)
        items.append(item)
    return tuple(items), place


def _take(data, place, size):
    need(place + size <= len(data), "cut off")
    return data[place : place + size]


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RefusedError("not UTF-8") from error


# --- types ---


class Types:
    """Reads values by the notation of the pages; records become dictionaries."""

    def __init__(self, named=()):
        """Know the records of this name -> notation."""
        self.named = dict(named)

    def read(self, notation, data, bytes_max=None):
        """Return what bytes hold."""
        need(bytes_max is None or len(data) <= bytes_max, "over the cap")
        return self.check(notation, decode(data))

    def check(self, notation, value):
        found, rest = self._check(notation, value)
        assert rest == "", f"{rest!r} behind a type"
        return found

    def _check(self, text, value):
        """Check a value by the type that text begins with; return what it holds, and what follows the type."""
        failures = []
        found = None
        while True:
            try:
                found, text = self._one(text, value)
                matched = True
            except RefusedError as error:
                text, matched = _behind(text), False
                failures.append(str(error))
            if matched:
                while text.startswith(" or "):
                    text = _behind(text[4:])
                return found, text
            need(text.startswith(" or "), "; ".join(failures))
            text = text[4:]

    def _one(self, text, value):
        match = re.match(
            r"nil|bool|any|u8|u16|u32|u63|u64|i64|\*([a-z ]+)\*|(int|bytes|text|array|packed) (-?\d+)(?:\.\.(\d+))?|\[",
            text,
        )
        assert match, f"no type: {text!r}"
        word, rest = match[0], text[match.end() :]
        if word == "[":
            return self._record(rest, value)
        if match[1]:
            return self.check(self.named[match[1]], value), rest
        if match[2]:
            low = int(match[3])
            return self._sized(match[2], low, int(match[4] or low), rest, value)
        if word == "nil":
            need(value is None, "not nil")
        elif word == "bool":
            need(isinstance(value, bool), "no boolean")
        elif word == "any":
            need(_layers(value) <= 16, "nested too deep")
        else:
            low, end = RANGES[word]
            need(type(value) is int and low <= value < end, f"no {word}")
        return value, rest

    def _sized(self, word, low, high, rest, value):
        if word == "int":
            need(type(value) is int and low <= value <= high, "a number out of range")
            return value, rest
        if word == "array":
            assert rest.startswith(" of ")
            need(isinstance(value, tuple) and low <= len(value) <= high, "no array of that length")
            item = rest[4:]
            return tuple(self._check(item, each)[0] for each in value), _behind_all(item)
        if word == "packed":
            size, rest = re.match(r" of (\d+)(.*)$", rest, re.DOTALL).groups()
            need(type(value) is bytes and low * int(size) <= len(value) <= high * int(size), "not so many bytes")
            need(len(value) % int(size) == 0, "no row of values of that size")
            return value, rest
        if word == "text":
            need(isinstance(value, str) and low <= len(value.encode()) <= high, "no text of that length")
            need(CONTROL.search(value) is None, "a control character")
            return value, rest
        need(type(value) is bytes and low <= len(value) <= high, "not so many bytes")
        return value, rest

    def _record(self, rest, value):
        need(isinstance(value, tuple), "no array")
        found, values = {}, list(value)
        while not rest.startswith("]"):
            rest = rest.removeprefix(", ")
            match = re.match(r"(\w+): ", rest)
            name = match[1] if match else len(found)
            rest = rest[match.end() :] if match else rest
            need(values, "too few items")
            found[name], rest = self._check(rest, values.pop(0))
        need(not values, "too many items")
        return found, rest[1:]


def _behind(text):
    """Return what follows the one type (without its "or") that text begins with."""
    match = re.match(r"(array|packed) [\d.]+ of ", text)
    if match:
        rest = text[match.end() :]
        return re.sub(r"^\d+", "", rest) if match[1] == "packed" else _behind_all(rest)
    if text.startswith("["):
        depth = 0
        for place, sign in enumerate(text):
            depth += {"[": 1, "]": -1}.get(sign, 0)
            if not depth:
                return text[place + 1 :]
    return text[re.match(r"\*[a-z ]+\*|\w+( -?\d[\d.]*)?", text).end() :].removeprefix("") if text else text


def _behind_all(text):
    """Return what follows a type with all its alternatives: "array of X or Y" is an array of either."""
    text = _behind(text)
    while text.startswith(" or "):
        text = _behind(text[4:])
    return text


def _layers(value):
    return 1 + max(map(_layers, value), default=0) if isinstance(value, tuple) else 1
