"""The order's state machine: one table of who may do what, from where, when, and with which effect.

Every transaction on an order asks this table (`enter`), and nothing else decides: a row that is not here cannot happen.
`docs/orders.md` shows the same table, drawn from here by `tools/order_machine.py`; a test compares them.

A party acts while now <= deadline, anyone settles when now > deadline: never both (but the buyer may confirm at any
time). All times are application time.

Source: "Trade" of the commerce specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from p2pcommerce.commerce.body import Call
from p2pcommerce.commerce.errors import ForbiddenError, NotFoundError, StateError, TooEarlyError, TooLateError
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.order import DONE_ORDER, ORDER, DoneOrder, Order, OrderStatus, due_ms, started_ms
from p2pcommerce.commerce.store import Rights, acting_for
from p2pcommerce.commerce.terms import require_terms
from p2pcommerce.primitives.ids import TransactionId

__all__ = ["TRANSITIONS", "Effect", "Transition", "When", "Who", "enter", "enter_open", "settles"]

_SECOND_MS: Final = 1_000


@unique
class Who(Enum):
    """Who may do it."""

    BUYER = "buyer"
    OWNER = "the store's owner"
    FULFIL = "the store's owner, or an operator with FULFIL"
    ARBITER = "the arbiter named in the order"
    ANYONE = "anyone"


@unique
class When(Enum):
    """When it may be done."""

    ANY = "at any time"
    IN_TIME = "now <= deadline"
    LATE = "now > deadline"
    CANCELLABLE = "placed (or team full) + cancel_s < now <= deadline"


@unique
class Effect(Enum):
    """What it does; see `order_money`."""

    PLACE = "stock down, points burned, cash into escrow, reward reserved"
    SHIP = "items locked; the buyer has confirm_s"
    DISPUTE = "the arbiter has dispute_s"
    GIVE = "GIVE(amount)"
    FINISH = "FINISH"
    UNDO = "UNDO"
    RESOLVE = "the arbiter's fee, GIVE(its part), FINISH"
    REVIEW = "rating += weight, record removed"
    REMOVE = "record removed"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row.

    Attributes:
        type: of the transaction.
        who: may send it.
        source: where the order is; None: nowhere yet.
        when: it may be done.
        effect: what it does.
        target: where the order is then; None: it has no record any more.
        variant: of the type, where one type has several rows for one source.
        only: what else must hold.
    """

    type: str
    who: Who
    source: OrderStatus | None
    when: When
    effect: Effect
    target: OrderStatus | None
    variant: str = ""
    only: str = ""


_S = OrderStatus
TRANSITIONS: Final = (
    Transition("order.place", Who.BUYER, None, When.ANY, Effect.PLACE, _S.PLACED, only="not the store itself"),
    Transition("order.ship", Who.FULFIL, _S.PLACED, When.IN_TIME, Effect.SHIP, _S.SHIPPED, only="the team is full"),
    Transition("order.confirm", Who.BUYER, _S.SHIPPED, When.ANY, Effect.FINISH, _S.DONE),
    Transition("order.confirm", Who.BUYER, _S.DISPUTED, When.ANY, Effect.FINISH, _S.DONE),
    Transition(
        "order.cancel", Who.BUYER, _S.PLACED, When.CANCELLABLE, Effect.UNDO, None, only="not in a team that is not full"
    ),
    Transition("order.refund", Who.FULFIL, _S.PLACED, When.IN_TIME, Effect.UNDO, None, "all"),
    Transition("order.refund", Who.OWNER, _S.SHIPPED, When.IN_TIME, Effect.UNDO, None, "all"),
    Transition("order.refund", Who.OWNER, _S.DISPUTED, When.IN_TIME, Effect.UNDO, None, "all"),
    Transition("order.refund", Who.OWNER, _S.PLACED, When.IN_TIME, Effect.GIVE, _S.PLACED, "part", "less than E"),
    Transition("order.refund", Who.OWNER, _S.SHIPPED, When.IN_TIME, Effect.GIVE, _S.SHIPPED, "part", "less than E"),
    Transition("order.refund", Who.OWNER, _S.DISPUTED, When.IN_TIME, Effect.GIVE, _S.DISPUTED, "part", "less than E"),
    Transition(
        "order.dispute", Who.BUYER, _S.SHIPPED, When.IN_TIME, Effect.DISPUTE, _S.DISPUTED, only="it has an arbiter"
    ),
    Transition("order.resolve", Who.ARBITER, _S.DISPUTED, When.IN_TIME, Effect.RESOLVE, _S.DONE),
    Transition("order.settle", Who.ANYONE, _S.PLACED, When.LATE, Effect.UNDO, None),
    Transition("order.settle", Who.ANYONE, _S.SHIPPED, When.LATE, Effect.FINISH, _S.DONE),
    Transition("order.settle", Who.ANYONE, _S.DISPUTED, When.LATE, Effect.UNDO, None, only="the arbiter gets nothing"),
    Transition("order.settle", Who.ANYONE, _S.DONE, When.LATE, Effect.REMOVE, None),
    Transition("review.post", Who.BUYER, _S.DONE, When.IN_TIME, Effect.REVIEW, None),
)
"""Every transition. A FINISH without a protocol fee leaves no DONE order."""

