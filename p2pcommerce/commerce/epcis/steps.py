"""What an EPCIS event asks of the ledger: which kind of step, of which goods, between which parties.

An event that the ledger cannot express is refused here with its reason; whether the ledger allows the step, and who
signs it, others find out.

| event | action | business step | step |
| --- | --- | --- | --- |
| ObjectEvent | ADD | any | commission |
| ObjectEvent | OBSERVE | shipping, or departing with a destination | ship |
| ObjectEvent | OBSERVE | receiving | receive |
| ObjectEvent | OBSERVE | void_shipping | reject |
| ObjectEvent | DELETE | any | decommission |
| ObjectEvent, TransactionEvent | OBSERVE, ADD | any other | observe |
| AggregationEvent | ADD, DELETE, OBSERVE | any | pack, unpack, observe |
| TransformationEvent | - | any | transform |

Source: EPCIS 2.0, section 7.4; CBV 2.0, sections 7.1 (business steps) and 7.5 (types of sources and destinations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, unique
from typing import Final

from p2pcommerce.commerce.epcis.digital_link import Goods, parse_goods
from p2pcommerce.commerce.epcis.document import EVENT_TYPES, Event
from p2pcommerce.commerce.epcis.identifiers import IdentifierError
from p2pcommerce.commerce.epcis.structure import check_structure
from p2pcommerce.commerce.epcis.timestamp import time_ms
from p2pcommerce.commerce.epcis.vocabulary import STANDARD_PREFIXES, Vocabulary, canonical_text, local_word

__all__ = ["Step", "StepKind", "read_step"]

UNITS_MAX: Final = 2**63 - 1


@unique
class StepKind(Enum):
    """What a step is; the value is the transaction type."""

    COMMISSION = "trace.commission"
    SHIP = "trace.ship"
    RECEIVE = "trace.receive"
    REJECT = "trace.reject"
    OBSERVE = "trace.observe"
    PACK = "trace.pack"
    UNPACK = "trace.unpack"
    TRANSFORM = "trace.transform"
    DECOMMISSION = "trace.decommission"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of goods.

    Attributes:
        kind: see `StepKind`.
        goods: what it is about, with units for a lot (None: they are not said); of a packing its children, of a
            transformation its inputs.
        outputs: of a transformation.
        parent: of a packing; SSCC of 18 digits.
        holder_before: URI of who had the goods, as the event says; empty if it does not.
        holder_after: URI of who gets them; empty if it does not say.
        moves_owner: whether ownership goes along.
        biz_step: bare word, or a URI.
        disposition: bare word, or a URI.
    """

    kind: StepKind
    goods: Mapping[Goods, int | None]
    outputs: Mapping[Goods, int | None] = field(default_factory=dict)
    parent: str = ""
    holder_before: str = ""
    holder_after: str = ""
    moves_owner: bool = False
    biz_step: str = ""
    disposition: str = ""


def read_step(event: Event) -> Step:
    """Return the step that an event asks for.

    Raises:
        EpcisDocumentError: the ledger cannot express it; the message says why.
    """
    if event.type not in EVENT_TYPES:
        event.fail(f"the event type {event.type[:80]} is an extension, which the ledger does not know")
    if event.fields.get("errorDeclaration") is not None:
        event.fail("it declares another event an error; the ledger takes nothing back")
    _check_extensions(event)
    _check_times(event)
    kind = _kind(event)
    before, after, owner = _parties(event)
    step = Step(
        kind,
        _goods(event, *_LISTS[kind] if kind is not StepKind.OBSERVE else _observed(event)),
        _goods(event, "outputEPCList", "outputQuantityList") if kind is StepKind.TRANSFORM else {},
        _parent(event) if kind in {StepKind.PACK, StepKind.UNPACK} else "",
        before,
        after,
        owner,
        local_word(Vocabulary.BUSINESS_STEP, event.text("bizStep"), event.prefixes),
        local_word(Vocabulary.DISPOSITION, event.text("disposition"), event.prefixes),
    )
    _check_whole(event, step)
    check_structure(event)  # last, for the reasons above say more
    return step


_LISTS: Final = {
    StepKind.COMMISSION: ("epcList", "quantityList"),
    StepKind.SHIP: ("epcList", "quantityList"),
    StepKind.RECEIVE: ("epcList", "quantityList"),
    StepKind.REJECT: ("epcList", "quantityList"),
    StepKind.DECOMMISSION: ("epcList", "quantityList"),
    StepKind.PACK: ("childEPCs", "childQuantityList"),
    StepKind.UNPACK: ("childEPCs", "childQuantityList"),
    StepKind.TRANSFORM: ("inputEPCList", "inputQuantityList"),
}


def _observed(event: Event) -> tuple[str, str]:
    return ("childEPCs", "childQuantityList") if event.type == "AggregationEvent" else ("epcList", "quantityList")


def _check_whole(event: Event, step: Step) -> None:
    if not step.goods:
        event.fail("it names no goods that the ledger knows: serials, lots with a quantity, or logistic units")
    if step.kind is StepKind.TRANSFORM and not step.outputs:
        event.fail("it makes nothing")
    makes = step.goods if step.kind is StepKind.COMMISSION else step.outputs
    for goods, units in makes.items():
        if goods.sscc:
            event.fail(f"logistic unit {goods.sscc}: it comes to be when something is packed in it")
        if goods.lot and units is None:
            event.fail(f"lot {goods.lot}: its quantity is not said")
    if step.kind is StepKind.OBSERVE and not step.biz_step and not step.disposition:
        event.fail("it observes nothing: it has neither a business step nor a disposition")


