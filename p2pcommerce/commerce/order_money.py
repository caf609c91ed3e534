"""What the transitions of an order do to its money, its goods and what hangs on it.

- GIVE(r): r of the escrow goes back: cash to the payer first, then whole points to the buyer, line by line; a rest
  below one point stays in escrow.
- UNDO: stock back if the order was not shipped and the listing exists; GIVE(E); the reward back to the campaign; items
  unlocked, still the store's; the order is removed.
- FINISH: the protocol's fee (half of it burned), the referral, the rest to the store less the value of the points that
  the buyer earns; cashback and bonus from the reserved reward, its remainder to the campaign; items to the buyer, who
  bought them once more; a done order is left for its review if there was a fee.

The parts add up to the escrow exactly: parts are rounded down, the store gets the rest.

A referrer without an account gets nothing where its part would not even pay the deposit of an account: the referral
stays with the store, the bonus with the campaign. Otherwise closing could fail, and the escrow stay locked for good.

Source: "Trade" of the commerce specification.
Deviations: an arbiter's fee that the cash does not cover is taken from points, and what is left of the last one of
these is cash.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from p2pcommerce.commerce.body import Call
from p2pcommerce.commerce.campaign import release
from p2pcommerce.commerce.item import ITEM, HistoryEntry
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.listing import return_stock
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, DoneOrder, HeldPoints, Order, OrderStatus
from p2pcommerce.commerce.points import mint_points, require_scheme
from p2pcommerce.commerce.pool import BPS
from p2pcommerce.commerce.team import leave_team
from p2pcommerce.commerce.terms import Terms, require_terms
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.ids import ZERO_HASH, PublicKey, TransactionId

__all__ = ["finish", "give", "order_entry", "take", "touched", "undo"]

_SECOND_MS: Final = 1_000


def touched(order_id: TransactionId, order: Order, call: Call) -> tuple[bytes, ...]:
    """Return the ids that an event of an order names."""
    others = (order.referrer, order.arbiter, order.team, order.campaign, *[each.issuer for each in order.points])
    named = [each for each in others if each is not None]
    return (order_id, order.buyer, order.store, order.payer, call.sender, *named, *order.items)


def order_entry(call: Call) -> HistoryEntry:
    """Return the entry that an order's transaction leaves in the history of its items."""
    return HistoryEntry(call.tx_id, call.transaction.type, call.sender, ZERO_HASH, call.time_ms, call.time_ms)


