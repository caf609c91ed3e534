"""Packing: items go into a logistic unit, which is itself an item, and come out of it again.

A unit comes to be when something is first packed in it. It is sent and received as one; what is in it keeps its own
record untouched, and takes owner and custodian of the unit when it is unpacked. So packing moves nothing however much
is in a unit, and nothing is ever walked but the way up, of at most four steps.

Source: "Traceability" of the commerce specification.
Deviations: whatever is in a unit has the unit's owner. Unpacking copies the owner: a carrier who packed the goods of
others in a unit of its own would own them when they come out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from p2pcommerce.commerce.body import Call, body, require_increasing
from p2pcommerce.commerce.errors import ForbiddenError, FormatError, LimitError, NotFoundError, StateError
from p2pcommerce.commerce.item import (
    ITEM,
    ITEM_BYTES,
    LEVEL_MAX,
    Item,
    ItemStatus,
    issuer_of,
    new_item,
    require_item,
    require_resting,
)
from p2pcommerce.commerce.item_ids import ITEM_ID, require_unit
from p2pcommerce.commerce.kind import U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.commerce.trace import IDS_MAX, Traced
from p2pcommerce.primitives.codec import HASH, KEY, array, maybe, uint
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["TracePack", "TraceUnpack"]


class _Packing(Traced):
    """What packing and unpacking have in common."""

    __slots__ = ()

    parent: bytes
    children: tuple[bytes, ...]

    @override
    def check(self, rules: Rules) -> None:
        """The parent is a logistic unit, and each child stands once."""
        require_unit(self.parent)
        require_increasing(self.children, "children")
        if self.parent in self.children:
            raise FormatError("nothing is packed in itself")

    @override
    def records(self) -> int:
        """The parent and the children, two for each."""
        return 2 + 2 * len(self.children)


@body(
    "trace.pack",
    parent=ITEM_ID,
    level=uint(LEVEL_MAX, 1),
    children=array(ITEM_ID, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TracePack(_Packing):
    """Pack items in a logistic unit, by who holds all of them.

    Attributes:
        parent: id of the unit, 51 bytes; a new one names as its packer who packs it.
        level: of the unit, 1 to 4, for good; that of each child is lower.
        children: 1 to 64 item ids, strictly increasing; all of one owner.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    parent: bytes
    level: int
    children: tuple[bytes, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposit of a new unit."""
        return 0 if ledger.get(ITEM, self.parent) is not None else ITEM_BYTES * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Put the children in the parent; see `Body.apply`."""
        holder = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        before = ledger.get(ITEM, self.parent)
        if before is not None:
            if before.custodian != holder:
                raise ForbiddenError("only its custodian packs something in a logistic unit")
            require_resting(before)
            if before.level != self.level:
                raise LimitError(f"the logistic unit has the level {before.level}, for good")
        owner = None if before is None else before.owner
        for child_id in self.children:
            child = require_item(ledger, child_id)
            if child.custodian != holder:
                raise ForbiddenError("only its custodian packs an item")
            require_resting(child)
            if child.level >= self.level:
                raise LimitError(f"a unit of the level {child.level} goes in one of a higher level than {self.level}")
            owner = owner or child.owner
            if child.owner != owner:
                raise ForbiddenError("what is packed together belongs to one owner, who owns the unit")
            packed = child.after(entry, owner=owner, custodian=holder, status=ItemStatus.PACKED, within=self.parent)
            ledger.put(ITEM, child_id, packed)
        ledger.put(ITEM, self.parent, self._parent(call, before, holder, owner or holder))
        return (call.sender, holder, self.parent, *self.children)

    def _parent(self, call: Call, before: Item | None, holder: PublicKey, owner: PublicKey) -> Item:
        entry = self.entry(call)
        if before is not None:
            return before.after(entry, owner=owner, custodian=holder, children=len(self.children))
        new = new_item(owner, 1, entry, custodian=holder, level=self.level)
        if issuer_of(self.parent, new) != holder:
            raise NotFoundError("there is no such logistic unit, and a new one is of who packs it first")
        return replace(new, children=len(self.children))


@body(
    "trace.unpack",
    parent=ITEM_ID,
    children=array(ITEM_ID, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceUnpack(_Packing):
    """Take items out of a logistic unit, by who holds it; they get its owner and its custodian.

    Attributes:
        parent: id of the unit, 51 bytes.
        children: 1 to 64 ids of items in it, strictly increasing.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    parent: bytes
    children: tuple[bytes, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Take the children out of the parent; see `Body.apply`."""
        holder = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        parent = require_item(ledger, self.parent)
        if parent.custodian != holder:
            raise ForbiddenError("only its custodian unpacks a logistic unit")
        require_resting(parent)
        for child_id in self.children:
            child = require_item(ledger, child_id)
            if child.status != ItemStatus.PACKED or child.within != self.parent:
                raise StateError("the item is not in this logistic unit")
            ledger.put(ITEM, child_id, child.after(entry, owner=parent.owner, custodian=holder))
        opened = parent.after(entry, owner=parent.owner, custodian=holder, children=-len(self.children))
        ledger.put(ITEM, self.parent, opened)
        return (call.sender, holder, self.parent, *self.children)
