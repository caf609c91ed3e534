"""Real retail days as orders: a CSV file, or a folder of them in the order of their names, read as a stream.

One order per invoice, merchant and 64 lines; equal (code, price) lines are summed. The merchant is the first two
characters of the product code. A customer without a number gets one key per invoice. A line of an invoice that begins
with `C` gives back an earlier purchase of that customer and code; whether that order is still open on the ledger, the
ledger knows. Every line that becomes neither is counted with its reason; a line that cannot be read ends the run.

Only the invoice at hand and the purchases that may still be given back are held in memory.

Source: commerce specification, workload (real retail days as orders); Online Retail, UCI Machine Learning Repository,
DOI 10.24432/C5BW33 (columns and traps).
"""

from __future__ import annotations

import csv
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from p2pcommerce.workload.orders import (
    MERCHANT_CHARS,
    MINOR_PER_TOKEN,
    ORDER_LINES_MAX,
    Cancellation,
    Order,
    OrderLine,
    SkippedLines,
    WorkloadError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COLUMNS", "LINE_BYTES_MAX", "SkipReason", "read_retail"]

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
"""Columns that the file must have, in any order; others are ignored."""

LINE_BYTES_MAX = 64 * 1024
"""Longest line of a file."""

INVOICE_LINES_MAX = 10_000
"""Most product lines of one invoice, which is held in memory; the largest of the real data has 1,114."""

PURCHASES_MAX = 500_000
"""Most (customer, code) pairs whose purchase is remembered for a cancellation; the oldest are forgotten first."""

_PRODUCT = re.compile(r"[0-9]{5}[A-Za-z]{0,3}")
_QUANTITY = re.compile(r"-?[0-9]{1,9}")
_PRICE = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?")
_CUSTOMER = re.compile(r"([0-9]{1,12})(?:\.0)?")
_INVOICE = re.compile(r"[A-Za-z]?[0-9]{1,12}")


class SkipReason:
    """Why a line of a retail file becomes no order line."""

    NO_PRODUCT = "code is no product"
    NEGATIVE_QUANTITY = "negative quantity outside a cancellation"
    POSITIVE_CANCELLATION = "positive quantity in a cancellation"
    ZERO_QUANTITY = "quantity is zero"
    ZERO_PRICE = "price is zero"
    NEGATIVE_PRICE = "price is negative"
    UNMATCHED = "cancels no earlier purchase"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file, its numbers read."""

    invoice: str
    code: str
    description: str
    quantity: int
    placed_at: datetime
    unit_price_minor: int
    customer: str

    @property
    def is_cancellation(self) -> bool:
        return self.invoice[:1] in {"C", "c"}

    @property
    def merchant(self) -> str:
        return self.code[:MERCHANT_CHARS]

    def skip_reason(self) -> str:
        """Return why the line is left out, empty when it is not."""
        if not _PRODUCT.fullmatch(self.code):
            return SkipReason.NO_PRODUCT
        if self.quantity == 0:
            return SkipReason.ZERO_QUANTITY
        if self.is_cancellation != (self.quantity < 0):
            return SkipReason.POSITIVE_CANCELLATION if self.is_cancellation else SkipReason.NEGATIVE_QUANTITY
        if self.unit_price_minor <= 0:
            return SkipReason.NEGATIVE_PRICE if self.unit_price_minor else SkipReason.ZERO_PRICE
        return ""


@dataclass(slots=True)
class _Purchases:
    """Units that each customer bought and has not given back yet."""

    units: OrderedDict[tuple[str, str], int] = field(default_factory=OrderedDict)

    def add(self, row: _Row) -> None:
        key = (row.customer, row.code)
        self.units[key] = self.units.pop(key, 0) + row.quantity
        if len(self.units) > PURCHASES_MAX:
            self.units.popitem(last=False)

    def take(self, row: _Row) -> bool:
        key = (row.customer, row.code)
        left = self.units.get(key, 0) + row.quantity
        if left < 0:
            return False
        if left:
            self.units[key] = left
        else:
            del self.units[key]
        return True


@dataclass(slots=True)
class _Invoice:
    """Lines of the invoice at hand, by merchant and by (code, price)."""

    rows: dict[str, dict[tuple[str, int], list[_Row]]] = field(default_factory=dict)
    lines: int = 0

    def add(self, row: _Row) -> None:
        self.rows.setdefault(row.merchant, {}).setdefault((row.code, row.unit_price_minor), []).append(row)
        self.lines += 1

    def orders(self) -> Iterator[Order]:
        for merchant, products in self.rows.items():
            groups = list(products.values())
            for part, start in enumerate(range(0, len(groups), ORDER_LINES_MAX)):
                chunk = groups[start : start + ORDER_LINES_MAX]
                first = chunk[0][0]
                yield Order(
                    invoice=first.invoice,
                    part=part,
                    customer=first.customer,
                    merchant=merchant,
                    placed_at=first.placed_at,
                    lines=tuple(
                        OrderLine(
                            rows[0].code,
                            rows[0].description,
                            sum(row.quantity for row in rows),
                            rows[0].unit_price_minor,
                        )
                        for rows in chunk
                    ),
                )


def read_retail(path: str | Path, skipped: SkippedLines) -> Iterator[Order | Cancellation]:
    """Yield the orders and cancellations of a file, or of every `*.csv` of a folder, in file order.

    Args:
        path: a CSV file, or a folder.
        skipped: counts each line that is left out; it is complete when the iteration ends.

    Raises:
        WorkloadError: at once when there is no file; while iterating when a file is malformed or cannot be read.
    """
    return _stream(_files(Path(path)), skipped)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise WorkloadError(str(path), "", "no such file or folder; give a CSV file or a folder of them")
        return [path]
    try:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv" and file.is_file())
    except OSError as error:
        raise WorkloadError(str(path), "", error.strerror or "cannot be read") from None
    if not files:
        raise WorkloadError(str(path), "", "the folder holds no *.csv file")
    return files


def _stream(files: list[Path], skipped: SkippedLines) -> Iterator[Order | Cancellation]:
    purchases = _Purchases()
    invoice = _Invoice()
    number = ""
    for row, source, line in _rows(files):
        if row.invoice != number:
            yield from invoice.orders()
            invoice, number = _Invoice(), row.invoice
        reason = row.skip_reason()
        if not reason and row.is_cancellation and not purchases.take(row):
            reason = SkipReason.UNMATCHED
        if reason:
            skipped.add(reason)
        elif row.is_cancellation:
            yield _cancellation(row)
        else:
            purchases.add(row)
            invoice.add(row)
            if invoice.lines > INVOICE_LINES_MAX:
                reason = f"invoice {row.invoice} has more than {INVOICE_LINES_MAX} lines"
                raise WorkloadError(source, f"line {line}", reason)
    yield from invoice.orders()


def _cancellation(row: _Row) -> Cancellation:
    return Cancellation(
        invoice=row.invoice,
        customer=row.customer,
        merchant=row.merchant,
        placed_at=row.placed_at,
        code=row.code,
        quantity=-row.quantity,
        unit_price_minor=row.unit_price_minor,
    )


def _rows(files: list[Path]) -> Iterator[tuple[_Row, str, int]]:
    """Yield each line of each file with the file's name and the line's number."""
    for file in files:
        source = str(file)
        try:
            with file.open("rb") as stream:
                yield from _file_rows(stream, source)
        except OSError as error:
            raise WorkloadError(source, "", error.strerror or "cannot be read") from None


def _file_rows(stream: BinaryIO, source: str) -> Iterator[tuple[_Row, str, int]]:
    reader = csv.reader(_texts(stream, source), strict=True)
    try:
        header = next(reader, [])
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise WorkloadError(source, "line 1", f"the column {missing[0]} is missing")
        places = [header.index(name) for name in COLUMNS]
        for values in reader:
            place = f"line {reader.line_num}"
            if not values:
                continue
            if len(values) != len(header):
                raise WorkloadError(source, place, f"{len(values)} values where the header has {len(header)} columns")
            try:
                yield _row([values[index].strip() for index in places]), source, reader.line_num
            except ValueError as error:
                raise WorkloadError(source, place, str(error)) from None
    except csv.Error as error:
        raise WorkloadError(source, f"line {reader.line_num}", f"not CSV: {error}") from None


def _texts(stream: BinaryIO, source: str) -> Iterator[str]:
    """Yield the lines of a file as text, each decoded on its own, so that a bad byte has a line number."""
    number = 0
    while raw := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(raw) > LINE_BYTES_MAX:
            raise WorkloadError(source, f"line {number}", f"longer than {LINE_BYTES_MAX} bytes")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise WorkloadError(source, f"line {number}", "not UTF-8; save the file as UTF-8") from None


def _row(values: list[str]) -> _Row:
    invoice, code, description, quantity, date, price, customer = values
    if not _INVOICE.fullmatch(invoice):
        raise ValueError(f"InvoiceNo {invoice[:40]!a} is no invoice number")
    if not _QUANTITY.fullmatch(quantity):
        raise ValueError(f"Quantity {quantity[:40]!a} is no whole number")
    if not _PRICE.fullmatch(price):
        raise ValueError(f"UnitPrice {price[:40]!a} is no price with at most 6 decimals")
    number = _CUSTOMER.fullmatch(customer)
    if customer and number is None:
        raise ValueError(f"CustomerID {customer[:40]!a} is no customer number")
    try:
        placed_at = datetime.strptime(date, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise ValueError(f"InvoiceDate {date[:40]!a} is no time such as 2010-12-01 08:26:00") from None
    return _Row(
        invoice=invoice,
        code=code.upper(),
        description=description,
        quantity=int(quantity),
        placed_at=placed_at,
        unit_price_minor=int(Decimal(price) * MINOR_PER_TOKEN),
        customer=f"customer {number[1]}" if number else f"invoice {invoice}",
    )
