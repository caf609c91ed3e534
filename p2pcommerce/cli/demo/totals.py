"""Orders from a file: does the ledger hold the same money as the file, to the minor unit?

The one side is read from the blocks on a validator's disk: listings at their prices, orders that succeeded, what was
given back. The other is an independent sum over the lines of the CSV files (`workload/retail_sum`). They meet in the
hash that each order carries, which tells its invoice and merchant.

A demo ends when its time is over, not where an invoice does: an invoice of which some orders were not placed is counted
as partial and compared no further. What was given back cannot be told from the file alone, for it depends on which
orders were open; it is compared with the most that the customer's `C` invoices allow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.orders import reference_hash
from p2pcommerce.cli.demo.section import mark
from p2pcommerce.cli.demo.workload.retail_sum import InvoiceSum, RetailSum, sum_retail
from p2pcommerce.commerce import Body, ListingSet, OrderCancel, OrderPlace, OrderRefund, read_body
from p2pcommerce.ledger.block import decode_block
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.runtime.lock import DirectoryLock
from p2pcommerce.runtime.store import STORE_FILE, Store
from p2pcommerce.workload.orders import order_reference

__all__ = ["LedgerSum", "Totals", "compare", "read_totals"]

_BLOCKS: Final = 64
_BLOCK_BYTES: Final = 2**26
_KINDS: Final = (ListingSet.TYPE, OrderPlace.TYPE, OrderRefund.TYPE, OrderCancel.TYPE)


@dataclass(slots=True)
class _Sale:
    """One order that succeeded."""

    buyer: PublicKey
    lines: int
    minor: int
    rest_minor: int


@dataclass(slots=True)
class LedgerSum:
    """What the transactions of a ledger add up to.

    Attributes:
        sales: orders by the hash that they carry.
        refunded_minor: by buyer.
    """

    sales: defaultdict[bytes, list[_Sale]] = field(default_factory=lambda: defaultdict(list))
    refunded_minor: Counter[PublicKey] = field(default_factory=Counter)
    _price_minor: dict[TransactionId, int] = field(default_factory=dict)
    _orders: dict[TransactionId, _Sale] = field(default_factory=dict)

    def add(self, transaction: Transaction) -> None:
        """Add a transaction that succeeded; others are left out."""
        if transaction.type in _KINDS:
            self._add(transaction, read_body(transaction.type, transaction.body))

    def _add(self, transaction: Transaction, body: Body) -> None:
        match body:
            case ListingSet():
                # A change of the stock alone leaves the revision, and so the price that buyers named.
                self._price_minor[transaction.id] = body.price_minor
            case OrderPlace():
                minor = sum(self._price_minor[line.revision] * line.quantity for line in body.lines)
                sale = _Sale(transaction.sender, len(body.lines), minor, minor)
                self.sales[body.address_hash].append(sale)
                self._orders[transaction.id] = sale
            case OrderRefund():
                self._give_back(body.order, body.amount_minor)
            case OrderCancel():
                self._give_back(body.order, 0)
            case _:
                raise AssertionError(f"{transaction.type} is none of the kinds that are added up")

    def _give_back(self, order: TransactionId, amount_minor: int) -> None:
        sale = self._orders.get(order)
        if sale is not None:
            given_minor = amount_minor or sale.rest_minor
            sale.rest_minor -= given_minor
            self.refunded_minor[sale.buyer] += given_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The comparison.

    Attributes:
        invoices: pairs of an invoice and a merchant whose orders were all placed; orders: these.
        partial: pairs of which some orders were not placed.
        unknown: orders on the ledger that no line of the files accounts for.
        different: pairs whose sum or number of lines is another.
        ledger_minor, files_minor: sums over the complete pairs.
        refunded_minor: what the ledger gave back of these orders and of partial ones.
        above_minor: what it gave back beyond what a customer's `C` invoices ask.
    """

    invoices: int
    orders: int
    partial: int
    unknown: int
    different: int
    ledger_minor: int
    files_minor: int
    refunded_minor: int
    above_minor: int

    @property
    def name(self) -> str:
        """See `Section`."""
        return "totals"

    @property
    def ok(self) -> bool:
        """Whether both sides are the same."""
        return self.ledger_minor == self.files_minor and not (self.different or self.unknown or self.above_minor)

    def to_plain(self) -> dict[str, object]:
        """See `Section`."""
        return {
            "equal": self.ok,
            "ledger_minor": self.ledger_minor,
            "files_minor": self.files_minor,
            "invoices": self.invoices,
            "orders": self.orders,
            "partial": self.partial,
            "unknown": self.unknown,
            "different": self.different,
            "refunded_minor": self.refunded_minor,
            "refunded_above_minor": self.above_minor,
        }

    def lines(self) -> Iterator[str]:
        """See `Section`."""
        relation = "the same as" if self.ok else "NOT the same as"
        yield (
            f"{mark(self.ok)} totals: {self.orders:,} orders of {self.invoices:,} invoices and merchants add up to "
            f"{self.ledger_minor:,} minor units on the ledger, {relation} the {self.files_minor:,} of the files; "
            f"{self.refunded_minor:,} given back; {self.partial:,} only begun"
        )


