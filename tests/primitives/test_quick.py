"""`quick`: the same records, made in another way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.quick import quick


@dataclass(frozen=True, slots=True)
class Parcel:
    """Fields with and without defaults."""

    weight: int
    names: tuple[str, ...] = ("a",)
    note: str | None = None


class Base(ABC):
    """What the bodies of transactions derive from."""

    __slots__ = ()

    @abstractmethod
    def price(self) -> int:
        """Return something."""


@dataclass(frozen=True, slots=True)
class Derived(Base):
    """With an abstract base."""

    amount: int

    @override
    def price(self) -> int:
        """Return twice the amount."""
        return 2 * self.amount


@dataclass(frozen=True, slots=True)
class Careful:
    """Does more than assigning."""

    amount: int

    def __post_init__(self) -> None:
        """Refuse what is negative."""
        if self.amount < 0:
            raise ValueError("negative")


@dataclass(frozen=True, slots=True)
class Fresh:
    """Has a default that is made anew each time."""

    items: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Open:
    """Not frozen."""

    amount: int


def test_what_is_made_is_what_the_class_makes() -> None:
    make = quick(Parcel)
    assert make is not Parcel
    for made, plain in (
        (make(3), Parcel(3)),
        (make(3, ("b",)), Parcel(3, ("b",))),
        (make(note="x", weight=3), Parcel(3, note="x")),
        (make(1, (), "y"), Parcel(1, (), "y")),
    ):
        assert made == plain
        assert hash(made) == hash(plain)
        assert repr(made) == repr(plain)
        assert type(made) is Parcel


def test_what_is_made_is_frozen() -> None:
    made = quick(Parcel)(3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.weight = 4  # type: ignore[misc] # that is the point
    with pytest.raises((AttributeError, TypeError)):
        made.other = 4  # type: ignore[attr-defined] # that is the point


def test_what_is_made_can_be_copied_replaced_and_pickled() -> None:
    made = quick(Parcel)(3)
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert dataclasses.replace(made, weight=5) == Parcel(5)


def test_a_wrong_number_of_arguments_is_refused() -> None:
    make: Callable[..., Parcel] = quick(Parcel)
    for arguments in ((), (1, (), None, 2)):
        with pytest.raises(TypeError):
            make(*arguments)


def test_a_class_with_an_abstract_base_is_made_with_its_methods() -> None:
    make = quick(Derived)
    assert make is not Derived
    assert make(4).price() == 8
    assert isinstance(make(4), Base)


@pytest.mark.parametrize("cls", [Careful, Fresh, Open, int, dict])
def test_what_does_more_than_assigning_is_left_as_it_is(cls: type) -> None:
    assert quick(cls) is cls


def test_a_function_is_left_as_it_is() -> None:
    def make(amount: int) -> int:
        return amount

    assert quick(make) is make


def test_any_name_may_be_a_field() -> None:
    @dataclass(frozen=True, slots=True)
    class Named:
        record: int
        new: int
        make: int = 3
        frozen_class: int = 4
        open_class: int = 5

    assert quick(Named)(1, 2) == Named(1, 2)
    assert quick(Named)(1, 2, 6, frozen_class=7) == Named(1, 2, 6, 7)
