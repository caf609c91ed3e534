"""What the users of a simulated world buy: the orders of the demo's generator, in a shape of their own.

One line each, for a simulated store has one listing; every third is given back, so that short worlds see all endings.
The generator's merchants are dealt out to the stores that are open.

Source: the workload of the commerce specification.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from p2pcommerce.workload import GeneratorShape, Order, generate_orders

__all__ = ["Demand"]

S = TypeVar("S")

_SHAPE: Final = GeneratorShape(
    merchants=90, products=180, customers=100, lines_median=1.0, lines_max=1, cancelled_share=0.25
)


class Demand:
    """An endless stream of orders."""

    def __init__(self, rng: random.Random) -> None:
        """Draw prices and popularity from the world's stream, and orders when they are asked for."""
        self._stream = generate_orders(rng, _SHAPE)
        self._given_back = 0

    def next_order(self, stores: Sequence[S]) -> tuple[S, int]:
        """Return the store (of those that are open, at least one) and the units of the next order."""
        for event in self._stream:
            if isinstance(event, Order):
                return stores[int(event.merchant) % len(stores)], event.lines[0].quantity
            self._given_back += 1
        raise AssertionError("the stream of orders never ends")

    def give_back(self) -> bool:
        """Tell whether an order is to be given back; as often as the stream has said so."""
        if not self._given_back:
            return False
        self._given_back -= 1
        return True
