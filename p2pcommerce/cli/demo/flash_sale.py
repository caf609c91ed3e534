"""A flash sale: three of ten orders are for one unit of one listing, of which there are far too few.

Of all who order exactly as many succeed as there are units; the others are refused with NO_STOCK. What the demo saw is
compared with the stock that the ledger has left.

Source: the workload of the commerce specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from p2pcommerce.cli.demo.section import mark
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.workload import MINOR_PER_TOKEN, MIX, Cancellation, Order, OrderLine, peak_share

__all__ = ["FLASH_LISTING", "FLASH_MERCHANT", "FlashSale", "FlashSaleResult", "expected_orders"]

FLASH_MERCHANT: Final = "flash"
FLASH_LISTING: Final = OrderLine("flash 1", "FLASH SALE LANTERN", 1, 9 * MINOR_PER_TOKEN)
_SHARE: Final = 0.3
"""Of all orders."""


def expected_orders(rate_per_s: float, duration_s: float, peak: float) -> int:
    """Return about how many orders are for the listing on sale."""
    turns = rate_per_s * duration_s * (1 + (peak - 1) * peak_share(duration_s))
    return round(turns * MIX["place"] / sum(MIX.values()) * _SHARE)


@dataclass(slots=True, eq=False)
class FlashSale:
    """One sale.

    Attributes:
        stock: units.
        codes: what became of those who ordered one.
    """

    stock: int
    codes: Counter[RejectionCode] = field(default_factory=Counter)

    def lead(self, stream: Iterator[Order | Cancellation], rng: random.Random) -> Iterator[Order | Cancellation]:
        """Yield a stream of which some orders go to the sale instead."""
        for event in stream:
            if isinstance(event, Order) and rng.random() < _SHARE:
                yield replace(event, merchant=FLASH_MERCHANT, lines=(FLASH_LISTING,))
            else:
                yield event

    def on_placed(self, order: Order, code: RejectionCode) -> None:
        """Note what became of an order."""
        if order.merchant == FLASH_MERCHANT:
            self.codes[code] += 1

    def result(self, left: int) -> FlashSaleResult:
        """Sum up; `left`: units that the ledger still has on offer."""
        refused = {code.value: count for code, count in self.codes.items() if code is not RejectionCode.OK}
        return FlashSaleResult(
            stock=self.stock, asked=self.codes.total(), sold=self.codes[RejectionCode.OK], left=left, refused=refused
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSaleResult:
    """What came of it.

    Attributes:
        stock: units on offer at the start; left: in the ledger at the end.
        asked: orders of one unit each; sold: those that succeeded; refused: the others by code.
    """

    stock: int
    asked: int
    sold: int
    left: int
    refused: dict[str, int]

    @property
    def name(self) -> str:
        """See `Section`."""
        return "flash_sale"

    @property
    def ok(self) -> bool:
        """Whether exactly the stock was sold, and nobody was refused for another reason."""
        exact = self.sold == min(self.stock, self.asked) and self.left == self.stock - self.sold
        return exact and set(self.refused) <= {RejectionCode.NO_STOCK.value}

    def to_plain(self) -> dict[str, object]:
        """See `Section`."""
        return {
            "stock": self.stock,
            "asked": self.asked,
            "sold": self.sold,
            "left": self.left,
            "refused": self.refused,
            "ok": self.ok,
        }

    def lines(self) -> Iterator[str]:
        """See `Section`."""
        refused = ", ".join(f"{code} {count:,}" for code, count in sorted(self.refused.items())) or "nobody refused"
        yield (
            f"{mark(self.ok)} flash sale: {self.stock:,} units, {self.asked:,} orders of one each, {self.sold:,} "
            f"succeeded, {self.left:,} left; {refused}"
        )
