"""Items: what is traced, who owns it, who holds it, and the head of its history.

Every change extends its history:

    head = H(previous head | encode([tx_id, type, signer, event_hash, event_time, time]))

starting from 32 zero bytes, so that the head proves the whole history, complete and in order.

What is packed keeps the custodian that it had: who holds it is the holder of its topmost parent. The levels of logistic
units fall from parent to child, so that there are no circles and at most `LEVEL_MAX` steps to the top.

Source: "Traceability" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from p2pcommerce.commerce.errors import NotFoundError, StateError
from p2pcommerce.commerce.gtin import GTIN_CHARS
from p2pcommerce.commerce.item_ids import ITEM_ID, SERIAL_CHARS_MAX, is_unit, lot_id, require_serial, serial_id
from p2pcommerce.commerce.kind import AMOUNT, U63, Kind, Tallies
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.ledger.transaction import TYPE_BYTES_MAX
from p2pcommerce.primitives.codec import (
    BOOL,
    HASH,
    KEY,
    U32,
    Shape,
    encode,
    maybe,
    raw,
    record_of,
    text,
    uint,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import PUBLIC_KEY_BYTES, ZERO_HASH, PublicKey, TransactionId

__all__ = [
    "HISTORY_ENTRY",
    "ITEM",
    "ITEM_BYTES",
    "ITEM_ID",
    "LEVEL_MAX",
    "LOCKS",
    "SERIAL_CHARS_MAX",
    "HistoryEntry",
    "Item",
    "ItemStatus",
    "issuer_of",
    "item_product",
    "lot_id",
    "new_item",
    "next_head",
    "require_empty",
    "require_item",
    "require_resting",
    "require_serial",
    "serial_id",
    "topmost",
]

ITEM_BYTES: Final = 448
LEVEL_MAX: Final = 4
"""Highest level of a logistic unit. Source: the specification's table of traceability."""
LOCKS: Final = b"lock"
"""Tally of items that are locked in orders: with the order's id and the item's behind it."""
_PACKED: Final = b"pack"
"""Tally of the children of a logistic unit: with the unit's id behind it."""
_PRODUCT_START: Final = 1
_PRODUCT_END: Final = 1 + PUBLIC_KEY_BYTES + GTIN_CHARS


@unique
class ItemStatus(IntEnum):
    """Where an item is in its life: at one of these places, and never at two."""

    RESTING = 0
    """With its custodian; anything can happen to it."""
    IN_TRANSIT = 1
    """Sent to `pending_to`, who has not received it."""
    IN_ORDER = 2
    """Shipped with the order that `within` names."""
    PACKED = 3
    """In the logistic unit that `within` names; who holds it is the holder of the topmost one."""
    ENDED = 4
    """Used up or decommissioned; it never comes back, nor does its id."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        owner: account, 32 bytes.
        custodian: who holds it; account, 32 bytes.
        status: see `ItemStatus`.
        pending_to: to whom it is on its way; account, 32 bytes.
        transfers_owner: whether receiving it also makes its receiver the owner.
        within: the id of the order or of the logistic unit that it is in.
        quantity: units; 1 for a serial and a logistic unit. Of an ended item: what it had last.
        sold: how often it was sold: more than once for goods sold again, or for a tag that somebody cloned.
        head: of its history, 32 bytes.
        n: entries of its history.
        product: id of the product (46 bytes) of a part of a lot; None where the item's own id says it.
        origin: id (32 bytes) of the transaction that split it off or made it of others; see `item_origin`.
        level: of a logistic unit, 1 to 4; 0 for all else.
        children: of a logistic unit, how many items are in it.
    """

    owner: PublicKey
    custodian: PublicKey
    status: int
    pending_to: PublicKey | None
    transfers_owner: bool
    within: bytes | None
    quantity: int
    sold: int
    head: bytes
    n: int
    product: bytes | None = None
    origin: bytes | None = None
    level: int = 0
    children: int = 0

    def after(
        self,
        entry: HistoryEntry,
        *,
        owner: PublicKey,
        custodian: PublicKey,
        status: ItemStatus = ItemStatus.RESTING,
        pending_to: PublicKey | None = None,
        transfers_owner: bool = False,
        within: bytes | None = None,
        sold: int = 0,
        taken: int = 0,
        children: int = 0,
    ) -> Item:
        """Return the item after a change that `entry` records; what is not given is as in an item at rest.

        Args:
            entry: the change, for the history.
            owner: who owns it then.
            custodian: who holds it then.
            status: where it is in its life.
            pending_to: to whom it is on its way.
            transfers_owner: whether receiving it moves its ownership.
            within: the id of the order that it is in.
            sold: how many more times it was sold.
            taken: how many units were split off.
            children: how many more items are in it.
        """
        return Item(
            owner,
            custodian,
            status,
            pending_to,
            transfers_owner,
            within,
            self.quantity - taken,
            self.sold + sold,
            next_head(self.head, entry),
            self.n + 1,
            self.product,
            self.origin,
            self.level,
            self.children + children,
        )


