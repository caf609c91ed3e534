"""The canonical form of plain values: the one room that knows msgpack.

Everything that is signed, hashed, sent or stored is a msgpack array of integers, bytes, text, booleans, nil and nested
arrays: no maps, no floats, no extension types. A value has exactly one encoding: `unpack` encodes again what it read
and refuses bytes that differ (a longer integer form, say), so that nobody can make two ids for one message. Sizes are
capped *before* decoding. What the values may be, field by field, say the shapes of `codec`.

Source: the msgpack specification; limits from the networking specification.
"""

from __future__ import annotations

from typing import Final

import msgpack

from p2pcommerce.primitives.errors import CodecError

__all__ = ["DEPTH_MAX", "pack", "unpack"]

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
