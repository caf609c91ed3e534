"""Reading the arguments of a query: plain values, or the text of a command line."""

from __future__ import annotations

from collections.abc import Mapping

from p2pcommerce.ledger.application import QueryError
from p2pcommerce.primitives.ids import PUBLIC_KEY_BYTES, PublicKey

__all__ = ["Arguments", "read_key", "read_number", "read_text"]

Arguments = Mapping[str, object]


def read_key(arguments: Arguments, name: str, size: int = PUBLIC_KEY_BYTES) -> PublicKey:
    """Return an argument of `size` bytes.

    Raises:
        QueryError: it is missing or something else.
    """
    value = arguments.get(name)
    try:
        found = value if isinstance(value, bytes) else bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != size:
        raise QueryError(f"the argument {name} must be {2 * size} hexadecimal digits")
    return PublicKey(found)


def read_number(arguments: Arguments, name: str) -> int:
    """Return an argument from 0 to 2^32 - 1.

    Raises:
        QueryError: it is missing or something else.
    """
    value = arguments.get(name)
    found = int(value) if isinstance(value, str) and value.isdecimal() and len(value) <= 10 else value
    if type(found) is not int or not 0 <= found < 2**32:
        raise QueryError(f"the argument {name} must be a whole number from 0 to {2**32 - 1}")
    return found


def read_text(arguments: Arguments, name: str) -> str:
    """Return an argument that is text.

    Raises:
        QueryError: it is missing or something else.
    """
    value = arguments.get(name)
    if not isinstance(value, str):
        raise QueryError(f"the argument {name} must be text")
    return value
