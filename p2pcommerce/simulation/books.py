"""A second set of books: what final blocks should have done to accounts, kept without the application.

It reads final transactions and what blocks say they changed, and keeps its own account of it:

- a transaction is signed, stands once and before it expires, and each account's nonces follow each other from 0
- the fees of a block, and what is kept of finished orders, go to its proposer, to the unit; the sponsor of a
  transaction pays its fee, and for the account of a sender who had none
- a transfer takes from one and gives to the other; an order takes its price from the buyer or the sponsor, and once it
  is confirmed gives it to the store, once
- an order is shipped, confirmed, cancelled and given back by whom its rules name (`order_rules`), and in its time
- goods are sent by who has them, and received by whom they were sent to
- nobody else's balance changes; a failed transaction costs its fee and nothing else

An order with a team, points, a referrer, an arbiter or a campaign is beyond these books, and so are its acts
(`simulation.trade` judges those): they only bring the balances up to date.

Deposits for state are not modelled: an account that pays or gets one in a block is held to a bound there, not to a
figure. Stake is not modelled: who moves some is not compared in that block, nor are the fees of the validator at which
it is. Evidence, registrations and types which an embedding program added only bring the balances up to date.

Source: "Fees and state" and the orders of the commerce specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from p2pcommerce.commerce import (
    BODIES,
    AttestIssue,
    AttestRevoke,
    Bond,
    KeySet,
    ListingSet,
    OrderCancel,
    OrderConfirm,
    OrderDispute,
    OrderPlace,
    OrderRefund,
    OrderResolve,
    OrderSettle,
    OrderShip,
    PointsOpen,
    PointsTransfer,
    ProductSet,
    ReviewPost,
    StoreSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    Unbond,
    Withdraw,
    read_body,
)
from p2pcommerce.commerce.account import ACCOUNT, ACCOUNT_BYTES
from p2pcommerce.commerce.validator import VALIDATOR
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.transaction import Transaction, decode_transaction
from p2pcommerce.node.committed import CommittedBlock
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import PublicKey, TransactionId
from p2pcommerce.simulation.order_rules import Goods, OpenOrder, OrderRules

__all__ = ["Books"]

_BPS: Final = 10_000
_TIME_STEP_MS_MAX: Final = 60_000
"""Application time moves on by so much in a block at most. Source: the commerce specification."""


@dataclass(slots=True)
class _Page:
    """What one block should do: by account an exact change, and who has deposits beside it.

    Attributes:
        free: who moved stake: not compared.
        touched: validators whose earnings were paid out: their fees are not compared.
        is_vague: it holds something that is not modelled.
    """

    changes: dict[PublicKey, int] = field(default_factory=dict)
    deposits: dict[PublicKey, None] = field(default_factory=dict)
    rewards_minor: int = 0
    free: dict[PublicKey, None] = field(default_factory=dict)
    touched: dict[PublicKey, None] = field(default_factory=dict)
    is_vague: bool = False

    def move(self, account: PublicKey, amount_minor: int) -> None:
        """Change a balance."""
        self.changes[account] = self.changes.get(account, 0) + amount_minor


class Books:
    """Follows the final blocks of one world, each once, in order."""

    def __init__(self, genesis: Genesis, scheme: SignatureScheme) -> None:
        """Open the books."""
        deposit_minor = ACCOUNT_BYTES * genesis.parameters.byte_price
        self._scheme = scheme
        self._genesis = genesis
        self._balances = {key: amount - deposit_minor for key, amount in genesis.balances.items()}
        self._earned: dict[PublicKey, int] = {}
        self._jailed: dict[PublicKey, None] = {}
        self._waiting_minor = 0
        self._nonces: dict[PublicKey, int] = {}
        self._prices: dict[tuple[PublicKey, int], int] = {}
        self._orders: dict[TransactionId, OpenOrder] = {}
        self._beyond: dict[TransactionId, None] = {}
        self._known = dict.fromkeys(genesis.balances)
        self._rules = OrderRules()
        self._goods = Goods()
        self._now_ms, self._time_ms = 0, genesis.time_ms
        self._deposit_minor = deposit_minor
        self.height = 0

    def enter(self, committed: CommittedBlock) -> Iterator[str]:
        """Take the next final block; yield what is wrong with it."""
        block, page = committed.block, _Page()
        self.height = block.header.height
        self._now_ms += min(max(block.header.time_ms - self._time_ms, 0), _TIME_STEP_MS_MAX)
        self._time_ms = block.header.time_ms
        for raw, outcome in zip(block.transactions, committed.outcomes, strict=True):
            transaction = decode_transaction(raw)
            yield from self._check_envelope(transaction)
            page.move(transaction.payer, -transaction.fee)
            page.rewards_minor += transaction.fee
            if transaction.sender not in self._known:
                # Only a sponsor lets an account act that nobody has paid yet.
                self._known[transaction.sender] = None
                page.move(transaction.payer, -self._deposit_minor)
            if outcome.ok:
                yield from self._do(transaction, page)
        yield from self._compare(committed, page)

    def _check_envelope(self, transaction: Transaction) -> Iterator[str]:
        if transaction.chain_id != self._genesis.hash or not transaction.verify(self._scheme):
            yield f"transaction {transaction.id[:4].hex()} is not signed for this network"
        if transaction.expires_height < self.height:
            yield f"transaction {transaction.id[:4].hex()} expired at height {transaction.expires_height}"
        due = self._nonces.get(transaction.sender, 0)
        if transaction.nonce != due:
            yield f"transaction {transaction.id[:4].hex()} has nonce {transaction.nonce} where {due} is due"
        self._nonces[transaction.sender] = transaction.nonce + 1

    def _do(self, transaction: Transaction, page: _Page) -> Iterator[str]:
        if transaction.type not in BODIES:
            page.is_vague = True
            return
        body, sender = read_body(transaction.type, transaction.body), transaction.sender
        match body:
            case Transfer(to, amount_minor):
                page.move(sender, -amount_minor)
                page.move(to, amount_minor - (0 if to in self._known else self._deposit_minor))
                self._known[to] = None
            case OrderPlace():
                self._place(body, transaction, page)
            case OrderShip() | OrderConfirm() | OrderCancel() | OrderRefund() | OrderSettle():
                yield from self._act(body, sender, page)
            case OrderDispute() | OrderResolve():
                yield from self._dispute(body, page)
            case TraceCommission() | TraceShip() | TraceReceive():
                yield from self._goods.see(body, sender)
                page.deposits[sender] = None
            case KeySet() | AttestIssue() | AttestRevoke() | ReviewPost() | PointsOpen() | PointsTransfer():
                page.deposits[sender] = None
            case StoreSet() | TermsSet() | ListingSet() | ProductSet():
                self._learn(body, sender)
                page.deposits[sender] = None
            case Bond(validator) | Unbond(validator) | Withdraw(validator):
                page.free[sender] = page.touched[validator] = None
            case _:
                page.is_vague = True

    def _learn(self, body: StoreSet | TermsSet | ListingSet | ProductSet, sender: PublicKey) -> None:
        self._rules.learn(body, sender)
        if isinstance(body, ListingSet):
            self._prices[body.store or sender, body.number] = body.price_minor

    def _place(self, body: OrderPlace, transaction: Transaction, page: _Page) -> None:
        if self._rules.is_beyond(body):
            self._beyond[transaction.id] = None
            page.is_vague = True
            return
        payer = transaction.payer if transaction.sponsor_pays else transaction.sender
        cash_minor = sum(self._prices.get((body.store, line.listing), 0) * line.quantity for line in body.lines)
        placed = self._rules.placed(body, transaction.sender, payer, cash_minor, self._now_ms)
        self._orders[transaction.id] = placed
        page.move(payer, -cash_minor)
        page.deposits[payer] = None

    def _dispute(self, body: OrderDispute | OrderResolve, page: _Page) -> Iterator[str]:
        if body.order not in self._beyond:
            yield f"order {body.order[:4].hex()} has no arbiter, and {body.TYPE} is done to it"
        page.is_vague = True

    def _act(
        self,
        body: OrderShip | OrderConfirm | OrderCancel | OrderRefund | OrderSettle,
        sender: PublicKey,
        page: _Page,
    ) -> Iterator[str]:
        if body.order in self._beyond:
            page.is_vague = True
            return
        order = self._orders.get(body.order)
        if order is None:
            if isinstance(body, OrderSettle):
                page.deposits[sender] = None  # a finished order whose time is over is removed
            else:
                yield f"order {body.order[:4].hex()} is acted on, and was not open"
            return
        for complaint in self._rules.complaints(body, order, sender, self._now_ms):
            yield f"order {body.order[:4].hex()}: {complaint}"
        match body:
            case OrderShip(_, items):
                yield from self._goods.lock(items, order.store)
                order.items, order.is_shipped = items, True
                order.deadline_ms = self._now_ms + order.confirm_ms
            case OrderConfirm():
                self._close(body.order, page, is_paid=True)
            case OrderRefund(_, amount_minor) if amount_minor:
                order.cash_minor -= amount_minor
                page.move(order.payer, amount_minor)
            case OrderSettle():
                self._close(body.order, page, is_paid=order.is_shipped)
            case _:
                self._close(body.order, page, is_paid=False)

    def _close(self, order_id: TransactionId, page: _Page, *, is_paid: bool) -> None:
        order = self._orders.pop(order_id)
        page.deposits[order.payer] = None
        self._goods.unlock(order.items, order.buyer if is_paid else order.store)
        if not is_paid:
            page.move(order.payer, order.cash_minor)
            return
        kept_minor = order.cash_minor * self._genesis.parameters.protocol_fee_bps // _BPS
        page.move(order.store, order.cash_minor - kept_minor)
        page.rewards_minor += kept_minor - kept_minor // 2

    def _compare(self, committed: CommittedBlock, page: _Page) -> Iterator[str]:
        changes = committed.changes
        yield from self._compare_fees(committed, page)
        written = [key[len(ACCOUNT.tag) :] for key in changes if key.startswith(ACCOUNT.tag)]
        for account in dict.fromkeys([*page.changes, *map(PublicKey, written)]):
            before, due = self._balances.get(account, 0), page.changes.get(account, 0)
            value = changes.get(ACCOUNT.key(account))
            after = before if value is None else ACCOUNT.read(value).balance_minor
            self._balances[account] = after
            if value is not None:
                self._known[account] = None
            if page.is_vague or account in page.free:
                continue
            if after - before != due and account not in page.deposits:
                yield f"account {account[:4].hex()} changed by {after - before} minor units, {due} are accounted for"
            elif abs(after - before - due) > self._deposit_max_minor(committed):
                yield f"account {account[:4].hex()} changed by {after - before} minor units, far from {due}"

    def _compare_fees(self, committed: CommittedBlock, page: _Page) -> Iterator[str]:
        """Compare what the proposer got; fees of a jailed one wait for the next."""
        proposer, before = committed.block.header.proposer, dict(self._earned)
        for key, value in committed.changes.items():
            if key.startswith(VALIDATOR.tag) and value is not None:
                validator, record = PublicKey(key[len(VALIDATOR.tag) :]), VALIDATOR.read(value)
                self._earned[validator] = record.commission_minor + record.rewards_minor
                if record.is_jailed:
                    self._jailed[validator] = None
        due_minor = self._waiting_minor + page.rewards_minor
        self._waiting_minor = due_minor if proposer in self._jailed else 0
        got_minor = self._earned.get(proposer, 0) - before.get(proposer, 0)
        if not page.is_vague and proposer not in page.touched and got_minor != due_minor - self._waiting_minor:
            yield f"the proposer got {got_minor} minor units in fees, {due_minor - self._waiting_minor} are due to it"

    def _deposit_max_minor(self, committed: CommittedBlock) -> int:
        """Return a bound of what deposits can move in a block: the price of all bytes that it wrote, and a slack."""
        size = sum(len(key) + len(value or b"") + 512 for key, value in committed.changes.items())
        return 2 * size * self._genesis.parameters.byte_price
