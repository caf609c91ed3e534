"""The canonical codec: the one room that knows msgpack.

Everything that is signed, hashed, sent or stored is a msgpack array of integers, bytes, text, booleans, nil and nested
arrays: no maps, no floats, no extension types. A value has exactly one encoding: `decode` re-encodes what it read and
refuses bytes that differ (a longer integer form, say), so that nobody can make two ids for one message.

A `Shape` says what a field may be and turns plain arrays into typed records and back. Sizes are capped *before*
decoding; types are exact (`True` is no integer). Its `form` says the same in the notation of docs/protocol/encoding.md,
so that the tables of the documentation are compared with the code.

Source: the msgpack specification; limits from the networking specification.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgpack

from p2pcommerce.primitives.errors import CodecError
from p2pcommerce.primitives.ids import U64_MAX
from p2pcommerce.primitives.quick import quick

__all__ = [
    "ANY",
    "BOOL",
    "DEPTH_MAX",
    "HASH",
    "I64",
    "KEY",
    "SIGNATURE",
    "U8",
    "U16",
    "U32",
    "U64",
    "Shape",
    "array",
    "blob",
    "decode",
    "encode",
    "maybe",
    "pack",
    "packed",
    "pair",
    "raw",
    "record",
    "record_of",
    "text",
    "uint",
    "unpack",
    "without_controls",
]

T = TypeVar("T")
S = TypeVar("S")

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters, line and paragraph separators, and what turns the direction of text. A list of its own: what
`str.isprintable` takes differs between versions of Python, and with it the verdict on a block would."""

DEPTH_MAX: Final = 16
"""Deepest nesting of arrays that is read."""

_idle = [msgpack.Packer(use_bin_type=True)]
"""Packers that nobody is using. One packer must not be used from two threads at once, and making one costs more than
packing: each call takes one and gives it back (`pop` and `append` are atomic)."""


def _pack(value: object) -> bytes:
    try:
        packer = _idle.pop()
    except IndexError:
        packer = msgpack.Packer(use_bin_type=True)
    data: bytes = packer.pack(value)
    _idle.append(packer)
    return data


_unpackb = msgpack.unpackb
_Unpacker = msgpack.Unpacker

_SCANNED_BYTES_MIN: Final = 256
"""Messages above this size are walked through before anything is made of them."""


def _scan(data: bytes) -> None:
    """Walk through a message without making anything: whatever it claims to hold must be there.

    The library makes an array as large as its header claims before it reads the first item. The limits on lengths bound
    each claim by the size of the message, but not their sum: a thousand nested headers would take a thousand times the
    message's size in memory. Once every claimed item is known to be there, one byte at least for each, that sum is at
    most the size. Below `_SCANNED_BYTES_MIN` it is too small to matter.
    """
    unpacker = _Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    unpacker.skip()


