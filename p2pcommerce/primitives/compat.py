"""What newer Pythons have and Python 3.11 lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["override"]

F = TypeVar("F", bound=Callable[..., object])

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: F) -> F:
        """Say that a method overrides one of a base class; `typing.override` of Python 3.12."""
        return method
