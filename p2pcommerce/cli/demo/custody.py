"""The life of the demo's goods: commissioned by their maker, shipped, received, again and again.

Steps come from EPCIS documents or are made up; each becomes signed transactions. A step on goods that the ledger does
not know is preceded by their commissioning, a shipment by the receipt of the one before, a receipt by its shipment: the
other half of a hand-over is signed by somebody's key here, because the documents tell one side of it. Every half
carries the EPCIS hash of the event that it belongs to.

Steps on the same goods follow one another; others go on side by side.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Result
from p2pcommerce.cli.demo.people import NotFundedError, People, Person
from p2pcommerce.cli.demo.story import Story
from p2pcommerce.cli.demo.workload import CustodyKind, CustodyStep
from p2pcommerce.commerce import ProductSet, TraceCommission, TraceReceive, TraceShip, item_id
from p2pcommerce.commerce.epcis import Sgtin
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.primitives.ids import PublicKey
from p2pcommerce.workload import MINOR_PER_TOKEN

__all__ = ["ITEMS_MAX", "Custody", "Traced"]

ITEMS_MAX: Final = 20_000
"""Items that are remembered; beyond that those at rest are forgotten, the oldest first."""
_MAKERS: Final = 8
_DEPOTS: Final = 24
_ENDOWMENT_MINOR: Final = 100 * MINOR_PER_TOKEN
_Key = Callable[["Traced"], str]


class CustodyError(P2PError):
    """A step that the ledger did not take; what comes after it on the same goods cannot be done either."""

    code = "CUSTODY"


@dataclass(slots=True, eq=False)
class Traced:
    """One item, as far as the demo knows.

    Attributes:
        sgtin: GTIN and serial.
        maker: the issuer of its product.
        holder: who has it; None: not commissioned yet.
        pending: to whom it is on its way.
        events: transactions that changed it.
        event_time_ms: of the last of them.
        in_order: their times never went back; of documents read one after the other they may.
        last: done when the last step on it is.
        broken: a step on it failed.
    """

    sgtin: Sgtin
    maker: Person
    holder: Person | None = None
    pending: Person | None = None
    events: int = 0
    event_time_ms: int = 0
    in_order: bool = True
    last: trio.Event | None = None
    broken: bool = False

    @property
    def id(self) -> bytes:
        """The ledger's id of the item."""
        return item_id(self.maker.key, self.sgtin.gtin14, serial=self.sgtin.serial)


