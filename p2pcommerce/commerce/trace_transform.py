"""What becomes of items: a lot is split, some are made into others, some end.

What is made of others refers to them: the record of origin of the transaction holds each input and the head of its
history, so that the history of a product leads back to what it was made of.

Source: "Traceability" of the commerce specification.
Deviations: a decommissioning carries the hash and the time of its event, as every other; the specification's table
names its items and its reason alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.body import Call, body, require_increasing
from p2pcommerce.commerce.errors import ForbiddenError, FormatError, LimitError
from p2pcommerce.commerce.item import (
    ITEM,
    ITEM_BYTES,
    Item,
    ItemStatus,
    item_product,
    new_item,
    require_empty,
    require_item,
    require_resting,
)
from p2pcommerce.commerce.item_ids import ITEM_ID, is_lot, is_unit, part_id
from p2pcommerce.commerce.item_origin import LINK_BYTES, LINKS_MAX, ORIGIN, ORIGIN_BYTES, Link, Origin
from p2pcommerce.commerce.kind import AMOUNT, U63
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.product import GTIN
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.commerce.trace import IDS_MAX, LOT, SERIALS_MAX, Lot, Traced, check_goods, goods_ids
from p2pcommerce.commerce.trace_observe import WORD_BYTES_MAX
from p2pcommerce.primitives.codec import HASH, KEY, Shape, array, maybe, record_of, text
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Output", "TraceDecommission", "TraceSplit", "TraceTransform"]


def _require_held(item: Item, holder: PublicKey) -> None:
    """Demand that nothing is under way with an item, nothing in it, and that `holder` has it in custody.

    Raises:
        ForbiddenError: somebody else has.
        StateError: something is under way with it, or in it.
    """
    if item.custodian != holder:
        raise ForbiddenError("only its custodian does this with an item")
    require_resting(item)
    require_empty(item)


def _ended(item: Item, traced: Traced, call: Call) -> Item:
    entry = traced.entry(call)
    return item.after(entry, owner=item.owner, custodian=item.custodian, status=ItemStatus.ENDED)


@body(
    "trace.split",
    lot=ITEM_ID,
    quantities=array(AMOUNT, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceSplit(Traced):
    """Split parts off a lot, by its custodian; each part is an item of its own, and belongs to the lot's owner.

    Attributes:
        lot: id of a lot or of a part of one.
        quantities: units of each part, 1 to 64 parts; their sum is below the units of the lot.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    lot: bytes
    quantities: tuple[int, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Only lots are split."""
        if not is_lot(self.lot):
            raise FormatError("only a lot, or a part of one, is split")

    @override
    def records(self) -> int:
        """The lot, the record of origin, and the parts."""
        return 2 + len(self.quantities)

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposits of the parts and of the record of origin."""
        return (ORIGIN_BYTES + LINK_BYTES + len(self.quantities) * ITEM_BYTES) * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Take the units out of the lot and write the parts; see `Body.apply`."""
        holder = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        lot = require_item(ledger, self.lot)
        _require_held(lot, holder)
        taken = sum(self.quantities)
        if taken >= lot.quantity:
            raise LimitError(f"the lot has {lot.quantity} units, and at least one of them stays in it")
        rest = lot.after(entry, owner=lot.owner, custodian=lot.custodian, taken=taken)
        ledger.put(ITEM, self.lot, rest)
        ledger.put(ORIGIN, call.tx_id, Origin((Link(self.lot, rest.head),)))
        product = item_product(self.lot, lot)
        parts = [part_id(call.tx_id, index) for index in range(len(self.quantities))]
        for part, quantity in zip(parts, self.quantities, strict=True):
            new = new_item(lot.owner, quantity, entry, custodian=holder, product=product, origin=call.tx_id)
            ledger.put(ITEM, part, new)
        return (call.sender, holder, self.lot, *parts)


@dataclass(frozen=True, slots=True)
class Output:
    """What a transformation makes: serials or a lot of one product of the sender.

    Attributes:
        gtin14: of a product of the sender, 14 digits.
        serials: strictly increasing; empty if there is a lot.
        lot: a lot instead of serials.
    """

    gtin14: str
    serials: tuple[str, ...] = ()
    lot: Lot | None = None


_OUTPUT: Final[Shape[Output]] = record_of(Output, gtin14=GTIN, serials=array(text(20), SERIALS_MAX), lot=maybe(LOT))


@body(
    "trace.transform",
    inputs=array(ITEM_ID, LINKS_MAX, 1),
    outputs=array(_OUTPUT, IDS_MAX, 1),
    event_hash=HASH,
    event_time_ms=U63,
    store=maybe(KEY),
)
@dataclass(frozen=True, slots=True)
class TraceTransform(Traced):
    """Make items of others, which end; by their custodian and owner.

    Attributes:
        inputs: 1 to 64 item ids, strictly increasing; no logistic units. Of a lot, all of it: split it before.
        outputs: at most 256 items of products of the sender, by GTIN and lot.
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
        store: for which an operator acts (TRACE); None: the sender itself.
    """

    inputs: tuple[bytes, ...]
    outputs: tuple[Output, ...]
    event_hash: bytes
    event_time_ms: int
    store: PublicKey | None = None

    @override
    def check(self, rules: Rules) -> None:
        """Each input and output stands once, and no logistic unit is made into something."""
        require_increasing(self.inputs, "inputs")
        if any(is_unit(each) for each in self.inputs):
            raise FormatError("a logistic unit is unpacked, and not made into something")
        for output in self.outputs:
            check_goods(output.gtin14, output.serials, output.lot)
        names = [(output.gtin14, "" if output.lot is None else output.lot.lot) for output in self.outputs]
        require_increasing(names, "outputs")
        if self._outputs() > SERIALS_MAX:
            raise FormatError(f"at most {SERIALS_MAX} items are made at once")

    def _outputs(self) -> int:
        return sum(len(output.serials) or 1 for output in self.outputs)

    @override
    def records(self) -> int:
        """The inputs, two for each as for every list of ids, the record of origin, and the outputs."""
        return 2 * len(self.inputs) + 1 + self._outputs()

    @override
    def spend_minor(self, ledger: Ledger, call: Call) -> int:
        """The deposits of the outputs and of the record of origin."""
        origin = ORIGIN_BYTES + LINK_BYTES * len(self.inputs)
        return (origin + self._outputs() * ITEM_BYTES) * ledger.rules.byte_price

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """End the inputs and write the outputs; see `Body.apply`."""
        maker = acting_for(ledger, call.sender, self.store, Rights.TRACE)
        entry = self.entry(call)
        links = []
        for item_id in self.inputs:
            item = require_item(ledger, item_id)
            if item.owner != maker:
                raise ForbiddenError("only its owner makes something else of an item")
            _require_held(item, maker)
            ended = _ended(item, self, call)
            ledger.put(ITEM, item_id, ended)
            links.append(Link(item_id, ended.head))
        ledger.put(ORIGIN, call.tx_id, Origin(tuple(links)))
        made = []
        for output in self.outputs:
            for item_id, quantity in goods_ids(ledger, maker, output.gtin14, output.serials, output.lot):
                ledger.put(ITEM, item_id, new_item(maker, quantity, entry, origin=call.tx_id))
                made.append(item_id)
        return (call.sender, maker, *self.inputs, *made)


@body(
    "trace.decommission",
    ids=array(ITEM_ID, IDS_MAX, 1),
    reason=text(WORD_BYTES_MAX),
    event_hash=HASH,
    event_time_ms=U63,
)
@dataclass(frozen=True, slots=True)
class TraceDecommission(Traced):
    """End items for good, by their owner and custodian; no operator can.

    Attributes:
        ids: 1 to 64 item ids, strictly increasing; logistic units must be empty.
        reason: 1 to 64 bytes, such as a CBV business step ("destroying").
        event_hash: EPCIS event hash, 32 bytes.
        event_time_ms: Unix milliseconds of the event.
    """

    ids: tuple[bytes, ...]
    reason: str
    event_hash: bytes
    event_time_ms: int

    @override
    def check(self, rules: Rules) -> None:
        """Each item stands once, and there is a reason."""
        require_increasing(self.ids, "ids")
        if not self.reason:
            raise FormatError("a decommissioning has a reason")

    @override
    def records(self) -> int:
        """Two per item, as for every list of ids."""
        return 2 * len(self.ids)

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """End the items; see `Body.apply`."""
        for item_id in self.ids:
            item = require_item(ledger, item_id)
            if item.owner != call.sender:
                raise ForbiddenError("only its owner ends an item")
            _require_held(item, call.sender)
            ledger.put(ITEM, item_id, _ended(item, self, call))
        return (call.sender, *self.ids)
