"""Items: one serial or one lot of a product, who owns it, who holds it, and the head of its history.

An item's id is tagged: 1 a serial (issuer, gtin, serial), 2 a lot (issuer, gtin, lot). Every change extends its
history:

    head = H(previous head | encode([tx_id, type, signer, event_hash, event_time, time]))

starting from 32 zero bytes, so that the head proves the whole history, complete and in order.

Source: "Traceability" of the commerce specification. GS1 General Specifications, figure 7.11-1 (the 82 characters of
serials and lots).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from p2pcommerce.commerce.errors import FormatError, NotFoundError, StateError
from p2pcommerce.commerce.gtin import GTIN_CHARS
from p2pcommerce.commerce.kind import AMOUNT, U63, Kind, Tallies
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import ProductId
from p2pcommerce.ledger.transaction import TYPE_BYTES_MAX
from p2pcommerce.primitives.codec import BOOL, HASH, KEY, U32, Shape, blob, encode, maybe, record_of, text, uint
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import PUBLIC_KEY_BYTES, ZERO_HASH, PublicKey, TransactionId

__all__ = [
    "HISTORY_ENTRY",
    "ITEM",
    "ITEM_BYTES",
    "ITEM_ID",
    "LOCKS",
    "SERIAL_CHARS_MAX",
    "HistoryEntry",
    "Item",
    "ItemStatus",
    "item_product",
    "lot_id",
    "new_item",
    "next_head",
    "require_item",
    "require_resting",
    "require_serial",
    "serial_id",
]

SERIAL_CHARS_MAX: Final = 20
ITEM_ID_BYTES_MAX: Final = 96
ITEM_ID: Final = blob(ITEM_ID_BYTES_MAX, 1)
ITEM_BYTES: Final = 360
LOCKS: Final = b"lock"
"""Tally of items that are locked in orders: with the order's id and the item's behind it."""
_SERIAL_TAG: Final = b"\x01"
_LOT_TAG: Final = b"\x02"
_PRODUCT_START: Final = 1
_PRODUCT_END: Final = 1 + PUBLIC_KEY_BYTES + GTIN_CHARS
_SERIAL: Final = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")


@unique
class ItemStatus(IntEnum):
    """Where an item is in its life. Packing and ending belong to a later version."""

    RESTING = 0
    """With its custodian; anything can happen to it."""
    IN_TRANSIT = 1
    """Sent to `pending_to`, who has not received it."""
    IN_ORDER = 2
    """Shipped with the order that `within` names."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        owner: account, 32 bytes.
        custodian: who holds it; account, 32 bytes.
        status: see `ItemStatus`.
        pending_to: to whom it is on its way; account, 32 bytes.
        transfers_owner: whether receiving it also makes its receiver the owner.
        within: the id of the order that it is in.
        quantity: units; 1 for a serial.
        sold: how often it was sold.
        head: of its history, 32 bytes.
        n: entries of its history.
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
        """
        return Item(
            owner,
            custodian,
            status,
            pending_to,
            transfers_owner,
            within,
            self.quantity,
            self.sold + sold,
            next_head(self.head, entry),
            self.n + 1,
        )


def _tallies(item_id: bytes, item: Item) -> Tallies:
    if item.status != ItemStatus.IN_ORDER or item.within is None:
        return ()
    return ((LOCKS + item.within + item_id, -1),)


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


def new_item(owner: PublicKey, quantity: int, entry: HistoryEntry) -> Item:
    """Return an item that `entry` brings into the world; its owner holds it."""
    return Item(
        owner=owner,
        custodian=owner,
        status=ItemStatus.RESTING,
        pending_to=None,
        transfers_owner=False,
        within=None,
        quantity=quantity,
        sold=0,
        head=next_head(ZERO_HASH, entry),
        n=1,
    )


def require_serial(serial: str) -> None:
    """Demand a serial or lot number: 1 to 20 of the 82 characters that GS1 allows.

    Raises:
        FormatError: it is none.
    """
    if _SERIAL.fullmatch(serial) is None:
        raise FormatError("a serial or lot is 1 to 20 of the characters that GS1 allows (ASCII, no space)")


def serial_id(product: ProductId, serial: str) -> bytes:
    """Return the id (at most 67 bytes) of a serial."""
    return _SERIAL_TAG + product.key + serial.encode("ascii")


def lot_id(product: ProductId, lot: str) -> bytes:
    """Return the id (at most 67 bytes) of a lot."""
    return _LOT_TAG + product.key + lot.encode("ascii")


def item_product(item_id: bytes) -> bytes:
    """Return the id (46 bytes) of the product of an item that exists."""
    return item_id[_PRODUCT_START:_PRODUCT_END]


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
        StateError: it is in transit or in an order.
    """
    if item.status != ItemStatus.RESTING:
        raise StateError(f"the item is {ItemStatus(item.status).name.lower().replace('_', ' ')}")
