"""The targets that need no hand: made from what the product registers, so that what is added there is fuzzed at once.

- each type of transaction body, each kind of state record
- each `Shape` that a module holds under a name, package by package
- each public function of a module that reads one argument of bytes or text (`decode_*`, `read_*`, `parse_*`): where
  the module has the matching `encode_*`, what was read must be written as it was

Each kind of wire message comes with `wire.messages.decode_message`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import p2pcommerce
from fuzz.target import Form, Target, decoder
from fuzz.verdicts import check
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.registry import read_body
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.ledger.transaction import TRANSACTION_BYTES_MAX
from p2pcommerce.primitives import codec
from p2pcommerce.primitives.codec import Shape
from p2pcommerce.primitives.errors import CodecError, P2PError, RemoteProtocolError, UsageError

__all__ = ["DECODER_NAME", "Reader", "found_targets", "readers", "shapes"]

SHAPE_BYTES_MAX: Final = 2**21
_NAMED_BODY: Final = codec.pair(codec.text(64), codec.ANY)
DECODER_NAME: Final = re.compile(r"(decode|read|parse|unpack)(_\w+)?|from_(json|toml|line|fields|bytes|wire)|load")
_NO_MODULES: Final = ("p2pcommerce.cli", "p2pcommerce.simulation.pictures", "p2pcommerce.__main__")
"""Without decoders of what others send, and with dependencies that may be absent."""


@dataclass(frozen=True)
class Reader:
    """A function or method of the product that is named like a decoder and takes bytes or text.

    Attributes:
        name: from the package's folder on ("ledger.block.decode_header").
        call: itself.
        is_simple: a module's own function of one argument.
        takes_text: the argument is text.
    """

    name: str
    call: Callable[..., Any]
    is_simple: bool
    takes_text: bool


@cache
def _modules() -> tuple[types.ModuleType, ...]:
    found = pkgutil.walk_packages(p2pcommerce.__path__, "p2pcommerce.")
    names = [each.name for each in found if not each.name.startswith(_NO_MODULES)]
    return tuple(importlib.import_module(name) for name in sorted(names))


def _place(module: types.ModuleType) -> str:
    return module.__name__.removeprefix("p2pcommerce.")


@cache
def readers() -> tuple[Reader, ...]:
    """Return every decoder of the product."""
    return tuple(sorted(_readers(), key=lambda reader: reader.name))


def _readers() -> Iterator[Reader]:
    for module in _modules():
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                yield from _reader(f"{_place(module)}.{name}", name, value, is_function=True)
            elif inspect.isclass(value):
                for member, method in vars(value).items():
                    call = method.__func__ if isinstance(method, classmethod | staticmethod) else method
                    if inspect.isfunction(call):
                        yield from _reader(f"{_place(module)}.{name}.{member}", member, call, is_function=False)


def _reader(place: str, name: str, call: Callable[..., Any], *, is_function: bool) -> Iterator[Reader]:
    if not DECODER_NAME.fullmatch(name):
        return
    inputs = [each for each in inspect.signature(call).parameters.values() if each.name not in {"self", "cls"}]
    if inputs and inputs[0].annotation in {"bytes", "str", "str | bytes", "bytes | str"}:
        needed = [each for each in inputs if each.default is inspect.Parameter.empty]
        yield Reader(place, call, is_function and len(needed) == 1, inputs[0].annotation == "str")


def found_targets() -> Iterator[Target]:
    """Yield the targets that are made from what is registered."""
    yield _bodies()
    yield _records()
    yield from _shape_targets()
    for reader in readers():
        if reader.is_simple:
            yield _reader_target(reader)


def _bodies() -> Target:
    """All types of transaction body; an input is an array of a type's name and its body."""

    def decode(data: bytes) -> tuple[str, Body]:
        name, plain = codec.decode(_NAMED_BODY, data, TRANSACTION_BYTES_MAX)
        if type(plain) is not tuple:
            raise CodecError("must be an array")
        return name, read_body(name, plain)

    def encode(value: tuple[str, Body]) -> bytes:
        return codec.pack((value[0], value[1].to_body()))

    return decoder("commerce.bodies", decode, encode, covers=["commerce.registry.read_body"], refused=(P2PError,))


def _records() -> Target:
    """All kinds of state record; an input is a kind's tag (1 byte) and a record."""

    def decode(data: bytes) -> tuple[Kind[Any], Any]:
        kind = KINDS.get(data[0]) if data else None
        if kind is None:
            raise CodecError("is of no kind")
        return kind, kind.read(data[1:])

    def encode(value: tuple[Kind[Any], Any]) -> bytes:
        return value[0].tag + value[0].write(value[1])

    return decoder("commerce.records", decode, encode, covers=["commerce.kind.Kind.read"], form=Form.TAGGED)


@cache
def shapes() -> dict[str, dict[str, Shape[Any]]]:
    """Return the shapes that the product's modules hold under a name: package -> module and name -> shape."""
    seen = {id(value) for value in vars(codec).values()}
    found: dict[str, dict[str, Shape[Any]]] = {}
    for module in _modules():
        for name, value in vars(module).items():
            if isinstance(value, Shape) and id(value) not in seen:
                seen.add(id(value))
                found.setdefault(_place(module).partition(".")[0], {})[f"{_place(module)}.{name}"] = value
    return found


def _shape_targets() -> Iterator[Target]:
    for package, members in shapes().items():
        yield Target(f"{package}.shapes", _shapes_of(members))


def _shapes_of(members: dict[str, Shape[Any]]) -> Callable[[bytes], bool]:
    """Return what holds every shape of a package against an input."""

    def take(data: bytes) -> bool:
        try:
            plain = codec.unpack(data, SHAPE_BYTES_MAX)
        except CodecError:
            return False
        count = 0
        for name, shape in members.items():
            try:
                value = shape.read(plain)
            except P2PError as error:
                check(isinstance(error, RemoteProtocolError | UsageError), f"{name} refuses by {type(error).__name__}")
                continue
            count += 1
            try:
                again = codec.encode(shape, value)
            except AttributeError:  # it is read into something else than what it is written from
                continue
            check(again == data, f"{name}: encode(decode(x)) is not x")
        return count > 0

    return take


def _reader_target(reader: Reader) -> Target:
    module, _, name = reader.name.rpartition(".")
    room = importlib.import_module(f"p2pcommerce.{module}")
    if reader.takes_text:

        def decode(data: bytes) -> Any:  # noqa: ANN401 - what this reader returns
            return reader.call(data.decode("utf-8", "surrogateescape"))

        return decoder(reader.name, decode, covers=[reader.name], form=Form.TEXT)
    encode = getattr(room, re.sub("^(decode|read|parse)", "encode", name), None)
    is_inverse = encode is not None and len(inspect.signature(encode).parameters) == 1
    form = Form.TAGGED if name == "decode_message" else Form.PACKED
    return decoder(reader.name, reader.call, encode if is_inverse else None, covers=[reader.name], form=form)