class Custody:
    """All goods.

    Attributes:
        skipped: steps left out, by reason.
        preparing: steps under way.
    """

    def __init__(self, people: People, story: Story, rng: random.Random) -> None:
        """Begin without any."""
        self.skipped: Counter[str] = Counter()
        self.preparing = 0
        self._people = people
        self._story = story
        self._rng = rng
        self._items: OrderedDict[Sgtin, Traced] = OrderedDict()
        self._products: dict[tuple[PublicKey, str], trio.Event] = {}
        self._changed = trio.Event()

    @property
    def longest(self) -> Traced | None:
        """The item with the longest history, rather one whose events are in the order of their times; None of none."""
        moved = (item for item in self._items.values() if item.events)
        return max(moved, key=lambda item: (item.in_order, item.events), default=None)

    async def feed(self, steps: Iterator[CustodyStep], preparing_max: int) -> None:
        """Take steps from a stream while fewer than `preparing_max` are under way, until it ends.

        Raises:
            WorkloadError, EpcisDocumentError: a document is malformed.
        """
        async with trio.open_nursery() as nursery:
            for step in steps:
                while self.preparing >= preparing_max:
                    await self._changed.wait()
                items = [self._item(sgtin) for sgtin in step.items]
                before = list(dict.fromkeys(item.last for item in items if item.last is not None))
                done = trio.Event()
                for item in items:
                    item.last = done
                self.preparing += 1
                nursery.start_soon(self._do, step, items, before, done)
                await trio.lowlevel.checkpoint()

    async def prepare(self, gtins: Sequence[str]) -> None:
        """Describe products and endow those who will move them."""
        async with trio.open_nursery() as nursery:
            for gtin14 in dict.fromkeys(gtins):
                nursery.start_soon(self._prepare_product, gtin14)
            for depot in range(_DEPOTS):
                nursery.start_soon(self._people.endow, self._people.named(f"depot {depot}"), _ENDOWMENT_MINOR)

    async def _prepare_product(self, gtin14: str) -> None:
        try:
            await self._product(self._maker(gtin14), gtin14)
        except (CustodyError, NotFundedError) as error:
            self.skipped[error.code] += 1

    async def _do(self, step: CustodyStep, items: list[Traced], before: list[trio.Event], done: trio.Event) -> None:
        try:
            for event in before:
                await event.wait()
            if any(item.broken for item in items):
                self.skipped["step after a failed one"] += 1
                return
            await self._step(step, items)
        except (CustodyError, NotFundedError) as error:
            self.skipped[error.code] += 1
            for item in items:
                item.broken = True
        finally:
            done.set()
            self.preparing -= 1
            changed, self._changed = self._changed, trio.Event()
            changed.set()

    async def _step(self, step: CustodyStep, items: list[Traced]) -> None:
        new = [item for item in items if item.holder is None]
        if step.kind is CustodyKind.COMMISSION and len(new) < len(items):
            self.skipped["item exists already"] += len(items) - len(new)
        for group in _groups(new, lambda item: item.sgtin.gtin14):
            await self._commission(step, group)
        if step.kind is CustodyKind.COMMISSION:
            return
        on_the_way = [item for item in items if item.pending is not None]
        if step.kind is CustodyKind.SHIP:
            await self._receive(step, on_the_way)
            await self._ship(step, items)
        else:
            await self._ship(step, [item for item in items if item.pending is None])
            await self._receive(step, items)

    async def _commission(self, step: CustodyStep, items: list[Traced]) -> None:
        maker, gtin14 = items[0].maker, items[0].sgtin.gtin14
        await self._product(maker, gtin14)
        serials = tuple(sorted(item.sgtin.serial for item in items))
        payload = TraceCommission(gtin14, serials, None, step.event_hash, step.event_time_ms)
        result = await self._people.perform(maker, payload)
        self._check(result, step)
        for item in items:
            item.holder = maker
        self._count(items, step)
        self._story.moved(f"{maker.name} makes {_goods(items)}", result)

    async def _ship(self, step: CustodyStep, items: Sequence[Traced]) -> None:
        for group in _groups(items, lambda item: item.holder.name if item.holder else ""):
            holder = group[0].holder
            if holder is None:
                continue
            to = self._depot(holder)
            ids = tuple(sorted(item.id for item in group))
            payload = TraceShip(ids, to.key, step.event_hash, step.event_time_ms, transfers_owner=True)
            result = await self._people.perform(holder, payload)
            self._check(result, step)
            for item in group:
                item.pending = to
            self._count(group, step)
            self._story.moved(f"{holder.name} ships {_goods(group)} to {to.name}", result)

    async def _receive(self, step: CustodyStep, items: Sequence[Traced]) -> None:
        for group in _groups(items, lambda item: item.pending.name if item.pending else ""):
            receiver = group[0].pending
            if receiver is None:
                continue
            ids = tuple(sorted(item.id for item in group))
            result = await self._people.perform(receiver, TraceReceive(ids, step.event_hash, step.event_time_ms))
            self._check(result, step)
            for item in group:
                item.holder, item.pending = receiver, None
            self._count(group, step)
            self._story.moved(f"{receiver.name} receives {_goods(group)}", result)

    async def _product(self, maker: Person, gtin14: str) -> None:
        key = (maker.key, gtin14)
        known = self._products.get(key)
        if known is not None:
            await known.wait()
            return
        known = self._products[key] = trio.Event()
        try:
            result = await self._people.perform(maker, ProductSet(gtin14, blake2b_256(gtin14.encode())))
            if not result.ok:
                raise CustodyError(f"product {gtin14}: {result.code.value}")
        finally:
            known.set()

    def _item(self, sgtin: Sgtin) -> Traced:
        item = self._items.get(sgtin)
        if item is None:
            item = self._items[sgtin] = Traced(sgtin, self._maker(sgtin.gtin14))
            if len(self._items) > ITEMS_MAX:
                oldest = next(iter(self._items.values()))
                if oldest.last is not None and oldest.last.is_set():
                    del self._items[oldest.sgtin]
        return item

    def _maker(self, gtin14: str) -> Person:
        return self._people.named(f"maker {int(gtin14) // 10 % _MAKERS}")

    def _depot(self, holder: Person) -> Person:
        depot = self._people.named(f"depot {self._rng.randrange(_DEPOTS)}")
        while depot is holder:
            depot = self._people.named(f"depot {self._rng.randrange(_DEPOTS)}")
        return depot

    @staticmethod
    def _count(items: Sequence[Traced], step: CustodyStep) -> None:
        for item in items:
            item.events += 1
            item.in_order = item.in_order and item.event_time_ms <= step.event_time_ms
            item.event_time_ms = step.event_time_ms

    @staticmethod
    def _check(result: Result, step: CustodyStep) -> None:
        if not result.ok:
            raise CustodyError(f"{step.source}: {result.code.value}")


def _groups(items: Sequence[Traced], key: _Key) -> list[list[Traced]]:
    """Put items with the same key together, in the order of their first."""
    groups: dict[str, list[Traced]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _goods(items: Sequence[Traced]) -> str:
    first = items[0].sgtin
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{first.gtin14} no. {first.serial}{more}"
