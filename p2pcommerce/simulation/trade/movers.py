"""What people do with goods: every `trace.*` transaction, mostly by who may, and often enough by who may not.

Items are drawn from a sample of those that exist, so that a world with many of them is as fast as one with few.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from p2pcommerce.commerce import (
    Lot,
    Output,
    TraceCommission,
    TraceDecommission,
    TraceObserve,
    TracePack,
    TraceReceive,
    TraceReject,
    TraceShip,
    TraceSplit,
    TraceTransform,
    TraceUnpack,
)
from p2pcommerce.commerce.gtin import check_digit
from p2pcommerce.commerce.item import ITEM, LEVEL_MAX, Item, ItemStatus, topmost
from p2pcommerce.commerce.item_ids import is_unit, unit_id
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.ledger.state import StateView
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.simulation.trade.chain import Deed, TradeChain, key_of
from p2pcommerce.simulation.trade.deeds import ARBITER_NAME, GTIN, HASH, HELPER, PEOPLE, STORES, STRANGER

__all__ = ["Movers"]

_STRAY: Final = 12
"""One deed in so many is somebody's who has no right to it."""
_STOCK_MAX: Final = 32
"""Items that stores hold, until they make no more."""
_ITEMS_MAX: Final = 240
"""Items of one world, ended ones included."""
_LOOKED_AT: Final = 40
_UNITS: Final = 8

_Found = tuple[bytes, Item]