def give(ledger: Ledger, order: Order, amount_minor: int, bill: PublicKey | None = None) -> Order:
    """GIVE: return a part of the escrow, and the order without it, which the caller writes.

    Args:
        ledger: the draft.
        order: an open one.
        amount_minor: at most its escrow.
        bill: who pays the deposit of points that come back to a buyer who has none; None: the sender.
    """
    cash_minor = min(amount_minor, order.cash_minor)
    if cash_minor:
        ledger.credit(order.payer, cash_minor)
    rest_minor, kept = amount_minor - cash_minor, []
    for points in order.points:
        count = min(points.count, rest_minor // points.unit_minor)
        if count:
            rest_minor -= mint_points(ledger, points.issuer, order.buyer, count, bill)
        if count < points.count:
            kept.append(replace(points, count=points.count - count))
    return replace(order, cash_minor=order.cash_minor - cash_minor, points=tuple(kept))


def take(order: Order, amount_minor: int) -> Order:
    """Return an order without `amount_minor` of its escrow, which the caller puts elsewhere: cash first."""
    cash_minor, kept = order.cash_minor, []
    for points in order.points:
        count = min(points.count, -(-max(amount_minor - cash_minor, 0) // points.unit_minor))
        cash_minor += count * points.unit_minor
        if count < points.count:
            kept.append(HeldPoints(points.issuer, points.count - count, points.unit_minor))
    return replace(order, cash_minor=cash_minor - amount_minor, points=tuple(kept))


def undo(ledger: Ledger, call: Call, order_id: TransactionId, order: Order) -> None:
    """UNDO: give everything back and remove the order."""
    give(ledger, order, order.escrow_minor, order.payer)
    if order.status == OrderStatus.PLACED:
        for line in order.lines:
            return_stock(ledger, order.store, line.listing, line.quantity)
    if order.campaign is not None:
        release(ledger, order.campaign, order.reward_minor)
    _close(ledger, call, order_id, order, order.store, sold=0)


def finish(
    ledger: Ledger, call: Call, order_id: TransactionId, order: Order, *, holder: PublicKey | None = None
) -> None:
    """FINISH: pay everybody, hand the items over, and keep the order for its review.

    Args:
        ledger: the draft.
        call: the transaction.
        order_id: 32 bytes.
        order: an open one.
        holder: who gets the items; None: the buyer, who then has bought them.
    """
    escrow_minor, terms = order.escrow_minor, require_terms(ledger, order.store, order.terms)
    fee_minor = escrow_minor * ledger.rules.protocol_fee_bps // BPS
    burned_minor = fee_minor // 2
    ledger.burned_minor += burned_minor
    ledger.fee_pot_minor += fee_minor - burned_minor
    store_minor = escrow_minor - fee_minor - _reward(ledger, order, terms, escrow_minor)
    store_minor -= _earn_points(ledger, order, terms)
    if store_minor:
        ledger.credit(order.store, store_minor)
    _close(ledger, call, order_id, order, holder or order.buyer, sold=0 if holder else 1)
    if fee_minor:
        until_ms = ledger.now_ms + ledger.rules.done_order_s * _SECOND_MS
        ledger.put(DONE_ORDER, order_id, DoneOrder(order.buyer, order.store, fee_minor, until_ms), bill=order.payer)


def _reward(ledger: Ledger, order: Order, terms: Terms, escrow_minor: int) -> int:
    """Pay referrer and buyer, give the rest of the reward back, and return what of it came out of the escrow."""
    referral_minor = bonus_minor = cashback_minor = 0
    if order.campaign is not None:
        cashback_minor = escrow_minor * terms.cashback_bps // BPS
    if order.referrer is not None:
        referral_minor = escrow_minor * terms.referral_bps // BPS
        if order.campaign is not None:
            bonus_minor = escrow_minor * terms.bonus_bps // BPS
        due_minor = referral_minor + bonus_minor
        if due_minor and ledger.can_credit(order.referrer, due_minor):
            ledger.credit(order.referrer, due_minor)
        else:
            referral_minor = bonus_minor = 0
    if cashback_minor:
        ledger.credit(order.buyer, cashback_minor)
    if order.campaign is not None:
        release(ledger, order.campaign, order.reward_minor - cashback_minor - bonus_minor)
    return referral_minor


def _earn_points(ledger: Ledger, order: Order, terms: Terms) -> int:
    """Give the buyer the points that the terms promise on the cash, and return their value."""
    if not terms.points_bps:
        return 0
    count = order.cash_minor * terms.points_bps // BPS // require_scheme(ledger, order.store).unit_minor
    return mint_points(ledger, order.store, order.buyer, count, order.payer) if count else 0


def _close(ledger: Ledger, call: Call, order_id: TransactionId, order: Order, holder: PublicKey, *, sold: int) -> None:
    """Take an order out of its team, unlock its items for `holder`, and remove it."""
    if order.team is not None:
        leave_team(ledger, order.team)
    if order.items:
        entry = order_entry(call)
        for item_id in order.items:
            item = ledger.get(ITEM, item_id)
            if item is None:
                raise LocalProtocolError("an open order holds an item that is gone")
            ledger.put(ITEM, item_id, item.after(entry, owner=holder, custodian=holder, sold=sold))
    ledger.remove(ORDER, order_id, bill=order.payer)
