"""Engine messages as bytes: one tag byte, and the canonical encoding of the tag's record.

Each kind has its own size cap, looked at before anything is decoded. What the kinds are is each engine's business.

Source: the finality specification (messages; bad input).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from p2pcommerce.primitives.codec import Shape, decode, encode
from p2pcommerce.primitives.errors import CodecError

__all__ = ["MessageKinds"]

M = TypeVar("M")


class MessageKinds(Generic[M]):
    """The messages of one engine."""

    def __init__(self, kinds: Mapping[int, tuple[type[Any], Shape[Any], int]]) -> None:
        """Know these: tag (1 to 255) -> class, shape of its record, bytes of the record at most."""
        self._kinds = dict(kinds)
        self._tags = {cls: (bytes([tag]), shape) for tag, (cls, shape, _) in self._kinds.items()}

    def encode(self, message: M) -> bytes:
        """Return a message's bytes."""
        tag, shape = self._tags[type(message)]
        return tag + encode(shape, message)

    def decode(self, data: bytes) -> M:
        """Read a message from untrusted bytes.

        Raises:
            CodecError: unknown tag, over the cap of its kind, malformed, not canonical.
        """
        entry = self._kinds.get(data[0]) if data else None
        if entry is None:
            raise CodecError("an engine message of an unknown kind")
        _, shape, bytes_max = entry
        message: M = decode(shape, data[1:], bytes_max)
        return message
