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
    TraceCommission,
    TraceDecommission,
    TraceSplit,
    TraceTransform,
    entry_from,
)
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.item import ITEM, Item, next_head
from p2pcommerce.commerce.item_ids import is_unit
from p2pcommerce.commerce.item_origin import ORIGIN
from p2pcommerce.commerce.listing import LISTING, Listing
from p2pcommerce.commerce.order import ORDER, Order, OrderStatus
from p2pcommerce.commerce.terms import numbered
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.ids import ZERO_HASH

__all__ = ["Goods"]

_MOVES: Final = frozenset(
    ("trace.receive", "trace.unpack", "order.confirm", "order.resolve", "order.settle", "order.refund", "order.cancel")
)
"""What may change an item's custodian or owner: to receive it, to unpack it, or to close its order."""
_MAKES_ITEMS: Final = frozenset(("trace.commission", "trace.split", "trace.transform"))
_OF_PACKED: Final = frozenset(("trace.unpack", "trace.observe"))
"""What may change an item while it is packed."""

ItemChange = tuple[bytes, Item | None, Item | None]
"""Key, item before, item after."""


@dataclass(slots=True)
class Goods:
    """The goods of one world.

    Attributes:
        levels: item -> its level, 0 but for logistic units.
        offered: listing -> units on offer and promised by it, as listing.set and order.ship say.
        promised: listing -> units of placed orders.
        on_offer: listing -> its stock.
    """

    levels: dict[bytes, int] = field(default_factory=dict)
    offered: dict[bytes, int] = field(default_factory=dict)
    promised: dict[bytes, int] = field(default_factory=dict)
    on_offer: dict[bytes, int] = field(default_factory=dict)

    @staticmethod
    def tallies(identifier: bytes, record: object) -> list[tuple[tuple[str, bytes], int]]:
        """Return what an item counts: that it is locked in an order, or in a logistic unit, and what is in it."""
        if not isinstance(record, Item):
            return []
        found = [(("items in the unit", identifier), -record.children)] if record.children else []
        if record.status == ItemStatus.IN_ORDER and record.within is not None:
            found.append((("locked items", record.within + identifier), -1))
        if record.status == ItemStatus.PACKED and record.within is not None:
            found.append((("items in the unit", record.within), 1))
        return found

    def watch(
        self, body: Body, transaction: Transaction, time_ms: int, records: Sequence[tuple[bytes, Any, Any]]
    ) -> Iterator[str]:
        """Follow a transaction that succeeded; yield what is wrong with it."""
        entry = entry_from(transaction, time_ms)
        items: list[ItemChange] = [record for record in records if record[0][:1] == ITEM.tag]
        for _, before, after in items:
            yield from self._watch_item(transaction.type, before, after, entry)
        yield from self._watch_levels(items)
        yield from _watch_units(body, items)
        yield from _watch_provenance(transaction, items, records)
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
        yield from _watch_place(after)
        if before is None:
            if type_name not in _MAKES_ITEMS and not (type_name == "trace.pack" and after.level):
                yield f"6: {type_name} made an item"
            return
        if before.status == ItemStatus.ENDED:
            yield f"5: {type_name} changed an item that was ended"
        if before.status == ItemStatus.PACKED and type_name not in _OF_PACKED:
            yield f"5: {type_name} changed an item that is packed"
        if (before.custodian, before.owner) != (after.custodian, after.owner) and type_name not in _MOVES:
            yield f"5: {type_name} moved custody"
        if (after.level, after.product, after.origin) != (before.level, before.product, before.origin):
            yield f"5: {type_name} changed what an item is"

    def _watch_levels(self, items: Sequence[ItemChange]) -> Iterator[str]:
        """5: what is packed has a lower level than what it is packed in."""
        self.levels.update((key[1:], after.level) for key, _, after in items if after is not None)
        for key, _, after in items:
            if after is None:
                continue
            if bool(after.level) != is_unit(key[1:]):
                yield "5: a logistic unit has a level, and nothing else has"
            if after.status == ItemStatus.PACKED and self.levels.get(after.within or b"", 0) <= after.level:
                yield "5: an item is packed in one that is not of a higher level"

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


def _watch_place(item: Item) -> Iterator[str]:
    """5: an item is at most one of packed, in transit, in an order, ended."""
    if (item.status == ItemStatus.IN_TRANSIT) != (item.pending_to is not None):
        yield "5: an item in transit is on its way to somebody, and no other"
    if (item.status in {ItemStatus.IN_ORDER, ItemStatus.PACKED}) != (item.within is not None):
        yield "5: an item that is in something is in an order or packed, and no other"
    if item.pending_to == item.custodian:
        yield "5: an item is on its way to its custodian"
    if item.children and item.status in {ItemStatus.ENDED, ItemStatus.IN_ORDER}:
        yield "5: a logistic unit with something in it was ended or sold"


def _units(item: Item | None) -> int:
    return 0 if item is None or item.level or item.status == ItemStatus.ENDED else item.quantity


def _watch_units(body: Body, items: Sequence[ItemChange]) -> Iterator[str]:
    """6: the units of all goods change only as a commission, a transformation or a decommissioning says."""
    gained = sum(_units(after) - _units(before) for _, before, after in items)
    before = sum(_units(each) for _, each, _ in items)
    match body:
        case TraceCommission(serials=serials, lot=lot):
            wanted = len(serials) if lot is None else lot.quantity
        case TraceTransform(outputs=outputs):
            wanted = sum(len(each.serials) if each.lot is None else each.lot.quantity for each in outputs) - before
        case TraceDecommission():
            wanted = -before
        case _:
            wanted = 0
    if gained != wanted:
        yield f"6: {body.TYPE} made {gained} units, and says {wanted}"
    if isinstance(body, TraceSplit):
        return
    for _, old, new in items:
        if old is not None and new is not None and old.quantity != new.quantity:
            yield f"6: {body.TYPE} changed the units of an item"


def _watch_provenance(
    transaction: Transaction, items: Sequence[ItemChange], records: Sequence[tuple[bytes, Any, Any]]
) -> Iterator[str]:
    """What is made of other items leads back to them and to their histories as they were."""
    if transaction.type not in {"trace.split", "trace.transform"}:
        return
    sources = {(key[1:], after.head) for key, before, after in items if before is not None and after is not None}
    links = [after for key, _, after in records if key == ORIGIN.key(transaction.id)]
    if [{(link.item, link.head) for link in each.sources} for each in links] != [sources]:
        yield f"{transaction.type} does not lead back to what its items were made of"
    if any(after is None or after.origin != transaction.id for _, before, after in items if before is None):
        yield f"{transaction.type} made an item that names no origin"
