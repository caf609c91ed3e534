"""Properties 5, 6 and 7 of trade: items and their histories, units, and stock on offer.

What is kept here is what the transactions say, not what the application made of them: each item's units and entries of
history, each listing's units on offer and promised.

Source: "Properties to test, after every transaction" of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from p2pcommerce.commerce import (
    HistoryEntry,
    ItemStatus,
    ListingSet,
    OrderShip,
    entry_from,
)
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.item import ITEM, Item, next_head
from p2pcommerce.commerce.listing import LISTING, Listing
from p2pcommerce.commerce.order import ORDER, Order, OrderStatus
from p2pcommerce.commerce.terms import numbered
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = ["Goods"]

_MOVES: Final = frozenset(
    ("trace.receive", "trace.unpack", "order.confirm", "order.resolve", "order.settle", "order.refund", "order.cancel")
)
"""What may change an item's custodian: to receive it, to unpack it, or to close its order."""
_MAKES_UNITS: Final = frozenset(("trace.commission", "trace.split", "trace.transform", "trace.decommission"))


@dataclass(slots=True)
class Goods:
    """The goods of one world.

    Attributes:
        offered: listing -> units on offer and promised by it, as listing.set and order.ship say.
        promised: listing -> units of placed orders.
        on_offer: listing -> its stock.
    """

    offered: dict[bytes, int] = field(default_factory=dict)
    promised: dict[bytes, int] = field(default_factory=dict)
    on_offer: dict[bytes, int] = field(default_factory=dict)

    @staticmethod
    def tallies(identifier: bytes, record: object) -> list[tuple[tuple[str, bytes], int]]:
        """Return what an item counts: that it is locked in an order."""
        if isinstance(record, Item) and record.status == ItemStatus.IN_ORDER and record.within is not None:
            return [(("locked items", record.within + identifier), -1)]
        return []

    def watch(
        self, body: Body, transaction: Transaction, time_ms: int, records: Sequence[tuple[bytes, Any, Any]]
    ) -> Iterator[str]:
        """Follow a transaction that succeeded; yield what is wrong with it."""
        entry = entry_from(transaction, time_ms)
        for key, before, after in records:
            if key[:1] == ITEM.tag:
                yield from self._watch_item(transaction.type, before, after, entry)
        self._follow_stock(records)
        yield from self._follow_offer(body, transaction, records)

    @staticmethod
    def _watch_item(type_name: str, before: Item | None, after: Item | None, entry: HistoryEntry) -> Iterator[str]:
        if after is None:
            yield "5: an item is gone"
            return
        head, n = (ZERO_HASH, 0) if before is None else (before.head, before.n)
        if (after.head, after.n) != (next_head(head, entry), n + 1):
            yield f"5: {type_name} changed an item and not its history"
        if (after.status == ItemStatus.IN_TRANSIT) != (after.pending_to is not None):
            yield "5: an item in transit is on its way to somebody, and no other"
        if after.status == ItemStatus.IN_ORDER and after.within is None:
            yield "5: an item in an order is in none"
        if after.pending_to == after.custodian:
            yield "5: an item is on its way to its custodian"
        if before is not None and before.custodian != after.custodian and type_name not in _MOVES:
            yield f"5: {type_name} moved custody"
        if before is not None and before.quantity != after.quantity and type_name not in _MAKES_UNITS:
            yield f"6: {type_name} changed units"
        if before is None and type_name not in _MAKES_UNITS:
            yield f"6: {type_name} made an item"

    def _follow_stock(self, records: Sequence[tuple[bytes, Any, Any]]) -> None:
        for key, before, after in records:
            if key[:1] == LISTING.tag:
                if after is None:
                    del self.on_offer[key[1:]]
                else:
                    self.on_offer[key[1:]] = after.stock
            elif key[:1] == ORDER.tag:
                for sign, order in ((-1, before), (1, after)):
                    for listing, quantity in _promises(order):
                        self.promised[listing] = self.promised.get(listing, 0) + sign * quantity

    def _follow_offer(
        self, body: Body, transaction: Transaction, records: Sequence[tuple[bytes, Any, Any]]
    ) -> Iterator[str]:
        """6: stock on offer and promised changes only by listing.set, by shipping, or with a listing that is gone."""
        if isinstance(body, ListingSet):
            listing = numbered(body.store or transaction.sender, body.number)
            if body.price_minor:
                before = self.offered.get(listing, self.promised.get(listing, 0))
                self.offered[listing] = before + body.stock_delta
            else:
                del self.offered[listing]
        elif isinstance(body, OrderShip):
            for key, before, _ in records:
                for listing, quantity in _promises(before) if key[:1] == ORDER.tag else ():
                    if listing in self.offered:
                        self.offered[listing] -= quantity
        yield from self._compare()

    def _compare(self) -> Iterator[str]:
        if self.offered.keys() != self.on_offer.keys():
            yield "6: a listing came or went"
        for listing, units in self.offered.items():
            found = self.on_offer.get(listing, 0) + self.promised.get(listing, 0)
            if found != units:
                yield f"6: {found} units are on offer or promised, {units} were offered"

    def recount(self, values: Mapping[bytes, bytes]) -> Iterator[str]:
        """Yield what differs from a whole state."""
        on_offer: dict[bytes, int] = {}
        promised: dict[bytes, int] = {}
        for key, value in values.items():
            if key[:1] == LISTING.tag:
                listing: Listing = LISTING.read(value)
                on_offer[key[1:]] = listing.stock
            elif key[:1] == ORDER.tag:
                for name, quantity in _promises(ORDER.read(value)):
                    promised[name] = promised.get(name, 0) + quantity
        if on_offer != self.on_offer or promised != {name: count for name, count in self.promised.items() if count}:
            yield "6: the stock that was followed is not that of the state"


def _promises(order: Order | None) -> Iterator[tuple[bytes, int]]:
    if order is not None and order.status == OrderStatus.PLACED:
        for line in order.lines:
            yield numbered(order.store, line.listing), line.quantity