_BY_NAME: Final[dict[tuple[str, str], tuple[Transition, ...]]] = {
    name: tuple(row for row in TRANSITIONS if (row.type, row.variant) == name)
    for name in dict.fromkeys((row.type, row.variant) for row in TRANSITIONS)
}


def enter(
    ledger: Ledger, call: Call, order_id: TransactionId, variant: str = ""
) -> tuple[Transition, Order | DoneOrder]:
    """Return what a transaction does to an order, and the order, if the table lets it.

    Args:
        ledger: the draft.
        call: the transaction; its type names the rows.
        order_id: 32 bytes.
        variant: of the type, if it has any.

    Raises:
        NotFoundError: there is no such order.
        ForbiddenError: somebody else may do this.
        StateError: not with an order that is where this one is.
        TooEarlyError: not yet.
        TooLateError: not any more.
    """
    order = ledger.get(ORDER, order_id)
    if order is not None:
        row = _row(ledger, call, order, OrderStatus(order.status), variant)
        _require_time(ledger, row, order)
        return row, order
    done = ledger.get(DONE_ORDER, order_id)
    if done is None:
        raise NotFoundError("there is no such order, or it was closed")
    row = _row(ledger, call, done, OrderStatus.DONE, variant)
    _require_deadline(ledger, row, done.until_ms)
    return row, done


def enter_open(ledger: Ledger, call: Call, order_id: TransactionId, variant: str = "") -> tuple[Transition, Order]:
    """Return what a transaction does to an open order, and the order; see `enter`, which says what it raises."""
    row, order = enter(ledger, call, order_id, variant)
    if not isinstance(order, Order):
        raise StateError("the order is finished")
    return row, order


def settles(ledger: Ledger, order: Order) -> bool:
    """Tell whether anyone may settle an open order now."""
    return ledger.now_ms > due_ms(ledger, order)


def _row(ledger: Ledger, call: Call, order: Order | DoneOrder, status: OrderStatus, variant: str) -> Transition:
    """Return the row of the table that applies; who comes first, so that strangers learn nothing of the state."""
    rows = _BY_NAME[call.transaction.type, variant]
    allowed = [row for row in rows if _may(ledger, call, order, row.who)]
    if not allowed:
        who = " or ".join(dict.fromkeys(row.who.value for row in rows))
        raise ForbiddenError(f"{call.transaction.type} is for {who}")
    for row in allowed:
        if row.source == status:
            return row
    if any(row.source == status for row in rows):
        raise ForbiddenError(f"with an order that is {status.name} this is not for the sender")
    raise StateError(f"the order is {status.name}; {call.transaction.type} is possible in another state")


def _may(ledger: Ledger, call: Call, order: Order | DoneOrder, who: Who) -> bool:
    if who is Who.ANYONE:
        return True
    if who is Who.BUYER:
        return call.sender == order.buyer
    if who is Who.ARBITER:
        return isinstance(order, Order) and call.sender == order.arbiter
    if call.sender == order.store:
        return True
    if who is Who.OWNER:
        return False
    try:
        acting_for(ledger, call.sender, order.store, Rights.FULFIL)
    except ForbiddenError:
        return False
    return True


def _require_time(ledger: Ledger, row: Transition, order: Order) -> None:
    if row.when is When.ANY:
        return
    _require_deadline(ledger, row, due_ms(ledger, order))
    if row.when is When.CANCELLABLE:
        started = started_ms(ledger, order)
        if started is None:
            raise StateError("the team is not full yet: the order is given back if it is not full in time")
        cancel_s = require_terms(ledger, order.store, order.terms).cancel_s
        if ledger.now_ms <= started + cancel_s * _SECOND_MS:
            raise TooEarlyError("the terms give the store more time before the buyer may cancel")


def _require_deadline(ledger: Ledger, row: Transition, deadline_ms: int) -> None:
    if row.when is When.LATE:
        if ledger.now_ms <= deadline_ms:
            raise TooEarlyError(f"it can be settled in {deadline_ms - ledger.now_ms + 1} ms of application time")
    elif ledger.now_ms > deadline_ms and row.when is not When.ANY:
        raise TooLateError("the order's deadline has passed; order.settle closes it")
