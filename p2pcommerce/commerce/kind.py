"""A kind of state record: where it lives, how it is written, what it costs and what money it holds.

A state key is one tag byte and an id; a value is the canonical encoding of one record. Each kind has a fixed size (plus
a fixed size per list entry) for which a deposit is held, so that a deposit never depends on how long a number is at the
moment. The nouns define their kinds; `schema` has the table of all.

Source: "Fees and state" of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from p2pcommerce.primitives.codec import Shape, decode, encode, uint

__all__ = ["AMOUNT", "NOTHING_HELD", "RECORD_BYTES_MAX", "U63", "Holdings", "Kind", "Tallies"]

R = TypeVar("R")

RECORD_BYTES_MAX: Final = 16 * 1024
"""Encoded bytes of one state record at most: an order of 64 lines with 64 items is the largest, at about 12 KB."""

U63: Final = uint(2**63 - 1)
"""Money, stock and counts: never negative, never 2^63."""
AMOUNT: Final = uint(2**63 - 1, 1)
"""An amount in a body: at least 1."""


class Holdings(NamedTuple):
    """The money that one record holds, in minor units.

    Attributes:
        balances_minor: free, in an account.
        bonded_minor: stake at a validator, active and unbonding.
        rewards_minor: fees that a validator and its delegators earned and did not take.
        escrow_minor: of an open order, cash and the value of points.
        campaigns_minor: in a campaign, or reserved from it for an open order.
        points_minor: the reserve of points: outstanding times the value of one.
    """

    balances_minor: int = 0
    bonded_minor: int = 0
    rewards_minor: int = 0
    escrow_minor: int = 0
    campaigns_minor: int = 0
    points_minor: int = 0


NOTHING_HELD: Final = Holdings()

Tallies: TypeAlias = tuple[tuple[bytes, int], ...]
"""What a record counts: a name and a number each. Over the whole state the numbers of each name add up to 0.

A campaign says how many open orders hold a part of it, and each of these orders says so, too: the one counts -n under
the campaign's name, the others +1 each. `audit` adds up what a block changed, and never needs a scan.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[R]):
    """One kind of record.

    Attributes:
        name: for people.
        tag: the first byte of its keys.
        shape: how it is written.
        size: record -> bytes for which a deposit is held.
        held: record -> the money it holds; None: never any.
        tallies: id and record -> what it counts; None: never anything.
    """

    name: str
    tag: bytes
    shape: Shape[R]
    size: Callable[[R], int]
    held: Callable[[R], Holdings] | None = None
    tallies: Callable[[bytes, R], Tallies] | None = None

    def key(self, identifier: bytes = b"") -> bytes:
        """Return the state key of an id."""
        return self.tag + identifier

    def read(self, value: bytes) -> R:
        """Decode a state value.

        Raises:
            CodecError: the value is not a record of this kind, or a number in it is negative or too large.
        """
        return decode(self.shape, value, RECORD_BYTES_MAX)

    def write(self, record: R) -> bytes:
        """Encode a record."""
        return encode(self.shape, record)
