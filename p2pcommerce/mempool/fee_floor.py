"""The fee floor: the least price that the pool takes, raised by pressure and falling by itself.

A price is minor units per weight in fixed point (`PRICE_SCALE`), so that prices compare exactly without floats.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PRICE_SCALE", "FeeFloor", "price_of"]

PRICE_SCALE: Final = 2**16
"""Units of price in one minor unit per weight."""


def price_of(fee_minor: int, weight: int) -> int:
    """Return the price of a transaction: fee per weight in fixed point."""
    return fee_minor * PRICE_SCALE // max(weight, 1)


class FeeFloor:
    """A floor that never falls below the chain's own, and halves each `half_life_us` above it.

    Source: the idea of Bitcoin Core's rolling minimum fee.
    """

    __slots__ = ("_half_life_us", "_least", "_raised", "_raised_us")

    def __init__(self, least_minor: int, half_life_us: int) -> None:
        """Start at the chain's own floor, in minor units per weight."""
        self._least = least_minor * PRICE_SCALE
        self._half_life_us = half_life_us
        self._raised = 0
        self._raised_us = 0

    def price(self, now: int) -> int:
        """Return the floor as a price in fixed point."""
        if not self._raised:
            return self._least
        value = self.at(now)
        if value <= self._least:
            self._raised = 0
        return value

    @property
    def is_raised(self) -> bool:
        """Whether it was above the chain's own when it was last asked for."""
        return self._raised > self._least

    def at(self, now: int) -> int:
        """Return the price to which the floor will have fallen at some time, if nothing raises it before."""
        if self._raised <= self._least:
            return self._least
        halvings, rest_us = divmod(max(now - self._raised_us, 0), self._half_life_us)
        value = self._raised >> min(halvings, 64)
        value -= value * rest_us // (2 * self._half_life_us)
        return max(value, self._least)

    def raised_at(self, now: int) -> int:
        """Do `at`, but return 0 for the chain's own floor."""
        price = self.at(now)
        return price if price > self._least else 0

    def minor(self, now: int) -> int:
        """Return the floor in minor units per weight, rounded up."""
        return -(-self.price(now) // PRICE_SCALE)

    def raise_above(self, price: int, now: int) -> None:
        """Take nothing at or below `price` until it has decayed."""
        if price >= self.price(now):
            self._raised = price + 1
            self._raised_us = now
