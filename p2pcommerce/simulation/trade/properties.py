"""The eleven properties of trade, checked after every transaction from what it changed, by sums of their own.

Nothing here asks the application: records are read from the state's bytes, and every sum is kept a second time. From
time to time, and at the end, everything is counted anew from the whole state (`recount`), so that the sums themselves
are proven.

The numbers in names and messages are those of the commerce specification.

Source: "Properties to test, after every transaction" of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from p2pcommerce.commerce import (
    KINDS,
    OrderCancel,
    OrderConfirm,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    read_body,
    scan,
)
from p2pcommerce.commerce.account import ACCOUNT, Account
from p2pcommerce.commerce.body import Body
from p2pcommerce.commerce.campaign import Campaign
from p2pcommerce.commerce.delegation import Delegation
from p2pcommerce.commerce.epoch_clock import EPOCH_CLOCK, EPOCH_START
from p2pcommerce.commerce.order import Order
from p2pcommerce.commerce.points import PointScheme, PointsHeld
from p2pcommerce.commerce.team import TeamBuy
from p2pcommerce.commerce.totals import TOTALS
from p2pcommerce.commerce.validator import VALIDATOR, ValidatorRecord
from p2pcommerce.ledger.epochs import is_system_key
from p2pcommerce.ledger.receipt import Outcome
from p2pcommerce.ledger.transaction import Transaction
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.simulation.trade.chain import Executed
from p2pcommerce.simulation.trade.goods import Goods
from p2pcommerce.simulation.trade.purses import Purses

__all__ = ["Properties", "PropertyError"]

_LIMIT: Final = 2**63
_OF_BLOCKS: Final = (TOTALS.tag, VALIDATOR.tag, EPOCH_CLOCK.tag, EPOCH_START.tag)
"""What a block changes by itself: time, fees, epochs."""
_CLOSING: Final = (OrderCancel, OrderConfirm, OrderResolve, OrderSettle)


class PropertyError(P2PError):
    """A property does not hold: a defect of the application."""

    code = "PROPERTY"


Record = tuple[bytes, Any, Any]
"""Key, record before, record after."""


class Properties:
    """Watches one chain.

    Attributes:
        checked: transactions that were watched.
        failed: of these, those that the application refused.
    """

    def __init__(self, values: Mapping[bytes, bytes], supply_minor: int, byte_price: int) -> None:
        """Begin with a state that is sound."""
        self._supply_minor = supply_minor
        self._byte_price = byte_price
        self._money = 0
        self._size = 0
        self._counts: dict[tuple[str, bytes], int] = {}
        self._goods = Goods()
        self._purses = Purses()
        self.checked = self.failed = 0
        for key, value in values.items():
            if not is_system_key(key):
                self._count((key, None, KINDS[key[0]].read(value)))

    def watch(self, executed: Executed) -> None:
        """Check a block of at most one transaction before it becomes final.

        Raises:
            PropertyError: a property does not hold.
        """
        records = list(_changed(executed))
        for record in records:
            self._count(record)
        totals = TOTALS.read(executed.state.changes[TOTALS.tag] or b"")
        held = self._money + self._size * self._byte_price + totals.fee_pot_minor + totals.burned_minor
        self._demand(held == self._supply_minor, f"1, 2: there are {held} minor units, and were {self._supply_minor}")
        for name, count in self._counts.items():
            self._demand(count == 0, f"3, 7, 10: {name[0]} of {name[1].hex()[:16]} differ by {count}")
        self._counts.clear()
        for transaction, outcome in zip(executed.transactions, executed.outcomes, strict=True):
            self._watch_transaction(transaction, outcome, records, executed)

    def _watch_transaction(
        self, transaction: Transaction, outcome: Outcome, records: list[Record], executed: Executed
    ) -> None:
        self.checked += 1
        if not outcome.ok:
            self.failed += 1
            self._demand_nothing_happened(transaction, outcome, records)
            return
        self._demand([event.name for event in outcome.events] == [transaction.type], "one event, of its type")
        body = read_body(transaction.type, transaction.body)
        named = set(outcome.events[0].ids)
        for complaint in self._goods.watch(body, transaction, executed.context.time_ms, records):
            self._demand(False, complaint)  # noqa: FBT003 - a complaint is a broken property
        self._demand(
            all(key[1:] in named for key, _, after in records if isinstance(after, Order)), "the event names its order"
        )
        for complaint in self._purses.watch(body, transaction, records, self._byte_price):
            self._demand(False, complaint)  # noqa: FBT003 - a complaint is a broken property
        if isinstance(body, _CLOSING) or (isinstance(body, OrderRefund) and not body.amount_minor):
            self._demand_nobody_pays(body, transaction, records)
        self._demand_prices(body, records)

    def _demand_nothing_happened(self, transaction: Transaction, outcome: Outcome, records: list[Record]) -> None:
        """4: a failed transaction costs its fee and its nonce."""
        self._demand(not outcome.events, "4: a failed transaction has no event")
        for key, before, after in records:
            account = key[1:]
            if key[:1] == ACCOUNT.tag:
                paid = transaction.fee if account == transaction.payer else 0
                if before is None:
                    self._demand(account == transaction.sender and after == Account(0, 1), "4: a new sender's account")
                    continue
                made = any(each[0] == ACCOUNT.key(transaction.sender) and each[1] is None for each in records)
                deposit = 64 * self._byte_price if made and account == transaction.payer else 0
                nonce = before.nonce + (1 if account == transaction.sender else 0)
                wanted = Account(before.balance_minor - paid - deposit, nonce, before.active)
                self._demand(after == wanted, f"4: a failed transaction made {before} {after}")
            elif key[:1] not in _OF_BLOCKS:
                self._demand(False, f"4: a failed transaction changed a {KINDS[key[0]].name}")  # noqa: FBT003 - it did

    def _demand_nobody_pays(self, body: Body, transaction: Transaction, records: list[Record]) -> None:
        """2: closing an order never charges anyone."""
        for key, before, after in records:
            if key[:1] == ACCOUNT.tag and before is not None:
                fee = transaction.fee if key[1:] == transaction.payer else 0
                gained = after.balance_minor - before.balance_minor + fee
                self._demand(gained >= 0, f"2: {body.TYPE} charged {key[1:5].hex()} {-gained} minor units")

    def _demand_prices(self, body: Body, records: list[Record]) -> None:
        """10: the price of a share falls only by a slash."""
        for key, before, after in records:
            if key[:1] != VALIDATOR.tag or before is None or body.TYPE == "evidence.submit":
                continue
            for old, new in ((before.active, after.active), (before.unbonding, after.unbonding)):
                holds = new.minor * old.shares >= old.minor * new.shares
                self._demand(holds, f"10: {body.TYPE} lowered a share's price")

    def _count(self, record: Record) -> None:
        key, before, after = record
        for sign, one in ((-1, before), (1, after)):
            if one is not None:
                kind = KINDS[key[0]]
                size = kind.size(one)
                self._demand(not size or len(key) + len(kind.write(one)) <= size, f"2: a {kind.name} is over its size")
                self._size += sign * size
                self._money += sign * _money(one)
                for name, count in _tallies(key[1:], one):
                    self._counts[name] = self._counts.get(name, 0) + sign * count
                for amount in _amounts(one):
                    self._demand(0 <= amount < _LIMIT, f"1: an amount of {amount}")

    def recount(self, values: Mapping[bytes, bytes]) -> None:
        """Count the whole state anew and compare.

        Raises:
            PropertyError: the sums that were kept are not those of the state.
            LocalProtocolError: its totals are wrong.
        """
        fresh = Properties(values, self._supply_minor, self._byte_price)
        self._demand((fresh._money, fresh._size) == (self._money, self._size), "1, 2: the sums are those of the state")
        self._demand(not any(fresh._counts.values()), "3, 7, 10: records agree")
        scan(values)
        for complaint in self._goods.recount(values):
            self._demand(False, complaint)  # noqa: FBT003 - a complaint is a broken property

    @staticmethod
    def _demand(holds: bool, rule: str) -> None:  # noqa: FBT001 - a condition, as of assert
        if not holds:
            raise PropertyError(rule)


def _changed(executed: Executed) -> Iterator[Record]:
    for key, value in executed.state.changes.items():
        if is_system_key(key):
            continue
        old, kind = executed.before.get(key), KINDS[key[0]]
        if old != value:
            yield key, None if old is None else kind.read(old), None if value is None else kind.read(value)


def _money(record: object) -> int:
    match record:
        case Account(balance_minor=balance):
            return balance
        case Order(cash_minor=cash, points=points, reward_minor=reward):
            return cash + reward + sum(each.count * each.unit_minor for each in points)
        case Campaign(budget_minor=budget):
            return budget
        case PointScheme(unit_minor=unit, outstanding=outstanding):
            return unit * outstanding
        case ValidatorRecord(active=active, unbonding=unbonding, commission_minor=commission, rewards_minor=rewards):
            return active.minor + unbonding.minor + commission + rewards
        case _:
            return 0


def _amounts(record: object) -> tuple[int, ...]:
    match record:
        case Account(balance_minor=balance):
            return (balance,)
        case Order(cash_minor=cash, reward_minor=reward):
            return (cash, reward)
        case _:
            return ()


def _tallies(identifier: bytes, record: object) -> list[tuple[tuple[str, bytes], int]]:
    match record:
        case Order(items=items, team=team, campaign=campaign):
            found = [(("locked items", identifier + item), 1) for item in items]
            found += [(("open orders of the team", team), 1)] if team is not None else []
            return found + ([(("open orders of the campaign", campaign), 1)] if campaign is not None else [])
        case TeamBuy(open=opened):
            return [(("open orders of the team", identifier), -opened)]
        case Campaign(open=opened):
            return [(("open orders of the campaign", identifier), -opened)]
        case PointScheme(outstanding=outstanding):
            return [(("points", identifier), -outstanding)]
        case PointsHeld(count=count):
            return [(("points", identifier[:32]), count)]
        case ValidatorRecord(active=active, unbonding=unbonding):
            return [(("shares", identifier), -active.shares), (("unbonding shares", identifier), -unbonding.shares)]
        case Delegation(shares=shares, unbonding_shares=waiting):
            return [(("shares", identifier[:32]), shares), (("unbonding shares", identifier[:32]), waiting)]
        case _:
            return Goods.tallies(identifier, record)
