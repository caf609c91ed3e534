"""A pool of stake: so many minor units, owned in shares.

One share is worth `minor / shares`. It begins at one minor unit and never gets above that: nothing but a slash changes
it, and every rounding leaves the rest in the pool, for those who stay. So nobody can make shares dear to cheat the next
one to join, and a slash of any number of holders is one division.

Source: "Token and stake" and property 10 of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.errors import LimitError
from p2pcommerce.commerce.kind import U63
from p2pcommerce.primitives.codec import record_of

__all__ = ["BPS", "EMPTY_POOL", "POOL", "SHARES_MAX", "Pool"]

BPS: Final = 10_000
"""Basis points in a whole."""
SHARES_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pool:
    """Stake with its shares; never changed, only replaced.

    Attributes:
        minor: minor units, at most as many as shares.
        shares: of all holders together; 0 only if nothing is in the pool.
    """

    minor: int
    shares: int

    def value(self, shares: int) -> int:
        """Return what some shares are worth, rounded down."""
        return shares * self.minor // self.shares if self.shares else 0

    def price(self, minor: int) -> int:
        """Return the least number of shares that are worth `minor`, which must not be more than is in the pool."""
        return -(-minor * self.shares // self.minor) if self.minor else 0

    def put(self, minor: int) -> tuple[Pool, int]:
        """Put in `minor` and return the new pool and the shares for it, rounded down.

        Raises:
            LimitError: the pool cannot count so many shares, or its shares are worth nothing.
        """
        if not self.shares:
            return Pool(minor, minor), minor
        if not minor:
            return self, 0
        if not self.minor:
            raise LimitError("the shares of this pool are worth nothing any more: nothing can be put into it")
        shares = minor * self.shares // self.minor
        if self.shares + shares > SHARES_MAX:
            raise LimitError("the pool cannot count so many shares; wait until some of it is withdrawn")
        return Pool(self.minor + minor, self.shares + shares), shares

    def take(self, minor: int, shares: int) -> Pool:
        """Return the pool after some shares were given back for `minor`, which is at most their value."""
        return Pool(self.minor - minor, self.shares - shares)

    def slashed(self, bps: int) -> Pool:
        """Return the pool after a slash, rounded in favour of the holders; the shares stay."""
        return Pool(self.minor - self.minor * bps // BPS, self.shares)


EMPTY_POOL: Final = Pool(0, 0)
POOL: Final = record_of(Pool, minor=U63, shares=U63)
