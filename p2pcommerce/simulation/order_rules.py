"""Who may do what to an order and to goods, and when: written a second time, for the second set of books.

- shipped and given back by the store, or in full and while it is placed by an operator who fulfils; confirmed and
  cancelled by the buyer; settled by anybody
- before its deadline, but for confirming, which is always in time, and settling, which comes after it
- goods are the store's when they are shipped, and in one open order at most

Times are application time since genesis.

Source: "Trade" and "Traceability" of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from p2pcommerce.commerce import (
    ListingSet,
    OrderCancel,
    OrderConfirm,
    OrderPlace,
    OrderRefund,
    OrderSettle,
    OrderShip,
    ProductSet,
    Rights,
    StoreSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    item_id,
)
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Goods", "OpenOrder", "OrderRules"]

_SECOND_MS = 1_000
_NO_TERMS = TermsSet(number=0, ship_s=0, confirm_s=0, dispute_s=0, cancel_s=0)


@dataclass(slots=True)
class OpenOrder:
    """An open order.

    Attributes:
        buyer, store, payer: accounts, 32 bytes each.
        cash_minor: what is held for it.
        deadline_ms: until when the next party may act.
        cancel_ms: from when on the buyer may cancel.
        confirm_ms: how long the buyer has to confirm.
        items: that are locked in it.
        is_shipped: whether it is.
    """

    buyer: PublicKey
    store: PublicKey
    payer: PublicKey
    cash_minor: int
    deadline_ms: int
    cancel_ms: int
    confirm_ms: int
    items: tuple[bytes, ...] = ()
    is_shipped: bool = False


class OrderRules:
    """What stores have said of their orders, and what follows from it."""

    def __init__(self) -> None:
        """Know no store."""
        self._terms: dict[tuple[PublicKey, int], TermsSet] = {}
        self._terms_of: dict[tuple[PublicKey, int], int] = {}
        self._helpers: dict[PublicKey, dict[bytes, int]] = {}

    def learn(self, body: StoreSet | TermsSet | ListingSet | ProductSet, sender: PublicKey) -> None:
        """Take what a store has said."""
        match body:
            case StoreSet(operators=operators):
                self._helpers[sender] = {each.key: each.rights for each in operators}
            case TermsSet(number=number):
                self._terms[sender, number] = body
            case ListingSet(number=number, terms=terms, store=store):
                self._terms_of[store or sender, number] = terms
            case _:
                pass

    def is_beyond(self, body: OrderPlace) -> bool:
        """Tell whether an order has more to it than its price: these books do not follow it."""
        number = self._terms_of.get((body.store, body.lines[0].listing), 0)
        terms = self._terms.get((body.store, number), _NO_TERMS)
        has_rates = bool(terms.points_bps or terms.campaign)
        return has_rates or bool(body.points) or any((body.team, body.referrer, body.arbiter))

    def placed(self, body: OrderPlace, buyer: PublicKey, payer: PublicKey, cash_minor: int, now_ms: int) -> OpenOrder:
        """Return the order that was placed now."""
        number = self._terms_of.get((body.store, body.lines[0].listing), 0)
        terms = self._terms.get((body.store, number), _NO_TERMS)
        return OpenOrder(
            buyer,
            body.store,
            payer,
            cash_minor,
            deadline_ms=now_ms + terms.ship_s * _SECOND_MS,
            cancel_ms=now_ms + terms.cancel_s * _SECOND_MS,
            confirm_ms=terms.confirm_s * _SECOND_MS,
        )

    def complaints(
        self,
        body: OrderShip | OrderConfirm | OrderCancel | OrderRefund | OrderSettle,
        order: OpenOrder,
        sender: PublicKey,
        now_ms: int,
    ) -> Iterator[str]:
        """Yield what is wrong with what somebody did to an open order."""
        is_late = now_ms > order.deadline_ms
        if is_late != isinstance(body, OrderSettle) and not isinstance(body, OrderConfirm):
            yield f"{body.TYPE} at {now_ms} ms, the deadline is at {order.deadline_ms} ms"
        match body:
            case OrderConfirm() | OrderCancel():
                is_shipped = isinstance(body, OrderConfirm)
                if sender != order.buyer:
                    yield f"{body.TYPE} by somebody who is not its buyer"
                if order.is_shipped != is_shipped:
                    yield f"{body.TYPE}, and it is {'not ' * is_shipped}shipped"
                if not is_shipped and now_ms <= order.cancel_ms:
                    yield f"{body.TYPE} at {now_ms} ms, too early by the terms of its store"
            case OrderShip() if order.is_shipped:
                yield f"{body.TYPE} of one that is shipped already"
            case OrderRefund(_, amount_minor) if amount_minor >= order.cash_minor:
                yield f"{body.TYPE} of more than it holds"
            case _:
                pass
        if isinstance(body, OrderShip | OrderRefund) and sender != order.store:
            is_whole = not order.is_shipped and not (isinstance(body, OrderRefund) and body.amount_minor)
            if not (is_whole and self._helpers.get(order.store, {}).get(sender, 0) & Rights.FULFIL):
                yield f"{body.TYPE} by somebody who has no right to it"


@dataclass(slots=True)
class _Good:
    """One item: whose it is, who has it, to whom it is on its way, and whether that makes it theirs."""

    owner: PublicKey
    holder: PublicKey
    sent_to: PublicKey | None = None
    moves_owner: bool = False
    is_locked: bool = False


@dataclass(slots=True)
class Goods:
    """Every item that was commissioned."""

    _items: dict[bytes, _Good] = field(default_factory=dict)

    def see(self, body: TraceCommission | TraceShip | TraceReceive, sender: PublicKey) -> Iterator[str]:
        """Take a hand-over; yield what is wrong with it."""
        actor = body.store or sender
        match body:
            case TraceCommission(gtin14=gtin14, serials=serials, lot=lot):
                names = [item_id(actor, gtin14, serial=serial) for serial in serials]
                for name in names if lot is None else [item_id(actor, gtin14, lot=lot.lot)]:
                    if name in self._items:
                        yield f"item {name[-4:].hex()} is commissioned again"
                    self._items[name] = _Good(actor, actor)
            case TraceShip(ids=ids, to=to, transfers_owner=moves_owner):
                for name, good in self._known(ids):
                    if good.holder != actor or good.sent_to is not None or good.is_locked:
                        yield f"item {name[-4:].hex()} is sent, and does not rest with its sender"
                    good.sent_to, good.moves_owner = to, moves_owner
            case TraceReceive(ids=ids):
                for name, good in self._known(ids):
                    if good.sent_to != actor:
                        yield f"item {name[-4:].hex()} is received by somebody to whom it was not sent"
                    owner = actor if good.moves_owner else good.owner
                    self._items[name] = _Good(owner, actor)

    def lock(self, ids: tuple[bytes, ...], store: PublicKey) -> Iterator[str]:
        """Items are shipped with an order of a store."""
        for name, good in self._known(ids):
            if good.is_locked:
                yield f"item {name[-4:].hex()} is shipped in two open orders"
            if (good.owner, good.holder, good.sent_to) != (store, store, None):
                yield f"item {name[-4:].hex()} is shipped, and is not with its store"
            good.is_locked = True

    def unlock(self, ids: tuple[bytes, ...], holder: PublicKey) -> None:
        """The order of items is closed: they are the holder's."""
        for name, _ in self._known(ids):
            self._items[name] = _Good(holder, holder)

    def _known(self, ids: tuple[bytes, ...]) -> Iterator[tuple[bytes, _Good]]:
        for name in ids:
            good = self._items.get(name)
            if good is not None:
                yield name, good
