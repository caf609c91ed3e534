"""Property 11 of trade, and where the money of every order goes.

Of each order is kept what was paid for it when it was placed. What leaves its escrow is compared with who got it:

- given back in part: cash to the payer, then whole points to the buyer, line by line
- given back in full: exactly the cash that is left and the points that are left, the reward to the campaign, and the
  deposit to the payer; together with what was given before, that is what was paid
- finished: fee, referral, points earned and the store's part add up to the escrow

Source: the transitions of orders, and property 11, of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from p2pcommerce.commerce import OrderPlace, OrderRefund, OrderResolve
from p2pcommerce.commerce.account import ACCOUNT
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, Order, OrderStatus
from p2pcommerce.commerce.points import POINTS_HELD, PointsHeld
from p2pcommerce.commerce.team import TEAM
from p2pcommerce.commerce.totals import TOTALS
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.ids import PublicKey

__all__ = ["Purses"]


@dataclass(slots=True)
class _Paid:
    """What an order cost, and what of it came back."""

    cash_minor: int
    points: dict[PublicKey, int]
    given_minor: int = 0
    returned: dict[PublicKey, int] = field(default_factory=dict)


@dataclass(slots=True)
class Purses:
    """What was paid for the open orders of one world."""

    _paid: dict[bytes, _Paid] = field(default_factory=dict)

    def watch(
        self,
        body: Body,
        transaction: Transaction,
        records: Sequence[tuple[bytes, Any, Any]],
        byte_price: int,
    ) -> Iterator[str]:
        """Follow a transaction that succeeded; yield what is wrong with it."""
        changed = {key: (old, new) for key, old, new in records}
        for key, old, new in records:
            if key[:1] != ORDER.tag:
                continue
            if old is None:
                yield from self._place(body, key[1:], new)
            elif new is not None:
                yield from self._give(body, key[1:], old, new, transaction, changed)
            elif DONE_ORDER.key(key[1:]) in changed or self._is_finished(body, old, changed):
                yield from self._finish(body, old, changed)
                del self._paid[key[1:]]
            else:
                yield from self._undo(key[1:], old, transaction, changed, byte_price)

    def _place(self, body: Body, order_id: bytes, new: Order) -> Iterator[str]:
        spent = {each.issuer: each.count for each in body.points} if isinstance(body, OrderPlace) else {}
        self._paid[order_id] = _Paid(new.cash_minor, dict(spent))
        if {each.issuer: each.count for each in new.points} != spent:
            yield "11: an order holds other points than were spent on it"

    def _give(
        self,
        body: Body,
        order_id: bytes,
        old: Order,
        new: Order,
        transaction: Transaction,
        changed: dict[bytes, tuple[Any, Any]],
    ) -> Iterator[str]:
        cash_minor = old.cash_minor - new.cash_minor
        counts = {each.issuer: each.count for each in new.points}
        gone = {each.issuer: each.count - counts.get(each.issuer, 0) for each in old.points}
        if not isinstance(body, OrderRefund):
            if cash_minor or any(gone.values()):
                yield f"11: {body.TYPE} took from an escrow"
            return
        value = cash_minor + sum(gone[each.issuer] * each.unit_minor for each in old.points)
        rest = body.amount_minor - value
        kept = [each for each in new.points if each.count]
        if rest < 0 or (new.cash_minor and cash_minor != body.amount_minor):
            yield f"11: a refund of {body.amount_minor} gave {value}"
        if rest and kept and rest >= max(each.unit_minor for each in kept):
            yield f"11: a refund of {body.amount_minor} kept a whole point"
        yield from self._points_back(old, gone, changed)
        paid = self._paid[order_id]
        paid.given_minor += cash_minor
        for issuer, count in gone.items():
            paid.returned[issuer] = paid.returned.get(issuer, 0) + count
        if _gain(old.payer, transaction, changed) < cash_minor and old.payer != transaction.sender:
            yield "11: a part that was given back did not reach the payer"

    @staticmethod
    def _points_back(old: Order, gone: dict[PublicKey, int], changed: dict[bytes, tuple[Any, Any]]) -> Iterator[str]:
        for issuer, count in gone.items():
            was, now = changed.get(POINTS_HELD.key(issuer + old.buyer), (None, None))
            if _held(now) - _held(was) != count:
                yield "11: points that were given back did not reach the buyer"

    @staticmethod
    def _is_finished(body: Body, old: Order, changed: dict[bytes, tuple[Any, Any]]) -> bool:
        """Tell whether an order without a fee was finished: then nothing of it came back, or an arbiter divided it."""
        if isinstance(body, OrderResolve) or body.TYPE == "order.confirm":
            return True
        return body.TYPE == "order.settle" and old.status == OrderStatus.SHIPPED

    def _undo(
        self,
        order_id: bytes,
        old: Order,
        transaction: Transaction,
        changed: dict[bytes, tuple[Any, Any]],
        byte_price: int,
    ) -> Iterator[str]:
        """11: a full refund returns exactly what each payer paid."""
        paid = self._paid.pop(order_id)
        paid.given_minor += old.cash_minor
        gone = {each.issuer: each.count for each in old.points}
        for issuer, count in gone.items():
            paid.returned[issuer] = paid.returned.get(issuer, 0) + count
        if paid.given_minor != paid.cash_minor:
            yield f"11: {paid.cash_minor} minor units were paid, {paid.given_minor} came back"
        if {issuer: count for issuer, count in paid.returned.items() if count} != paid.points:
            yield "11: other points came back than were spent"
        yield from self._points_back(old, gone, changed)
        made = sum(1 for key, (was, now) in changed.items() if key[:1] == POINTS_HELD.tag and was is None and now)
        deposit = ORDER.size(old) - made * POINTS_HELD.size(PointsHeld(1))
        for key, (was, now) in changed.items():
            if key[:1] == TEAM.tag and now is None and was.payer == old.payer:
                deposit += TEAM.size(was)
        if _gain(old.payer, transaction, changed) != old.cash_minor + deposit * byte_price:
            yield "11: the payer of an order that was given back did not get cash and deposit"

    def _finish(self, body: Body, old: Order, changed: dict[bytes, tuple[Any, Any]]) -> Iterator[str]:
        was, now = changed[TOTALS.tag]
        if now.escrow_minor - was.escrow_minor != -old.escrow_minor:
            yield f"1: {body.TYPE} closed an order and kept a part of its escrow"


def _held(record: PointsHeld | None) -> int:
    return 0 if record is None else record.count


def _gain(account: bytes, transaction: Transaction, changed: dict[bytes, tuple[Any, Any]]) -> int:
    """Return what an account gained, its fee left aside."""
    was, now = changed.get(ACCOUNT.key(account), (None, None))
    gained = (0 if now is None else now.balance_minor) - (0 if was is None else was.balance_minor)
    return gained + (transaction.fee if account == transaction.payer else 0)
