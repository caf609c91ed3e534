"""Inputs made from what a shape says it wants: how new kinds of messages, bodies and records are fuzzed at once.

A shape names the first field that is wrong, and what it must be. Starting from nothing, what is named is put there,
until the shape takes the value. What has rules across fields may not be reached in this way: it needs a kept input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from p2pcommerce.commerce.registry import BODIES
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.primitives.codec import Shape, pack
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.wire.messages import MESSAGES

__all__ = ["made_inputs", "made_value"]

_TRIES_MAX: Final = 400
_TRIES_EACH_MAX: Final = 40
_RECORD: Final = re.compile(r"must be an array of \d+ items \((.*)\)$")
_COUNT: Final = re.compile(r"must be an array of (\d+)(?: to \d+)? items$")
_NUMBER: Final = re.compile(r"must be an integer from (-?\d+) to (-?\d+)$")
_BYTES: Final = re.compile(r"must be (\d+)(?: to (\d+))? bytes$")


@dataclass
class _Node:
    """A value in the making: a scalar, or a record or array of nodes."""

    value: object = None
    names: tuple[str, ...] = ()
    items: list[_Node] | None = None
    tries: int = field(default=0)

    def plain(self) -> object:
        """Return the plain value."""
        return self.value if self.items is None else tuple([item.plain() for item in self.items])

    def mend(self, words: str) -> None:
        """Put there what a complaint asks for."""
        self.tries += 1
        name, _, rest = words.partition(" ")
        if self.items is not None and name in self.names:
            self.items[self.names.index(name)].mend(rest)
        elif self.items and not self.names and self.tries < _TRIES_EACH_MAX:
            for item in self.items:  # the complaint is about what an array holds
                item.mend(words)
        elif (record := _RECORD.match(words)) is not None:
            self.names = tuple(record[1].split(", "))
            self.items = [_Node() for _ in self.names]
        elif (count := _COUNT.match(words)) is not None:
            self.names, self.items = (), [_Node() for _ in range(int(count[1]))]
        else:
            self.items, self.value = None, _scalar(words, self.tries)


def _scalar(words: str, tries: int) -> object:
    if (number := _NUMBER.match(words)) is not None:
        low, high = int(number[1]), int(number[2])
        return max(low, min(high, 1))
    if (size := _BYTES.match(words)) is not None:
        return bytes(max(int(size[1]), min(int(size[2] or size[1]), 1)))
    if "true or false" in words:
        return False
    return ("a", "00000000000000", (), b"a", 1, "tcp://10.0.0.1:1")[tries % 6]


def made_value(shape: Shape[Any]) -> object | None:
    """Return a plain value that a shape takes, None if none was found."""
    node = _Node()
    for _ in range(_TRIES_MAX):
        try:
            shape.read(node.plain())
        except P2PError as error:
            node.mend(str(error))
        else:
            return node.plain()
    return None


def made_inputs(target: str) -> list[bytes]:
    """Return made inputs of the targets that have one for each registered kind; nothing for the others."""
    match target:
        case "wire.messages.decode_message":
            found = [(bytes([number]), made_value(cls.SHAPE)) for number, cls in MESSAGES.items()]
            return [tag + pack(value) for tag, value in found if value is not None]
        case "commerce.bodies":
            bodies = [(name, made_value(cls.SHAPE)) for name, cls in BODIES.items()]
            return [pack((name, value)) for name, value in bodies if value is not None]
        case "commerce.records":
            records = [(kind.tag, made_value(kind.shape)) for kind in KINDS.values()]
            return [tag + pack(value) for tag, value in records if value is not None]
        case _:
            return []
