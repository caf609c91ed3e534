"""The life of the demo's orders: placed, shipped, then confirmed, settled by a stranger, ruled on, or refunded.

Each order is one task. Orders and cancellations come from a stream in the order of their time; a cancellation refunds
an earlier order of that customer and code that is still open, and is counted as skipped otherwise. One of everything,
before the order is shipped and once the terms let the buyer, is the buyer's own `order.cancel`.

Source: the workload of the commerce specification.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import trio

from p2pcommerce.cli.demo.desk import Desk, Result
from p2pcommerce.cli.demo.people import NotFundedError, People, Person
from p2pcommerce.cli.demo.shops import CANCEL_S, CONFIRM_S, Shop, ShopError, Shops
from p2pcommerce.cli.demo.story import Story
from p2pcommerce.commerce import (
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderPlace,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    ReviewPost,
)
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.workload import Cancellation, Ending, Order, ending_of
from p2pcommerce.workload.mix import CANCELLED_SHARE, REVIEWED_SHARE

__all__ = ["LIVES_MAX", "REFUNDS_MAX", "Orders", "reference_hash"]

LIVES_MAX: Final = 5_000
"""Orders that are open at once."""
REFUNDS_MAX: Final = 500
"""Cancellations that wait for their turn; each holds an order open. More are asked for than the mix has turns for."""
_RULINGS_BPS: Final = (0, 5_000, 10_000)
"""What arbiters give to buyers, each as likely as another."""
_STARS: Final = (1, 3, 4, 4, 5, 5, 5, 5)
_STRANGERS: Final = 8
_SETTLE_MARGIN_MS: Final = 500
_REFUND_MARGIN_MS: Final = CONFIRM_S * 1_000 // 2
"""A refund of a shipped order comes in the first half of the time for it, or not at all."""


def reference_hash(reference: str) -> bytes:
    """Return what stands for the sealed address of an order (32 bytes); it tells which order of the source it is."""
    return blake2b_256(f"order {reference}".encode())


def _nobody_listens(_: Order, __: RejectionCode) -> None:
    pass


@dataclass(slots=True, eq=False)
class _Life:
    """One order.

    Attributes:
        refunds_minor: what its cancellations ask back.
        placed_ms: time of the block it was placed in, Unix milliseconds.
        shipped: whether it is.
        closing: it is too late for more of them.
    """

    order: Order
    refunds_minor: list[int] = field(default_factory=list)
    refunded_minor: int = 0
    placed_ms: int = 0
    shipped: bool = False
    closing: bool = False


class Orders:
    """All open orders.

    Attributes:
        skipped: cancellations that were left out, by reason.
        preparing: orders whose buyer or listings are not ready yet, or that wait for their turn.
        counts: orders by what became of them.
        on_placed: is told of each order that was placed or refused.
        are_fickle: some buyers cancel; not those of a file, which says itself what is given back.
    """

    def __init__(self, desk: Desk, people: People, shops: Shops, story: Story, rng: random.Random) -> None:
        """Begin without any."""
        self.skipped: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.preparing = 0
        self.are_fickle = False
        self.on_placed: Callable[[Order, RejectionCode], None] = _nobody_listens
        self._desk = desk
        self._people = people
        self._shops = shops
        self._story = story
        self._rng = rng
        self._lives: dict[tuple[str, str], list[_Life]] = {}
        self._open = 0
        self._giving_back = 0
        self._changed = trio.Event()

    async def feed(self, stream: Iterator[Order | Cancellation], preparing_max: int) -> None:
        """Take orders from a stream while fewer than `preparing_max` are being prepared, until it ends.

        Raises:
            WorkloadError: the stream's file is malformed.
        """
        async with trio.open_nursery() as nursery:
            for event in stream:
                if isinstance(event, Cancellation):
                    self._cancel(event)
                    continue
                while self.preparing >= preparing_max or self._open >= LIVES_MAX:
                    await self._changed.wait()
                life = _Life(event)
                for line in event.lines:
                    self._lives.setdefault((event.customer, line.code), []).append(life)
                self.preparing += 1
                self._open += 1
                nursery.start_soon(self._live, life)
                await trio.lowlevel.checkpoint()

    async def prepare(self, orders: list[Order]) -> None:
        """Open the shops and listings that some orders will need, and endow their buyers."""
        async with trio.open_nursery() as nursery:
            for order in orders:
                nursery.start_soon(self._prepare, order)

    async def _prepare(self, order: Order) -> None:
        try:
            shop = await self._shops.open(order.merchant)
            await self._shops.lines(shop, order.lines)
            await self._people.endow(self._people.named(f"customer {order.customer}"), 2 * order.total_minor)
        except (ShopError, NotFundedError) as error:
            self.counts[error.code] += 1

    def _cancel(self, cancellation: Cancellation) -> None:
        lives = self._lives.get((cancellation.customer, cancellation.code), [])
        if self._giving_back >= REFUNDS_MAX:
            self.skipped["cancellation beyond the share of the mix"] += 1
            return
        for life in reversed(lives):
            if not life.closing and life.order.merchant == cancellation.merchant:
                life.refunds_minor.append(cancellation.amount_minor)
                self._giving_back += 1
                return
        self.skipped["cancellation of no open order"] += 1

    async def _live(self, life: _Life) -> None:
        order = life.order
        prepared = False
        try:
            shop = await self._shops.open(order.merchant)
            buyer = self._people.named(f"customer {order.customer}")
            lines = await self._shops.lines(shop, order.lines)
            place = OrderPlace(
                store=shop.owner.key,
                lines=lines,
                arbiter=self._shops.arbiter_of(shop).key,
                address_hash=reference_hash(order.reference),
            )
            placed = await self._people.perform(buyer, place, order.total_minor)
            self.on_placed(order, placed.code)
            self._prepared()
            prepared = True
            if placed.ok:
                life.placed_ms = placed.time_ms
                self._story.placed(order, placed)
                await self._fulfil(life, placed, shop, buyer)
            else:
                self.counts[f"not placed: {placed.code.value}"] += 1
        except (ShopError, NotFundedError) as error:
            self.counts[error.code] += 1
        finally:
            if not prepared:
                self._prepared()
            life.closing = True
            self._forget(life)

    async def _fulfil(self, life: _Life, placed: Result, shop: Shop, buyer: Person) -> None:
        order_id = placed.tx_id
        # A cancelled order would put its unit of a limited stock on offer again.
        if self.are_fickle and not shop.is_limited and self._rng.random() < CANCELLED_SHARE:
            life.closing = True
            await self._until(placed.time_ms + CANCEL_S * 1_000)
            done = await self._people.perform(buyer, OrderCancel(order_id))
            self.counts["cancelled" if done.ok else f"not cancelled: {done.code.value}"] += 1
            return
        if await self._refund(life, order_id, shop, buyer):
            return
        shipped = await self._people.perform(shop.owner, OrderShip(order=order_id))
        if not shipped.ok:
            self.counts[f"not shipped: {shipped.code.value}"] += 1
            return
        life.shipped = True
        in_time = self._desk.time_ms - shipped.time_ms < _REFUND_MARGIN_MS
        if in_time and await self._refund(life, order_id, shop, buyer):
            return
        life.closing = True
        ending = ending_of(self._rng)
        done = await self._end(ending, order_id, shop, buyer, shipped.time_ms)
        self.counts[ending.value if done.ok else f"not {ending.value}: {done.code.value}"] += 1
        self._story.closed(life.order, done)
        if done.ok and ending is Ending.CONFIRMED and self._rng.random() < REVIEWED_SHARE:
            await self._review(buyer, order_id)

    async def _end(self, ending: Ending, order_id: TransactionId, shop: Shop, buyer: Person, shipped_ms: int) -> Result:
        match ending:
            case Ending.SETTLED:
                await self._until(shipped_ms + CONFIRM_S * 1_000 + _SETTLE_MARGIN_MS)
                stranger = self._people.named(f"stranger {self._rng.randrange(_STRANGERS)}")
                return await self._people.perform(stranger, OrderSettle(order=order_id))
            case Ending.DISPUTED:
                return await self._dispute(buyer, order_id, shop)
            case Ending.CONFIRMED:
                return await self._people.perform(buyer, OrderConfirm(order=order_id))

    async def _dispute(self, buyer: Person, order_id: TransactionId, shop: Shop) -> Result:
        called = await self._people.perform(buyer, OrderDispute(order_id, blake2b_256(b"broken" + order_id)))
        if not called.ok:
            return called
        ruling = OrderResolve(order_id, self._rng.choice(_RULINGS_BPS))
        return await self._people.perform(self._shops.arbiter_of(shop), ruling)

    async def _review(self, buyer: Person, order_id: TransactionId) -> None:
        stars = self._rng.choice(_STARS)
        done = await self._people.perform(buyer, ReviewPost(order_id, stars, blake2b_256(b"review" + order_id)))
        self.counts["reviewed" if done.ok else f"not reviewed: {done.code.value}"] += 1

    async def _refund(self, life: _Life, order_id: TransactionId, shop: Shop, buyer: Person) -> bool:
        """Give back what was asked back so far; True if that was all there is, and the order is closed."""
        while life.refunds_minor:
            rest = life.order.total_minor - life.refunded_minor
            amount = life.refunds_minor[0]
            everything = amount >= rest
            life.closing = everything
            may_cancel = not life.shipped and self._desk.time_ms > life.placed_ms + CANCEL_S * 1_000
            if everything and may_cancel:
                done = await self._people.perform(buyer, OrderCancel(order_id))
                self.counts["cancelled" if done.ok else f"not cancelled: {done.code.value}"] += 1
            else:
                done = await self._people.perform(shop.owner, OrderRefund(order_id, 0 if everything else amount))
                self.counts["refunded" if done.ok else f"not refunded: {done.code.value}"] += 1
            life.refunds_minor.pop(0)
            self._giving_back -= 1
            if done.ok:
                life.refunded_minor += min(amount, rest)
                self._story.refunded(life.order, min(amount, rest), done)
                if everything:
                    return True
        return False

    async def _until(self, time_ms: int) -> None:
        while self._desk.time_ms <= time_ms:
            await self._desk.progress.wait()

    def _prepared(self) -> None:
        self.preparing -= 1
        self._wake()

    def _forget(self, life: _Life) -> None:
        self._open -= 1
        self._giving_back -= len(life.refunds_minor)
        for line in life.order.lines:
            key = (life.order.customer, line.code)
            lives = self._lives.get(key)
            if lives is not None:
                lives.remove(life)
                if not lives:
                    del self._lives[key]
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()
