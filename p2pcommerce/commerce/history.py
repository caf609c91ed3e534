"""The history of an item, checked without a node.

    entries + the item's record + a state proof of that record + a final header  =  the whole history, complete

The state proof and the header are for others to check; here the entries are folded into a head and compared with the
record. Pure functions over bytes.

Source: "Offline proof" of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.item import (
    HISTORY_ENTRY,
    ITEM,
    HistoryEntry,
    Item,
    ItemStatus,
    lot_id,
    next_head,
    require_serial,
    serial_id,
)
from p2pcommerce.commerce.order_close import OrderCancel, OrderConfirm, OrderRefund, OrderSettle
from p2pcommerce.commerce.order_dispute import OrderResolve
from p2pcommerce.commerce.order_ship import OrderShip
from p2pcommerce.commerce.product import ProductId, require_gtin
from p2pcommerce.commerce.registry import BODIES, read_body
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.errors import CodecError, RemoteProtocolError
from p2pcommerce.primitives.ids import ZERO_HASH, PublicKey

__all__ = [
    "HISTORY_ENTRIES_MAX",
    "HISTORY_ENTRY",
    "HistoryEntry",
    "HistoryError",
    "Item",
    "ItemStatus",
    "entry_from",
    "extends_history",
    "fold",
    "item_id",
    "item_key",
    "read_item",
    "verify_history",
]

HISTORY_ENTRIES_MAX: Final = 4_096
"""Entries that a history to be verified has at most."""

_EXTENDING: Final = frozenset(
    {OrderShip.TYPE, OrderConfirm.TYPE, OrderCancel.TYPE, OrderResolve.TYPE, OrderSettle.TYPE}
)
"""What an order does to the items in it: they are locked in it, and leave it when it is closed."""


class HistoryError(RemoteProtocolError):
    """A history that is not the one that the item's record commits to, or a record that cannot be read."""

    code = "BAD_HISTORY"


def item_id(issuer: PublicKey, gtin14: str, *, serial: str | None = None, lot: str | None = None) -> bytes:
    """Return the id (at most 67 bytes) of an item, as bodies and events name it.

    Args:
        issuer: of the product; account, 32 bytes.
        gtin14: of the product, 14 digits.
        serial: 1 to 20 characters.
        lot: 1 to 20 characters, instead of a serial.

    Raises:
        FormatError: the GTIN or serial is none, or neither or both of serial and lot are given.
    """
    require_gtin(gtin14)
    product = ProductId(issuer, gtin14)
    if serial is not None and lot is None:
        require_serial(serial)
        return serial_id(product, serial)
    if lot is not None and serial is None:
        require_serial(lot)
        return lot_id(product, lot)
    raise FormatError("give a serial or a lot, one of the two")


def item_key(identifier: bytes) -> bytes:
    """Return the state key of an item's id."""
    return ITEM.key(identifier)


def read_item(value: bytes) -> Item:
    """Decode an item's record from its state value.

    Raises:
        HistoryError: it is none.
    """
    try:
        return ITEM.read(value)
    except CodecError as error:
        raise HistoryError(f"the item's record cannot be read: {error}") from error


def entry_from(transaction: Transaction, time_ms: int, bodies: Mapping[str, type[Body]] = BODIES) -> HistoryEntry:
    """Return what a successful transaction in a block of a time left in the history of each item that it touched.

    Args:
        transaction: of a type that touches items.
        time_ms: of the block's header, Unix milliseconds.
        bodies: the table of transaction types.

    Raises:
        FormatError: the transaction's body is not of its type's form.
    """
    payload = read_body(transaction.type, transaction.body, bodies)
    event_hash: bytes = getattr(payload, "event_hash", ZERO_HASH)
    event_time_ms: int = getattr(payload, "event_time_ms", time_ms)
    return HistoryEntry(transaction.id, transaction.type, transaction.sender, event_hash, event_time_ms, time_ms)


def extends_history(payload: Body) -> bool:
    """Tell whether a transaction that succeeded changed the items that its event names, and so is in their histories.

    A dispute, a partial refund or a certificate names items, too, and changes none.
    """
    if isinstance(payload, OrderRefund):
        return not payload.amount_minor
    return payload.TYPE in _EXTENDING or payload.TYPE.startswith("trace.")


def fold(entries: Iterable[HistoryEntry]) -> bytes:
    """Return the head (32 bytes) of a history; zeros for an empty one."""
    head = ZERO_HASH
    for entry in entries:
        head = next_head(head, entry)
    return head


def verify_history(entries: Sequence[HistoryEntry], item_value: bytes) -> Item:
    """Check that `entries` are the whole history that an item's record commits to, and return the record.

    Args:
        entries: in order, the first one first.
        item_value: the state value of the item's record; that it is in the state is for a state proof to show.

    Raises:
        HistoryError: an entry is missing, changed, added or out of order; or the record cannot be read.
    """
    item = read_item(item_value)
    if len(entries) > HISTORY_ENTRIES_MAX:
        raise HistoryError(f"a history of {len(entries)} entries, at most {HISTORY_ENTRIES_MAX} are verified")
    if len(entries) != item.n:
        raise HistoryError(f"the item has {item.n} events, {len(entries)} are given: the history is not complete")
    if fold(entries) != item.head:
        raise HistoryError("the events do not lead to the head of the item's record: one was changed or moved")
    return item
