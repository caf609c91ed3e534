"""Reading `name=value` arguments: of queries as text, of transactions by the types of their fields.

    to=5d09...               bytes: hexadecimal
    amount_minor=12500000    whole number
    traced=true              true or false
    terms=none               what may be left out
    serials=a1,a2            a list
    lines=1:9f02...:3,2:...  a list of records: their fields in order, with colons between

Lists and records may also be given as JSON arrays.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Sequence
from typing import Any, Final, NewType, Union

from p2pcommerce.cli.shared import ArgumentError
from p2pcommerce.commerce import BODIES, Body
from p2pcommerce.primitives.errors import CodecError

__all__ = ["describe_types", "read_pairs", "read_payload"]

_NONE: Final = frozenset({"", "none", "null"})
_DIGITS_MAX: Final = 20
"""A number of 64 bits has no more, with its sign."""
_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}


def read_pairs(arguments: Sequence[str]) -> dict[str, str]:
    """Return `name=value` arguments as a mapping.

    Raises:
        ArgumentError: one has another form, or a name is given twice.
    """
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise ArgumentError(f'"{argument}" is no field; write name=value')
        if name in pairs:
            raise ArgumentError(f"{name} is given twice")
        pairs[name] = value
    return pairs


def read_payload(type_name: str, arguments: Sequence[str]) -> Body:
    """Return a transaction's payload.

    Args:
        type_name: as in the envelope ("token.transfer").
        arguments: name=value each.

    Raises:
        ArgumentError: no such type or field, one is missing, or a value cannot be read; the message says what exists.
    """
    cls = BODIES.get(type_name)
    if cls is None:
        raise ArgumentError(f'there is no transaction type "{type_name}"; there are {", ".join(sorted(BODIES))}')
    pairs = read_pairs(arguments)
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in _fields(cls)}
    unknown = [name for name in pairs if name not in fields]
    if unknown:
        raise ArgumentError(f'{type_name} has no field "{unknown[0]}"; its fields: {_describe(cls)}')
    missing = [name for name, field in fields.items() if name not in pairs and field.default is dataclasses.MISSING]
    values = {name: _read(hints[name], text, name) for name, text in pairs.items()}
    # What may be none need not be given.
    values |= {name: None for name in missing if _may_be_none(hints[name])}
    missing = [name for name in missing if name not in values]
    if missing:
        raise ArgumentError(f"{type_name} needs {', '.join(missing)}; its fields: {_describe(cls)}")
    payload: Body = cls(**values)
    try:
        cls.SHAPE.read(payload.to_body())
    except CodecError as error:
        raise ArgumentError(f"{type_name}: {error}") from error
    return payload


def describe_types() -> str:
    """Return every transaction type with its fields, one per line."""
    return "\n".join(f"  {name} {_describe(cls)}" for name, cls in sorted(BODIES.items()))


def _describe(cls: type[Body]) -> str:
    hints = typing.get_type_hints(cls)
    words = []
    for field in _fields(cls):
        needed = field.default is dataclasses.MISSING and not _may_be_none(hints[field.name])
        words.append(f"{field.name}=" if needed else f"[{field.name}=]")
    return " ".join(words)


def _fields(cls: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


def _may_be_none(hint: object) -> bool:
    return type(None) in typing.get_args(hint)


def _read(hint: Any, value: object, name: str) -> Any:  # noqa: ANN401 - a type's own value
    """Read a value (text of an argument, or a part of a JSON array) as a type."""
    if isinstance(hint, NewType):
        return _read(hint.__supertype__, value, name)
    if typing.get_origin(hint) in {Union, types.UnionType}:
        if value is None or (isinstance(value, str) and value.lower() in _NONE):
            return None
        (inner,) = [option for option in typing.get_args(hint) if option is not type(None)]
        return _read(inner, value, name)
    if typing.get_origin(hint) is tuple:
        return tuple(_read(typing.get_args(hint)[0], item, name) for item in _items(value, ",", name))
    if dataclasses.is_dataclass(hint):
        return _read_record(hint, value, name)
    return _read_scalar(hint, value, name)


def _read_record(hint: Any, value: object, name: str) -> Any:  # noqa: ANN401 - a type's own value
    hints = typing.get_type_hints(hint)
    names = [field.name for field in dataclasses.fields(hint)]
    items = _items(value, ":", name)
    if len(items) != len(names):
        raise ArgumentError(f"{name}: write {':'.join(names)}")
    return hint(*[_read(hints[field], item, f"{name}.{field}") for field, item in zip(names, items, strict=True)])


def _read_scalar(hint: object, value: object, name: str) -> object:
    if hint is bool:
        found = _TRUTH.get(value.lower()) if isinstance(value, str) else value
        if isinstance(found, bool):
            return found
        raise ArgumentError(f"{name} must be true or false")
    if hint is int:
        if isinstance(value, str) and value.removeprefix("-").isdecimal():
            if len(value) > _DIGITS_MAX:
                raise ArgumentError(f"{name} has {len(value):,} digits: that is more than anything here can be")
            return int(value)
        if type(value) is int:
            return value
        raise ArgumentError(f"{name} must be a whole number")
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be text")
    if hint is bytes:
        try:
            return bytes.fromhex(value)
        except ValueError as error:
            raise ArgumentError(f"{name} must be hexadecimal digits") from error
    return value


def _items(value: object, separator: str, name: str) -> list[object]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"{name} is no JSON array: {error}") from error
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return list(value.split(separator)) if value else []
    raise ArgumentError(f"{name} must be a list")
