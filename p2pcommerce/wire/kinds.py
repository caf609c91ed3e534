"""How kinds of messages are entered into the schema: number, lane, cap and fields of each.

A released kind never changes its number, lane, cap, fields or meaning without a new `handshake.PROTOCOL_VERSION`, and a
new kind needs one, too, unless it is optional: who does not know a kind from 0x80 on skips it (`lanes`). Each kind has
its row in docs/protocol/messages.md, which a test compares with this schema, and an example in tests/wire/examples.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

from p2pcommerce.primitives.codec import Shape, record_of
from p2pcommerce.wire.lanes import Lane

__all__ = ["MESSAGES", "WireMessage", "kind"]

T = TypeVar("T", bound="WireMessage")


class WireMessage:
    """What every kind states of itself."""

    __slots__ = ()

    KIND: ClassVar[int]
    """The first byte on the wire."""
    LANE: ClassVar[Lane]
    BYTES_MAX: ClassVar[int]
    """Cap on the whole message, its kind included."""
    SHAPE: ClassVar[Shape[Any]]


MESSAGES: Final[dict[int, type[WireMessage]]] = {}
"""Kind -> class: the schema."""


def kind(number: int, lane: Lane, bytes_max: int, **fields: Shape[Any]) -> Callable[[type[T]], type[T]]:
    """Enter a dataclass into the schema."""

    def enter(cls: type[T]) -> type[T]:
        if number in MESSAGES:
            raise TypeError(f"kind {number} is both {MESSAGES[number].__name__} and {cls.__name__}")
        cls.KIND, cls.LANE, cls.BYTES_MAX = number, lane, bytes_max
        cls.SHAPE = record_of(cls, **fields)
        MESSAGES[number] = cls
        return cls

    return enter
