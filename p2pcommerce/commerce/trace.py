"""Custody: items come to be, are sent, and are received or turned back.

A hand-over is two transactions, by the sender and by the receiver: the two signatures of a transfer of custody, without
both being online at once. What the receiver does not take, or the sender recalls, is where it was before.

Source: "Traceability" of the commerce specification.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Body, Call, body, require_increasing
from p2pcommerce.commerce.errors import ExistsError, ForbiddenError, FormatError, NotFoundError, StateError
from p2pcommerce.commerce.item import (
    ITEM,
    ITEM_BYTES,
    ITEM_ID,
    HistoryEntry,
    Item,
    ItemStatus,
    lot_id,
    new_item,
    require_item,
    require_resting,
    require_serial,
    serial_id,
)
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import GTIN, PRODUCT, ProductId, require_gtin
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.primitives.codec import BOOL, HASH, KEY, array, maybe, record_of, text
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = [
    "IDS_MAX",
    "LOT",
    "SERIALS_MAX",
    "Lot",
    "TraceCommission",
    "TraceReceive",
    "TraceReject",
    "TraceShip",
    "Traced",
    "check_goods",
    "goods_ids",
]

SERIALS_MAX: Final = 256
"""Serials of one commission at most. Source: the specification's table of traceability."""
IDS_MAX: Final = 64
"""Items of one hand-over at most. Source: the specification's table of traceability."""


class Traced(Body):
    """What all trace transactions have in common: the event that they stand for."""

    __slots__ = ()

    event_hash: bytes
    event_time_ms: int

    def entry(self, call: Call) -> HistoryEntry:
        """Return what the transaction leaves in the history of each item that it changes."""
        return HistoryEntry(call.tx_id, self.TYPE, call.sender, self.event_hash, self.event_time_ms, call.time_ms)


@dataclass(frozen=True, slots=True)
class Lot:
    """A number of units under one id.

    Attributes:
        lot: 1 to 20 characters.
        quantity: units, at least 1.
    """

    lot: str
    quantity: int


LOT: Final = record_of(Lot, lot=text(20), quantity=U63)


def check_goods(gtin14: str, serials: tuple[str, ...], lot: Lot | None) -> None:
    """Demand serials or a lot of a product, never both, in the form of GS1.

    Raises:
        FormatError: it is something else.
    """
    require_gtin(gtin14)
    require_increasing(serials, "serials")
    if bool(serials) == (lot is not None):
        raise FormatError("give serials or a lot, one of the two")
    for serial in serials if lot is None else (lot.lot,):
        require_serial(serial)
    if lot is not None and not lot.quantity:
        raise FormatError("a lot has at least one unit")


def goods_ids(
    ledger: Ledger, issuer: PublicKey, gtin14: str, serials: tuple[str, ...], lot: Lot | None
) -> list[tuple[bytes, int]]:
    """Return id and units of each new item of an issuer's product.

    Raises:
        NotFoundError: the issuer has no such product.
        ExistsError: one of them exists, or did.
    """
    product = ProductId(issuer, gtin14)
    if ledger.get(PRODUCT, product.key) is None:
        raise NotFoundError("the sender has no such product; product.set makes it")
    new = (
        [(serial_id(product, serial), 1) for serial in serials]
        if lot is None
        else [(lot_id(product, lot.lot), lot.quantity)]
    )
    if any(ledger.get(ITEM, item_id) is not None for item_id, _ in new):
        raise ExistsError("an item of this serial or lot exists already")
    return new


