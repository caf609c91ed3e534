"""What a folder of retail days adds up to, by plain sums over its lines.

This is the other half of a comparison: the demo reads the same files with `retail`, makes orders of them, and the
ledger holds their money. Here nothing of that is used; each line is read again, and money is added up per invoice and
merchant, in minor units.

Source: "Workload" of the commerce specification: one order per invoice, merchant and 64 lines; a line per (code,
price), equal ones summed; a `C` invoice gives back; without a customer one key per invoice.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

__all__ = ["InvoiceSum", "RetailSum", "sum_retail"]

_POUND_MINOR: Final = 1_000_000
_LINES_PER_ORDER: Final = 64


@dataclass(slots=True)
class InvoiceSum:
    """What one invoice takes from one merchant.

    Attributes:
        customer: who pays.
        units: by code and price.
    """

    customer: str
    units: Counter[tuple[str, Decimal]] = field(default_factory=Counter)

    @property
    def lines(self) -> int:
        """Lines of its orders together."""
        return len(self.units)

    @property
    def orders(self) -> int:
        """Orders that it is cut into."""
        return -(-self.lines // _LINES_PER_ORDER)

    @property
    def minor(self) -> int:
        """Its price, minor units."""
        return int(sum(count * price for (_, price), count in self.units.items()) * _POUND_MINOR)


@dataclass(slots=True)
class RetailSum:
    """What all files say.

    Attributes:
        invoices: by number of the invoice and merchant.
        given_back_minor: by customer, what `C` invoices ask back at most.
    """

    invoices: dict[tuple[str, str], InvoiceSum] = field(default_factory=dict)
    given_back_minor: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def sum_retail(path: Path) -> RetailSum:
    """Add up a CSV file, or all of a folder."""
    found = RetailSum()
    files = sorted(path.glob("*.[cC][sS][vV]")) if path.is_dir() else [path]
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            for line in csv.DictReader(stream):
                _add(found, {name: (value or "").strip() for name, value in line.items() if name is not None})
    return found


def _add(found: RetailSum, line: dict[str, str]) -> None:
    code, number = line["StockCode"].upper(), line["InvoiceNo"]
    quantity, price = int(line["Quantity"]), Decimal(line["UnitPrice"])
    is_product = len(code) <= 8 and code[:5].isdecimal() and len(code) >= 5 and (not code[5:] or code[5:].isalpha())
    if not is_product or price <= 0 or not quantity:
        return
    customer = line["CustomerID"].removesuffix(".0") or f"invoice {number}"
    if number[0] in "Cc":
        if quantity < 0:
            found.given_back_minor[customer] += int(-quantity * price * _POUND_MINOR)
    elif quantity > 0:
        invoice = found.invoices.setdefault((number, code[:2]), InvoiceSum(customer))
        invoice.units[code, price] += quantity
