"""The shape of demand: orders and cancellations, whether they were read from a file or made up.

Amounts are integers of minor units; one pound is one token. Whether a ledger accepts an order is not decided here.

Source: interfaces specification, orders without a file; commerce specification, workload.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2pcommerce.primitives.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "MERCHANT_CHARS",
    "MINOR_PER_TOKEN",
    "ORDER_LINES_MAX",
    "Cancellation",
    "Order",
    "OrderLine",
    "SkippedLines",
    "WorkloadError",
    "order_reference",
]

MINOR_PER_TOKEN = 1_000_000
"""Minor units of a token, and of a pound in the retail data."""

ORDER_LINES_MAX = 64
"""Most lines of one order. Source: commerce specification, `order.place`."""

MERCHANT_CHARS = 2
"""How many characters of a product code name the merchant: the data has one seller, the network needs several."""


class WorkloadError(UsageError):
    """A file of orders or events cannot be used; the message is one line: file, place, reason."""

    code = "BAD_WORKLOAD"

    def __init__(self, source: str, place: str, reason: str) -> None:
        """Build the line `source: place: reason`, without the place when it is empty."""
        super().__init__(": ".join(part for part in (source, place, reason) if part))
        self.source = source
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One product of an order.

    Attributes:
        code: the product's code at its merchant.
        description: for people; may be empty.
        quantity: at least 1.
        unit_price_minor: at least 1.
    """

    code: str
    description: str
    quantity: int
    unit_price_minor: int

    @property
    def total_minor(self) -> int:
        """Price of the line in minor units."""
        return self.quantity * self.unit_price_minor


def order_reference(reading: int, invoice: str, merchant: str, part: int) -> str:
    """Return what tells an order from every other one of one source; see the attributes of `Order`."""
    return f"{reading}/{invoice}/{merchant}/{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one customer buys from one merchant at once.

    Attributes:
        invoice: number of the invoice that the order is a part of.
        part: 0 upwards among the orders of one invoice and merchant; they have at most 64 lines each.
        customer: name of the buyer's key.
        merchant: name of the seller.
        placed_at: local time of the shop, without a zone.
        lines: 1 to 64 lines, each (code, price) once.
        reading: how often its file was read from the beginning, this time included; 1 of what is made up.
    """

    invoice: str
    part: int
    customer: str
    merchant: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    reading: int = 1

    @property
    def reference(self) -> str:
        """What tells it from every other order of one source."""
        return order_reference(self.reading, self.invoice, self.merchant, self.part)

    @property
    def total_minor(self) -> int:
        """Price of the order in minor units."""
        return sum(line.total_minor for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A customer gives back something of an earlier order.

    Attributes:
        invoice: number of the cancellation itself; it does not name the order.
        customer: name of the buyer's key.
        merchant: name of the seller.
        placed_at: local time of the shop, without a zone.
        code: the product's code.
        quantity: units given back, at least 1 and at most what the customer has bought before.
        unit_price_minor: what is given back for each.
    """

    invoice: str
    customer: str
    merchant: str
    placed_at: datetime
    code: str
    quantity: int
    unit_price_minor: int

    @property
    def amount_minor(self) -> int:
        """What is given back, in minor units."""
        return self.quantity * self.unit_price_minor


@dataclass(slots=True)
class SkippedLines:
    """How many lines, events or identifiers were left out, by reason. The reasons are few and fixed."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, count: int = 1) -> None:
        """Count `count` more under `reason`."""
        self.counts[reason] += count

    @property
    def total(self) -> int:
        """All that was skipped."""
        return self.counts.total()