def _tallies(item_id: bytes, item: Item) -> Tallies:
    if item.within is not None:
        packed = item.status == ItemStatus.PACKED
        name = _PACKED + item.within if packed else LOCKS + item.within + item_id
        return ((name, -1), *_children(item_id, item))
    return _children(item_id, item)


def _children(item_id: bytes, item: Item) -> Tallies:
    return ((_PACKED + item_id, item.children),) if item.children else ()


ITEM: Final = Kind(
    "item",
    b"\x0b",
    record_of(
        Item,
        owner=KEY,
        custodian=KEY,
        status=uint(max(ItemStatus)),
        pending_to=maybe(KEY),
        transfers_owner=BOOL,
        within=maybe(ITEM_ID),
        quantity=AMOUNT,
        sold=U32,
        head=HASH,
        n=U32,
        product=maybe(raw(_PRODUCT_END - _PRODUCT_START)),
        origin=maybe(HASH),
        level=uint(LEVEL_MAX),
        children=U32,
    ),
    size=lambda _: ITEM_BYTES,
    tallies=_tallies,
)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change in the life of an item.

    Attributes:
        tx_id: the transaction that made it, 32 bytes.
        type: its type.
        signer: the account that signed it, 32 bytes.
        event_hash: EPCIS event hash, 32 bytes; zeros for an order's event.
        event_time_ms: Unix milliseconds of the event, as its signer says; the block's time for an order's event.
        time_ms: Unix milliseconds of the block.
    """

    tx_id: TransactionId
    type: str
    signer: PublicKey
    event_hash: bytes
    event_time_ms: int
    time_ms: int


HISTORY_ENTRY: Final[Shape[HistoryEntry]] = record_of(
    HistoryEntry,
    tx_id=HASH,
    type=text(TYPE_BYTES_MAX),
    signer=KEY,
    event_hash=HASH,
    event_time_ms=U63,
    time_ms=U63,
)


def next_head(head: bytes, entry: HistoryEntry) -> bytes:
    """Return the head (32 bytes) of a history after one more entry; an empty history's head is 32 zero bytes."""
    return blake2b_256(head + encode(HISTORY_ENTRY, entry))


def new_item(
    owner: PublicKey,
    quantity: int,
    entry: HistoryEntry,
    *,
    custodian: PublicKey | None = None,
    product: bytes | None = None,
    origin: bytes | None = None,
    level: int = 0,
) -> Item:
    """Return an item that `entry` brings into the world.

    Args:
        owner: account, 32 bytes.
        quantity: units.
        entry: the first of its history.
        custodian: who holds it; None: its owner.
        product: of a part of a lot, 46 bytes.
        origin: the transaction that made it of others, 32 bytes.
        level: of a logistic unit.
    """
    return Item(
        owner=owner,
        custodian=custodian or owner,
        status=ItemStatus.RESTING,
        pending_to=None,
        transfers_owner=False,
        within=None,
        quantity=quantity,
        sold=0,
        head=next_head(ZERO_HASH, entry),
        n=1,
        product=product,
        origin=origin,
        level=level,
    )


def item_product(item_id: bytes, item: Item) -> bytes:
    """Return the id (46 bytes) of the product of an item that exists; empty for a logistic unit, which is none."""
    if is_unit(item_id):
        return b""
    return item_id[_PRODUCT_START:_PRODUCT_END] if item.product is None else item.product


def issuer_of(item_id: bytes, item: Item) -> PublicKey:
    """Return the account (32 bytes) that issued an item's product, or gave a logistic unit its number."""
    named = item_id[_PRODUCT_START:] if item.product is None else item.product
    return PublicKey(named[:PUBLIC_KEY_BYTES])


def topmost(ledger: Ledger, item: Item) -> Item:
    """Return the outermost logistic unit that an item is in, or the item itself: who holds and owns that has it.

    Raises:
        LocalProtocolError: the state is broken: the unit is not there, or is in itself.
    """
    for _ in range(LEVEL_MAX + 1):
        if item.status != ItemStatus.PACKED or item.within is None:
            return item
        parent = ledger.get(ITEM, item.within)
        if parent is None:
            raise LocalProtocolError("an item is packed in a unit that is not there")
        item = parent
    raise LocalProtocolError("logistic units are packed in circles")


def require_item(ledger: Ledger, item_id: bytes) -> Item:
    """Return an item.

    Raises:
        NotFoundError: there is none of this id.
    """
    item = ledger.get(ITEM, item_id)
    if item is None:
        name = item_id[_PRODUCT_END:].decode("ascii", "replace")
        raise NotFoundError(f"there is no item {name!a}" if name else f"there is no item of the id {item_id.hex()}")
    return item


def require_resting(item: Item) -> None:
    """Demand that nothing is under way with an item.

    Raises:
        StateError: it is in transit, in an order, packed or ended.
    """
    if item.status != ItemStatus.RESTING:
        raise StateError(f"the item is {ItemStatus(item.status).name.lower().replace('_', ' ')}")


def require_empty(item: Item) -> None:
    """Demand that nothing is packed in an item.

    Raises:
        StateError: it is a logistic unit with something in it.
    """
    if item.children:
        raise StateError("there are items in the logistic unit; unpack them first")
