"""Markets of three sizes.

Source: the scales of the commerce specification.
Deviations: an order has at most half as many lines as its merchant has products (20 to 25 of the 64 that the ledger
takes), because a market of these sizes has 40 to 50 products per merchant; the median of 13 lines stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from p2pcommerce.workload.generator import GeneratorShape

__all__ = ["SCALES", "Scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One size.

    Attributes:
        name: a letter.
        merchants: stores.
        products: of all merchants together; each is one listing.
        accounts: keys with tokens, those of merchants included.
        rate_per_s: transactions due in a second.
        peak: how many times that rate is due in a peak.
    """

    name: str
    merchants: int
    products: int
    accounts: int
    rate_per_s: float
    peak: float = 1.0

    def shape(self, accounts: int) -> GeneratorShape:
        """Return the shape of its orders where so many accounts are there from the start; the rest are buyers."""
        lines_max = self.products // self.merchants // 2
        customers = accounts - self.merchants
        return GeneratorShape(
            merchants=self.merchants, products=self.products, customers=customers, lines_max=lines_max
        )


SCALES: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        scale.name: scale
        for scale in (
            Scale(name="S", merchants=50, products=2_000, accounts=5_000, rate_per_s=20.0),
            Scale(name="M", merchants=1_000, products=50_000, accounts=100_000, rate_per_s=200.0, peak=5.0),
            Scale(name="L", merchants=10_000, products=500_000, accounts=1_000_000, rate_per_s=1_000.0),
        )
    }
)