def compare(ledger: LedgerSum, files: RetailSum, readings: int) -> Totals:
    """Compare both sides.

    Args:
        ledger: what the blocks say.
        files: what the lines say.
        readings: how often the files were begun.
    """
    counted: Counter[str] = Counter()
    asked_minor: dict[PublicKey, int] = {}
    left = dict(ledger.sales)
    for reading in range(1, readings + 1):
        for (number, merchant), invoice in files.invoices.items():
            sales = _take(left, reading, number, merchant, invoice)
            if not sales:
                continue
            for sale in sales:
                asked_minor[sale.buyer] = readings * files.given_back_minor.get(invoice.customer, 0)
            counted["refunded"] += sum(sale.minor - sale.rest_minor for sale in sales)
            if len(sales) < invoice.orders:
                counted["partial"] += 1
                continue
            ledger_minor = sum(sale.minor for sale in sales)
            is_same = (ledger_minor, sum(sale.lines for sale in sales)) == (invoice.minor, invoice.lines)
            counted.update(
                invoices=1, orders=len(sales), ledger=ledger_minor, files=invoice.minor, different=not is_same
            )
    above_minor = sum(max(0, minor - asked_minor.get(buyer, 0)) for buyer, minor in ledger.refunded_minor.items())
    return Totals(
        invoices=counted["invoices"],
        orders=counted["orders"],
        partial=counted["partial"],
        unknown=sum(len(sales) for sales in left.values()),
        different=counted["different"],
        ledger_minor=counted["ledger"],
        files_minor=counted["files"],
        refunded_minor=counted["refunded"],
        above_minor=above_minor,
    )


def _take(left: dict[bytes, list[_Sale]], reading: int, number: str, merchant: str, invoice: InvoiceSum) -> list[_Sale]:
    """Take the orders of an invoice and merchant out of all that are left, one for each of its parts."""
    sales = []
    for part in range(invoice.orders):
        sales += left.pop(reference_hash(order_reference(reading, number, merchant, part)), [])
    return sales


def read_totals(folder: DemoFolder, path: Path, since_height: int, readings: int) -> Totals:
    """Compare the blocks of a stopped network with the files.

    Args:
        folder: of the network; nobody runs in it.
        path: the CSV file, or the folder of them.
        since_height: blocks up to it are of earlier demos.
        readings: how often the files were begun.

    Raises:
        DirectoryInUseError: the validator still runs.
        StoreError: the blocks cannot be read.
    """
    ledger, node = LedgerSum(), folder.node_folder(0)
    with DirectoryLock.acquire(node):
        store = Store.open(node / STORE_FILE, folder.genesis)
        try:
            for transaction in _transactions(store, since_height):
                ledger.add(transaction)
        finally:
            store.close()
    return compare(ledger, sum_retail(path), readings)


def _transactions(store: Store, since_height: int) -> Iterable[Transaction]:
    """Yield all transactions above a height that succeeded, in order."""
    height = since_height + 1
    while blocks := store.blocks(height, _BLOCKS, _BLOCK_BYTES):
        for _, raw, _ in blocks:
            for each in decode_block(raw).transactions:
                transaction = decode_transaction(each)
                receipt = store.receipt(transaction.id)
                if receipt is not None and receipt.ok:
                    yield transaction
        height += len(blocks)