class Movers:
    """The people of one world, as far as they move goods."""

    def __init__(self, chain: TradeChain) -> None:
        """Let them act on a chain."""
        self._chain = chain
        self._names = {key_of(name): name for name in (*PEOPLE, STRANGER)}

    def name_of(self, account: PublicKey) -> str:
        """Return who has an account."""
        return self._names.get(account, STORES[0])

    def _anyone(self, rng: random.Random, rightful: str) -> str:
        return rightful if rng.randrange(_STRAY) else rng.choice(PEOPLE)

    def _acting(self, rng: random.Random, holder: PublicKey) -> tuple[str, PublicKey | None]:
        """Return who does what a holder may do, and the store that it names: the holder, its operator, or anybody."""
        name = self._anyone(rng, self.name_of(holder))
        return (HELPER, holder) if name in STORES and not rng.randrange(4) else (name, None)

    def _items(self, rng: random.Random, view: StateView, wanted: Callable[[bytes, Item], bool]) -> list[_Found]:
        """Return items that are wanted, of a sample; now and then any."""
        ids = self._chain.ids(ITEM)
        is_stray = not rng.randrange(_STRAY)
        found = []
        for identifier in rng.sample(ids, min(len(ids), _LOOKED_AT)):
            item = self._chain.get(ITEM, identifier, view)
            if item is not None and (is_stray or wanted(identifier, item)):
                found.append((bytes(identifier), item))
        return found

    def _together(
        self, rng: random.Random, found: list[_Found], of: Callable[[Item], tuple[object, ...]]
    ) -> tuple[Item, tuple[bytes, ...]] | None:
        """Return the first item of some, and the ids of up to three that are alike in what `of` says of them."""
        if not found:
            return None
        first = found[0][1]
        alike = [identifier for identifier, item in found if of(item) == of(first)]
        return first, tuple(sorted(alike[: rng.randint(1, 3)]))

    def commission(self, rng: random.Random, view: StateView) -> Deed | None:
        """Bring items into the world, a serial or a lot."""
        items = [self._chain.get(ITEM, identifier, view) for identifier in self._chain.ids(ITEM)]
        stock = [each for each in items if each and each.status != ItemStatus.ENDED and each.level == 0]
        in_stores = [each for each in stock if self.name_of(each.custodian) in STORES]
        if len(in_stores) >= _STOCK_MAX or len(items) >= _ITEMS_MAX:
            return None
        name, store = self._acting(rng, key_of(rng.choice(STORES)))
        lot = Lot(f"L{rng.randrange(999)}", rng.randint(1, 5)) if rng.randrange(2) else None
        serials = () if lot else (f"s{rng.randrange(999)}",)
        return Deed(name, TraceCommission(GTIN, serials, lot, HASH, 1, store))

    def send(self, rng: random.Random, view: StateView) -> Deed | None:
        """Send items of one custodian."""
        resting = self._items(rng, view, lambda _, item: item.status == ItemStatus.RESTING)
        drawn = self._together(rng, resting, lambda item: (item.custodian,))
        if drawn is None:
            return None
        name, store = self._acting(rng, drawn[0].custodian)
        to = key_of(rng.choice((*STORES, *PEOPLE)))
        return Deed(name, TraceShip(drawn[1], to, HASH, 2, transfers_owner=bool(rng.randrange(2)), store=store))

    def receive(self, rng: random.Random, view: StateView) -> Deed | None:
        """Receive items that were sent to one account."""
        sent = self._items(rng, view, lambda _, item: item.status == ItemStatus.IN_TRANSIT)
        drawn = self._together(rng, sent, lambda item: (item.pending_to,))
        if drawn is None:
            return None
        name, store = self._acting(rng, drawn[0].pending_to or drawn[0].custodian)
        return Deed(name, TraceReceive(drawn[1], HASH, 3, store))

    def reject(self, rng: random.Random, view: StateView) -> Deed | None:
        """Turn items back, or recall them."""
        sent = self._items(rng, view, lambda _, item: item.status == ItemStatus.IN_TRANSIT)
        drawn = self._together(rng, sent, lambda item: (item.pending_to, item.custodian))
        if drawn is None:
            return None
        name, store = self._acting(rng, rng.choice((drawn[0].pending_to or drawn[0].custodian, drawn[0].custodian)))
        return Deed(name, TraceReject(drawn[1], HASH, 3, store))

    def observe(self, rng: random.Random, view: StateView) -> Deed | None:
        """Look at items, packed ones, too, by who holds them or by somebody who was attested that right."""
        found = self._items(rng, view, lambda _, item: item.status != ItemStatus.ENDED)
        drawn = self._together(rng, found, lambda item: (item.custodian, item.within))
        if drawn is None:
            return None
        name, store = self._acting(rng, topmost(Ledger(view, {}), drawn[0]).custodian)
        if not rng.randrange(4):
            name, store = ARBITER_NAME, None
        return Deed(name, TraceObserve(drawn[1], "inspecting", "", HASH, 3, store))

    def pack(self, rng: random.Random, view: StateView) -> Deed | None:
        """Pack items, logistic units among them, in one that is new or not."""
        resting = self._items(rng, view, lambda _, item: item.status == ItemStatus.RESTING)
        drawn = self._together(rng, resting, lambda item: (item.custodian, item.owner))
        if drawn is None:
            return None
        holder = drawn[0].custodian
        digits = f"0952000100000{rng.randrange(_UNITS):04d}"
        parent = unit_id(holder, digits + check_digit(digits))
        before = self._chain.get(ITEM, parent, view)
        level = rng.randint(1, LEVEL_MAX) if before is None or not rng.randrange(_STRAY) else before.level
        name, store = self._acting(rng, holder)
        children = tuple(each for each in drawn[1] if each != parent)
        return Deed(name, TracePack(parent, level, children, HASH, 4, store)) if children else None

    def unpack(self, rng: random.Random, view: StateView) -> Deed | None:
        """Take items out of the logistic unit that they are in."""
        packed = self._items(rng, view, lambda _, item: item.status == ItemStatus.PACKED)
        drawn = self._together(rng, packed, lambda item: (item.status, item.within))
        if drawn is None or drawn[0].within is None or not is_unit(drawn[0].within):
            return None
        parent = self._chain.get(ITEM, drawn[0].within, view)
        name, store = self._acting(rng, drawn[0].custodian if parent is None else parent.custodian)
        children = tuple(each for each in drawn[1] if each != drawn[0].within)
        return Deed(name, TraceUnpack(drawn[0].within, children, HASH, 5, store)) if children else None

    def split(self, rng: random.Random, view: StateView) -> Deed | None:
        """Split a lot."""
        lots = self._items(rng, view, lambda _, item: item.status == ItemStatus.RESTING and item.quantity > 1)
        found = next(((identifier, item) for identifier, item in lots if item.quantity > 1), None)
        if found is None:
            return None
        name, store = self._acting(rng, found[1].custodian)
        quantities = tuple(rng.randint(1, 2) for _ in range(rng.randint(1, 2)))
        return Deed(name, TraceSplit(found[0], quantities, HASH, 6, store))

    def transform(self, rng: random.Random, view: StateView) -> Deed | None:
        """Make something else of items that a store owns and holds."""
        own = self._items(rng, view, _is_own)
        drawn = self._together(rng, [each for each in own if not is_unit(each[0])], lambda item: (item.custodian,))
        if drawn is None:
            return None
        name, store = self._acting(rng, drawn[0].custodian)
        made = f"t{rng.randrange(9_999)}"
        lot = Lot(made, rng.randint(1, 4)) if rng.randrange(2) else None
        output = Output(GTIN, () if lot else (made,), lot)
        return Deed(name, TraceTransform(drawn[1], (output,), HASH, 7, store))

    def decommission(self, rng: random.Random, view: StateView) -> Deed | None:
        """End items for good."""
        own = self._items(rng, view, _is_own)
        own.sort(key=lambda found: not found[1].children or bool(rng.randrange(3)))
        drawn = self._together(rng, own, lambda item: (item.custodian, item.owner))
        if drawn is None:
            return None
        return Deed(self._anyone(rng, self.name_of(drawn[0].owner)), TraceDecommission(drawn[1], "destroying", HASH, 8))


def _is_own(_: bytes, item: Item) -> bool:
    return item.status == ItemStatus.RESTING and item.owner == item.custodian