def _kind(event: Event) -> StepKind:
    action = event.text("action")
    if event.type == "TransformationEvent":
        return StepKind.TRANSFORM
    if event.type == "AssociationEvent":
        event.fail("the ledger knows no associations; what is packed is an AggregationEvent")
    if action not in {"ADD", "OBSERVE", "DELETE"}:
        event.fail("its action is none of ADD, OBSERVE and DELETE")
    if event.type == "AggregationEvent":
        return {"ADD": StepKind.PACK, "DELETE": StepKind.UNPACK}.get(action, StepKind.OBSERVE)
    if event.type == "ObjectEvent" and action != "OBSERVE":
        return StepKind.COMMISSION if action == "ADD" else StepKind.DECOMMISSION
    word = local_word(Vocabulary.BUSINESS_STEP, event.text("bizStep"), event.prefixes)
    if event.type == "TransactionEvent":
        return StepKind.OBSERVE
    if word == "shipping" or (word == "departing" and event.fields.get("destinationList")):
        return StepKind.SHIP
    return {"receiving": StepKind.RECEIVE, "void_shipping": StepKind.REJECT}.get(word, StepKind.OBSERVE)


def _parent(event: Event) -> str:
    text = event.text("parentID")
    if not text:
        event.fail("its parentID is missing: what the goods are packed in")
    sscc = _parsed(event, text).sscc
    if not sscc:
        event.fail("its parentID is no SSCC: the ledger packs in logistic units alone")
    return sscc


def _parsed(event: Event, uri: str) -> Goods:
    try:
        return parse_goods(uri)
    except IdentifierError as error:
        event.fail(str(error))


def _goods(event: Event, epcs: str, quantities: str) -> Mapping[Goods, int | None]:
    found: dict[Goods, int | None] = {}
    for uri in event.texts(epcs):
        goods = _parsed(event, uri)
        if not goods.serial and not goods.sscc:
            event.fail(f"{uri[:80]}: {epcs} holds instances, and this is a class")
        if goods in found:
            event.fail(f"{uri[:80]} stands twice in {epcs}")
        found[goods] = None
    elements = event.fields.get(quantities)
    for element in elements if isinstance(elements, list) else []:
        goods, units = _quantity(event, element)
        if goods in found:
            event.fail(f"lot {goods.lot} stands twice in {quantities}")
        found[goods] = units
    return found


def _quantity(event: Event, element: object) -> tuple[Goods, int | None]:
    if not isinstance(element, Mapping) or not isinstance(element.get("epcClass"), str):
        event.fail("a quantity element names no epcClass")
    goods = _parsed(event, element["epcClass"])
    if not goods.lot:
        event.fail(f"{element['epcClass'][:80]}: the ledger traces lots, not all goods of a GTIN")
    if element.get("uom") is not None:
        event.fail(f"lot {goods.lot}: {str(element['uom'])[:10]} is a measure; the ledger counts units")
    quantity = element.get("quantity")
    if quantity is None:
        return goods, None
    if (
        isinstance(quantity, bool)
        or not isinstance(quantity, Decimal | int)
        or quantity != int(quantity)
        or not 0 < quantity <= UNITS_MAX
    ):
        event.fail(f"lot {goods.lot}: {str(quantity)[:40]} is no whole number of units")
    return goods, int(quantity)


def _parties(event: Event) -> tuple[str, str, bool]:
    """Return who had the goods, who gets them, and whether ownership goes along."""
    sources, destinations = (_typed(event, f"{name}List", name) for name in ("source", "destination"))
    holder, owner = destinations.get("possessing_party", ""), destinations.get("owning_party", "")
    if holder and owner and holder != owner and owner != sources.get("owning_party"):
        event.fail("owner and holder would become two parties; the ledger hands both to one")
    moves_owner = bool(owner) and owner != sources.get("owning_party") and owner == (holder or owner)
    before = sources.get("possessing_party", sources.get("owning_party", ""))
    return before, holder or (owner if moves_owner else ""), moves_owner


def _typed(event: Event, name: str, key: str) -> dict[str, str]:
    found: dict[str, str] = {}
    elements = event.fields.get(name)
    for element in elements if isinstance(elements, list) else []:
        if isinstance(element, Mapping) and isinstance(element.get(key), str):
            word = element.get("type")
            kind = local_word(Vocabulary.SOURCE_DESTINATION_TYPE, word if isinstance(word, str) else "", event.prefixes)
            found[kind] = canonical_text(element[key].strip(), event.prefixes)
    return found


def _check_times(event: Event) -> None:
    recorded = event.text("recordTime")
    if not recorded:
        return
    try:
        is_late = time_ms(recorded) < event.time_ms
    except (ValueError, OverflowError) as error:
        event.fail(f"recordTime: {error}")
    if is_late:
        event.fail("it was recorded before it happened")


def _check_extensions(event: Event) -> None:
    """Refuse fields of a namespace that nobody declares: nobody knows what they mean."""
    level: list[object] = [event.fields]
    while level:
        value = level.pop()
        if isinstance(value, list):
            level.extend(value)
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                prefix, colon, rest = name.partition(":")
                if colon and prefix not in event.prefixes and prefix not in STANDARD_PREFIXES and rest[:2] != "//":
                    event.fail(f"{name[:40]!a} is an unknown extension: no @context declares {prefix[:20]!a}")
                if name != "@context":
                    level.append(inner)