@body(
    "trace.commission",
    gtin14=GTIN,
    serials=array(text(20), SERIALS_MAX),
    lot=maybe(LOT),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceCommission(Traced):
    """Bring new items of the sender's product into the world; the sender owns and holds them.

    Attributes:
        gtin14: of a product of the sender, 14 digits.
        serials: at most 256, strictly increasing; empty if there is a lot.
        lot: a lot instead of serials.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    gtin14: str
    serials: tuple[str, ...]
    lot: Lot | None
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Serials or a lot, never both, in the form of GS1."""
        check_goods(self.gtin14, self.serials, self.lot)

    @override
    def records(self) -> int:
        """The new items."""
        return len(self.serials) or 1

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposits of the items."""
        return self.records() * ITEM_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write the items; see `Body.apply`."""
        issuer = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        new = goods_ids(ledger, issuer, self.gtin14, self.serials, self.lot)
        for item_id, quantity in new:
            ledger.put(ITEM, item_id, new_item(issuer, quantity, entry))
        product = ProductId(issuer, self.gtin14)
        return (call.sender, issuer, product.key, *[item_id for item_id, _ in new])


@body(
    "trace.ship",
    ids=array(ITEM_ID, IDS_MAX, 1),
    to=KEY,
    event_hash=HASH,
    event_time_ms=U63,
    transfers_owner=BOOL,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceShip(Traced):
    """Send items to somebody, who has them when that somebody receives them.

    Attributes:
        ids: 1 to 64 item ids, strictly increasing.
        to: account, 32 bytes.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        transfers_owner: receiving also makes the receiver the owner.
        store: for which an operator acts (TRACE, no transfer of ownership); None: the sender itself.
    """

    ids: tuple[bytes, ...]
    to: PublicKey
    event_hash: bytes
    event_time_ms: int
    transfers_owner: bool = False
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Each item stands once."""
        require_increasing(self.ids, "ids")

    @override
    def records(self) -> int:
        """Each item, and each again when it is received."""
        return 2 * len(self.ids)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Put the items in transit; see `Body.apply`."""
        holder = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        if self.transfers_owner and holder != call.sender:
            raise ForbiddenError("an operator may not transfer ownership")
        if self.to == holder:
            raise ForbiddenError("items are sent to somebody else than their custodian")
        entry = self.entry(call)
        for item_id in self.ids:
            item = require_item(ledger, item_id)
            if item.custodian != holder:
                raise ForbiddenError("only its custodian sends an item")
            if self.transfers_owner and item.owner != holder:
                raise ForbiddenError("only its owner transfers the ownership of an item")
            require_resting(item)
            sent = item.after(
                entry,
                owner=item.owner,
                custodian=holder,
                status=ItemStatus.IN_TRANSIT,
                pending_to=self.to,
                transfers_owner=self.transfers_owner,
            )
            ledger.put(ITEM, item_id, sent)
        return (call.sender, holder, self.to, *self.ids)


class _Arrival(Traced):
    """What receiving items and turning them back have in common: both end a transit."""

    __slots__ = ()

    ids: tuple[bytes, ...]
    store: PublicKey | None

    @override
    def check(self, rules: Rules) -> None:
        """Each item stands once."""
        require_increasing(self.ids, "ids")

    @override
    def records(self) -> int:
        """Two per item, as for every list of ids."""
        return 2 * len(self.ids)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """End the transit of each item; see `Body.apply`."""
        party = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        others = []
        for item_id in self.ids:
            item = require_item(ledger, item_id)
            if item.status != ItemStatus.IN_TRANSIT or item.pending_to is None:
                raise StateError("the item is not in transit")
            other, owner, custodian = self._end(item, item.pending_to, party)
            others.append(other)
            ledger.put(ITEM, item_id, item.after(entry, owner=owner, custodian=custodian))
        return (call.sender, party, *others, *self.ids)

    @abstractmethod
    def _end(self, item: Item, receiver: PublicKey, party: PublicKey) -> tuple[PublicKey, PublicKey, PublicKey]:
        """Return the other party of a transit, and who owns and who holds the item after it.

        Raises:
            ForbiddenError: this is not for `party` to do.
        """


@body(
    "trace.receive",
    ids=array(ITEM_ID, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceReceive(_Arrival):
    """Receive items that were sent to the sender of this transaction.

    Attributes:
        ids: 1 to 64 item ids, strictly increasing.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    ids: tuple[bytes, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def _end(self, item: Item, receiver: PublicKey, party: PublicKey) -> tuple[PublicKey, PublicKey, PublicKey]:
        """Custody moves, and ownership if it was sent so."""
        if party != receiver:
            raise ForbiddenError("the item was sent to somebody else")
        return item.custodian, receiver if item.transfers_owner else item.owner, receiver


@body(
    "trace.reject",
    ids=array(ITEM_ID, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceReject(_Arrival):
    """Turn items back that are in transit: by the one they were sent to, or by the one who sent them (a recall).

    Attributes:
        ids: 1 to 64 item ids, strictly increasing.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    ids: tuple[bytes, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def _end(self, item: Item, receiver: PublicKey, party: PublicKey) -> tuple[PublicKey, PublicKey, PublicKey]:
        """The item rests where it was sent from."""
        if party not in {receiver, item.custodian}:
            raise ForbiddenError("an item is turned back by its sender or by the one it was sent to")
        return item.custodian if party == receiver else receiver, item.owner, item.custodian