@dataclasses.dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How one kind of value is read from, and written to, plain msgpack values.

    Attributes:
        read: plain value -> typed value; raises CodecError.
        plain: typed value -> plain value.
        form: what it takes, in the notation of docs/protocol/encoding.md.
    """

    read: Callable[[Any], T]
    plain: Callable[[T], object]
    form: str = "?"


def pack(plain: object) -> bytes:
    """Encode a plain value (nested tuples of int, bytes, str, bool, None) in canonical form.

    Raises:
        CodecError: the value has a type or a size that the wire does not carry.
    """
    try:
        return _pack(plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise CodecError(f"cannot be encoded: {error}") from error


def unpack(data: bytes, bytes_max: int) -> object:
    """Decode `data` strictly into nested tuples, and check that it is the canonical encoding.

    Args:
        data: untrusted bytes.
        bytes_max: the size cap of this kind of message, checked before anything is read.

    A float passes here: no shape takes one.

    Raises:
        CodecError: too large, malformed, trailing bytes, maps, extension types, or not canonical.
    """
    size = len(data)
    if size > bytes_max:
        raise CodecError(f"{size} bytes, at most {bytes_max} allowed", "OVERSIZED")
    try:
        if size > _SCANNED_BYTES_MIN:
            _scan(data)
        value = _unpackb(
            data,
            raw=False,
            use_list=False,
            strict_map_key=True,
            max_str_len=size,
            max_bin_len=size,
            max_array_len=size,
            max_map_len=0,
            max_ext_len=0,
            object_hook=_refuse,
            ext_hook=_refuse,
        )
        is_canonical = _pack(value) == data
    # The library reports malformed input under all of these names (ExtraData, FormatError and StackError are
    # ValueErrors, but its own base class says so only by accident).
    except (
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
        msgpack.exceptions.UnpackException,
        msgpack.exceptions.OutOfData,
    ) as error:
        raise CodecError(f"is not valid msgpack: {str(error) or type(error).__name__}") from error
    if not is_canonical:
        raise CodecError("is not in canonical form", "NOT_CANONICAL")
    return value


def _refuse(*_: object) -> object:
    """Refuse the empty map and the empty extension, which the limits on lengths let pass."""
    raise ValueError("a map or an extension type")


def encode(shape: Shape[T], value: T) -> bytes:
    """Encode a typed value by its shape."""
    return pack(shape.plain(value))


def decode(shape: Shape[T], data: bytes, bytes_max: int) -> T:
    """Decode untrusted bytes into a typed value.

    Raises:
        CodecError: see `unpack`, or a field is not of the shape; the message names the field.
    """
    return shape.read(unpack(data, bytes_max))


def _same(value: T) -> T:
    return value


_RANGES: Final = {(0, 2**bits - 1): f"u{bits}" for bits in (8, 16, 32, 63, 64)} | {(-(2**63), 2**63 - 1): "i64"}


def _span(low: int, high: int) -> str:
    return f"{low}..{high}" if low != high else f"{low}"


def uint(maximum: int, minimum: int = 0) -> Shape[int]:
    """Return the shape of an integer from `minimum` to `maximum`, both included."""

    def read(value: Any) -> int:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not int or not minimum <= value <= maximum:
            raise CodecError(f"must be an integer from {minimum} to {maximum}")
        return value

    return Shape(read, _same, _RANGES.get((minimum, maximum), f"int {_span(minimum, maximum)}"))


def raw(size: int) -> Shape[bytes]:
    """Return the shape of exactly `size` bytes."""

    def read(value: Any) -> bytes:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not bytes or len(value) != size:
            raise CodecError(f"must be {size} bytes")
        return value

    return Shape(read, _same, f"bytes {size}")


def blob(bytes_max: int, bytes_min: int = 0) -> Shape[bytes]:
    """Return the shape of `bytes_min` to `bytes_max` bytes."""

    def read(value: Any) -> bytes:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not bytes or not bytes_min <= len(value) <= bytes_max:
            raise CodecError(f"must be {bytes_min} to {bytes_max} bytes")
        return value

    return Shape(read, _same, f"bytes {_span(bytes_min, bytes_max)}")


def text(bytes_max: int) -> Shape[str]:
    """Return the shape of text of at most `bytes_max` bytes of UTF-8, without control characters (`_CONTROL`)."""

    def read(value: Any) -> str:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not str:
            raise CodecError("must be text")
        if len(value) > bytes_max or (not value.isascii() and _utf8_bytes(value) > bytes_max):
            raise CodecError(f"must be at most {bytes_max} bytes of UTF-8")
        if not (value.isascii() and value.isprintable()) and _CONTROL.search(value) is not None:
            raise CodecError("must have no control characters")
        return value

    return Shape(read, _same, f"text 0..{bytes_max}")


def _utf8_bytes(value: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON can write it
        raise CodecError("must be text that UTF-8 can write") from error


def without_controls(value: str) -> str:
    """Return text without what `text` refuses: control characters, and what UTF-8 cannot write."""
    return _CONTROL.sub("", value).encode(errors="ignore").decode()


def _read_bool(value: Any) -> bool:  # noqa: ANN401 - untrusted: any type may come
    if type(value) is not bool:
        raise CodecError("must be true or false")
    return value


def _read_any(value: Any) -> object:  # noqa: ANN401 - untrusted: any type may come
    """Accept any plain value, but floats, maps and deep nesting, at any depth."""
    layer: Iterable[Any] = value if type(value) is tuple else [value]
    for _ in range(DEPTH_MAX - 1 if layer is value else DEPTH_MAX):
        kinds = set(map(type, layer))
        if not kinds <= _PLAIN:
            raise CodecError("must hold only integers, bytes, text, booleans, nil and arrays")
        if tuple not in kinds:
            return value
        layer = [item for array_ in layer if type(array_) is tuple for item in array_]
    if layer:
        raise CodecError(f"is nested deeper than {DEPTH_MAX}")
    return value


_PLAIN: Final = frozenset({int, bytes, str, bool, type(None), tuple})

BOOL: Final = Shape(_read_bool, _same, "bool")
ANY: Final = Shape(_read_any, _same, "any")
"""Any plain value whose meaning belongs to a later reader."""
U8: Final = uint(2**8 - 1)
U16: Final = uint(2**16 - 1)
U32: Final = uint(2**32 - 1)
U64: Final = uint(U64_MAX)
I64: Final = uint(2**63 - 1, -(2**63))
HASH: Final = raw(32)
KEY: Final = raw(32)
SIGNATURE: Final = raw(64)


def maybe(shape: Shape[T]) -> Shape[T | None]:
    """Return the shape of nil or `shape`."""
    read_inner, plain_inner = shape.read, shape.plain

    def read(value: Any) -> T | None:  # noqa: ANN401 - untrusted: any type may come
        return None if value is None else read_inner(value)

    def plain(value: T | None) -> object:
        return None if value is None else plain_inner(value)

    return Shape(read, _same if plain_inner is _same else plain, f"nil or {shape.form}")


def array(shape: Shape[T], count_max: int, count_min: int = 0) -> Shape[tuple[T, ...]]:
    """Return the shape of an array of `count_min` to `count_max` items."""
    read_item, plain_item = shape.read, shape.plain

    def read(value: Any) -> tuple[T, ...]:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not tuple or not count_min <= len(value) <= count_max:
            raise CodecError(f"must be an array of {count_min} to {count_max} items")
        return tuple([read_item(item) for item in value])

    def plain(value: Sequence[T]) -> object:
        return tuple([plain_item(item) for item in value])

    return Shape(read, tuple if plain_item is _same else plain, f"array {_span(count_min, count_max)} of {shape.form}")


def packed(item_bytes: int, count_max: int, count_min: int = 0) -> Shape[tuple[bytes, ...]]:
    """Return the shape of `count_min` to `count_max` values of `item_bytes` each, written as one string of bytes."""
    inner = blob(count_max * item_bytes, count_min * item_bytes)

    def read(value: Any) -> tuple[bytes, ...]:  # noqa: ANN401 - untrusted: any type may come
        data = inner.read(value)
        if len(data) % item_bytes:
            raise CodecError(f"must be a row of {item_bytes} bytes each")
        return tuple([data[start : start + item_bytes] for start in range(0, len(data), item_bytes)])

    return Shape(read, b"".join, f"packed {_span(count_min, count_max)} of {item_bytes}")


def pair(first: Shape[T], second: Shape[S]) -> Shape[tuple[T, S]]:
    """Return the shape of an array of two."""

    def read(value: Any) -> tuple[T, S]:  # noqa: ANN401 - untrusted: any type may come
        if type(value) is not tuple or len(value) != 2:
            raise CodecError("must be an array of 2 items")
        return first.read(value[0]), second.read(value[1])

    def plain(value: tuple[T, S]) -> object:
        return first.plain(value[0]), second.plain(value[1])

    return Shape(read, plain, f"[{first.form}, {second.form}]")


def record(cls: Callable[..., T], **fields: Shape[Any]) -> Shape[T]:
    """Return the shape of a record: an array with one item per field, in the order given here.

    Args:
        cls: a class (or function) called with the fields by position, in the order of `fields`.
        fields: the shape of each field; the names are the record's attributes.
    """
    names = tuple(fields)
    count = len(names)
    readers = tuple(shape.read for shape in fields.values())
    writers = tuple(zip(names, (shape.plain for shape in fields.values()), strict=True))
    make: Callable[..., T] | None = None  # found at the first reading: most kinds are never read in a process

    def read(value: Any) -> T:  # noqa: ANN401 - untrusted: any type may come
        nonlocal make
        if type(value) is not tuple or len(value) != count:
            raise CodecError(f"must be an array of {count} items ({', '.join(names)})")
        try:
            items = tuple(map(operator.call, readers, value))
        except CodecError:
            _name_field(fields, value)
            raise
        if make is None:
            make = quick(cls)
        return make(*items)

    # Most fields are written as they are: those are taken in one piece, and only the others are written one by one.
    take = operator.attrgetter(*names) if count > 1 else None
    changed = tuple((place, write) for place, (_, write) in enumerate(writers) if write is not _same)

    def plain(value: T) -> object:
        if take is None:
            return tuple([write(getattr(value, name)) for name, write in writers])
        items = take(value)
        if not changed:
            return items
        written = list(items)
        for place, write in changed:
            written[place] = write(written[place])
        return tuple(written)

    return Shape(read, plain, f"[{', '.join(f'{name}: {shape.form}' for name, shape in fields.items())}]")


def record_of(cls: type[T], **fields: Shape[Any]) -> Shape[T]:
    """Return `record(cls, ...)` after checking that the names are the dataclass's fields in order.

    Raises:
        TypeError: the fields differ from those of `cls`.
    """
    declared = tuple(field.name for field in dataclasses.fields(cls) if field.init)  # type: ignore[arg-type] # the caller passes a dataclass
    if declared != tuple(fields):
        raise TypeError(f"{cls.__name__}: the shape names {tuple(fields)}, the dataclass {declared}")
    return record(cls, **fields)


def _name_field(fields: dict[str, Shape[Any]], value: tuple[object, ...]) -> None:
    """Raise the error of the first bad field again, with the field's name before it."""
    for (name, shape), item in zip(fields.items(), value, strict=True):
        try:
            shape.read(item)
        except CodecError as error:
            raise CodecError(f"{name} {error}", error.code) from error
